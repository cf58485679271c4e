//! A CRM that does not exist: the folder to copy for one that does. It compiles and is tested like the others, so it
//! cannot go stale, but no enterprise can connect it: it has no line in `crm::KINDS`.
//!
//! What to fill in, in this order:
//!
//! 1. `settings.rs`: what an administrator enters, and what of it can be used.
//! 2. `map.rs`: our notice in the CRM's words. Pure, and where most of a CRM's traps are.
//! 3. `api.rs`: URLs, headers, what an answer means.
//! 4. here: the description, and which request follows which answer.
//! 5. `fixtures/`: answers of the real CRM, as text files. `tests.rs`: one snapshot for each notice, one line for each
//!    answer. `crm/conformance.rs` runs what holds for all as soon as the kind stands in `KINDS`.
//!
//! What not to do here: wait, send, store, log, retry, deduplicate, look at the call's direction or at internal
//! numbers. All that is done for you in `integration/`.

mod api;
mod map;
mod settings;
#[cfg(test)]
mod tests;

use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{
    Answer, Connected, Connector, Delivered, Kind, Place, Question, Step,
};
use crate::integration::fields::{Field, Input};
use crate::integration::known::Known;
use crate::integration::limiter::Rate;
use crate::integration::request::Reply;
use crate::integration::unknown::{self, New};
use serde_json::Value;
use settings::{Settings, UNKNOWN};

/// The description. Each field needs two texts in each locale: `integration-skeleton-address` and
/// `integration-skeleton-address-help`.
pub static KIND: Kind = Kind {
    name: "skeleton",
    title: "Skeleton CRM",
    fields: &[
        Field::required("address", Input::Url),
        Field::required("token", Input::Secret),
        Field::optional(unknown::FIELD, Input::Choice(UNKNOWN)),
    ],
    // Leave out what the CRM has no use for: no delivery is written for it then.
    wants: &[
        NoticeKind::Dial,
        NoticeKind::Bridge,
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
    Ok(Box::new(Skeleton {
        settings: Settings::read(place, settings)?,
        // Take from the place what the mapping needs, once: the connector lives as long as the configuration.
        public_url: place.public_url.to_owned(),
        time_zone: place.enterprise.time_zone,
    }))
}

/// One enterprise's account. What is in here never changes: new settings make a new one.
struct Skeleton {
    settings: Settings,
    public_url: String,
    time_zone: chrono_tz::Tz,
}

impl Connector for Skeleton {
    fn rates(&self) -> Vec<Rate> {
        // As the CRM's manual states them. Requests name the lane they count against.
        vec![Rate {
            lane: api::LANE,
            per_second: 5.0,
            burst: None,
        }]
    }

    /// Called with the answers heard so far, the first time with none. This CRM wants two requests for a pop-up:
    /// find the client (or make one), then show the card; everything else is one.
    fn deliver(&self, notice: &Notice, _: &Known, heard: &[Reply]) -> Step<Delivered> {
        match (notice.kind, heard) {
            (NoticeKind::Dial, []) => Step::Send(api::find(&self.settings, &notice.record)),
            (NoticeKind::Dial, [found]) => match api::found(found) {
                Ok(Some(client)) => Step::Send(api::show(&self.settings, client, notice)),
                Ok(None) => match self.settings.strangers.of(&notice.record) {
                    // This CRM has no other place for a stranger: it offers no other word.
                    Ok(New::Contact | New::Lead | New::Unsorted) => {
                        Step::Send(api::add(&self.settings, &notice.record))
                    }
                    // Words for the call's page: somebody will ask why there was no pop-up.
                    Err(reason) => Step::Nothing(reason.into()),
                },
                Err(failed) => Step::Failed(failed),
            },
            // The client was there, then this is the card's answer; or was made just now, then the card comes next.
            (NoticeKind::Dial, [found, added]) if api::found(found) == Ok(None) => {
                match api::made(added) {
                    Ok(client) => Step::Send(api::show(&self.settings, client, notice)),
                    Err(failed) => Step::Failed(failed),
                }
            }
            (
                NoticeKind::Start
                | NoticeKind::Bridge
                | NoticeKind::Hangup
                | NoticeKind::Upload
                | NoticeKind::Recording,
                [],
            ) => {
                let call = map::call(notice, &self.public_url, self.time_zone);
                Step::Send(api::put_call(&self.settings, &call))
            }
            (_, [.., last]) => match api::taken(last) {
                Ok(delivered) => Step::End(delivered),
                Err(failed) => Step::Failed(failed),
            },
        }
    }

    fn ask(&self, question: &Question, _: &Known, heard: &[Reply]) -> Step<Answer> {
        api::ask(&self.settings, question, heard)
    }
}
