//! What a call's message says: the table of the contract, in the enterprise's language, with the names that are known.
//! Called by the actor each time a message is about to be sent; pure, it never asks anyone for anything.
//!
//! Every number and every name comes from outside and is untrusted: controls are taken out, the length is limited,
//! and what HTML mode reads as markup is escaped. The whole stays far below Telegram's 4096 characters because each
//! part is limited: one client, at most ten extensions, one link.

use std::fmt::Write as _;

use super::words::{Words, words};
use crate::cache::snapshot::Enterprise;
use crate::call::record::{Direction, Outcome, Phase, Record};

/// Longest number, extension or line shown, in characters.
const NUMBER_LIMIT: usize = 40;
/// Longest name shown, in characters.
const NAME_LIMIT: usize = 64;
/// Extensions named in one message; the rest is counted.
const EXTENSIONS_LIMIT: usize = 10;

/// Who looks at the call, and what is known beside it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Gives the language, and the names of extensions and lines.
    pub enterprise: &'a Enterprise,
    /// The client's name as the primary CRM knows it, when it is known already.
    pub client: Option<&'a str>,
    /// Our own address as people reach it, without a slash at the end; empty: recordings are not linked.
    pub public_url: &'a str,
}

/// The message for a call as it stands, in Telegram's HTML mode.
pub fn compose(record: &Record, scene: Scene<'_>) -> String {
    let teller = Teller {
        record,
        scene,
        words: words(&scene.enterprise.language),
    };
    match record.direction {
        Direction::Internal => teller.internal(),
        Direction::In | Direction::Out => teller.external(),
    }
}

/// What is left of a message that cannot be deleted when its call became a part of another one.
pub fn absorbed(language: &str) -> String {
    words(language).absorbed.to_owned()
}

/// A message that only tries whether a chat can be reached.
pub fn trial(language: &str, enterprise: &str) -> String {
    format!("{}{}", words(language).trial, escape(enterprise))
}

/// What a chat is told that has joined; `before`: it had already.
pub fn joined(language: &str, enterprise: &str, before: bool) -> String {
    let words = words(language);
    let said = if before { words.follows } else { words.joined };
    format!("{said}{}", escape(enterprise))
}

/// The same text without markup, for when Telegram cannot read it as HTML.
pub fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

struct Teller<'a> {
    record: &'a Record,
    scene: Scene<'a>,
    words: &'static Words,
}

