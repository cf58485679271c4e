//! What Bitrix24 is told of a call. Called by `mod.rs` for each notice. Pure: what is kept of the call tells how far it is.
//!
//! ```text
//!   rings ─▶ registered? ─no─▶ register, showing the card (and show it to the others: one batch) ─▶ keep its id
//!                └─yes─▶ show the card to those who ring now
//!   talks ─▶ hide it from the others, show it to whoever has none          over ─▶ hide it
//!
//!   history ─▶ registered? ─no─▶ register without a card ─▶ keep its id
//!      finish + attach the recording (one batch) ─▶ keep that it is finished
//!         "Call is not found": is it in the statistics? ─yes─▶ finished by an earlier try
//!                                                       └no─▶ the portal has lost it: forget its id, begin again
//!      the recording alone, until it is taken
//! ```

use std::time::Duration;

use serde_json::{Value, json};

use super::map::{self, Facts, Memory, Who};
use super::settings::Settings;
use super::talk::{NO_CALL, NO_USER, Talk, command, object};
use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{Delivered, Failed, KNOWS_NO_USER};
use crate::integration::halt::Halt;

/// Bitrix24 fetches a recording before it answers; its own requests end after a minute.
const FETCHING: Duration = Duration::from_secs(65);
/// Asked about in place of a recording; nothing is attached under it.
const NO_FILE: &str = "none.mp3";

const REGISTER: &str = "telephony.externalCall.register";
const SHOW: &str = "telephony.externalCall.show";
const HIDE: &str = "telephony.externalCall.hide";
const FINISH: &str = "telephony.externalCall.finish";
const ATTACH: &str = "telephony.externalCall.attachRecord";

/// One notice on its way.
pub struct Delivery<'a> {
    pub notice: &'a Notice,
    pub settings: &'a Settings,
    pub facts: &'a Facts,
    pub memory: Memory,
    /// Who let the application in: has the calls that nobody has, unless the settings name another.
    pub owner: Option<i64>,
}

type Ended = Result<Delivered, Halt>;

