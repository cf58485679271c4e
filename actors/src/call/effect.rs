//! What a change of a call calls for: who is to be told what. Pure; asked by the actor after each event and,
//! without acting on the answer, by a rebuild. It names notices; which integrations get them is
//! `integration::dispatch`'s matter.
//!
//! Nothing is told about internal calls or withheld numbers: there is no client to show.

use super::record::{Direction, Notice, NoticeKind, Outcome, Phase, Record};

/// History goes last, whatever else a call still calls for; only what history should have held comes after it.
const HISTORY_POSITION: i32 = 1_000;
const RECORDING_POSITION: i32 = HISTORY_POSITION + 1;

/// What was already called for, so that nothing is called for twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Extensions that CRMs were told of by a dial.
    dialled: Vec<Box<str>>,
    /// Extensions that CRMs were told of by a bridge.
    bridged: Vec<Box<str>>,
    /// Unique ids under which CRMs were shown the call and have not heard of its end: a leg that came first, or a
    /// part that was absorbed, may have named it otherwise than it is named now.
    shown_as: Vec<Box<str>>,
    started: bool,
    any_dial: bool,
    hangups: u8,
    /// The call was ended after the last event.
    ended: bool,
    history: bool,
    /// A history record was called for when no recording was known; it may have gone out so.
    unrecorded: bool,
    /// A recording that came later was called for.
    recording: bool,
    next: u16,
    counted: Option<Counted>,
}

/// What the client's sums hold of this call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counted {
    phone: Box<str>,
    answered: bool,
    talk_seconds: i32,
}

/// When a notice may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Now,
    /// After the settling time: late events may still correct it.
    Settled,
    /// Not before the call ends again.
    Held,
}

/// One notice to be told to every integration that wants its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Names it within the call: `start`, `dial`, `dial:151`, `bridge:150`, `hangup`, `upload`,
    /// `recording`.
    pub key: String,
    pub position: i32,
    pub when: When,
    pub notice: Notice,
}

/// A difference to a client's sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    pub phone: String,
    pub calls: i32,
    pub answered: i32,
    pub missed: i32,
    pub talk_seconds: i64,
}

/// What a change calls for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    pub notices: Vec<Planned>,
    /// At most two: a corrected number takes from one client and gives to another.
    pub sums: Vec<Sums>,
    /// The call began to be ended with this event (again, if it was opened in between).
    pub ended: bool,
}

impl Told {
    /// What the call's present record calls for beyond what was called for already.
    pub fn decide(&mut self, record: &Record) -> Effects {
        let mut effects = Effects::default();
        let ended = record.phase == Phase::Ended;
        effects.ended = ended && !self.ended;
        if record.direction != Direction::Internal && record.phone.is_some() {
            self.decide_notices(record, ended, &mut effects);
        }
        if ended || self.counted.is_some() {
            self.decide_sums(record, ended, &mut effects);
        }
        self.ended = ended;
        effects
    }

    fn decide_notices(&mut self, record: &Record, ended: bool, effects: &mut Effects) {
        if !self.started && !self.ended {
            self.started = true;
            let start = self.plan(
                "start",
                NoticeKind::Start,
                Vec::new(),
                ended,
                record,
                When::Now,
            );
            effects.notices.push(start);
        }
        if !ended {
            if self.ended && self.history {
                // A leg came after the hangup: the history must wait for the real end.
                let held = self.plan(
                    "upload",
                    NoticeKind::Upload,
                    Vec::new(),
                    false,
                    record,
                    When::Held,
                );
                effects.notices.push(held);
            }
            let ringing: Vec<String> = match record.direction {
                Direction::Out if record.phase != Phase::Ringing => {
                    record.made_by.iter().chain(&record.rung).cloned().collect()
                }
                Direction::Out => Vec::new(),
                _ => record.rung.clone(),
            };
            let fresh: Vec<String> = ringing
                .into_iter()
                .filter(|one| !self.dialled.iter().any(|known| **known == **one))
                .collect();
            if !fresh.is_empty() {
                let key = if self.any_dial {
                    format!("dial:{}", fresh.join(","))
                } else {
                    "dial".to_owned()
                };
                effects.notices.push(self.dial(&key, fresh, false, record));
            }
            for extension in &record.talked {
                if !self.bridged.iter().any(|known| **known == **extension) {
                    self.bridged.push(extension.as_str().into());
                    let key = format!("bridge:{extension}");
                    effects.notices.push(self.plan(
                        &key,
                        NoticeKind::Bridge,
                        vec![extension.clone()],
                        false,
                        record,
                        When::Now,
                    ));
                }
            }
            return;
        }
        self.close_other_names(record, effects);
        if !self.ended {
            if !self.any_dial {
                // The host never told that phones rang: the CRM hears of the call before it hears of its end.
                let people: Vec<String> = record.people().into_iter().map(str::to_owned).collect();
                effects
                    .notices
                    .push(self.dial("dial", people, true, record));
            }
            self.hangups = self.hangups.saturating_add(1);
            let key = if self.hangups == 1 {
                "hangup".to_owned()
            } else {
                format!("hangup:{}", self.hangups)
            };
            let told = self
                .dialled
                .iter()
                .map(|extension| extension.to_string())
                .collect();
            effects.notices.push(self.plan(
                &key,
                NoticeKind::Hangup,
                told,
                false,
                record,
                When::Now,
            ));
        }
        // Also when a late event corrects an ended call: a history record not sent yet is renewed.
        self.history = true;
        let people = record.people().into_iter().map(str::to_owned).collect();
        effects.notices.push(self.plan(
            "upload",
            NoticeKind::Upload,
            people,
            false,
            record,
            When::Settled,
        ));
        if record.recording.is_empty() {
            self.unrecorded = true;
        } else if self.unrecorded && !self.recording {
            // Where the history has not gone out, the renewed one above holds it, and this is found to be told.
            self.recording = true;
            effects.notices.push(self.plan(
                "recording",
                NoticeKind::Recording,
                Vec::new(),
                false,
                record,
                When::Settled,
            ));
        }
    }

