//! MoySklad: cards on employees' screens that open, run and close with the call, the history with recordings, names and
//! responsible employees by number, clicks on numbers. Settings in `settings.rs`, the Phone API in `api.rs`, the JSON API
//! in `remap.rs`, our words to theirs in `map.rs`, questions in `questions.rs`, clicks in `clicks.rs`.
//!
//! A call is one thing in MoySklad from its first ring to its recording, under an id that MoySklad gives; so that id is
//! kept, and a call is created once though nobody knows what a second creation would come to:
//!
//! ```text
//!   id kept? ─yes─▶ fill in, command ─▶ recording there? ─no─▶ add its link
//!      │ no                                            └─ client known? ─no─▶ as the settings say: nothing · a new client
//!   an earlier try began to create it? ─yes─▶ is it there under our id? ─yes─▶ keep its id, go on
//!      │ no                                                          └─no─┐
//!   keep that we begin ──▶ create, with its first commands ◀──────────────┘──▶ keep its id
//! ```

mod api;
mod clicks;
mod map;
mod questions;
mod remap;
mod settings;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{
    Answer, Connector, Delivered, Failed, Kind, Place, Question, Step,
};
use crate::integration::fields::{Field, Input, SettingsFault};
use crate::integration::halt::{Halt, Heard};
use crate::integration::incoming::{Incoming, Wish};
use crate::integration::known::Known;
use crate::integration::limiter::Rate;
use crate::integration::request::{Reply, Request};
use crate::integration::unknown;
use api::{Call, Name};
use settings::{Settings, UNKNOWN};

