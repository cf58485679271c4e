//! A webhook: events of calls to any URL, signed as Standard Webhooks 1.0 has it, for whatever has no folder of its
//! own. Settings in `settings.rs`, the published events in `map.rs`, requests and answers in `api.rs`. The signature
//! itself is `integration/seal.rs`, the watch over private addresses `integration/guard.rs`.
//!
//! It asks the receiver nothing: names and responsible managers come from CRMs.

mod api;
mod map;
mod settings;
#[cfg(test)]
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
use map::Facts;
use settings::Settings;

/// The JSON schema of every body that is sent, as published in docs/ and served by the door.
pub const SCHEMA: &str = include_str!("../../../../docs/webhook-events.schema.json");

/// The description.
pub static KIND: Kind = Kind {
    name: "webhook",
    title: "Webhook",
    fields: &[
        Field::required("url", Input::Url),
        Field::required("secret", Input::Secret),
        Field::optional("former_secret", Input::Secret),
        Field::optional("send_started", Input::Flag(true)),
        Field::optional("send_ringing", Input::Flag(true)),
        Field::optional("send_answered", Input::Flag(true)),
        Field::optional("send_transferred", Input::Flag(true)),
        Field::optional("send_ended", Input::Flag(true)),
        Field::optional("send_recording", Input::Flag(true)),
    ],
    wants: &[
        NoticeKind::Start,
        NoticeKind::Dial,
        NoticeKind::Bridge,
        NoticeKind::Hangup,
        NoticeKind::Upload,
        NoticeKind::Recording,
    ],
    lasting: true,
    remembers: false,
    authorizes: false,
    hears: false,
    connect,
};

fn connect(place: &Place<'_>, settings: &Value) -> Connected {
    Ok(Box::new(Webhook {
        settings: Settings::read(settings)?,
        facts: Facts::of(place),
    }))
}

/// One enterprise's receiver.
struct Webhook {
    settings: Settings,
    facts: Facts,
}

impl Connector for Webhook {
    fn rates(&self) -> Vec<Rate> {
        // Nobody states a limit for a receiver of one's own; this keeps a backlog from being a flood.
        vec![Rate {
            lane: api::LANE,
            per_second: 50.0,
            burst: None,
        }]
    }

    fn deliver(&self, notice: &Notice, _: &Known, heard: &[Reply]) -> Step<Delivered> {
        api::tell(&self.settings, &self.facts, notice, heard)
    }

    fn ask(&self, question: &Question, _: &Known, heard: &[Reply]) -> Step<Answer> {
        api::ask(&self.settings, &self.facts, question, heard)
    }
}