    /// Closes pop-ups that CRMs keep under another unique id than the call has now.
    fn close_other_names(&mut self, record: &Record, effects: &mut Effects) {
        for name in std::mem::take(&mut self.shown_as) {
            if *name == *record.unique_id {
                continue;
            }
            let named = Record {
                unique_id: name.to_string(),
                ..record.clone()
            };
            let shown = self
                .dialled
                .iter()
                .map(|extension| extension.to_string())
                .collect();
            let key = format!("hangup:{name}");
            let hangup = self.plan(&key, NoticeKind::Hangup, shown, false, &named, When::Now);
            effects.notices.push(hangup);
        }
    }

    fn dial(
        &mut self,
        key: &str,
        extensions: Vec<String>,
        synthetic: bool,
        record: &Record,
    ) -> Planned {
        self.any_dial = true;
        let name: Box<str> = record.unique_id.as_str().into();
        if !self.shown_as.contains(&name) {
            self.shown_as.push(name);
        }
        self.dialled
            .extend(extensions.iter().map(|extension| extension.as_str().into()));
        self.plan(
            key,
            NoticeKind::Dial,
            extensions,
            synthetic,
            record,
            When::Now,
        )
    }

    fn plan(
        &mut self,
        key: &str,
        kind: NoticeKind,
        extensions: Vec<String>,
        synthetic: bool,
        record: &Record,
        when: When,
    ) -> Planned {
        let position = match kind {
            NoticeKind::Start => 0,
            NoticeKind::Upload => HISTORY_POSITION,
            NoticeKind::Recording => RECORDING_POSITION,
            NoticeKind::Dial | NoticeKind::Bridge | NoticeKind::Hangup => {
                self.next += 1;
                i32::from(self.next)
            }
        };
        // A column of its own names the delivery; a list of a hundred extensions would not fit an index.
        let key: String = key.chars().take(120).collect();
        Planned {
            key,
            position,
            when,
            notice: Notice {
                kind,
                extensions,
                synthetic,
                at: None,
                record: record.clone(),
            },
        }
    }

    fn decide_sums(&mut self, record: &Record, ended: bool, effects: &mut Effects) {
        let phone = record
            .phone
            .as_deref()
            .filter(|_| ended && record.direction != Direction::Internal);
        let now = phone.map(|phone| Counted {
            phone: phone.into(),
            answered: record.outcome == Some(Outcome::Answered) || !record.talked.is_empty(),
            talk_seconds: record.talk_seconds,
        });
        if now == self.counted {
            return;
        }
        let sums = |counted: &Counted, sign: i32| Sums {
            phone: counted.phone.to_string(),
            calls: sign,
            answered: if counted.answered { sign } else { 0 },
            missed: if counted.answered { 0 } else { sign },
            talk_seconds: i64::from(sign) * i64::from(counted.talk_seconds),
        };
        match (&self.counted, &now) {
            (Some(before), Some(after)) if before.phone == after.phone => {
                let (less, more) = (sums(before, -1), sums(after, 1));
                effects.sums.push(Sums {
                    phone: more.phone,
                    calls: less.calls + more.calls,
                    answered: less.answered + more.answered,
                    missed: less.missed + more.missed,
                    talk_seconds: less.talk_seconds + more.talk_seconds,
                });
            }
            (before, after) => {
                effects
                    .sums
                    .extend(before.as_ref().map(|counted| sums(counted, -1)));
                effects
                    .sums
                    .extend(after.as_ref().map(|counted| sums(counted, 1)));
            }
        }
        self.counted = now;
    }

    /// Takes over what an absorbed call had called for.
    pub fn absorb(&mut self, other: &Told) {
        for (own, others) in [
            (&mut self.dialled, &other.dialled),
            (&mut self.bridged, &other.bridged),
            (&mut self.shown_as, &other.shown_as),
        ] {
            for extension in others {
                if !own.contains(extension) {
                    own.push(extension.clone());
                }
            }
        }
        self.started |= other.started;
        self.any_dial |= other.any_dial;
        self.next = self.next.max(other.next);
    }
}
