//! The history of a call: one row of Bitrix24's statistics, with its recording. Called by `deliver.rs`. Pure.
//!
//! ```text
//!   history ─▶ registered? ─no─▶ register without a card ─▶ keep its id
//!      finish + attach the recording (one batch) ─▶ keep that it is finished
//!         "Call is not found": is it in the statistics? ─yes─▶ finished by an earlier try
//!                                                       └no─▶ the portal has lost it: forget its id, begin again
//!      the recording alone, until it is taken
//! ```

use std::time::Duration;

use serde_json::{Value, json};

use super::deliver::{Delivery, Ended, REGISTER, client, nothing};
use super::map::{self, Memory, Who};
use super::talk::{NO_CALL, NO_USER, Talk, command, object};
use crate::integration::connector::{Delivered, Failed};
use crate::integration::halt::Halt;

/// Bitrix24 fetches a recording before it answers; its own requests end after a minute.
const FETCHING: Duration = Duration::from_secs(65);
/// Asked about in place of a recording; nothing is attached under it.
const NO_FILE: &str = "none.mp3";

const FINISH: &str = "telephony.externalCall.finish";
const ATTACH: &str = "telephony.externalCall.attachRecord";

impl Delivery<'_> {
    /// History.
    pub(super) fn file(&self, talk: &mut Talk<'_>) -> Ended {
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
    pub(super) fn record(&self, talk: &mut Talk<'_>) -> Ended {
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

fn nobody(people: Vec<&str>) -> Ended {
    Err(Halt::Failed(Failed::Refused {
        words: format!(
            "Bitrix24 knows no active user with {}: name one in the settings who has the calls that nobody has",
            people.join(", ")
        ),
    }))
}
