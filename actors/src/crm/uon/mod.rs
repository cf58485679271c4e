//! U-ON.Travel: a pop-up on ringing, the history with recordings, names and responsible managers by number, clicks on
//! numbers. Settings in `settings.rs`, URLs and answers in `api.rs`, our words to theirs in `map.rs`, the two
//! conversations in `popup.rs` and `upload.rs`, questions in `questions.rs`, clicks in `clicks.rs`.
//!
//! U-ON takes the same thing twice and has no field by which it could tell. So what is about to be told is kept before it is
//! sent (`memory.rs`); a try that finds it kept is not the first, and asks before it tells again where there is
//! something to ask: the history can be read, pop-ups cannot.

mod api;
mod clicks;
mod map;
mod memory;
mod popup;
mod questions;
mod settings;
#[cfg(test)]
mod tests;
mod upload;

use serde_json::Value;

use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{Answer, Connector, Delivered, Kind, Place, Question, Step};
use crate::integration::fields::{Field, Input, SettingsFault};
use crate::integration::halt::Heard;
use crate::integration::incoming::{Done, Incoming, Spoken, Wish};
use crate::integration::known::Known;
use crate::integration::limiter::Rate;
use crate::integration::request::Reply;
use crate::integration::unknown;
use memory::Memory;
use settings::{Settings, TIME_ZONES, UNKNOWN};

/// U-ON.Travel, described.
pub static KIND: Kind = Kind {
    name: "uon",
    title: "U-ON.Travel",
    fields: &[
        Field::required("api_key", Input::Secret),
        Field::optional("cabinet", Input::Text),
        Field::optional(unknown::FIELD, Input::Choice(UNKNOWN)),
        Field::optional("time_zone", Input::Choice(TIME_ZONES)),
        Field::optional("send_dial", Input::Flag(true)),
        Field::optional("send_upload", Input::Flag(true)),
        Field::optional("api_url", Input::Url),
        Field::optional("user_extensions", Input::Extensions),
    ],
    // A pop-up cannot be changed or closed, and a row of the history cannot be changed: what comes later has no place.
    wants: &[NoticeKind::Dial, NoticeKind::Upload],
    lasting: false,
    remembers: true,
    authorizes: false,
    hears: true,
    connect: |place, settings| Ok(Box::new(Uon::new(place, settings)?)),
};

/// One enterprise's cabinet.
#[derive(Debug)]
struct Uon {
    settings: Settings,
    facts: map::Facts,
    /// Where clicks come to, once the settings are saved.
    address: Option<String>,
}

impl Uon {
    fn new(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        let address = place.address("uon", settings);
        let settings = Settings::read(place, settings)?;
        Ok(Self {
            facts: map::Facts::of(place, settings.moscow),
            address,
            settings,
        })
    }
}

impl Connector for Uon {
    fn rates(&self) -> Vec<Rate> {
        vec![Rate {
            lane: api::LANE,
            // Ten within any second, however it counts them.
            per_second: 6.5,
            burst: Some(3.0),
        }]
    }

    fn deliver(&self, notice: &Notice, known: &Known, heard: &[Reply]) -> Step<Delivered> {
        let off = || Step::Nothing("switched off in the integration's settings".into());
        let memory = Memory::read(known);
        let heard = Heard::new(heard);
        let talked = match notice.kind {
            NoticeKind::Dial if !self.settings.send_dial => return off(),
            NoticeKind::Upload if !self.settings.send_upload => return off(),
            NoticeKind::Dial => popup::tell(self, notice, memory, heard),
            NoticeKind::Upload => upload::tell(self, notice, memory, heard),
            _ => return Step::Nothing("U-ON has no place for this".into()),
        };
        talked.into()
    }

    fn ask(&self, question: &Question, _: &Known, heard: &[Reply]) -> Step<Answer> {
        questions::ask(self, question, heard)
    }

    fn hear(&self, incoming: &Incoming, _: &Known) -> Result<Wish, String> {
        clicks::hear(&self.settings, incoming)
    }

    fn speak(&self, _: &Incoming, outcome: Result<&Done, (u16, &str)>) -> Spoken {
        clicks::speak(outcome)
    }
}
