//! Bitrix24: the card of a ringing call on the screens of those who ring, the call with its recording in the statistics and
//! in the client's history, names and responsible managers by number, clicks on numbers. Settings in `settings.rs`, how we
//! are let in in `access.rs`, what is told of a call in `deliver.rs`, our words to theirs in `map.rs`, questions in
//! `questions.rs`, what it sends us in `hear.rs`, answers in `talk.rs`.
//!
//! A call has an id of Bitrix24's own, which is kept before anything is said under it: finishing is good once, and the
//! portal does not look for a finished call by our id. Whether a webhook may register calls, its documentation and its
//! source tell differently: both ways are here, and the connection test tells which a portal wants.

mod access;
mod deliver;
mod hear;
mod map;
mod popup;
mod questions;
mod settings;
mod talk;
#[cfg(test)]
mod tests;
mod upload;

use serde_json::Value;

use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{
    Answer, Connector, Delivered, Failed, Kind, Place, Question, Step,
};
use crate::integration::fields::{Field, Input, SettingsFault};
use crate::integration::halt::{Halt, Heard};
use crate::integration::incoming::{Incoming, Wish};
use crate::integration::known::{Known, Tokens};
use crate::integration::limiter::Rate;
use crate::integration::request::{Reply, Request};
use crate::integration::unknown;
use access::Access;
use deliver::Delivery;
use map::{Facts, Memory};
use settings::{MODES, Settings, UNKNOWN, Way};
use talk::Talk;

/// Requests a portal takes at once after a rest; it blocks above fifty, and others of this server ask it too.
const BURST: f64 = 30.0;

/// Bitrix24, described. Which fields are needed depends on the first.
pub static KIND: Kind = Kind {
    name: "bitrix24",
    title: "Bitrix24",
    fields: &[
        Field::optional("mode", Input::Choice(MODES)),
        Field::optional("webhook_url", Input::Secret),
        Field::optional("portal", Input::Text),
        Field::optional("client_id", Input::Secret),
        Field::optional("client_secret", Input::Secret),
        Field::optional("authority", Input::Url),
        Field::optional("application_token", Input::Secret),
        Field::optional(unknown::FIELD, Input::Choice(UNKNOWN)),
        Field::optional("default_user", Input::Text),
        Field::optional("callback_extension", Input::Text),
        Field::optional("send_dial", Input::Flag(true)),
        Field::optional("send_upload", Input::Flag(true)),
        Field::optional("send_line", Input::Flag(true)),
        Field::optional("add_to_chat", Input::Flag(false)),
        Field::optional("user_extensions", Input::Extensions),
    ],
    wants: &[
        NoticeKind::Dial,
        NoticeKind::Bridge,
        NoticeKind::Hangup,
        NoticeKind::Upload,
        NoticeKind::Recording,
    ],
    lasting: false,
    remembers: true,
    authorizes: true,
    hears: true,
    connect: |place, settings| Ok(Box::new(Bitrix24::new(place, settings)?)),
};

/// One enterprise's Bitrix24.
#[derive(Debug)]
struct Bitrix24 {
    settings: Settings,
    facts: Facts,
}

impl Bitrix24 {
    fn new(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        Ok(Self {
            settings: Settings::read(place, settings)?,
            facts: Facts::of(place, settings),
        })
    }

    fn talk<'a>(&self, known: &Known, heard: &'a [Reply]) -> Result<Talk<'a>, Failed> {
        Ok(Talk::new(Access::of(&self.settings, known)?, heard))
    }

    fn answer(&self, question: &Question, known: &Known, heard: &[Reply]) -> Result<Answer, Halt> {
        if let Question::Authorize { code } = question {
            let request = access::exchange(&self.settings, "authorization_code", "code", code)
                .ok_or_else(|| Halt::Nothing("the settings say webhook, not application".into()))?;
            let reply = Heard::new(heard).next(|| request)?;
            let former = known.tokens.as_ref();
            return Ok(Answer::Tokens(access::exchanged(former, reply)?));
        }
        let mut talk = self.talk(known, heard)?;
        match question {
            Question::Test => questions::test(&self.settings, &self.facts, &mut talk),
            Question::Customer { phone } => questions::customer(phone, &mut talk),
            Question::Responsible { phone } => questions::responsible(phone, &mut talk),
            Question::Managers => questions::managers(&mut talk),
            _ => Err(Halt::Nothing(
                "Bitrix24 keeps no list of telephonies".into(),
            )),
        }
    }
}

impl Connector for Bitrix24 {
    fn rates(&self) -> Vec<Rate> {
        vec![Rate {
            lane: access::LANE,
            per_second: 2.0,
            burst: Some(BURST),
        }]
    }

    fn deliver(&self, notice: &Notice, known: &Known, heard: &[Reply]) -> Step<Delivered> {
        let delivery = Delivery {
            notice,
            settings: &self.settings,
            facts: &self.facts,
            memory: Memory::read(&known.memory),
            owner: access::owner(known),
        };
        let talked = self
            .talk(known, heard)
            .map_err(Halt::Failed)
            .and_then(|mut talk| delivery.step(&mut talk));
        talked.into()
    }

    fn ask(&self, question: &Question, known: &Known, heard: &[Reply]) -> Step<Answer> {
        self.answer(question, known, heard).into()
    }

    fn needs_tokens(&self) -> bool {
        matches!(self.settings.way, Way::Application { .. })
    }

    fn renew(&self, tokens: &Tokens) -> Option<Request> {
        access::exchange(
            &self.settings,
            "refresh_token",
            "refresh_token",
            &tokens.refresh,
        )
    }

    fn renewed(&self, tokens: &Tokens, reply: &Reply) -> Result<Tokens, Failed> {
        access::exchanged(Some(tokens), reply)
    }

    fn hear(&self, incoming: &Incoming, known: &Known) -> Result<Wish, String> {
        hear::wish(&self.settings, incoming, known)
    }
}
