//! What to do next for one call in one chat, and what an answer makes of it. Pure: called by the actor before each
//! request and after it; it knows no time, no table, no network.
//!
//! ```text
//!                 ┌────────────── wanted changes (only the latest matters) ───────────┐
//!                 ▼                                                                   │
//!   nothing ── Send ──► shown ── Edit ──► shown ── Edit(last word) ──► finished ──────┘
//!                 │        │ Gone              │
//!                 │        └──► Send anew      └─ the call became part of another ──► Delete ──► finished
//!                 └─ Closed: the chat is off · Revoked: the bot is off · Refused: finished, with the reason
//! ```

use std::time::Duration;

use super::answer::Answer;

/// What a chat should show for a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// This text; `last`: the call is over and this is its last word.
    Text { text: String, last: bool },
    /// Nothing: the call became a part of another one. `note` is put there where deleting is impossible.
    Nothing { note: String },
}

/// What a chat shows for a call, as far as we know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// `None`: no message (any more).
    pub message_id: Option<i64>,
    /// Its text as we sent it, in HTML mode.
    pub text: String,
    /// It shows the last word, or will never show anything more.
    pub last: bool,
    /// The message of an earlier call of the same number, which a new one replies to.
    pub reply_to: Option<i64>,
    /// Markup was refused: its texts go without.
    pub plain: bool,
    /// Why it does not show what it should, for people; empty when it does.
    pub note: String,
    /// The message may not be deleted: it is edited to the note instead.
    pub undeletable: bool,
    /// Read from the table by a bot that did not write it there: a later edit may have been sent and never noted. A
    /// last word is told once more then, and "not modified" is a good answer.
    pub in_doubt: bool,
}

/// The next request, if any.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The chat shows what it should.
    Nothing,
    /// A new message, maybe in reply to an earlier one.
    Send {
        text: String,
        plain: bool,
        reply_to: Option<i64>,
        last: bool,
    },
    Edit {
        message_id: i64,
        text: String,
        plain: bool,
        last: bool,
    },
    Delete {
        message_id: i64,
    },
}

/// What has to happen beyond this one message after an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum After {
    /// Look for the next step; `Shown` is up to date.
    Next,
    /// This chat waits; its messages keep their order.
    HoldChat { pause: Duration },
    /// The whole bot waits, longer each time.
    BackOff { reason: String },
    /// The chat lives on under another id; ask again there.
    MoveChat { chat_id: i64 },
    /// This chat gets nothing any more.
    CloseChat { reason: String },
    /// The bot gets nothing done any more until its token is changed.
    StopBot { reason: String },
}

/// What is to be done so that `shown` becomes what is wanted.
pub fn next(shown: &Shown, wanted: &Wanted) -> Step {
    match wanted {
        Wanted::Text { text, last } => match shown.message_id {
            // Refused for good: only another text may be worth a try.
            None if shown.last && shown.text == *text => Step::Nothing,
            None => Step::Send {
                text: text.clone(),
                plain: shown.plain,
                reply_to: shown.reply_to,
                last: *last,
            },
            Some(_) if shown.text == *text && !(shown.in_doubt && *last) => Step::Nothing,
            Some(message_id) => Step::Edit {
                message_id,
                text: text.clone(),
                plain: shown.plain,
                last: *last,
            },
        },
        Wanted::Nothing { note } => match shown.message_id {
            None => Step::Nothing,
            Some(_) if shown.undeletable && shown.text == *note => Step::Nothing,
            Some(message_id) if shown.undeletable => Step::Edit {
                message_id,
                text: note.clone(),
                plain: true,
                last: true,
            },
            Some(message_id) => Step::Delete { message_id },
        },
    }
}

/// Whether the call is finished in this chat: it shows the last word, or nothing where nothing is wanted.
pub fn finished(shown: &Shown, wanted: &Wanted) -> bool {
    let over = match wanted {
        Wanted::Text { last, .. } => *last,
        Wanted::Nothing { .. } => true,
    };
    over && next(shown, wanted) == Step::Nothing
}

/// Writes what an answer made of the message into `shown`, and says what follows beyond it.
pub fn heed(shown: &mut Shown, step: &Step, answer: Answer) -> After {
    match answer {
        Answer::Done { message_id } => match step {
            Step::Send { text, last, .. } => match message_id {
                Some(id) => {
                    shows(shown, Some(id), text, *last);
                    After::Next
                }
                None => After::BackOff {
                    reason: "the answer to sendMessage names no message".into(),
                },
            },
            Step::Edit {
                message_id,
                text,
                last,
                ..
            } => {
                shows(shown, Some(*message_id), text, *last);
                After::Next
            }
            Step::Delete { .. } => {
                shows(shown, None, "", true);
                After::Next
            }
            Step::Nothing => After::Next,
        },
        Answer::NotModified => {
            if let Step::Edit {
                message_id,
                text,
                last,
                ..
            } = step
            {
                shows(shown, Some(*message_id), text, *last);
            }
            After::Next
        }
        Answer::Gone => {
            match step {
                // Somebody deleted it: say it anew.
                Step::Edit { .. } if !shown.undeletable => {
                    shown.message_id = None;
                    shown.last = false;
                }
                // Neither deleted nor edited: it stays as it is, or is gone already.
                Step::Edit { .. } => {
                    shown.message_id = None;
                    shown.last = true;
                    shown.note = "could be neither deleted nor edited".into();
                }
                Step::Delete { .. } => shown.undeletable = true,
                Step::Send { .. } | Step::Nothing => shown.last = true,
            }
            After::Next
        }
        Answer::Unreadable => {
            match step {
                Step::Send { plain: false, .. } | Step::Edit { plain: false, .. } => {
                    shown.plain = true
                }
                _ => give_up(shown, step, "the markup could not be read"),
            }
            After::Next
        }
        Answer::Refused { reason } => {
            give_up(shown, step, &reason);
            After::Next
        }
        Answer::Moved { chat_id } => After::MoveChat { chat_id },
        Answer::Closed { reason } => After::CloseChat { reason },
        Answer::Revoked { reason } => After::StopBot { reason },
        Answer::TooMany { pause } => After::HoldChat { pause },
        Answer::Trouble { reason } => After::BackOff { reason },
    }
}

fn shows(shown: &mut Shown, message_id: Option<i64>, text: &str, last: bool) {
    shown.message_id = message_id;
    shown.text = text.to_owned();
    shown.last = last;
    shown.note.clear();
    shown.in_doubt = false;
}

/// This text will never be taken: it counts as shown, so that it is not tried for ever, and the note says why not.
fn give_up(shown: &mut Shown, step: &Step, reason: &str) {
    shown.note = reason.to_owned();
    shown.in_doubt = false;
    match step {
        Step::Send { text, last, .. } | Step::Edit { text, last, .. } => {
            shown.text = text.clone();
            shown.last = *last || shown.message_id.is_none();
        }
        Step::Delete { .. } => shown.undeletable = true,
        Step::Nothing => {}
    }
}

/// How long a bot in trouble waits before it tries again: 1, 2, 4 … 60 seconds.
pub fn back_off(failures: u32) -> Duration {
    Duration::from_secs(
        1u64.checked_shl(failures.saturating_sub(1))
            .unwrap_or(u64::MAX)
            .clamp(1, 60),
    )
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
