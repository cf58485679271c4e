//! A toy: a card file that does not exist, what a connector looks like when it is done, for docs/adding-a-crm.md. Tests only: no
//! enterprise can connect it. Its stand-in is `simulators::cardfile`, its texts are `texts.en.ftl` and `texts.ru.ftl` beside
//! this file, where a real kind has them in `locales/`.
//!
//! The same call put twice is one call, so a lost answer costs nothing and nothing is asked before.

mod api;
mod map;
mod settings;
mod tests;

use serde_json::Value;

use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{
    Answer, Connected, Connector, Delivered, Kind, Place, Question, Step,
};
use crate::integration::fields::{Field, Input};
use crate::integration::known::Known;
use crate::integration::limiter::Rate;
use crate::integration::request::Reply;
use crate::integration::unknown;
use settings::{Settings, UNKNOWN};

/// The description.
pub static KIND: Kind = Kind {
    name: "cardfile",
    title: "Card file",
    fields: &[
        Field::required("address", Input::Url),
        Field::required("token", Input::Secret),
        Field::optional(unknown::FIELD, Input::Choice(UNKNOWN)),
    ],
    // It shows nobody that somebody answered.
    wants: &[
        NoticeKind::Dial,
        NoticeKind::Hangup,
        NoticeKind::Upload,
        NoticeKind::Recording,
    ],
    lasting: false,
    remembers: false,
    authorizes: false,
    hears: false,
    connect,
};

fn connect(place: &Place<'_>, settings: &Value) -> Connected {
    Ok(Box::new(CardFile {
        settings: Settings::read(place, settings)?,
        public_url: place.public_url.to_owned(),
    }))
}

struct CardFile {
    settings: Settings,
    public_url: String,
}

impl Connector for CardFile {
    fn rates(&self) -> Vec<Rate> {
        vec![Rate {
            lane: api::LANE,
            per_second: 50.0,
            burst: None,
        }]
    }

    fn deliver(&self, notice: &Notice, _: &Known, heard: &[Reply]) -> Step<Delivered> {
        let record = &notice.record;
        match (notice.kind, heard) {
            (NoticeKind::Dial, []) => Step::Send(api::find(&self.settings, record)),
            (NoticeKind::Dial, [found]) => match api::found(found) {
                Ok(Some(person)) => Step::Send(api::show(&self.settings, person, notice)),
                Ok(None) => match self.settings.strangers.of(record) {
                    Ok(_) => Step::Send(api::add(&self.settings, record)),
                    Err(reason) => Step::Nothing(reason.into()),
                },
                Err(failed) => Step::Failed(failed),
            },
            (NoticeKind::Dial, [found, added]) if api::found(found) == Ok(None) => {
                match api::added(added) {
                    Ok(person) => Step::Send(api::show(&self.settings, person, notice)),
                    Err(failed) => Step::Failed(failed),
                }
            }
            (NoticeKind::Hangup, []) => Step::Send(api::close(&self.settings, record)),
            (NoticeKind::Upload | NoticeKind::Recording, []) => Step::Send(api::put(
                &self.settings,
                &map::call(notice, &self.public_url),
            )),
            (_, [.., last]) => match api::taken(last) {
                Ok(delivered) => Step::End(delivered),
                Err(failed) => Step::Failed(failed),
            },
            (NoticeKind::Start | NoticeKind::Bridge, []) => {
                Step::Nothing("the card file has nothing for this".into())
            }
        }
    }

    fn ask(&self, question: &Question, _: &Known, heard: &[Reply]) -> Step<Answer> {
        api::ask(&self.settings, question, heard)
    }
}
