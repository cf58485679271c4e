//! What a run measured, and how it is summed up. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// One connection's measurements, or those of many together.
#[derive(Default, Debug)]
pub struct Sample {
    /// Microseconds from the moment an event was due to its answer: waiting behind a slow answer counts.
    pub late: Vec<u32>,
    /// Microseconds from sending to the answer.
    pub service: Vec<u32>,
    pub by_status: BTreeMap<u16, u64>,
    /// Everything sent, counted or not.
    pub sent: u64,
    pub gave_up: bool,
    /// The first words of a refusal.
    pub complaint: Option<String>,
}

impl Sample {
    pub fn add(&mut self, status: u16, late: Duration, service: Duration) {
        self.late
            .push(late.as_micros().min(u128::from(u32::MAX)) as u32);
        self.service
            .push(service.as_micros().min(u128::from(u32::MAX)) as u32);
        *self.by_status.entry(status).or_default() += 1;
    }

    pub fn note(&mut self, status: u16, answer: &[u8]) {
        if self.complaint.is_none() {
            let text: String = String::from_utf8_lossy(answer).chars().take(600).collect();
            self.complaint = Some(format!("{status}: {text}"));
        }
    }

    pub fn merge(&mut self, other: Sample) {
        self.late.extend(other.late);
        self.service.extend(other.service);
        for (status, count) in other.by_status {
            *self.by_status.entry(status).or_default() += count;
        }
        self.sent += other.sent;
        self.gave_up |= other.gave_up;
        self.complaint = self.complaint.take().or(other.complaint);
    }

    /// Events answered 200 in the counted time.
    pub fn accepted(&self) -> u64 {
        self.by_status.get(&200).copied().unwrap_or_default()
    }

    pub fn counted(&self) -> u64 {
        self.by_status.values().sum()
    }
}

/// The value below which this share of the values lies; 0 of none.
pub fn percentile(values: &mut [u32], share: f64) -> u32 {
    if values.is_empty() {
        return 0;
    }
    let place = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len()) - 1;
    *values.select_nth_unstable(place).1
}

/// The middle value; NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted.get(n / 2).copied().unwrap_or(f64::NAN),
        n => {
            (sorted.get(n / 2 - 1).copied().unwrap_or(f64::NAN)
                + sorted.get(n / 2).copied().unwrap_or(f64::NAN))
                / 2.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_medians() {
        let mut values: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(
            (
                percentile(&mut values, 0.5),
                percentile(&mut values, 0.99),
                percentile(&mut values, 1.0)
            ),
            (50, 99, 100)
        );
        assert_eq!(percentile(&mut [], 0.5), 0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
