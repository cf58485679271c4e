//! Counters that many threads add to on every event and one reader sums now and then.
//! One shared number would travel between the cores' caches with each event; here every thread has
//! its own line of memory, nearly always.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SHARDS: usize = 32;

/// 128 bytes: two cache lines, which some processors fetch together.
#[derive(Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

/// A sum spread over shards. Exact once the adding threads are done.
#[derive(Default)]
pub struct Counter {
    shards: [Shard; SHARDS],
}

thread_local! {
    static MINE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        if let Some(shard) = self.shards.get(MINE.with(|mine| *mine)) {
            shard.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was added so far.
    pub fn sum(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.0.load(Ordering::Relaxed))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_threads() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| (0..1000).for_each(|_| counter.add()));
            }
        });
        assert_eq!(counter.sum(), 40_000);
    }
}
