//! amoCRM (Kommo), API v4: a card on ringing, the history with recordings, names and responsible managers by number.
//! Settings in `settings.rs`, how we are let in in `access.rs`, URLs and answers in `api.rs`, our words to theirs in `map.rs`, questions in `questions.rs`.
//!
//! A call's history is a conversation, because the CRM takes the same call twice and knows nobody by himself:
//!
//! ```text
//!   contact with this number? ─yes─▶ is the call in its history, or its leads'? ─no─▶ add the call
//!      │ no                                                        └─yes─▶ had it already
//!   company? ─yes─▶ (the same)
//!      │ no
//!   as the settings say: nothing · make a contact, add the call · is it among the unsorted? ─no─▶ add it there
//! ```
//!
//! It is asked before every try, the first one too: which try it is, a connector does not know, and a try that was cut
//! off may have been taken.

mod access;
mod api;
mod map;
mod questions;
mod settings;
#[cfg(test)]
mod tests;
mod widget;

use std::time::Duration;

use serde_json::Value;

use crate::call::record::{Direction, Notice, NoticeKind};
use crate::integration::connector::{
    Answer, Connector, Delivered, Failed, Kind, Place, Question, Step,
};
use crate::integration::fields::{Field, Input, SettingsFault};
use crate::integration::halt::{Halt, Heard};
use crate::integration::incoming::{Done, Incoming, Spoken, Wish};
use crate::integration::known::{Known, Tokens};
use crate::integration::limiter::Rate;
use crate::integration::request::{Reply, Request};
use crate::integration::unknown::{self, New};
use settings::{Settings, UNKNOWN};

/// amoCRM, described.
pub static KIND: Kind = Kind {
    name: "amocrm",
    title: "amoCRM",
    fields: &[
        Field::required("subdomain", Input::Text),
        Field::optional("access_token", Input::Secret),
        Field::optional("client_id", Input::Text),
        Field::optional("client_secret", Input::Secret),
        Field::optional("code", Input::Code),
        Field::optional("widget_secret", Input::Secret),
        Field::optional(unknown::FIELD, Input::Choice(UNKNOWN)),
        Field::optional("send_dial", Input::Flag(true)),
        Field::optional("send_upload", Input::Flag(true)),
        Field::optional("user_extensions", Input::Extensions),
    ],
    // Its card cannot be closed from outside, and there is no "answered". A call in a history has no way to get its
    // recording later: no change of a call is documented, and adding it again is a second note.
    wants: &[NoticeKind::Dial, NoticeKind::Upload],
    lasting: false,
    remembers: false,
    authorizes: true,
    hears: true,
    connect: |place, settings| Ok(Box::new(AmoCrm::new(place, settings)?)),
};

/// One enterprise's amoCRM.
#[derive(Debug)]
struct AmoCrm {
    settings: Settings,
    facts: map::Facts,
}

impl AmoCrm {
    fn new(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        Ok(Self {
            settings: Settings::read(place, settings)?,
            facts: map::Facts::of(place),
        })
    }

