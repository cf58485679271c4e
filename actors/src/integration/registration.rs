//! How Patchbay makes itself known to a CRM, as values: what a registration says, and what the CRM says back. Filled in
//! by the pages of a CRM's module, turned into requests by its connector. Sends nothing.

use secrecy::SecretString;
use serde::Serialize;

/// What a CRM is to hold of us. It replaces what the CRM held before, so everything is always told.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Our module's own name in the CRM's account; the same one registers again.
    pub code: String,
    /// As people see it in the CRM.
    pub name: String,
    /// False takes us out: the CRM keeps the module but uses it no more.
    pub active: bool,
    /// By this the CRM is recognised when it calls us; opens click-to-call.
    pub client_id: SecretString,
    /// Our address; the CRM demands one.
    pub base_url: String,
    /// Where the CRM's "go to account" leads; it carries a token.
    pub account_url: SecretString,
    /// Address of a picture; some CRMs take only one kind.
    pub logo: String,
    pub make_call_url: String,
    pub status_url: String,
    /// CRM user id and extension, one for each manager who has one.
    pub extensions: Vec<(String, String)>,
    /// Shop and the company's own number there.
    pub shop_phones: Vec<(String, String)>,
}

/// What a CRM holds of us now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Registered {
    pub active: bool,
    /// CRM user id and extension.
    pub extensions: Vec<(String, String)>,
    /// Shop and the company's own number there.
    pub shop_phones: Vec<(String, String)>,
}

/// What a CRM said to a registration that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Ids of users it has no user for; their extensions were left out.
    pub unknown_users: Vec<String>,
    /// Codes of shops it does not have.
    pub unknown_shops: Vec<String>,
}

impl Taken {
    /// What was left out, in words; empty when nothing was.
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        if !self.unknown_users.is_empty() {
            parts.push(format!(
                "the CRM knows no user {}",
                self.unknown_users.join(", ")
            ));
        }
        if !self.unknown_shops.is_empty() {
            parts.push(format!(
                "the CRM knows no shop {}",
                self.unknown_shops.join(", ")
            ));
        }
        parts.join("; ")
    }
}
