//! The circuit breaker of one link: stops asking a CRM that keeps failing, tries it now and then, goes on when it
//! answers. Owned by `actor.rs`. Pure: time is passed in; it knows no delivery and sends nothing.
//!
//! ```text
//!             enough failures in a row, or one that only new settings heal
//!   Closed ───────────────────────────────────────────────▶ Open { until }
//!     ▲                                                     │        ▲
//!     │ success, or reset by hand               `until` has │        │ failure: the pause doubles
//!     │                                              passed ▼        │
//!     └──────────────────────────────────────────────── Trying ──────┘   (one delivery at a time)
//! ```
//!
//! Shut out by the CRM, it opens until somebody resets it by hand: no time passes and no answer closes it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// When it opens and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Failures in a row that open it; being throttled counts a quarter.
    pub failures: u32,
    /// The first pause, milliseconds; doubled each time a try fails.
    pub pause_ms: u64,
    /// The longest pause, milliseconds.
    pub longest_pause_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures: 5,
            pause_ms: 2_000,
            longest_pause_ms: 30_000,
        }
    }
}

/// Where it stands, as pages and tests see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Position {
    #[default]
    Closed,
    /// Nothing is sent before `until`; `words` say what the CRM did.
    Open { until: DateTime<Utc>, words: String },
    /// One delivery at a time is let through to see.
    Trying,
}

/// May a delivery go now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    Yes,
    /// Only while nothing else is in flight.
    One,
    /// Not before then.
    No(DateTime<Utc>),
}

/// How bad a failed attempt was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Errors, timeouts, no connection.
    Hard,
    /// "Too many requests".
    Throttled,
    /// Wrong key, no such account: goes on until somebody changes the settings.
    Settings,
    /// Shut out: not tried again until somebody closes the breaker by hand or changes the settings.
    Blocked,
}

/// How long a breaker stays open that only a person closes.
const UNTIL_TOLD: TimeDelta = TimeDelta::days(3650);

/// See the drawing above.
#[derive(Clone, Debug)]
pub struct Breaker {
    limits: Limits,
    position: Position,
    /// Quarters of failures in a row.
    quarters: u32,
    /// How often it has opened without a success in between.
    openings: u32,
    /// Shut out by the CRM: an answer to what was sent before does not close it.
    blocked: bool,
}

