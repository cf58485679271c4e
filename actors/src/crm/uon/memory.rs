//! What is kept about a call: who calls, whom the pop-up was shown, and whether the row was told. Read and made by the two
//! conversations. Pure.
//!
//! Whatever is about to be told is kept first, with the number of the conversation. Found under another number, it was told
//! by a try that was cut off: nobody knows whether it was taken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::Person;
use crate::integration::connector::Failed;
use crate::integration::known::Known;

/// See the module's head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The conversation that kept this.
    talk: u32,
    /// The same conversation is still under way.
    #[serde(skip)]
    pub under_way: bool,
    /// Who calls, once that was asked; within, nobody whom U-ON knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Option<Person>>,
    /// Extension → manager, as U-ON said; 0 for nobody.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub phones: BTreeMap<String, i64>,
    /// Managers who have the pop-up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<i64>,
    /// Managers whose pop-up U-ON did not take, and will not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<i64>,
    /// Managers who may have it twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub twice: Vec<i64>,
    /// Who is being shown it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub showing: Option<i64>,
    /// A client or a lead was made of the caller.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
    /// The row is being told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telling: Option<Telling>,
    /// The row was told before, and what became of it is not known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
    /// What is being told was not taken: so it is not doubtful.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no: Option<No>,
}

/// What was found out about a row before it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// Whose row it is.
    pub manager: Option<i64>,
}

/// How U-ON said no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum No {
    Throttled(String),
    Settings(String),
    Refused(String),
}

impl No {
    /// What this failure says plainly. An error of U-ON's own or a broken answer says nothing of the kind.
    pub fn of(failed: &Failed) -> Option<Self> {
        match failed.clone() {
            Failed::Throttled { words, .. } => Some(Self::Throttled(words)),
            Failed::Settings { words } => Some(Self::Settings(words)),
            Failed::Refused { words } => Some(Self::Refused(words)),
            _ => None,
        }
    }

    /// The failure again.
    pub fn failed(self) -> Failed {
        match self {
            Self::Throttled(words) => Failed::Throttled { words, after: None },
            Self::Settings(words) => Failed::Settings { words },
            Self::Refused(words) => Failed::Refused { words },
        }
    }
}

impl Memory {
    /// What was kept, as it is to be understood in this conversation.
    pub fn read(known: &Known) -> Self {
        let mut memory: Self = serde_json::from_value(known.memory.clone()).unwrap_or_default();
        memory.under_way = memory.talk == known.talk;
        if memory.under_way {
            return memory;
        }
        memory.talk = known.talk;
        let plain = memory.no.take().is_some();
        if let Some(manager) = memory.showing.take()
            && !plain
            && !memory.twice.contains(&manager)
        {
            memory.twice.push(manager);
        }
        memory.doubtful |= memory.telling.take().is_some() && !plain;
        memory
    }

    /// As it is kept.
    pub fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
