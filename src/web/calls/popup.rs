//! "Why was there no pop-up?": one call and one integration as a checklist whose first failed line is the reason.
//! Pure: facts in, lines out; called by the call's page, which gathers the facts and draws the lines.

use actors::call::record::Direction;
use actors::integration::connector::KNOWS_NO_USER;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// What is known of a call and one integration.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Events in the journal, and the arrival of the first.
    pub events: usize,
    pub first_event: Option<DateTime<Utc>>,
    pub enterprise_number: String,
    pub enterprise_active: bool,
    pub direction: Direction,
    /// The direction in the reader's language.
    pub direction_word: String,
    pub phone: Option<String>,
    pub raw_phone: String,
    pub rung: Vec<String>,
    /// The CRM in question; `None`: the enterprise has none.
    pub integration: Option<Integration>,
    /// The delivery of the pop-up, of the latest where there are several.
    pub delivery: Option<Delivery>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// The settings of the CRM in question.
#[derive(Clone, Debug)]
pub struct Integration {
    pub name: String,
    pub enabled: bool,
    /// Extensions that a person of the CRM has; `None` where the CRM finds out by itself.
    pub mapped: Option<Vec<String>>,
    /// Its breaker is open at this moment.
    pub paused: bool,
}

/// Where the pop-up's delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Open,
    Done,
    /// The CRM refused it, for good.
    Failed,
    /// It could not be delivered while it was of use.
    Missed,
    Withdrawn,
}

/// The delivery of the pop-up.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub stand: Stand,
    pub attempts: i32,
    /// The outcome in the CRM's or our own words.
    pub outcome: String,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// How a line came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    Yes,
    No,
    Waiting,
    /// Of no meaning after an earlier line failed, or not asked here.
    Skipped,
}

/// A key of the locale files and what is filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Text {
    pub key: String,
    pub a: String,
    pub b: String,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub mark: Mark,
    pub text: Text,
}

/// The whole answer for one integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub integration: Option<String>,
    /// "shown", "waiting" or "not".
    pub verdict: &'static str,
    /// The first failed or waiting line; "all is well" when there is none.
    pub reason: Text,
    pub checks: Vec<Check>,
}