/// MoySklad, described. Its name is the one older integrations documents have.
pub static KIND: Kind = Kind {
    name: "ms",
    title: "МойСклад",
    fields: &[
        Field::required("token", Input::Secret),
        Field::optional("access_token", Input::Secret),
        Field::optional(unknown::FIELD, Input::Choice(UNKNOWN)),
        Field::optional("send_dial", Input::Flag(true)),
        Field::optional("send_upload", Input::Flag(true)),
        Field::optional("check_signature", Input::Flag(true)),
        Field::optional("api_address", Input::Url),
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
    authorizes: false,
    hears: true,
    connect: |place, settings| Ok(Box::new(MoySklad::new(place, settings)?)),
};

/// One enterprise's MoySklad.
#[derive(Debug)]
struct MoySklad {
    settings: Settings,
    facts: map::Facts,
}

impl MoySklad {
    fn new(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        Ok(Self {
            settings: Settings::read(place, settings)?,
            facts: map::Facts::of(place),
        })
    }

    /// The conversation drawn above. What is kept tells how far it is: answers heard before are gone then.
    fn tell(&self, notice: &Notice, known: &Known, heard: &[Reply]) -> Result<Delivered, Halt> {
        let settings = &self.settings;
        let is_first = heard.is_empty();
        let mut heard = Heard::new(heard);
        let own = Name::External(&notice.record.unique_id);
        let kept = Kept::read(&known.memory);
        let is_ours = kept.as_ref().is_some_and(|it| it.talk == known.talk);
        let keep = |call: Option<Call>| {
            let talk = known.talk;
            Halt::Keep(json!(Kept { talk, call }))
        };
        let call = match kept.map(|it| it.call) {
            // Created or found in this conversation.
            Some(Some(call)) if is_ours => call,
            Some(Some(Call { id, start, .. })) => {
                if !map::is_history(notice) {
                    let obeyed = api::obeyed(heard.next(|| self.command(notice, Name::Id(&id)))?)?;
                    return obeyed.ok_or(Halt::Failed(Failed::Refused {
                        words: "MoySklad has this call no more".into(),
                    }));
                }
                let body = map::fill_in(notice, &start);
                let reply = heard.next(|| api::fill_in(settings, Name::Id(&id), &body))?;
                match api::filled_in(reply)? {
                    Some(call) => Call {
                        id,
                        is_ended: true,
                        ..call
                    },
                    None => return Err(keep(Some(self.create(notice, &mut heard)?))),
                }
            }
            None if is_first => {
                return match notice.kind {
                    NoticeKind::Hangup => Err(Halt::nothing("no card was shown")),
                    _ => Err(keep(None)),
                };
            }
            // An earlier try was cut off: nobody knows whether it was taken, but this request tells.
            Some(None) if !is_ours => {
                let reply = heard.next(|| api::fill_in(settings, own, &map::ask(notice)))?;
                match api::filled_in(reply)? {
                    Some(call) if call.id.is_empty() => call,
                    Some(call) => return Err(keep(Some(call))),
                    None if notice.kind == NoticeKind::Hangup => {
                        return Err(Halt::nothing("no card was shown"));
                    }
                    None => return Err(keep(Some(self.create(notice, &mut heard)?))),
                }
            }
            None | Some(None) => return Err(keep(Some(self.create(notice, &mut heard)?))),
        };
        if !map::is_history(notice) {
            return Ok(call.taken());
        }
        let name = match call.id.as_str() {
            "" => own,
            id => Name::Id(id),
        };
        if !call.is_ended {
            let body = map::fill_in(notice, &call.start);
            api::filled_in(heard.next(|| api::fill_in(settings, name, &body))?)?;
        }
        if let Some(link) = self.facts.link(&notice.record)
            && !call.links.contains(&link)
        {
            let body = json!({"recordUrl": [link]});
            api::filled_in(heard.next(|| api::fill_in(settings, name, &body))?)?;
        }
        if call.is_told && !call.is_known && self.introduce(notice, name, &call, &mut heard)? {
            return Ok(Delivered::Taken("a new client".into()));
        }
        Ok(call.taken())
    }

    /// Creates the call.
    fn create(&self, notice: &Notice, heard: &mut Heard<'_>) -> Result<Call, Halt> {
        let body = map::create(notice, &self.facts);
        Ok(api::created(
            heard.next(|| api::create(&self.settings, &body))?,
        )?)
    }

    /// What a notice says of a call that is there: one command by itself, several with what they fill in.
    fn command(&self, notice: &Notice, call: Name<'_>) -> Request {
        let commands = map::commands(notice, false);
        match commands.as_slice() {
            [one] if notice.kind != NoticeKind::Bridge => api::command(&self.settings, call, one),
            _ => api::fill_in(&self.settings, call, &map::ask(notice)),
        }
    }

    /// Makes a client of a caller whom MoySklad does not know, as the settings say. Looks first: it may know the number
    /// in another spelling, or from a try that was cut off.
    fn introduce(
        &self,
        notice: &Notice,
        name: Name<'_>,
        call: &Call,
        heard: &mut Heard<'_>,
    ) -> Result<bool, Halt> {
        let settings = &self.settings;
        let Some(token) = settings.token.as_ref().filter(|_| settings.makes_clients) else {
            return Ok(false);
        };
        if settings.strangers.of(&notice.record).is_err() {
            return Ok(false);
        }
        let phone = notice.record.phone.as_deref().unwrap_or_default();
        let found = remap::find(settings, token, &self.facts.country, phone, heard)?;
        let client = match found {
            Some(client) => client.meta,
            None => {
                let owner = call.employee.as_ref();
                remap::added(heard.next(|| remap::add(settings, token, phone, owner))?)?
            }
        };
        let body = json!({"counterparty": client});
        api::filled_in(heard.next(|| api::fill_in(settings, name, &body))?)?;
        Ok(true)
    }
}

/// What is kept of a call.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The conversation that kept it.
    talk: u32,
    /// The call as it was when it was created; `None` while that is under way.
    call: Option<Call>,
}

impl Kept {
    fn read(memory: &Value) -> Option<Self> {
        serde_json::from_value(memory.clone()).ok()
    }
}

impl Connector for MoySklad {
    fn rates(&self) -> Vec<Rate> {
        vec![
            Rate {
                lane: api::LANE,
                per_second: 18.0,
                burst: None,
            },
            Rate {
                lane: remap::LANE,
                per_second: 2.3,
                // One question may need as many.
                burst: Some(4.0),
            },
        ]
    }

    /// Five requests at once are allowed; one is left for questions.
    fn at_once(&self) -> usize {
        4
    }

    fn deliver(&self, notice: &Notice, known: &Known, heard: &[Reply]) -> Step<Delivered> {
        let is_on = match map::is_history(notice) {
            true => self.settings.send_upload,
            false => self.settings.send_dial,
        };
        if !is_on {
            return Step::Nothing("switched off in the integration's settings".into());
        }
        self.tell(notice, known, heard).into()
    }

    fn ask(&self, question: &Question, _: &Known, heard: &[Reply]) -> Step<Answer> {
        questions::ask(&self.settings, &self.facts.country, question, heard).into()
    }

    fn hear(&self, incoming: &Incoming, _: &Known) -> Result<Wish, String> {
        clicks::hear(&self.settings, incoming)
    }
}
