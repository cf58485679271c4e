//! What a try comes to: the row's new state, the words, the log row, and what it says about the CRM. Called by
//! `actor.rs` for each try. Pure but for `count`, which feeds the metrics.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::attempt::{Ended, Tried};
use super::breaker::Failure;
use super::connector::{Delivered, Failed};
use super::observed::Observed;
use super::queue::is_history;
use super::retry::Next;
use super::settings::Settings;
use crate::crm;
use crate::store::deliveries::Delivery;
use crate::store::logs::NewLog;
use crate::store::{Settlement, Verdict};

/// What a try says about the CRM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it was not asked.
    None,
    /// It answered and judged.
    Alive,
    Failure {
        failure: Failure,
        words: String,
        /// It wants us slower: for how long, if it said so.
        hold: Option<Option<Duration>>,
    },
}

/// A try, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Concluded {
    pub verdict: Verdict,
    pub effect: Effect,
    pub words: String,
    pub attempts: i32,
}

/// Judges a try. A wrong key costs no history: it waits, as what comes after it does, until somebody has mended the
/// settings. Nor does it cost a pop-up while the breaker only sees whether the CRM works again (`trying`).
pub fn conclude(
    row: &Delivery,
    tried: &Tried,
    settings: &Settings,
    trying: bool,
    now: DateTime<Utc>,
    dice: f64,
) -> Concluded {
    let lasting = crm::find(&row.integration).is_some_and(|kind| kind.lasting);
    let history = lasting || is_history(&row.kind);
    let asked = tried.exchanges.count > 0;
    let attempts = row.attempts + i32::from(asked);
    let given_up = if history {
        Verdict::Failed
    } else {
        Verdict::Missed
    };
    let again = |after: Option<Duration>, words: &str| {
        let plan = if history {
            &settings.history_retry
        } else {
            &settings.popup_retry
        };
        match plan.next(attempts.unsigned_abs(), after, row.expires_at, now, dice) {
            Next::At(at) => (Verdict::Again(at), words.to_owned()),
            Next::TooLate => (
                given_up.clone(),
                format!("given up, another try would come too late: {words}"),
            ),
        }
    };
    let (verdict, words) = match &tried.ended {
        Ended::Delivered(Delivered::Taken(words)) => (Verdict::Done, words.clone()),
        Ended::Delivered(Delivered::Duplicate) => (Verdict::Done, "the CRM had it already".into()),
        Ended::Nothing(reason) => (Verdict::Withdrawn, reason.clone()),
        Ended::TooLate => (given_up, "not sent in time to be of use".into()),
        Ended::Failed(
            Failed::Later { words, after }
            | Failed::Throttled { words, after }
            | Failed::Postponed { words, after },
        ) => again(*after, words),
        // Nothing goes out meanwhile, and this one had no fault.
        Ended::Failed(Failed::Blocked { words }) => again(None, words),
        // Whether it is the first to find that out or one of those behind it, it waits for a person.
        Ended::Failed(Failed::Settings { words } | Failed::Expired { words })
            if trying || history =>
        {
            again(None, words)
        }
        Ended::Failed(
            Failed::Settings { words } | Failed::Expired { words } | Failed::Refused { words },
        ) => (Verdict::Failed, words.clone()),
    };
    let failure = |failure, words: &String, hold| Effect::Failure {
        failure,
        words: words.clone(),
        hold,
    };
    let effect = match &tried.ended {
        Ended::Nothing(_) | Ended::TooLate => Effect::None,
        Ended::Delivered(_) => Effect::Alive,
        // A connector that refused by itself tells nothing about the CRM.
        Ended::Failed(Failed::Refused { .. }) if !asked => Effect::None,
        Ended::Failed(Failed::Refused { .. } | Failed::Postponed { .. }) => Effect::Alive,
        Ended::Failed(Failed::Later { words, .. }) => failure(Failure::Hard, words, None),
        Ended::Failed(Failed::Throttled { words, after }) => {
            failure(Failure::Throttled, words, Some(*after))
        }
        Ended::Failed(Failed::Settings { words } | Failed::Expired { words }) => {
            failure(Failure::Settings, words, None)
        }
        Ended::Failed(Failed::Blocked { words }) => failure(Failure::Blocked, words, None),
    };
    Concluded {
        verdict,
        effect,
        words,
        attempts,
    }
}