    /// The conversation drawn above.
    fn upload(
        &self,
        settings: &Settings,
        notice: &Notice,
        heard: &[Reply],
    ) -> Result<Delivered, Halt> {
        let call = map::call(notice, settings, &self.facts);
        let mut heard = Heard::new(heard);
        for list in ["contacts", "companies"] {
            let reply = heard.next(|| api::find(settings, list, &call.phone))?;
            let Some(found) = api::found(reply, list, &call.phone)? else {
                continue;
            };
            let reply = heard.next(|| api::notes(settings, list, &[found.id]))?;
            let mut known = api::holds(reply, "notes", "params", &call.uniq)?;
            if !known && !found.leads.is_empty() {
                let reply = heard.next(|| api::notes(settings, "leads", &found.leads))?;
                known = api::holds(reply, "notes", "params", &call.uniq)?;
            }
            if known {
                return Ok(Delivered::Duplicate);
            }
            let reply = heard.next(|| api::add_call(settings, &call))?;
            return Ok(api::added(reply, "calls")?);
        }
        match settings
            .strangers
            .of(&notice.record)
            .map_err(Halt::nothing)?
        {
            New::Contact => {
                api::added(
                    heard.next(|| api::add_contact(settings, &call))?,
                    "contacts",
                )?;
                Ok(api::added(
                    heard.next(|| api::add_call(settings, &call))?,
                    "calls",
                )?)
            }
            New::Lead | New::Unsorted if notice.record.direction == Direction::Out => {
                Err(Halt::nothing(
                    "amoCRM knows nobody with this number, and only incoming calls are put to unsorted",
                ))
            }
            New::Lead | New::Unsorted => {
                let reply = heard.next(|| api::waiting(settings))?;
                if api::holds(reply, "unsorted", "metadata", &call.uniq)? {
                    return Ok(Delivered::Duplicate);
                }
                let reply = heard.next(|| api::add_unsorted(settings, &call))?;
                api::added(reply, "unsorted")?;
                Ok(Delivered::Taken("unsorted".into()))
            }
        }
    }
}

impl Connector for AmoCrm {
    fn rates(&self) -> Vec<Rate> {
        vec![Rate {
            lane: api::LANE,
            per_second: 5.0,
            burst: None,
        }]
    }

    fn deliver(&self, notice: &Notice, known: &Known, heard: &[Reply]) -> Step<Delivered> {
        match access::let_in(&self.settings, known) {
            Ok(settings) => access::ended(&settings, self.tell(&settings, notice, heard), heard),
            Err(failed) => Step::Failed(failed),
        }
    }

    fn ask(&self, question: &Question, known: &Known, heard: &[Reply]) -> Step<Answer> {
        if let Question::Authorize { code } = question {
            return access::authorize(&self.settings, code, heard);
        }
        match access::let_in(&self.settings, known) {
            Ok(settings) => {
                let step = questions::ask(&settings, question, heard);
                access::ended(&settings, step, heard)
            }
            Err(failed) => Step::Failed(failed),
        }
    }

    fn needs_tokens(&self) -> bool {
        self.settings.oauth.is_some()
    }

    fn renew(&self, tokens: &Tokens) -> Option<Request> {
        access::renew(&self.settings, tokens)
    }

    fn renewed(&self, _: &Tokens, reply: &Reply) -> Result<Tokens, Failed> {
        access::pair(reply)
    }

    fn renew_ahead(&self) -> Option<Duration> {
        self.settings.oauth.as_ref().map(|_| access::AHEAD)
    }

    fn hear(&self, incoming: &Incoming, _: &Known) -> Result<Wish, String> {
        widget::hear(&self.settings, incoming)
    }

    fn speak(&self, incoming: &Incoming, outcome: Result<&Done, (u16, &str)>) -> Spoken {
        widget::speak(incoming, outcome)
    }
}

impl AmoCrm {
    fn tell(&self, settings: &Settings, notice: &Notice, heard: &[Reply]) -> Step<Delivered> {
        let off = || Step::Nothing("switched off in the integration's settings".into());
        match (notice.kind, heard) {
            (NoticeKind::Dial, _) if !settings.send_dial => off(),
            (NoticeKind::Upload, _) if !settings.send_upload => off(),
            (
                NoticeKind::Start | NoticeKind::Bridge | NoticeKind::Hangup | NoticeKind::Recording,
                _,
            ) => Step::Nothing("amoCRM has no event for this".into()),
            (NoticeKind::Dial, []) => match map::popup(notice, settings) {
                Ok(body) => Step::Send(api::show(settings, &body)),
                Err(reason) => Step::Nothing(reason),
            },
            (NoticeKind::Dial, [reply, ..]) => match api::shown(reply) {
                Ok(delivered) => Step::End(delivered),
                Err(failed) => Step::Failed(failed),
            },
            (NoticeKind::Upload, heard) => self.upload(settings, notice, heard).into(),
        }
    }
}