impl Delivery<'_> {
    /// The next step.
    pub fn step(&self, talk: &mut Talk<'_>) -> Ended {
        let off = match self.notice.kind {
            NoticeKind::Upload | NoticeKind::Recording => !self.settings.send_upload,
            _ => !self.settings.send_dial,
        };
        if off {
            return nothing("switched off in the integration's settings");
        }
        match self.notice.kind {
            NoticeKind::Dial => self.ring(talk),
            NoticeKind::Bridge => self.talk(talk),
            NoticeKind::Hangup => self.close(talk),
            NoticeKind::Upload => self.file(talk),
            NoticeKind::Recording => self.record(talk),
            NoticeKind::Start => nothing("Bitrix24 has no event for this"),
        }
    }

    fn ring(&self, talk: &mut Talk<'_>) -> Ended {
        let extensions = &self.notice.extensions;
        if self.memory.finished {
            return nothing("the call is over");
        }
        if self.memory.call_id.is_empty() {
            return self.open(talk, extensions);
        }
        let mut shown = self.memory.shown.clone();
        let users = map::users(self.settings, extensions);
        let further: Vec<i64> = users.into_iter().filter(|id| !shown.contains(id)).collect();
        if further.is_empty() {
            return Ok(self.taken(talk, extensions));
        }
        let told = json!({"CALL_ID": self.memory.call_id, "USER_ID": further});
        if talk.call(SHOW, &told)? == Value::Bool(false) {
            return nothing("Bitrix24 has ended this call by itself and shows no card");
        }
        shown.extend(further);
        self.keep(Memory {
            shown,
            ..self.memory.clone()
        })
    }

    fn talk(&self, talk: &mut Talk<'_>) -> Ended {
        let extensions = &self.notice.extensions;
        if self.memory.finished {
            return nothing("the call is over");
        }
        if self.memory.call_id.is_empty() {
            // The card did not come while it rang; it is of use now.
            return self.open(talk, extensions);
        }
        let talking = map::users(self.settings, extensions);
        let shown = &self.memory.shown;
        let all = |from: &[i64], but: &[i64]| -> Vec<i64> {
            let others = from.iter().filter(|id| !but.contains(id));
            others.copied().collect()
        };
        let (close, open) = (all(shown, &talking), all(&talking, shown));
        match (close.is_empty(), open.is_empty()) {
            (true, true) => return Ok(self.taken(talk, extensions)),
            (false, true) => drop(talk.call(HIDE, &self.screens(&close))?),
            (true, false) => drop(talk.call(SHOW, &self.screens(&open))?),
            (false, false) => {
                let commands = [
                    ("a", self.screens_command(HIDE, &close)),
                    ("b", self.screens_command(SHOW, &open)),
                ];
                let given = talk.batch(&commands)?;
                given.get("a").and_then(|_| given.get("b"))?;
            }
        }
        self.keep(Memory {
            shown: talking,
            ..self.memory.clone()
        })
    }

    fn close(&self, talk: &mut Talk<'_>) -> Ended {
        if self.memory.call_id.is_empty() {
            return nothing("no card was shown");
        }
        if self.memory.shown.is_empty() || self.memory.finished {
            return Ok(self.taken(talk, &[]));
        }
        talk.call(HIDE, &self.screens(&self.memory.shown))?;
        self.keep(Memory {
            shown: Vec::new(),
            ..self.memory.clone()
        })
    }

    /// Registers the call with a card for whoever can be named, and shows it to the others.
    fn open(&self, talk: &mut Talk<'_>, extensions: &[String]) -> Ended {
        let users = map::users(self.settings, extensions);
        let whom = map::candidates(self.settings, extensions);
        if whom.is_empty() {
            return nothing("no extension was rung");
        }
        let record = &self.notice.record;
        for who in &whom {
            let asked = !self.memory.asked.is_empty();
            let params = map::register(record, who, true, asked, self.settings, self.facts);
            let others: Vec<i64> = match who {
                Who::User(one) => users.iter().filter(|id| *id != one).copied().collect(),
                Who::Inner(_) => Vec::new(),
            };
            let given = if others.is_empty() {
                talk.call(REGISTER, &object(&params))
            } else {
                let mut shown = vec![("CALL_ID", "$result[a][CALL_ID]".to_owned())];
                shown.extend(others.iter().map(|id| ("USER_ID[]", id.to_string())));
                let commands = [
                    ("a", command(REGISTER, &params)),
                    ("b", command(SHOW, &shown)),
                ];
                talk.batch(&commands)
                    .and_then(|given| given.get("a").map_err(Halt::Failed))
            };
            match given {
                Ok(call) => {
                    let shown = match who {
                        Who::User(_) => users,
                        Who::Inner(_) => Vec::new(),
                    };
                    return self.keep(Memory {
                        shown,
                        ..self.registered(&call)?
                    });
                }
                Err(Halt::Failed(Failed::Refused { words })) if words.starts_with(NO_USER) => {}
                Err(halt) => return Err(halt),
            }
        }
        Err(Halt::Failed(Failed::Refused {
            words: format!(
                "Bitrix24 knows no active user with {}",
                extensions.join(", ")
            ),
        }))
    }

    /// History.
    fn file(&self, talk: &mut Talk<'_>) -> Ended {
        let record = &self.notice.record;
        let recording = map::recording(record, self.facts);
        let whose = map::responsible(record, self.settings, self.owner);
        match (&self.memory, recording) {
            (memory, _) if memory.call_id.is_empty() => self.register_late(talk, &whose),
            (memory, _) if memory.finished && memory.recorded => {
                let words = [Some(memory.client.clone()), talk.remark()];
                let words: Vec<String> = words.into_iter().flatten().collect();
                Ok(Delivered::Taken(
                    words.join("; ").trim_matches([';', ' ']).to_owned(),
                ))
            }
            (memory, Some(recording)) if memory.finished => {
                talk.wait_for(FETCHING);
                let given = talk.call(ATTACH, &object(&self.attachment(&recording)));
                failure(given)?.map_err(fetching)?;
                self.keep(Memory {
                    recorded: true,
                    ..memory.clone()
                })
            }
            (memory, None) if memory.finished => self.keep(Memory {
                recorded: true,
                ..memory.clone()
            }),
            (_, recording) => self.finish(talk, &whose, recording),
        }
    }

    /// A recording that became known after the call was filed.
    fn record(&self, talk: &mut Talk<'_>) -> Ended {
        if !self.memory.finished {
            return nothing("the call did not get into Bitrix24's statistics");
        }
        let Some(recording) = map::recording(&self.notice.record, self.facts) else {
            return nothing("there is no recording to be fetched");
        };
        talk.wait_for(FETCHING);
        let given = talk.call(ATTACH, &object(&self.attachment(&recording)));
        failure(given)?.map_err(fetching)?;
        Ok(Delivered::Taken(talk.remark().unwrap_or_default()))
    }

    /// A call that was never registered, because there was no card or Bitrix24 was away: registered now, at its true time.
    fn register_late(&self, talk: &mut Talk<'_>, whose: &[Who]) -> Ended {
        let record = &self.notice.record;
        let asked = !self.memory.asked.is_empty();
        for who in whose {
            let params = map::register(record, who, false, asked, self.settings, self.facts);
            match talk.call(REGISTER, &object(&params)) {
                Ok(call) => return self.keep(self.registered(&call)?),
                Err(Halt::Failed(Failed::Refused { words })) if words.starts_with(NO_USER) => {}
                Err(halt) => return Err(halt),
            }
        }
        nobody(record.people())
    }

    fn finish(
        &self,
        talk: &mut Talk<'_>,
        whose: &[Who],
        recording: Option<(String, String)>,
    ) -> Ended {
        let (record, call_id) = (&self.notice.record, &self.memory.call_id);
        for who in whose {
            let params = map::finish(record, call_id, who, self.settings);
            let (finished, attached) = match &recording {
                Some(recording) => {
                    talk.wait_for(FETCHING);
                    let commands = [
                        ("a", command(FINISH, &params)),
                        ("b", command(ATTACH, &self.attachment(recording))),
                    ];
                    let given = talk.batch(&commands)?;
                    (given.get("a"), Some(given.get("b").map(drop)))
                }
                None => (failure(talk.call(FINISH, &object(&params)))?, None),
            };
            let recorded = matches!(attached, None | Some(Ok(())));
            let mut done = Memory {
                finished: true,
                recorded,
                shown: Vec::new(),
                ..self.memory.clone()
            };
            match finished {
                Ok(row) => {
                    done.client = client(&row).unwrap_or(done.client);
                    return self.keep(done);
                }
                Err(Failed::Refused { words }) if words.starts_with(NO_USER) => {}
                Err(Failed::Refused { words }) if words.starts_with(NO_CALL) => {
                    let attached = match attached {
                        Some(attached) => attached,
                        None => self.is_in_statistics(talk)?,
                    };
                    return match attached {
                        Ok(()) => self.keep(done),
                        Err(Failed::Refused { words }) if words.starts_with(NO_CALL) => {
                            if self.memory.lost {
                                let words = format!("{words} (and it was registered anew already)");
                                return Err(Failed::Refused { words }.into());
                            }
                            self.keep(Memory {
                                call_id: String::new(),
                                lost: true,
                                shown: Vec::new(),
                                ..self.memory.clone()
                            })
                        }
                        // In the statistics, for otherwise that would have been said; the recording is another matter.
                        Err(Failed::Refused { .. }) => self.keep(done),
                        Err(failed) => Err(failed.into()),
                    };
                }
                Err(failed) => return Err(failed.into()),
            }
        }
        nobody(record.people())
    }

    /// Whether an earlier try has finished the call: only then a recording could be attached to it.
    fn is_in_statistics(&self, talk: &mut Talk<'_>) -> Result<Result<(), Failed>, Halt> {
        let asked = json!({"CALL_ID": self.memory.call_id, "FILENAME": NO_FILE});
        Ok(failure(talk.call(ATTACH, &asked))?.map(drop))
    }

    fn attachment(&self, (url, name): &(String, String)) -> Vec<(&'static str, String)> {
        vec![
            ("CALL_ID", self.memory.call_id.clone()),
            ("FILENAME", name.clone()),
            ("RECORD_URL", url.clone()),
        ]
    }

    fn screens(&self, users: &[i64]) -> Value {
        json!({"CALL_ID": self.memory.call_id, "USER_ID": users})
    }

    fn screens_command(&self, method: &str, users: &[i64]) -> String {
        let mut params = vec![("CALL_ID", self.memory.call_id.clone())];
        params.extend(users.iter().map(|id| ("USER_ID[]", id.to_string())));
        command(method, &params)
    }

    fn registered(&self, call: &Value) -> Result<Memory, Failed> {
        let id = call.get("CALL_ID").and_then(Value::as_str);
        let id = id.filter(|id| !id.is_empty()).ok_or(Failed::Later {
            words: "Bitrix24 registered a call without an id".into(),
            after: None,
        })?;
        Ok(Memory {
            call_id: id.to_owned(),
            client: client(call).unwrap_or_default(),
            ..self.memory.clone()
        })
    }

    /// Keeps, or ends when there is nothing new to be kept.
    fn keep(&self, memory: Memory) -> Ended {
        Err(Halt::Keep(memory.write()))
    }

    fn taken(&self, talk: &Talk<'_>, extensions: &[String]) -> Delivered {
        let unknown = map::unassigned(self.settings, extensions);
        let words = match unknown.is_empty() || self.memory.shown.is_empty() {
            true => talk.remark().unwrap_or_default(),
            false => format!("{KNOWS_NO_USER}{}", unknown.join(", ")),
        };
        Delivered::Taken(words)
    }
}

