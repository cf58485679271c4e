//! How the installation is doing: for people (`page`), for machines (`stats`, `metrics`), for load balancers (`health`).

pub mod health;
pub mod metrics;
pub mod numbers;
pub mod page;
pub mod pulse;