impl Breaker {
    /// Closed.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            position: Position::Closed,
            quarters: 0,
            openings: 0,
            blocked: false,
        }
    }

    /// Where it stands.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// May a delivery go now? An open breaker whose time has passed begins to try.
    pub fn permit(&mut self, now: DateTime<Utc>) -> Permit {
        if let Position::Open { until, .. } = self.position {
            if now < until {
                return Permit::No(until);
            }
            self.position = Position::Trying;
        }
        match self.position {
            Position::Closed => Permit::Yes,
            Position::Trying | Position::Open { .. } => Permit::One,
        }
    }

    /// The CRM answered (a refusal of one delivery is an answer too). True when this closed it.
    pub fn succeed(&mut self) -> bool {
        if self.blocked {
            return false;
        }
        let closed = self.position != Position::Closed;
        self.reset();
        closed
    }

    /// The CRM failed. True when this opened it.
    pub fn fail(&mut self, failure: Failure, words: &str, now: DateTime<Utc>) -> bool {
        if failure == Failure::Blocked {
            let opened = !matches!(self.position, Position::Open { .. });
            self.blocked = true;
            self.position = Position::Open {
                until: now + UNTIL_TOLD,
                words: words.to_owned(),
            };
            return opened;
        }
        self.quarters = self.quarters.saturating_add(match failure {
            Failure::Hard => 4,
            Failure::Throttled => 1,
            Failure::Settings | Failure::Blocked => self.limits.failures.saturating_mul(4),
        });
        match self.position {
            // Answers to what was sent before it opened tell nothing new.
            Position::Open { .. } => false,
            Position::Closed if self.quarters < self.limits.failures.saturating_mul(4) => false,
            Position::Closed | Position::Trying => {
                let doublings = self.openings.min(20);
                let pause = Duration::from_millis(self.limits.pause_ms)
                    .saturating_mul(1 << doublings)
                    .min(Duration::from_millis(self.limits.longest_pause_ms));
                self.openings = self.openings.saturating_add(1);
                self.position = Position::Open {
                    until: now + pause,
                    words: words.to_owned(),
                };
                true
            }
        }
    }

    /// Closes it by hand, or because the settings changed.
    pub fn reset(&mut self) {
        self.position = Position::Closed;
        self.blocked = false;
        self.quarters = 0;
        self.openings = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_760_000_000_000 + ms).unwrap()
    }

    fn breaker() -> Breaker {
        Breaker::new(Limits {
            failures: 3,
            pause_ms: 100,
            longest_pause_ms: 350,
        })
    }

    fn opened() -> Breaker {
        let mut breaker = breaker();
        for _ in 0..3 {
            breaker.fail(Failure::Hard, "500", at(0));
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let mut breaker = breaker();
        for _ in 0..5 {
            assert!(!breaker.fail(Failure::Hard, "500", at(0)));
            assert!(!breaker.fail(Failure::Hard, "500", at(0)));
            assert!(!breaker.succeed());
        }
        assert_eq!(breaker.permit(at(0)), Permit::Yes);
        assert_eq!(opened().permit(at(0)), Permit::No(at(100)));
    }

    #[test]
    fn it_tries_one_and_closes_when_that_succeeds() {
        let mut breaker = opened();
        assert_eq!(breaker.permit(at(99)), Permit::No(at(100)));
        assert_eq!(breaker.permit(at(100)), Permit::One);
        assert_eq!(
            breaker.permit(at(101)),
            Permit::One,
            "until the try has its answer"
        );
        assert!(breaker.succeed());
        assert_eq!(breaker.permit(at(102)), Permit::Yes);
    }

    #[test]
    fn each_failed_try_doubles_the_pause_up_to_the_longest() {
        let mut breaker = opened();
        let mut now = 100;
        for pause in [200, 350, 350] {
            assert_eq!(breaker.permit(at(now)), Permit::One);
            assert!(breaker.fail(Failure::Hard, "500", at(now)));
            assert_eq!(breaker.permit(at(now)), Permit::No(at(now + pause)));
            now += pause;
        }
        breaker.reset();
        assert_eq!(breaker.permit(at(now)), Permit::Yes);
    }

    #[test]
    fn a_wrong_key_opens_it_at_once_and_throttling_only_after_long() {
        let mut wrong_key = breaker();
        assert!(wrong_key.fail(Failure::Settings, "Wrong \"apiKey\" value.", at(0)));
        let mut throttled = breaker();
        for _ in 0..11 {
            assert!(!throttled.fail(Failure::Throttled, "503", at(0)));
        }
        assert!(throttled.fail(Failure::Throttled, "503", at(0)));
    }

    #[test]
    fn late_answers_do_not_prolong_the_pause() {
        let mut breaker = opened();
        assert!(!breaker.fail(Failure::Hard, "500", at(90)));
        assert_eq!(breaker.permit(at(100)), Permit::One);
    }

    proptest! {
        /// Whatever happens, it never stays shut longer than the longest pause, and a success always closes it.
        #[test]
        fn it_never_stays_shut(steps in proptest::collection::vec((0_u8..5, 0_i64..1_000), 1..200)) {
            let mut breaker = breaker();
            let mut now = 0;
            for (what, pass) in steps {
                now += pass;
                match what {
                    0 => { breaker.succeed(); prop_assert_eq!(breaker.permit(at(now)), Permit::Yes); }
                    1 => { breaker.fail(Failure::Hard, "500", at(now)); }
                    2 => { breaker.fail(Failure::Throttled, "503", at(now)); }
                    3 => { breaker.fail(Failure::Settings, "403", at(now)); }
                    _ => { breaker.permit(at(now)); }
                }
                prop_assert!(!matches!(breaker.clone().permit(at(now + 350)), Permit::No(_)));
            }
        }
    }

    #[test]
    fn shut_out_it_waits_for_a_person() {
        let mut breaker = breaker();
        assert!(breaker.fail(Failure::Blocked, "403", at(0)));
        assert!(!breaker.succeed(), "an answer to what was sent before");
        assert!(!breaker.fail(Failure::Throttled, "429", at(1)));
        assert!(matches!(breaker.permit(at(86_400_000)), Permit::No(_)));
        breaker.reset();
        assert_eq!(breaker.permit(at(0)), Permit::Yes);
    }
}
