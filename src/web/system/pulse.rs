//! Events per second, from samples of the writer's count. Kept beside the application by `serve`; asked by `numbers`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The rate is that of the last so many samples.
const SAMPLES: usize = 11;
/// A sample is taken this often.
pub const EVERY: Duration = Duration::from_secs(1);

/// The last counts with their times.
#[derive(Default)]
pub struct Pulse {
    samples: Mutex<VecDeque<(Instant, u64)>>,
    /// When `/health` last tried a write, and whether the database took it.
    pub probed: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl Pulse {
    /// Takes a sample.
    pub fn note(&self, at: Instant, count: u64) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push_back((at, count));
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }

    /// Events per second over the last ten seconds.
    pub fn rate(&self) -> f64 {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        match (samples.front(), samples.back()) {
            (Some((since, before)), Some((until, after))) if until > since => {
                after.saturating_sub(*before) as f64 / (*until - *since).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let pulse = Pulse::default();
        let start = Instant::now();
        assert_eq!(pulse.rate(), 0.0);
        for second in 0..60_u64 {
            // Quiet for fifty seconds, then seven events a second.
            pulse.note(
                start + Duration::from_secs(second),
                second.saturating_sub(49) * 7,
            );
        }
        assert_eq!(pulse.rate().round(), 7.0);
    }
}
