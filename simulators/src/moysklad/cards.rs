//! The cards on employees' screens: what each command does to each card. Called by `phone.rs`. A command whose number is
//! lower than one already obeyed comes too late and changes nothing.
//!
//! ```text
//!   (none) ─SHOW▶ open ─STARTTIME▶ talking ─HIDE, HIDE_ALL▶ closed ─SHOW▶ open
//! ```

use serde::Serialize;
use serde_json::Value;

use super::answer::Refuse;
use super::state::{Call, Employee};

/// How a card stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// It rings.
    Open,
    /// Its timer runs.
    Talking,
    Closed,
}

/// One employee's card of a call.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    pub shown: Shown,
    /// Whose screen; empty where no employee has the extension and nobody sees it.
    pub employee: String,
}

/// A command that was read.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    kind: &'static str,
    extension: Option<String>,
    sequence: i64,
}

/// Reads one command.
pub(crate) fn read(event: &Value) -> Result<Command, Refuse> {
    let kind = event
        .get("eventType")
        .ok_or_else(|| Refuse::missing("eventType"))?;
    let kinds = ["SHOW", "STARTTIME", "HIDE", "HIDE_ALL"];
    let kind = kinds.into_iter().find(|one| kind.as_str() == Some(one));
    let kind = kind.ok_or_else(|| Refuse::mistyped("eventType"))?;
    let extension = match event.get("extension") {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        None | Some(Value::Null) if kind == "HIDE_ALL" => None,
        None | Some(Value::Null) => return Err(Refuse::missing("extension")),
        Some(_) => return Err(Refuse::mistyped("extension")),
    };
    let sequence = event
        .get("sequence")
        .ok_or_else(|| Refuse::missing("sequence"))?;
    let sequence = sequence
        .as_i64()
        .filter(|number| i32::try_from(*number).is_ok());
    Ok(Command {
        kind,
        extension,
        sequence: sequence.ok_or_else(|| Refuse::mistyped("sequence"))?,
    })
}

/// Reads the list of commands a call may come with.
pub(crate) fn read_all(body: &Value) -> Result<Vec<Command>, Refuse> {
    match body.get("events") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(events)) => events.iter().map(read).collect(),
        Some(_) => Err(Refuse::mistyped("events")),
    }
}

/// Does what the commands say.
pub(crate) fn obey(call: &mut Call, employees: &[Employee], commands: &[Command]) {
    for command in commands {
        if command.sequence < call.sequence {
            continue;
        }
        call.sequence = command.sequence;
        let whom = command.extension.as_deref().unwrap_or_default();
        let said = format!("{} {whom}", command.kind);
        call.commands.push(said.trim_end().to_owned());
        let cards = call.cards.iter_mut();
        match command.kind {
            "HIDE_ALL" => cards.for_each(|(_, card)| card.shown = Shown::Closed),
            "SHOW" => {
                let theirs = |one: &&Employee| one.extension.as_deref() == Some(whom);
                let employee = employees.iter().find(theirs).map(|one| one.name.clone());
                let card = Card {
                    shown: Shown::Open,
                    employee: employee.unwrap_or_default(),
                };
                call.cards.insert(whom.to_owned(), card);
            }
            kind => {
                if let Some(card) = call.cards.get_mut(whom) {
                    card.shown = match (kind, card.shown) {
                        ("STARTTIME", Shown::Open | Shown::Talking) => Shown::Talking,
                        _ => Shown::Closed,
                    };
                }
            }
        }
    }
}
