//! A list that keeps only its newest entries but counts all of them, so that a simulator beside a benchmark stays
//! small. Used by the books of all; it never gives a number twice.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

/// The newest `limit` entries; each has a running number starting at 0.
#[derive(Debug)]
pub struct Kept<T> {
    limit: usize,
    first: u64,
    entries: VecDeque<T>,
}

impl<T> Kept<T> {
    /// An empty list that keeps at most `limit` entries.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            first: 0,
            entries: VecDeque::new(),
        }
    }

    /// Adds an entry and returns its number and, when the list was full, the entry that gave way.
    pub fn push(&mut self, entry: T) -> (u64, Option<T>) {
        let gone = if self.entries.len() >= self.limit {
            self.first += 1;
            self.entries.pop_front()
        } else {
            None
        };
        self.entries.push_back(entry);
        (self.total() - 1, gone)
    }

    /// How many entries there ever were.
    pub fn total(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry with this number, if it is still kept.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// The kept entries, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.entries.iter()
    }

    /// Forgets everything and counts from 0 again.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.first = 0;
    }
}

/// A list of what is kept, oldest first.
impl<T: Serialize> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn keeps_the_newest_and_counts_all() {
        let mut kept = Kept::new(2);
        assert_eq!(kept.push('a'), (0, None));
        assert_eq!(kept.push('b'), (1, None));
        assert_eq!(kept.push('c'), (2, Some('a')));
        assert_eq!(kept.total(), 3);
        assert_eq!(kept.get_mut(0), None);
        assert_eq!(kept.get_mut(2), Some(&mut 'c'));
        assert_eq!(kept.iter().collect::<String>(), "bc");
    }
}
