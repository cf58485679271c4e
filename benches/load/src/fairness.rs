//! What one enterprise's flood does to the others: their p99 with and without it. Called by the suite.

use std::time::Duration;

use super::client::Pace;
use super::drive::{Load, run};
use super::setup::ENTERPRISES;

/// Milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Fairness {
    pub usual_p99: f64,
    pub flooded_p99: f64,
    /// Events a second the flood sent, and how many of them were accepted.
    pub flood: f64,
    pub flood_accepted: f64,
}

/// Two hundred enterprises send `rate` together; then the same while one more sends as fast as it can on fifty
/// connections.
///
/// # Errors
/// As `run`.
pub fn measure(load: &Load, rate: f64) -> anyhow::Result<Fairness> {
    let usual = Load {
        pace: Pace::Open,
        rate,
        ..load.clone()
    };
    let mut alone = run(&usual)?;
    let flood = Load {
        enterprises: 1,
        first_enterprise: ENTERPRISES,
        connections_each: 50,
        pace: Pace::Closed,
        warm_up: usual.warm_up,
        measure: usual.measure + Duration::from_millis(500),
        ..load.clone()
    };
    let flooding = std::thread::spawn(move || run(&flood));
    let mut beside = run(&usual)?;
    let flood = flooding
        .join()
        .map_err(|_panic| anyhow::anyhow!("the flood panicked"))??;
    Ok(Fairness {
        usual_p99: alone.late_ms(0.99),
        flooded_p99: beside.late_ms(0.99),
        flood: flood.sample.counted() as f64 / flood.measured.as_secs_f64(),
        flood_accepted: flood.rate(),
    })
}
