//! How much one enterprise may send: events a second, and events under way at once. A host that floods is told to
//! wait and the others never notice. Asked by the webhooks for each event; pure counting, nothing is stored.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::refusal::Refusal;
use crate::config::Events;

/// See the module's head.
pub struct Gauge {
    rate: DefaultKeyedRateLimiter<i64>,
    clock: DefaultClock,
    limit: usize,
    under_way: RwLock<HashMap<i64, Arc<AtomicUsize>>>,
}

/// One event under way; dropping it makes room for the next.
pub struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Gauge {
    /// A gauge with the limits of the settings.
    pub fn new(settings: &Events) -> Gauge {
        let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(settings.rate_per_enterprise))
            .allow_burst(at_least_one(settings.burst_per_enterprise));
        Gauge {
            rate: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            limit: settings.in_flight_per_enterprise,
            under_way: RwLock::default(),
        }
    }

    /// Lets one event of an enterprise in, or says why not now.
    pub fn enter(&self, enterprise: i64) -> Result<UnderWay, Refusal> {
        if let Err(not_until) = self.rate.check_key(&enterprise) {
            let wait = not_until.wait_time_from(self.clock.now());
            return Err(Refusal::TooFast {
                wait: wait.as_secs() + 1,
            });
        }
        let count = self.count(enterprise);
        if count.fetch_add(1, Relaxed) >= self.limit {
            count.fetch_sub(1, Relaxed);
            return Err(Refusal::TooManyAtOnce { limit: self.limit });
        }
        Ok(UnderWay(count))
    }

    fn count(&self, enterprise: i64) -> Arc<AtomicUsize> {
        if let Some(count) = self
            .under_way
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&enterprise)
        {
            return count.clone();
        }
        self.under_way
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(enterprise)
            .or_default()
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_enterprise_that_floods_leaves_room_for_another() {
        let mut settings = crate::config::with("").unwrap().settings.events;
        settings.in_flight_per_enterprise = 2;
        let gauge = Gauge::new(&settings);
        let held = [gauge.enter(1).unwrap(), gauge.enter(1).unwrap()];
        assert!(matches!(
            gauge.enter(1),
            Err(Refusal::TooManyAtOnce { limit: 2 })
        ));
        assert!(gauge.enter(2).is_ok());
        drop(held);
        assert!(gauge.enter(1).is_ok());
    }

    #[test]
    fn the_rate_is_kept_and_the_wait_is_told() {
        let mut settings = crate::config::with("").unwrap().settings.events;
        settings.rate_per_enterprise = 1;
        settings.burst_per_enterprise = 2;
        let gauge = Gauge::new(&settings);
        assert!(gauge.enter(1).is_ok() && gauge.enter(1).is_ok());
        assert!(matches!(gauge.enter(1), Err(Refusal::TooFast { wait: 1 })));
    }
}