impl Concluded {
    /// What the store is to write. A try that asked nothing leaves no log row.
    pub fn settlement(
        self,
        row: &Delivery,
        tried: Tried,
        enterprise_number: &str,
        now: DateTime<Utc>,
    ) -> Settlement {
        let error = matches!(tried.ended, Ended::Failed(_));
        let log = (tried.exchanges.count > 0).then(|| NewLog {
            enterprise: row.enterprise,
            enterprise_number: enterprise_number.to_owned(),
            integration: row.integration.clone(),
            event_type: row.kind.split(':').next().unwrap_or_default().to_owned(),
            delivery: Some(row.id),
            unique_id: row.unique_id.clone(),
            phone: tried.phone,
            extension: tried.extensions,
            request: tried.exchanges.request,
            response: tried.exchanges.response,
            status: if error { "error" } else { "success" }.into(),
            error: if error {
                self.words.clone()
            } else {
                String::new()
            },
            milliseconds: i32::try_from(tried.exchanges.milliseconds).unwrap_or(i32::MAX),
            at: now,
        });
        Settlement {
            delivery: row.id,
            verdict: self.verdict,
            attempts: self.attempts,
            words: self.words,
            at: now,
            log,
        }
    }
}

/// Keeps the sums that pages show.
pub fn note(seen: &mut Observed, tried: &Tried, concluded: &Concluded, now: DateTime<Utc>) {
    match &concluded.verdict {
        Verdict::Done => {
            seen.done += 1;
            seen.duplicates += u64::from(tried.ended == Ended::Delivered(Delivered::Duplicate));
        }
        Verdict::Failed => seen.failed += 1,
        Verdict::Missed => seen.missed += 1,
        Verdict::Again(_) => seen.retried += 1,
        Verdict::Withdrawn | Verdict::Noted => {}
    }
    match &tried.ended {
        Ended::Delivered(_) => seen.last_success_at = Some(now),
        Ended::Failed(_) => {
            seen.last_error_at = Some(now);
            seen.last_error.clone_from(&concluded.words);
        }
        Ended::Nothing(_) | Ended::TooLate => {}
    }
}

