//! How deliveries are run: the part `[integrations]` of the configuration. Read once at start-up by the door; every
//! field has a default. What belongs to one enterprise is in its own settings document, not here.

use serde::{Deserialize, Serialize};

use super::breaker;
use super::network::Network;
use super::retry::Plan;

/// See the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Our address as CRMs and browsers reach it: recording links. Filled in by start-up from the server's own setting.
    pub public_url: String,
    /// Threads that talk to CRMs.
    pub threads: usize,
    /// Requests in flight for one enterprise and CRM.
    pub concurrency: usize,
    /// Deliveries of one enterprise and CRM held in memory; more wait in the table.
    pub queue: usize,
    /// Milliseconds to connect, and from sending to the whole answer.
    pub connect_timeout_ms: u64,
    pub answer_timeout_ms: u64,
    /// Delays between tries of a pop-up or its closing, and of a history record; milliseconds, the last repeats.
    pub popup_retry: Plan,
    pub history_retry: Plan,
    /// For how long a pop-up is of use; later it is recorded as missed.
    pub popup_life_ms: u64,
    /// For how long the closing of a pop-up is of use.
    pub hangup_life_ms: u64,
    /// How long history is tried.
    pub history_life_hours: u64,
    /// History waits so long after the hangup for late events (a recording's name, a transfer's last leg).
    pub settle_ms: u64,
    /// Networks that are not public and yet may be reached by a URL that an administrator writes (webhooks), such as
    /// "10.1.0.0/16". Public addresses always may.
    pub private_networks: Vec<Network>,
    /// A receiver of events (a webhook) that took nothing for so long is switched off, with a notice.
    pub switch_off_after_hours: u64,
    pub breaker: breaker::Limits,
    /// How often the table is looked into for what no nudge told.
    pub look_every_ms: u64,
    /// An actor with nothing to do for so long is put away.
    pub idle_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            threads: 2,
            concurrency: 8,
            queue: 256,
            connect_timeout_ms: 2_000,
            answer_timeout_ms: 3_000,
            popup_retry: Plan(vec![250, 500, 1_000, 2_000, 4_000]),
            history_retry: Plan(vec![
                1_000, 5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000,
                14_400_000, 21_600_000,
            ]),
            popup_life_ms: 15_000,
            hangup_life_ms: 120_000,
            history_life_hours: 24 * 7,
            settle_ms: 3_000,
            private_networks: Vec::new(),
            switch_off_after_hours: 24 * 5,
            breaker: breaker::Limits::default(),
            look_every_ms: 1_000,
            idle_ms: 300_000,
        }
    }
}
