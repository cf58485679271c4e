//! What a scenario came to, as the server's API, the simulators and the journal show it. Filled in by `api.rs` and `around.rs`,
//! compared by `compare.rs`; values, nothing is judged here.

use serde::Deserialize;

use super::capture::Identity;

/// A call as the server's API shows it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Call {
    pub id: String,
    pub unique_id: String,
    pub linked_id: String,
    pub enterprise_number: String,
    pub direction: String,
    pub phone: Option<String>,
    pub result: Option<String>,
    pub rung: Vec<String>,
    pub talked: Vec<String>,
    pub made_by: Option<String>,
    pub wait_seconds: i64,
    pub talk_seconds: i64,
    #[serde(default)]
    pub fault: String,
    pub deliveries: Deliveries,
}

/// How many deliveries of a call stand where.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Deliveries {
    pub open: i64,
    pub missed: i64,
    pub failed: i64,
}

/// A history record at the CRM.
#[derive(Clone, Debug)]
pub struct History {
    pub external_id: String,
    pub kind: String,
    pub phone: String,
    pub result: String,
    pub talk: i64,
    pub wait: i64,
}

/// A message in the chat, and the call it belongs to.
#[derive(Clone, Debug)]
pub struct Message {
    pub text: String,
    /// The call's id; `None`: nobody knows this message any more.
    pub call: Option<String>,
}

/// What the simulators and the journal hold of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub history: Vec<History>,
    /// Cards at the CRM that nobody closed, in words.
    pub open_cards: Vec<String>,
    /// What the simulators refused, in their words.
    pub refusals: Vec<String>,
    pub messages: Vec<Message>,
    /// Events of the journal with their bodies.
    pub journal: Vec<(Identity, String)>,
}
