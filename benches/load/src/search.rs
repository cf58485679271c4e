//! The highest rate of events a server keeps up with: found by trying. Called by the suite.

use std::time::Duration;

use super::client::Pace;
use super::drive::{Load, Run, run};

/// How fast a server answers when it is asked as fast as it answers; a first guess for the search.
///
/// # Errors
/// As `run`.
pub fn peak(load: &Load) -> anyhow::Result<Run> {
    run(&Load {
        pace: Pace::Closed,
        warm_up: Duration::from_secs(1),
        measure: Duration::from_secs(3),
        ..load.clone()
    })
}

/// The highest rate that was kept up with, to about four parts in a hundred, beginning at `guess`.
///
/// # Errors
/// As `run`, or when even a hundredth of the guess is too much.
pub fn sustained(load: &Load, guess: f64) -> anyhow::Result<f64> {
    let mut kept: Option<f64> = None;
    let mut failed: Option<f64> = None;
    let mut rate = guess;
    for _try in 0..10 {
        let mut trial = run(&Load {
            pace: Pace::Open,
            rate,
            ..load.clone()
        })?;
        let kept_up = trial.kept_up(rate);
        eprintln!(
            "    {rate:>7.0}/s offered: {:>7.0}/s accepted, p99 {:.1} ms{}{}",
            trial.rate(),
            trial.late_ms(0.99),
            if kept_up { "" } else { "  (too much)" },
            trial
                .sample
                .complaint
                .as_deref()
                .map(|words| format!("  {words}"))
                .unwrap_or_default(),
        );
        if kept_up {
            kept = Some(kept.map_or(rate, |best| best.max(rate)));
        } else {
            failed = Some(failed.map_or(rate, |least| least.min(rate)));
            // What is queued must be gone before the next try.
            std::thread::sleep(Duration::from_secs(1));
        }
        rate = match (kept, failed) {
            (Some(kept), Some(failed)) if failed / kept < 1.06 => return Ok(kept),
            (Some(kept), Some(failed)) => (kept * failed).sqrt(),
            (Some(kept), None) => kept * 1.15,
            (None, Some(failed)) => failed * 0.8,
            (None, None) => rate,
        };
    }
    kept.ok_or_else(|| anyhow::anyhow!("the server kept up with no rate that was tried"))
}
