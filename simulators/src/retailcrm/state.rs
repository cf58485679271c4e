//! All accounts of the simulated CRM and its settings. Shared by the server's worker and by tests in other threads; an
//! account is found under a read lock and then locked alone.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::account::{Account, NewAccount};
use crate::script::{Behaviour, Script};

/// How the simulated CRM behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Requests a second for each key; `None`: unlimited.
    pub general_rps: Option<u32>,
    /// The same for paths under `/telephony`.
    pub telephony_rps: Option<u32>,
    /// How many events, cards and calls each account keeps.
    pub keep: usize,
    /// An accepted module edit without unknown people answers `info: []`, as the real one may; else `info: {}`.
    pub info_as_array: bool,
    /// The status of `Telephony not enabled`: the real one's is not known for certain.
    pub telephony_off_status: u16,
    /// The account at the root, and whatever else shall exist from the start.
    pub accounts: Vec<NewAccount>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            general_rps: Some(10),
            telephony_rps: Some(40),
            keep: 10_000,
            info_as_array: true,
            telephony_off_status: 400,
            accounts: vec![NewAccount::demo()],
        }
    }
}

impl Settings {
    /// The same without rate limits.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.general_rps = None;
        self.telephony_rps = None;
        self
    }
}

/// What the simulated CRM remembers.
#[derive(Debug)]
pub struct State {
    /// How it behaves.
    pub settings: Settings,
    /// Misbehaviour on request; the target is an account's name.
    pub script: Script,
    accounts: RwLock<BTreeMap<String, Arc<Account>>>,
    root: String,
}

impl State {
    /// A CRM with the accounts of the settings; the first is also served at the root.
    pub fn new(settings: Settings) -> Self {
        let root = settings
            .accounts
            .first()
            .map(|account| account.name.clone())
            .unwrap_or_default();
        let state = Self {
            settings,
            script: Script::default(),
            accounts: RwLock::default(),
            root,
        };
        state.fill();
        state
    }

    fn fill(&self) {
        for account in &self.settings.accounts {
            self.add_account(account);
        }
    }

    /// Adds an account, or replaces the one of the same name.
    pub fn add_account(&self, new: &NewAccount) -> Arc<Account> {
        let account = Arc::new(Account::new(new, &self.settings));
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        accounts.insert(new.name.clone(), account.clone());
        account
    }

    /// The account of this name.
    pub fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// The name of the account at the root.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The account at the root.
    pub fn root_account(&self) -> Option<Arc<Account>> {
        self.account(&self.root)
    }

    /// All accounts by name.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Adds a line to the script.
    pub fn behave(&self, behaviour: Behaviour) {
        self.script.set(behaviour);
    }

    /// How many requests broke a rule, in all accounts.
    pub fn refused(&self) -> u64 {
        self.accounts()
            .iter()
            .map(|account| account.book().tally.refused())
            .sum()
    }

    /// Forgets everything and starts again with the accounts of the settings.
    pub fn reset(&self) {
        self.script.clear();
        self.accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.fill();
    }
}
