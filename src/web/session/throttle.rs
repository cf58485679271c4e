//! How often a name or an address may fail to log in. Kept in memory: a restart forgives. Asked by `login`.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config;

/// Two allowances: per name, so that one account is not guessed from many places, and per address, so that one place
/// does not guess many accounts.
pub struct Throttle {
    names: DefaultKeyedRateLimiter<String>,
    addresses: DefaultKeyedRateLimiter<String>,
}

impl Throttle {
    pub fn new(settings: &config::Session) -> Throttle {
        let limiter = |attempts: u32| {
            let burst = NonZeroU32::new(attempts).unwrap_or(NonZeroU32::MIN);
            let every = settings
                .window
                .0
                .checked_div(burst.get())
                .filter(|wait| !wait.is_zero())
                .unwrap_or(Duration::from_secs(1));
            let quota = Quota::with_period(every)
                .unwrap_or(Quota::per_minute(burst))
                .allow_burst(burst);
            RateLimiter::keyed(quota)
        };
        Throttle {
            names: limiter(settings.attempts_per_name),
            addresses: limiter(settings.attempts_per_address),
        }
    }

    /// Takes one attempt from both allowances.
    ///
    /// # Errors
    /// Seconds to wait when either is used up.
    pub fn take(&self, name: &str, address: &str) -> Result<(), u64> {
        let now = DefaultClock::default().now();
        let seconds = |refused: governor::NotUntil<_>| refused.wait_time_from(now).as_secs().max(1);
        // The address first: one place hammering a name should use up its own allowance before the name's.
        self.addresses
            .check_key(&address.to_owned())
            .map_err(seconds)?;
        // Names are bounded so that made-up ones cannot fill the memory.
        let name: String = name.trim().to_lowercase().chars().take(64).collect();
        self.names.check_key(&name).map_err(seconds)
    }

    /// Drops what no longer limits anybody; called now and then.
    pub fn sweep(&self) {
        self.names.retain_recent();
        self.addresses.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_run_out_separately() {
        let settings = config::with("[session]\nattempts_per_name = 2\nattempts_per_address = 3")
            .expect("settings")
            .settings;
        let throttle = Throttle::new(&settings.session);
        assert!(throttle.take("anna", "10.0.0.1").is_ok());
        assert!(throttle.take("Anna ", "10.0.0.2").is_ok());
        assert!(
            throttle.take("anna", "10.0.0.3").is_err(),
            "the name has run out"
        );
        assert!(throttle.take("b", "10.0.0.1").is_ok());
        assert!(throttle.take("c", "10.0.0.1").is_ok());
        assert!(
            throttle.take("d", "10.0.0.1").is_err(),
            "the address has run out"
        );
    }
}
