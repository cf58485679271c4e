//! Token buckets and sliding windows: the limits the real services set. Called for each limited request with the
//! present time; they never sleep and never read a clock themselves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A token bucket: `rate` per second on average, `burst` at once.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: f64, burst: f64, now: Instant) -> Self {
        Self {
            rate,
            burst,
            tokens: burst,
            filled: now,
        }
    }

    /// Seconds to wait before one more may pass; `None` when it may pass now.
    pub fn wait(&mut self, now: Instant) -> Option<f64> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = passed.mul_add(self.rate, self.tokens).min(self.burst);
        self.filled = now;
        (self.tokens < 1.0).then(|| (1.0 - self.tokens) / self.rate)
    }

    /// Takes one token; call only after `wait` said `None`.
    pub fn spend(&mut self) {
        self.tokens -= 1.0;
    }

    /// Whether one more may pass, which it then does.
    pub fn admit(&mut self, now: Instant) -> bool {
        let free = self.wait(now).is_none();
        if free {
            self.spend();
        }
        free
    }
}

/// At most `count` within `window`, whatever their spacing.
#[derive(Debug, Clone)]
pub struct Window {
    count: usize,
    window: Duration,
    passed: VecDeque<Instant>,
}

impl Window {
    /// A window in which nothing has passed yet.
    pub fn new(count: usize, window: Duration) -> Self {
        Self {
            count,
            window,
            passed: VecDeque::new(),
        }
    }

    /// Seconds to wait before one more may pass; `None` when it may pass now.
    pub fn wait(&mut self, now: Instant) -> Option<f64> {
        while self
            .passed
            .front()
            .is_some_and(|&at| now.saturating_duration_since(at) >= self.window)
        {
            self.passed.pop_front();
        }
        let oldest = *self.passed.front()?;
        (self.passed.len() >= self.count)
            .then(|| (self.window - now.saturating_duration_since(oldest)).as_secs_f64())
    }

    /// Notes one that passed.
    pub fn spend(&mut self, now: Instant) {
        self.passed.push_back(now);
    }

    /// Whether one more may pass, which it then does.
    pub fn admit(&mut self, now: Instant) -> bool {
        let free = self.wait(now).is_none();
        if free {
            self.spend(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 10.0, start);
        for _ in 0..10 {
            assert_eq!(bucket.wait(start), None);
            bucket.spend();
        }
        assert!(bucket.wait(start).is_some_and(|s| (s - 0.1).abs() < 1e-6));
        assert_eq!(bucket.wait(start + Duration::from_millis(101)), None);
    }

    #[test]
    fn a_window_opens_when_its_oldest_leaves() {
        let start = Instant::now();
        let mut window = Window::new(2, Duration::from_secs(60));
        window.spend(start);
        assert_eq!(window.wait(start), None);
        window.spend(start + Duration::from_secs(10));
        assert_eq!(window.wait(start + Duration::from_secs(20)), Some(40.0));
        assert_eq!(window.wait(start + Duration::from_secs(60)), None);
    }
}
