//! What the comparison measured: figures of each target, round by round. Filled in by `suite.rs`, printed by `report.rs`; measures
//! nothing and rounds nothing.

use std::time::Duration;

use super::fairness::Fairness;
use super::neighbours::Neighbours;

/// What is measured beside what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Bare,
    Sqlite,
    Postgres,
}

impl Target {
    pub const ALL: [Target; 3] = [Target::Bare, Target::Sqlite, Target::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Target::Bare => "(a) bare handler",
            Target::Sqlite => "(b) Patchbay, SQLite",
            Target::Postgres => "(c) Patchbay, PostgreSQL",
        }
    }
}

/// Accepting, deliveries off. One figure for each round.
#[derive(Clone, Debug, Default)]
pub struct Accepting {
    pub peak: Vec<f64>,
    pub sustained: Vec<f64>,
    pub half_p50: Vec<f64>,
    pub half_p99: Vec<f64>,
    /// Milliseconds of CPU for an event, of the server and of the database's processes.
    pub cpu: Vec<f64>,
    pub database_cpu: Vec<f64>,
}

/// The whole path, deliveries on, at a given rate.
#[derive(Clone, Debug, Default)]
pub struct Delivering {
    pub offered: f64,
    pub accepted: Vec<f64>,
    pub kept_up: Vec<bool>,
    pub p50: Vec<f64>,
    pub p99: Vec<f64>,
    pub popup_p50: Vec<f64>,
    pub popup_p99: Vec<f64>,
    pub popups_missing: usize,
    pub cpu: Vec<f64>,
    pub database_cpu: Vec<f64>,
}

/// With many live calls.
#[derive(Clone, Copy, Debug)]
pub struct Living {
    pub calls: u32,
    pub bytes_each: f64,
    pub start: Duration,
}

/// Everything measured.
#[derive(Default)]
pub struct Results {
    pub conditions: Vec<String>,
    pub accepting: Vec<(Target, Accepting)>,
    pub delivering: Vec<(Target, Delivering)>,
    pub living: Vec<(Target, Living)>,
    pub fairness: Vec<(Target, Fairness)>,
    pub neighbours: Vec<(Target, Vec<Neighbours>)>,
    pub rounds: usize,
}
