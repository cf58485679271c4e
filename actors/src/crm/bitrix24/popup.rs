//! The card of a call, on the screens of those whose phones ring and then of who talks. Called by `deliver.rs`. Pure.
//!
//! ```text
//!   rings ─▶ registered? ─no─▶ register, showing the card (and show it to the others: one batch) ─▶ keep its id
//!                └─yes─▶ show the card to those who ring now
//!   talks ─▶ hide it from the others, show it to whoever has none          over ─▶ hide it
//! ```

use serde_json::{Value, json};

use super::deliver::{Delivery, Ended, REGISTER, nothing};
use super::map::{self, Memory, Who};
use super::talk::{NO_USER, Talk, command, object};
use crate::integration::connector::{Delivered, Failed, KNOWS_NO_USER};
use crate::integration::halt::Halt;

const SHOW: &str = "telephony.externalCall.show";
const HIDE: &str = "telephony.externalCall.hide";

impl Delivery<'_> {
    pub(super) fn ring(&self, talk: &mut Talk<'_>) -> Ended {
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

    pub(super) fn talk(&self, talk: &mut Talk<'_>) -> Ended {
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

    pub(super) fn close(&self, talk: &mut Talk<'_>) -> Ended {
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

    fn screens(&self, users: &[i64]) -> Value {
        json!({"CALL_ID": self.memory.call_id, "USER_ID": users})
    }

    fn screens_command(&self, method: &str, users: &[i64]) -> String {
        let mut params = vec![("CALL_ID", self.memory.call_id.clone())];
        params.extend(users.iter().map(|id| ("USER_ID[]", id.to_string())));
        command(method, &params)
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
