//! What a CRM sends us by itself, as a value: somebody clicked a number there, or let us in. Read by the connector
//! (`Connector::hear`), carried out by `src/web/hosts/crm.rs`. Values only.
//!
//! ```text
//!   GET|POST /crm/{kind}/{key} ──▶ Incoming ──hear──▶ Wish ──▶ a click, new tokens ──▶ Done ──speak──▶ Spoken
//! ```

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::known::Tokens;

/// One request of a CRM.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Query, form or flat JSON, by name as the CRM wrote it (`data[CALL_ID]`); a body's win over the query's.
    pub fields: BTreeMap<String, String>,
    /// The body, when it is text.
    pub body: String,
    /// Headers that are text, by name in small letters; none that says who somebody is here.
    pub headers: BTreeMap<String, String>,
}

impl Incoming {
    /// A field without blanks around it; `None` when it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }
}

/// Whether what was told is the secret; the time it takes does not tell where they differ.
pub fn is_secret(secret: &SecretString, told: &str) -> bool {
    let hash = |text: &str| Sha256::digest(text.as_bytes());
    let (right, told) = (hash(secret.expose_secret()), hash(told));
    let difference = right
        .iter()
        .zip(told.iter())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    difference == 0
}

/// What it wants of us.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Ring this user's or this extension's phone, then call the number.
    Call {
        user: Option<String>,
        extension: Option<String>,
        phone: String,
        /// What the connector keeps about the call that follows: the CRM's own id of it. `Null` for nothing.
        memory: Value,
    },
    /// Somebody let us in: exchange this for tokens (`Question::Authorize`).
    Code(SecretString),
    /// Here they are.
    Tokens(Tokens),
    /// Nothing, for this reason.
    Nothing(String),
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The host was told.
    Called {
        request: String,
        repeated: bool,
    },
    /// The tokens are kept.
    LetIn,
    Nothing(String),
}

/// Our answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

impl Spoken {
    /// JSON, as RetailCRM's make-call answers; with the status of what went wrong.
    pub fn json(outcome: Result<&Done, (u16, &str)>) -> Spoken {
        let (status, body) = match outcome {
            Ok(Done::Called { request, repeated }) => (
                200,
                json!({"success": true, "request_id": request, "state": "accepted", "repeated": repeated}),
            ),
            Ok(Done::LetIn) => (200, json!({"success": true})),
            Ok(Done::Nothing(words)) => (200, json!({"success": true, "ignored": words})),
            Err((status, words)) => (status, json!({"success": false, "error": words})),
        };
        Spoken {
            status,
            content_type: "application/json",
            body: body.to_string(),
        }
    }
}