impl Teller<'_> {
    fn external(&self) -> String {
        let calling = self.record.direction == Direction::In;
        let client = match self.record.phase {
            Phase::Ringing | Phase::Dialing if calling => self.client(self.words.withheld_from),
            _ => self.client(self.words.withheld),
        };
        let people = self.people();
        let (from, to) = match self.record.direction {
            Direction::Out => (people.clone(), client.clone()),
            _ => (client.clone(), people.clone()),
        };
        match self.record.phase {
            Phase::Ringing => format!("{}{}", self.words.ringing, arrow(&from, &to)),
            Phase::Dialing => format!("{}{}", self.words.dialing, arrow(&from, &to)),
            Phase::Talking => format!("{}: {}", self.words.talking, link(&client, &self.speaker())),
            Phase::Held => format!("{}: {}", self.words.held, link(&client, &self.speaker())),
            Phase::Ended => self.ended("", &client, &people, &from, &to),
        }
    }

    fn internal(&self) -> String {
        let mark = self.words.internal_mark;
        let caller = self
            .record
            .made_by
            .as_deref()
            .map(|e| self.extension(e))
            .unwrap_or_default();
        let callee = self.callee();
        match self.record.phase {
            Phase::Ringing | Phase::Dialing => {
                format!(
                    "{}\n{}",
                    self.words.internal_ringing,
                    arrow(&caller, &callee)
                )
            }
            Phase::Talking => format!("{}{mark}: {}", self.words.talking, link(&caller, &callee)),
            Phase::Held => format!("{}{mark}: {}", self.words.held, link(&caller, &callee)),
            Phase::Ended => self.ended(mark, &caller, &callee, &caller, &callee),
        }
    }

    /// The last word. `one` and `other` have talked; else `from` has not reached `to`.
    fn ended(&self, mark: &str, one: &str, other: &str, from: &str, to: &str) -> String {
        let outcome = self.record.outcome.unwrap_or({
            if self.record.talked.is_empty() {
                Outcome::Missed
            } else {
                Outcome::Answered
            }
        });
        let mut text = match outcome {
            Outcome::Answered => {
                let time = duration(self.record.talk_seconds);
                format!(
                    "{}{mark}: {}, {time}",
                    self.words.answered,
                    link(one, other)
                )
            }
            Outcome::Missed => format!("{}{mark}: {}", self.words.missed, arrow(from, to)),
            Outcome::Busy => format!("{}{mark}: {}", self.words.busy, arrow(from, to)),
            Outcome::Failed => format!("{}{mark}: {}", self.words.failed, arrow(from, to)),
            Outcome::Lost if self.record.talked.is_empty() => {
                format!("{}{mark}: {}", self.words.lost, arrow(from, to))
            }
            Outcome::Lost => format!("{}{mark}: {}", self.words.lost, link(one, other)),
        };
        // An unanswered call may leave an empty file on the host: only a talk is linked.
        let talked =
            matches!(outcome, Outcome::Answered | Outcome::Lost) && !self.record.talked.is_empty();
        if talked && !self.record.recording.is_empty() && !self.scene.public_url.is_empty() {
            let url = escape(self.scene.public_url.trim_end_matches('/'));
            let uuid = self.record.uuid;
            let _ = write!(
                text,
                "\n<a href=\"{url}/recordings/file/{uuid}\">{}</a>",
                self.words.recording
            );
        }
        text
    }

    /// The client: number, and name where one is known.
    fn client(&self, withheld: &str) -> String {
        let number = match &self.record.phone {
            Some(phone) => clean(phone, NUMBER_LIMIT),
            None => self.unnumbered(withheld),
        };
        named(&number, self.scene.client.unwrap_or_default())
    }

    /// What to call a client without a number: what the host said when it says something, else "withheld".
    fn unnumbered(&self, withheld: &str) -> String {
        let raw = clean(&self.record.raw_phone, NUMBER_LIMIT);
        if raw.chars().any(|c| c.is_ascii_digit()) {
            raw
        } else {
            withheld.to_owned()
        }
    }

    /// Our side of a client's call: who talked, else who made it, else who is rung, else the line it came over.
    fn people(&self) -> String {
        let record = self.record;
        let list = match record.direction {
            // While an outgoing call is on its way it is its maker's; `rung` may hold the client's own legs.
            Direction::Out if record.talked.is_empty() => {
                record.made_by.iter().map(String::as_str).collect()
            }
            _ => record.people(),
        };
        if list.is_empty() {
            self.line()
        } else {
            self.extensions(&list)
        }
    }

    /// Who talks now, else the last who did.
    fn speaker(&self) -> String {
        match self
            .record
            .talking
            .as_deref()
            .or(self.record.talked.last().map(String::as_str))
        {
            Some(extension) => self.extension(extension),
            None => self.people(),
        }
    }

    /// Who is called within the house.
    fn callee(&self) -> String {
        let caller = self.record.made_by.as_deref();
        let others = |list: &[String]| -> Vec<String> {
            list.iter()
                .filter(|e| Some(e.as_str()) != caller)
                .cloned()
                .collect()
        };
        let talked = others(&self.record.talked);
        let rung = others(&self.record.rung);
        let list = if talked.is_empty() { rung } else { talked };
        match (&self.record.phone, list.is_empty()) {
            (Some(phone), true) => self.extension(phone),
            (None, true) => clean(&self.record.raw_phone, NUMBER_LIMIT),
            _ => self.extensions(&list.iter().map(String::as_str).collect::<Vec<_>>()),
        }
    }

    fn extensions(&self, list: &[&str]) -> String {
        let mut shown: Vec<String> = list
            .iter()
            .take(EXTENSIONS_LIMIT)
            .map(|e| self.extension(e))
            .collect();
        if list.len() > EXTENSIONS_LIMIT {
            let (before, after) = self.words.more;
            shown.push(format!("{before}{}{after}", list.len() - EXTENSIONS_LIMIT));
        }
        shown.join(", ")
    }

    fn extension(&self, extension: &str) -> String {
        let name = self
            .scene
            .enterprise
            .extensions
            .get(extension)
            .map(|p| p.name.as_str())
            .unwrap_or_default();
        named(&clean(extension, NUMBER_LIMIT), name)
    }

    fn line(&self) -> String {
        let line = &self.record.line;
        match self.scene.enterprise.lines.get(line) {
            Some(known) if !known.name.trim().is_empty() => clean(&known.name, NAME_LIMIT),
            _ => clean(line, NUMBER_LIMIT),
        }
    }
}

/// `a → b`, or just the one that is known.
fn arrow(from: &str, to: &str) -> String {
    join(from, " → ", to)
}

/// `a ↔ b`, or just the one that is known.
fn link(one: &str, other: &str) -> String {
    join(one, " ↔ ", other)
}

fn join(one: &str, sign: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (false, false) => format!("{one}{sign}{other}"),
        (true, false) => format!("—{sign}{other}"),
        _ => one.to_owned(),
    }
}

/// `150 (Anna)`; `number` is clean already.
fn named(number: &str, name: &str) -> String {
    let name = clean(name, NAME_LIMIT);
    if name.is_empty() {
        number.to_owned()
    } else {
        format!("{number} ({name})")
    }
}

/// Minutes and seconds: 0:07, 75:03.
fn duration(seconds: i32) -> String {
    let seconds = seconds.max(0);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// One line of at most `limit` characters that shows as it is: blanks for controls, nothing that turns the
/// direction of writing round, escaped for HTML mode.
fn clean(text: &str, limit: usize) -> String {
    let blank = |c: char| c.is_control() || c.is_whitespace();
    let visible: String = text
        .chars()
        .filter(|c| !turns(*c))
        .map(|c| if blank(c) { ' ' } else { c })
        .collect();
    let line = visible
        .split(' ')
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(limit) {
        Some((end, _)) => escape(line[..end].trim_end()) + "…",
        None => escape(&line),
    }
}

/// Marks that reverse the text after them, or hide in it.
fn turns(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
#[path = "text_tests.rs"]
pub(super) mod tests;