/// Feeds `/metrics`.
pub fn count(row: &Delivery, tried: &Tried, concluded: &Concluded) {
    let result = match (&concluded.verdict, &tried.ended) {
        (Verdict::Done, Ended::Delivered(Delivered::Duplicate)) => "duplicate",
        (Verdict::Done, _) => "done",
        (Verdict::Failed, _) => "failed",
        (Verdict::Missed, _) => "missed",
        (Verdict::Withdrawn, _) => "withdrawn",
        (Verdict::Again(_), _) => "again",
        (Verdict::Noted, _) => "noted",
    };
    let integration = row.integration.clone();
    metrics::counter!("patchbay_deliveries_total", "integration" => integration.clone(), "result" => result).increment(1);
    if tried.exchanges.count > 0 && !tried.beside {
        let seconds = Duration::from_millis(tried.exchanges.milliseconds).as_secs_f64();
        metrics::histogram!("patchbay_delivery_attempt_seconds", "integration" => integration)
            .record(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::super::exchange::Exchanges;
    use super::super::queue::tests::row;
    use super::super::sample::morning;
    use super::*;

    fn tried(ended: Ended) -> Tried {
        let exchanges = Exchanges {
            request: "POST".into(),
            response: "answer".into(),
            milliseconds: 7,
            count: 1,
        };
        Tried {
            ended,
            exchanges,
            phone: String::new(),
            extensions: String::new(),
            beside: false,
        }
    }

    fn failed(failed: Failed) -> Tried {
        tried(Ended::Failed(failed))
    }

    fn words() -> String {
        "words".into()
    }

    /// kind, how it ended, whether the breaker is trying → verdict, does it count against the CRM
    #[test]
    fn what_becomes_of_row_and_link() {
        let later = || {
            failed(Failed::Later {
                words: words(),
                after: None,
            })
        };
        let throttled = || {
            failed(Failed::Throttled {
                words: words(),
                after: None,
            })
        };
        let refused = || failed(Failed::Refused { words: words() });
        let settings = || failed(Failed::Settings { words: words() });
        let taken = || tried(Ended::Delivered(Delivered::Taken(String::new())));
        let table: [(&str, Tried, bool, &str, Option<Failure>); 12] = [
            ("dial", taken(), false, "done", None),
            (
                "upload",
                tried(Ended::Delivered(Delivered::Duplicate)),
                false,
                "done",
                None,
            ),
            ("dial", later(), false, "again", Some(Failure::Hard)),
            ("upload", later(), false, "again", Some(Failure::Hard)),
            (
                "dial",
                throttled(),
                false,
                "again",
                Some(Failure::Throttled),
            ),
            ("dial", refused(), false, "failed", None),
            ("dial", settings(), false, "failed", Some(Failure::Settings)),
            ("dial", settings(), true, "again", Some(Failure::Settings)),
            (
                "upload",
                settings(),
                false,
                "again",
                Some(Failure::Settings),
            ),
            ("dial", tried(Ended::TooLate), false, "missed", None),
            ("upload", tried(Ended::TooLate), false, "failed", None),
            (
                "dial",
                tried(Ended::Nothing("reason".into())),
                false,
                "withdrawn",
                None,
            ),
        ];
        for (kind, tried, trying, verdict, against) in table {
            let seen = conclude(
                &row(1, 1, 1, kind),
                &tried,
                &Settings::default(),
                trying,
                morning(),
                0.5,
            );
            let word = match seen.verdict {
                Verdict::Again(at) => {
                    assert!(at > morning());
                    "again"
                }
                other => other.state().unwrap(),
            };
            assert_eq!(word, verdict, "{kind} {:?}", tried.ended);
            let failure = match seen.effect {
                Effect::Failure { failure, .. } => Some(failure),
                Effect::None | Effect::Alive => None,
            };
            assert_eq!(failure, against, "{kind} {:?}", tried.ended);
        }
    }

    #[test]
    fn a_pop_up_that_would_come_too_late_is_missed_at_once() {
        let late = Delivery {
            expires_at: Some(morning() + chrono::Duration::milliseconds(100)),
            ..row(1, 1, 1, "dial")
        };
        let later = failed(Failed::Later {
            words: words(),
            after: None,
        });
        let seen = conclude(&late, &later, &Settings::default(), false, morning(), 0.5);
        assert_eq!(seen.verdict, Verdict::Missed);
        assert_eq!(
            seen.words,
            "given up, another try would come too late: words"
        );
    }

    #[test]
    fn only_what_was_sent_is_logged_and_counted_as_a_try() {
        let mut quiet = tried(Ended::Nothing("reason".into()));
        quiet.exchanges = Exchanges::default();
        let row = row(1, 1, 1, "dial:151");
        let conclude =
            |tried: &Tried| conclude(&row, tried, &Settings::default(), false, morning(), 0.5);
        let settlement = conclude(&quiet).settlement(&row, quiet.clone(), "0367", morning());
        assert_eq!((settlement.attempts, settlement.log), (0, None));
        let refused = failed(Failed::Refused { words: words() });
        let settlement = conclude(&refused).settlement(&row, refused.clone(), "0367", morning());
        let log = settlement.log.unwrap();
        assert_eq!(settlement.attempts, 1);
        assert_eq!(
            (
                log.event_type.as_str(),
                log.status.as_str(),
                log.error.as_str()
            ),
            ("dial", "error", "words")
        );
    }
}
