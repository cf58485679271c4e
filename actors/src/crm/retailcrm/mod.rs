//! RetailCRM (Simla), API v5: cards on ringing, their closing, the history with recordings, names and responsible
//! managers by number. Settings in `settings.rs`, URLs and answers in `api.rs`, our words to theirs in `map.rs`, the
//! telephony module in `module.rs`.
//! Decides nothing that holds for every CRM.

mod api;
mod map;
mod module;
mod settings;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{
    Answer, Connector, Delivered, Failed, Kind, Place, Question, Step,
};
use crate::integration::fields::{Field, Input, SettingsFault};
use crate::integration::known::Known;
use crate::integration::limiter::Rate;
use crate::integration::request::{Reply, Request};

pub use settings::Settings;

/// RetailCRM, described.
pub static KIND: Kind = Kind {
    name: "retailcrm",
    title: "RetailCRM",
    fields: &[
        Field::required("domain", Input::Url),
        Field::required("api_key", Input::Secret),
        Field::optional("client_id", Input::Text),
        Field::optional("send_dial", Input::Flag(true)),
        Field::optional("send_hangup", Input::Flag(true)),
        Field::optional("send_upload", Input::Flag(true)),
        Field::optional("user_extensions", Input::Extensions),
    ],
    // It has no "answered" event.
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
    connect: |place, settings| Ok(Box::new(RetailCrm::new(place, settings)?)),
};

/// One enterprise's RetailCRM.
#[derive(Debug)]
pub struct RetailCrm {
    settings: Settings,
    facts: map::Facts,
}

impl RetailCrm {
    /// Checks the settings and takes what the mapping needs of the enterprise.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn new(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        Ok(Self {
            settings: Settings::read(settings)?,
            facts: map::Facts::of(place),
        })
    }
}

impl Connector for RetailCrm {
    fn rates(&self) -> Vec<Rate> {
        vec![
            Rate {
                lane: api::TELEPHONY,
                per_second: 40.0,
                burst: None,
            },
            Rate {
                lane: api::OTHER,
                per_second: 10.0,
                burst: None,
            },
        ]
    }

    fn deliver(&self, notice: &Notice, _: &Known, heard: &[Reply]) -> Step<Delivered> {
        if !self.settings.sends(notice.kind) {
            return Step::Nothing("switched off in the integration's settings".into());
        }
        match (notice.kind, heard.last()) {
            (NoticeKind::Start | NoticeKind::Bridge, _) => {
                Step::Nothing("RetailCRM has no event for this".into())
            }
            // The call a second time, by the same id: that makes no second record, and it is the only place of a recording.
            (NoticeKind::Upload | NoticeKind::Recording, None) => Step::Send(api::upload(
                &self.settings,
                &[map::history(notice, &self.settings, &self.facts)],
            )),
            (NoticeKind::Upload, Some(reply)) => {
                end(api::uploaded(reply, &notice.record.unique_id))
            }
            (NoticeKind::Recording, Some(reply)) => {
                end(api::uploaded(reply, &notice.record.unique_id).map(api::recording_told))
            }
            (NoticeKind::Dial | NoticeKind::Hangup, None) => {
                match map::event(notice, &self.settings, &self.facts) {
                    Ok(event) => Step::Send(api::event(&self.settings, &event)),
                    Err(reason) => Step::Nothing(reason),
                }
            }
            (NoticeKind::Dial | NoticeKind::Hangup, Some(reply)) => end(api::event_taken(reply)),
        }
    }

    fn ask(&self, question: &Question, _: &Known, heard: &[Reply]) -> Step<Answer> {
        api::ask(&self.settings, question, heard)
    }

    fn many(&self) -> usize {
        api::MOST_CALLS
    }

    fn deliver_many(&self, notices: &[&Notice]) -> Option<Request> {
        let calls: Vec<map::Call> = notices
            .iter()
            .filter(|notice| notice.kind == NoticeKind::Upload && self.settings.sends(notice.kind))
            .map(|notice| map::history(notice, &self.settings, &self.facts))
            .collect();
        (calls.len() == notices.len() && !calls.is_empty())
            .then(|| api::upload(&self.settings, &calls))
    }
}

fn end(heard: Result<Delivered, Failed>) -> Step<Delivered> {
    match heard {
        Ok(delivered) => Step::End(delivered),
        Err(failed) => Step::Failed(failed),
    }
}