/// A refusal as a value; what is still to be sent stays a halt.
fn failure(given: Result<Value, Halt>) -> Result<Result<Value, Failed>, Halt> {
    match given {
        Ok(value) => Ok(Ok(value)),
        Err(Halt::Failed(failed)) => Ok(Err(failed)),
        Err(halt) => Err(halt),
    }
}

/// A recording that cannot be fetched now (our own host was away, the file is not there yet) may be later; what is wrong
/// with its name stays so. The call itself is in the statistics.
fn fetching(failed: Failed) -> Failed {
    let lasting = [
        "Wrong file extension",
        "File name is empty",
        "Required parameters",
        NO_CALL,
    ];
    match failed {
        Failed::Refused { words } if !lasting.iter().any(|known| words.starts_with(known)) => {
            let words = format!("Bitrix24 could not fetch the recording: {words}");
            Failed::Postponed { words, after: None }
        }
        failed => failed,
    }
}

/// "CONTACT 812".
fn client(call: &Value) -> Option<String> {
    let kind = call
        .get("CRM_ENTITY_TYPE")?
        .as_str()
        .filter(|kind| !kind.is_empty())?;
    let id = call.get("CRM_ENTITY_ID")?;
    (!id.is_null()).then(|| format!("{kind} {id}"))
}

fn nobody(people: Vec<&str>) -> Ended {
    Err(Halt::Failed(Failed::Refused {
        words: format!(
            "Bitrix24 knows no active user with {}: name one in the settings who has the calls that nobody has",
            people.join(", ")
        ),
    }))
}

fn nothing(reason: &str) -> Ended {
    Err(Halt::Nothing(reason.into()))
}
