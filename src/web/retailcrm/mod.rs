//! The RetailCRM module: the page `/retailcrm-admin/` and its API, where an enterprise connects its account, registers
//! itself there, and gives the CRM's users their extensions. Opened by administrators, and from the CRM by the account
//! link (`account`). What is said to the CRM is its connector's work (`actors/src/crm/retailcrm`); acts on one enterprise
//! take turns, so that no two of them tell the CRM different things.

pub mod account;
pub mod api;
mod body;
mod managers;
pub mod page;
mod registration;
mod settings;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The integration's name in the document, in the log and in URLs.
pub const NAME: &str = "retailcrm";

/// One act at a time for each enterprise.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<i64, Arc<Turn<()>>>>);

impl Turns {
    /// Waits for this enterprise's turn; it is over when the guard is dropped.
    pub async fn take(&self, enterprise: i64) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(enterprise).or_default().clone()
        };
        turn.lock_owned().await
    }
}
