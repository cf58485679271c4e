//! The CRM's own rate limits, kept on our side: one token bucket per lane of an account. Asked by `actor.rs` before
//! each request. Pure: time is passed in.

use std::time::{Duration, Instant};

/// One lane's limit, as the CRM states it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The name requests give: "telephony".
    pub lane: &'static str,
    /// Requests a second.
    pub per_second: f64,
    /// Requests at once after a rest, where the CRM lets so many gather; `None`: less than a second's worth, for requests
    /// that we spread evenly may arrive in a bunch.
    pub burst: Option<f64>,
}

#[derive(Clone, Debug)]
struct Bucket {
    rate: Rate,
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    /// What it holds when full.
    fn size(rate: &Rate) -> f64 {
        rate.burst.unwrap_or(rate.per_second * 0.75).max(1.0)
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate.per_second).min(Self::size(&self.rate));
        self.filled_at = now;
    }
}

/// The buckets of one account.
#[derive(Clone, Debug)]
pub struct Limiter {
    buckets: Vec<Bucket>,
    /// The CRM said "too many": nothing before then.
    held_until: Option<Instant>,
}

impl Limiter {
    /// Full buckets. A lane without a rate is not limited.
    pub fn new(rates: &[Rate], now: Instant) -> Self {
        let buckets = rates
            .iter()
            .map(|rate| Bucket {
                rate: *rate,
                tokens: Bucket::size(rate),
                filled_at: now,
            })
            .collect();
        Self {
            buckets,
            held_until: None,
        }
    }

    /// Takes a token of `lane`, or says how long to wait for it. What can wait (history) leaves a third of the
    /// bucket to what cannot (pop-ups, questions of a waiting person).
    ///
    /// # Errors
    /// The time after which to ask again.
    pub fn take(&mut self, lane: &str, can_wait: bool, now: Instant) -> Result<(), Duration> {
        if let Some(until) = self.held_until {
            let left = until.saturating_duration_since(now);
            if !left.is_zero() {
                return Err(left);
            }
            self.held_until = None;
        }
        let Some(bucket) = self
            .buckets
            .iter_mut()
            .find(|bucket| bucket.rate.lane == lane)
        else {
            return Ok(());
        };
        bucket.fill(now);
        let kept = if can_wait {
            let size = Bucket::size(&bucket.rate);
            (size / 3.0).min(size - 1.0)
        } else {
            0.0
        };
        let missing = 1.0 + kept - bucket.tokens;
        if missing > 0.0 {
            // A little over, so that rounding does not make the caller ask twice.
            return Err(Duration::from_secs_f64(missing / bucket.rate.per_second)
                + Duration::from_micros(50));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// The CRM said "too many requests": nothing goes for `pause`, and the buckets start empty.
    pub fn hold(&mut self, pause: Duration, now: Instant) {
        let until = now + pause;
        self.held_until = Some(self.held_until.map_or(until, |held| held.max(until)));
        for bucket in &mut self.buckets {
            bucket.fill(now);
            bucket.tokens = bucket.tokens.min(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limiter(start: Instant) -> Limiter {
        Limiter::new(
            &[
                Rate {
                    lane: "telephony",
                    per_second: 40.0,
                    burst: None,
                },
                Rate {
                    lane: "other",
                    per_second: 10.0,
                    burst: None,
                },
            ],
            start,
        )
    }

    fn taken(limiter: &mut Limiter, lane: &str, can_wait: bool, now: Instant) -> usize {
        (0..1_000)
            .take_while(|_| limiter.take(lane, can_wait, now).is_ok())
            .count()
    }

    #[test]
    fn each_lane_has_its_own_bucket() {
        let start = Instant::now();
        let mut limiter = limiter(start);
        assert_eq!(taken(&mut limiter, "telephony", false, start), 30);
        assert_eq!(taken(&mut limiter, "other", false, start), 7);
        assert_eq!(taken(&mut limiter, "unlimited", false, start), 1_000);
        assert_eq!(
            taken(
                &mut limiter,
                "telephony",
                false,
                start + Duration::from_millis(500)
            ),
            20
        );
    }

    #[test]
    fn history_leaves_room_for_pop_ups() {
        let start = Instant::now();
        let mut limiter = limiter(start);
        assert_eq!(taken(&mut limiter, "telephony", true, start), 20);
        assert_eq!(taken(&mut limiter, "telephony", false, start), 10);
    }

    #[test]
    fn the_wait_told_is_the_wait_needed() {
        let start = Instant::now();
        let mut limiter = limiter(start);
        taken(&mut limiter, "other", false, start);
        let wait = limiter.take("other", false, start).unwrap_err();
        assert!(
            limiter.take("other", false, start + wait).is_ok(),
            "{wait:?}"
        );
        let wait = limiter.take("other", true, start + wait).unwrap_err();
        assert!(
            limiter
                .take("other", true, start + Duration::from_millis(110) + wait)
                .is_ok(),
            "{wait:?}"
        );
    }

    #[test]
    fn history_gets_its_turn_however_slow_the_lane() {
        for per_second in [0.1, 0.5, 1.0, 1.2, 2.0, 3.5, 40.0] {
            let start = Instant::now();
            let mut limiter = Limiter::new(
                &[Rate {
                    lane: "x",
                    per_second,
                    burst: None,
                }],
                start,
            );
            limiter.hold(Duration::ZERO, start);
            let wait = limiter.take("x", true, start).unwrap_err();
            let later = limiter.take("x", true, start + wait);
            assert_eq!(later, Ok(()), "at {per_second} a second");
        }
    }

    #[test]
    fn a_slow_lane_may_gather_a_burst() {
        let start = Instant::now();
        let rate = Rate {
            lane: "x",
            per_second: 2.0,
            burst: Some(30.0),
        };
        let mut limiter = Limiter::new(&[rate], start);
        assert_eq!(taken(&mut limiter, "x", true, start), 20);
        assert_eq!(taken(&mut limiter, "x", false, start), 10);
        let later = start + Duration::from_secs(1);
        assert_eq!(taken(&mut limiter, "x", true, later), 0);
        assert_eq!(taken(&mut limiter, "x", false, later), 2);
    }

    #[test]
    fn a_throttled_account_is_left_alone() {
        let start = Instant::now();
        let mut limiter = limiter(start);
        limiter.hold(Duration::from_millis(200), start);
        assert_eq!(
            limiter.take("other", false, start),
            Err(Duration::from_millis(200))
        );
        assert_eq!(
            taken(
                &mut limiter,
                "telephony",
                false,
                start + Duration::from_millis(200)
            ),
            8
        );
    }

    proptest! {
        #[test]
        fn no_second_sees_more_than_its_rate_and_a_bucketful(
            gaps in proptest::collection::vec(0_u64..50, 1..400), rate in 1_u32..60
        ) {
            let start = Instant::now();
            let mut limiter = Limiter::new(&[Rate { lane: "x", per_second: f64::from(rate), burst: None }], start);
            let (mut now, mut taken) = (start, 0_u32);
            for gap in gaps {
                now += Duration::from_millis(gap);
                if limiter.take("x", false, now).is_ok() { taken += 1; }
            }
            let passed = (now - start).as_secs_f64();
            prop_assert!(f64::from(taken) <= f64::from(rate) * (passed + 1.0) + 1.0);
        }
    }
}