/// Draws the checklist. `clock` writes an instant as the enterprise's people read it.
pub fn answer(facts: &Facts, clock: impl Fn(DateTime<Utc>) -> String) -> Answer {
    let mut list = List {
        checks: Vec::new(),
        stopped: false,
    };
    let first = facts.first_event.map(&clock).unwrap_or_default();
    list.ask(
        "event",
        facts.events > 0,
        (facts.events.to_string(), first),
        String::new(),
    );
    list.ask(
        "token",
        true,
        (facts.enterprise_number.clone(), String::new()),
        String::new(),
    );
    list.ask("active", facts.enterprise_active, none(), String::new());
    list.ask(
        "external",
        facts.direction != Direction::Internal,
        (facts.direction_word.clone(), String::new()),
        String::new(),
    );
    list.ask(
        "number",
        facts.phone.is_some(),
        (facts.phone.clone().unwrap_or_default(), String::new()),
        facts.raw_phone.clone(),
    );
    list.ask(
        "rung",
        !facts.rung.is_empty(),
        (facts.rung.join(", "), String::new()),
        String::new(),
    );

    let name = facts
        .integration
        .as_ref()
        .map(|integration| integration.name.clone());
    let named = (name.clone().unwrap_or_default(), String::new());
    list.ask("configured", name.is_some(), named.clone(), String::new());
    list.ask(
        "enabled",
        facts.integration.as_ref().is_some_and(|it| it.enabled),
        named.clone(),
        named.0.clone(),
    );
    // The CRM's own word outweighs what our settings say of its users.
    let unknown: Vec<&str> = facts
        .delivery
        .as_ref()
        .and_then(|delivery| delivery.outcome.strip_prefix(KNOWS_NO_USER))
        .map(|extensions| extensions.split(", ").collect())
        .unwrap_or_default();
    let nobody = !unknown.is_empty()
        && facts
            .rung
            .iter()
            .all(|rung| unknown.contains(&rung.as_str()));
    match facts
        .integration
        .as_ref()
        .and_then(|integration| integration.mapped.as_ref())
    {
        _ if nobody => list.ask("mapped", false, none(), facts.rung.join(", ")),
        Some(mapped) => {
            let known: Vec<&str> = facts
                .rung
                .iter()
                .filter(|rung| mapped.contains(rung))
                .map(String::as_str)
                .collect();
            list.ask(
                "mapped",
                !known.is_empty(),
                (known.join(", "), String::new()),
                facts.rung.join(", "),
            );
        }
        None => list.skip("mapped"),
    }

    let delivery = facts.delivery.as_ref();
    let made = delivery
        .map(|delivery| clock(delivery.created_at))
        .unwrap_or_default();
    list.ask(
        "made",
        delivery.is_some(),
        (made, String::new()),
        String::new(),
    );
    let Some(delivery) = delivery else {
        list.skip("running");
        list.skip("accepted");
        list.skip("useful");
        return list.close(name);
    };
    // A pause of now matters while something waits for its end; a pause of then shows in that nothing was ever tried.
    let paused = facts
        .integration
        .as_ref()
        .is_some_and(|integration| integration.paused);
    match delivery.stand {
        Stand::Open if paused => list.push("running", "no", Mark::Waiting, none()),
        Stand::Missed if delivery.attempts == 0 => {
            list.push(
                "running",
                "missed",
                Mark::No,
                (delivery.outcome.clone(), String::new()),
            );
            list.stopped = true;
        }
        _ => list.ask("running", true, none(), String::new()),
    }
    let took = delivery
        .finished_at
        .map(|finished| finished - delivery.created_at)
        .unwrap_or_default();
    match delivery.stand {
        Stand::Done => list.ask(
            "accepted",
            true,
            (milliseconds(took), String::new()),
            String::new(),
        ),
        Stand::Open => list.push(
            "accepted",
            "waiting",
            Mark::Waiting,
            (delivery.attempts.to_string(), String::new()),
        ),
        Stand::Failed | Stand::Missed | Stand::Withdrawn => {
            list.ask("accepted", false, none(), delivery.outcome.clone());
        }
    }
    let in_time = match (delivery.finished_at, facts.ended_at) {
        (Some(finished), Some(ended)) => finished <= ended,
        _ => true,
    };
    match delivery.stand {
        Stand::Done => list.ask("useful", in_time, none(), milliseconds(took)),
        _ => list.skip("useful"),
    }
    list.close(name)
}

struct List {
    checks: Vec<Check>,
    /// A line has failed: what comes after it is of no meaning.
    stopped: bool,
}

impl List {
    fn ask(&mut self, line: &str, good: bool, yes: (String, String), no: String) {
        if self.stopped {
            self.skip(line);
        } else if good {
            self.push(line, "yes", Mark::Yes, yes);
        } else {
            self.push(line, "no", Mark::No, (no, String::new()));
            self.stopped = true;
        }
    }

    fn push(&mut self, line: &str, variant: &str, mark: Mark, (a, b): (String, String)) {
        if self.stopped {
            self.skip(line);
            return;
        }
        self.checks.push(Check {
            mark,
            text: Text {
                key: format!("popup-{line}-{variant}"),
                a,
                b,
            },
        });
    }

    fn skip(&mut self, line: &str) {
        let text = Text {
            key: format!("popup-{line}"),
            a: String::new(),
            b: String::new(),
        };
        self.checks.push(Check {
            mark: Mark::Skipped,
            text,
        });
    }

    fn close(self, integration: Option<String>) -> Answer {
        let telling = self
            .checks
            .iter()
            .find(|check| matches!(check.mark, Mark::No | Mark::Waiting));
        let verdict = match telling.map(|check| check.mark) {
            None => "shown",
            Some(Mark::Waiting) => "waiting",
            Some(_) => "not",
        };
        let good = || Text {
            key: "popup-all-good".into(),
            a: String::new(),
            b: String::new(),
        };
        let reason = telling.map_or_else(good, |check| check.text.clone());
        Answer {
            integration,
            verdict,
            reason,
            checks: self.checks,
        }
    }
}

fn none() -> (String, String) {
    (String::new(), String::new())
}

/// As durations stand in our sentences: the page words them in the reader's language.
fn milliseconds(span: chrono::Duration) -> String {
    let ms = span.num_milliseconds().max(0);
    if ms < 10_000 {
        format!("{ms}ms")
    } else {
        format!("{}s", ms / 1000)
    }
}

#[cfg(test)]
#[path = "popup_tests.rs"]
mod tests;
