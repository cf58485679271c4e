//! When a delivery is tried again, and when it is given up. The plan is a list of delays that an operator reads in
//! the settings. Asked by `actor.rs` after an attempt that may yet succeed. Pure: time and dice are passed in.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How far a delay may be off the plan, both ways: a crowd that failed together does not come back together.
const JITTER: f64 = 0.2;
/// A CRM may ask for a longer pause than the plan's, up to this, however short the plan's own delay is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Delays before the second, third, … attempt, in milliseconds; the last one repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan(pub Vec<u64>);

/// What to do after an attempt that failed but may yet succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    At(DateTime<Utc>),
    /// By then it would be of no use to anyone.
    TooLate,
}

impl Plan {
    /// The delay after the `attempts`-th attempt (1 for the first), before jitter.
    pub fn base(&self, attempts: u32) -> Duration {
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self
            .0
            .get(index)
            .or(self.0.last())
            .copied()
            .unwrap_or(1_000);
        Duration::from_millis(delay)
    }

    /// When to try again after the `attempts`-th attempt, `dice` between 0 and 1.
    ///
    /// The CRM's own `Retry-After` is honoured when it is longer than the plan's delay, but not beyond twice that
    /// delay or a minute, whichever is longer: an absurd header must not park history for a month.
    pub fn next(
        &self,
        attempts: u32,
        asked: Option<Duration>,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        dice: f64,
    ) -> Next {
        let base = self.base(attempts);
        let jittered = base.mul_f64(1.0 - JITTER + 2.0 * JITTER * dice.clamp(0.0, 1.0));
        let delay = match asked {
            Some(asked) => asked.min((base * 2).max(PATIENCE)).max(jittered),
            None => jittered,
        };
        let at = now + delay;
        match expires_at {
            Some(end) if at >= end => Next::TooLate,
            _ => Next::At(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_760_000_000_000).unwrap()
    }

    fn after(next: Next) -> Option<i64> {
        match next {
            Next::At(at) => Some((at - now()).num_milliseconds()),
            Next::TooLate => None,
        }
    }

    #[test]
    fn the_plan_is_followed_and_its_last_delay_repeats() {
        let plan = Plan(vec![300, 1_000, 5_000]);
        for (attempts, delay) in [
            (1, 300),
            (2, 1_000),
            (3, 5_000),
            (4, 5_000),
            (u32::MAX, 5_000),
            (0, 300),
        ] {
            assert_eq!(
                after(plan.next(attempts, None, None, now(), 0.5)),
                Some(delay),
                "after {attempts}"
            );
        }
    }

    #[test]
    fn what_the_crm_asks_for_is_honoured_within_reason() {
        let plan = Plan(vec![300, 120_000]);
        let asked = |attempts, seconds| {
            after(plan.next(
                attempts,
                Some(Duration::from_secs(seconds)),
                None,
                now(),
                0.5,
            ))
        };
        assert_eq!(asked(1, 7), Some(7_000), "longer than the plan");
        assert_eq!(asked(1, 0), Some(300), "never sooner than the plan");
        assert_eq!(
            asked(1, 86_400),
            Some(60_000),
            "at most a minute for a short delay"
        );
        assert_eq!(asked(2, 86_400), Some(240_000), "at most twice a long one");
    }

    #[test]
    fn what_would_come_too_late_is_given_up_now() {
        let plan = Plan(vec![300, 20_000]);
        let end = Some(now() + Duration::from_secs(15));
        assert_eq!(after(plan.next(1, None, end, now(), 0.5)), Some(300));
        assert_eq!(plan.next(2, None, end, now(), 0.5), Next::TooLate);
        assert_eq!(
            plan.next(1, Some(Duration::from_secs(30)), end, now(), 0.5),
            Next::TooLate
        );
    }

    proptest! {
        #[test]
        fn the_next_attempt_is_ahead_bounded_and_before_the_end(
            delays in proptest::collection::vec(1_u64..10_000_000, 0..8),
            attempts in 0_u32..50,
            asked in proptest::option::of(0_u64..10_000_000),
            life in proptest::option::of(1_i64..100_000_000),
            dice in 0.0_f64..1.0,
        ) {
            let plan = Plan(delays);
            let end = life.map(|ms| now() + chrono::Duration::milliseconds(ms));
            match plan.next(attempts, asked.map(Duration::from_millis), end, now(), dice) {
                Next::At(at) => {
                    let base = plan.base(attempts);
                    prop_assert!(at >= now() + base.mul_f64(0.79));
                    prop_assert!(at <= now() + (base * 2).max(PATIENCE).max(base.mul_f64(1.21)));
                    prop_assert!(end.is_none_or(|end| at < end));
                }
                Next::TooLate => prop_assert!(end.is_some()),
            }
        }
    }
}
