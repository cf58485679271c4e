//! How a call comes into the history. Called by `mod.rs`. Pure.
//!
//! ```text
//!   who is it? ─nobody─▶ as the settings say: go on · make a client · make a lead · nothing
//!        │
//!   was it told before? ─yes─▶ is it in the history? ─yes─▶ had it already
//!        │ no                        │ no
//!        └──── keep "telling" ───────┴──▶ add the row
//! ```

use super::memory::{Memory, No, Telling};
use super::{Uon, api, map};
use crate::call::record::{Direction, Notice};
use crate::integration::connector::Delivered;
use crate::integration::halt::{Halt, Heard};
use crate::integration::unknown::New;

/// Adds the call's row.
pub fn tell(
    uon: &Uon,
    notice: &Notice,
    mut memory: Memory,
    mut heard: Heard<'_>,
) -> Result<Delivered, Halt> {
    let (settings, record) = (&uon.settings, &notice.record);
    if memory.under_way
        && let Some(no) = memory.no
    {
        return Err(no.failed().into());
    }
    if let Some(telling) = &memory.telling {
        // Found only while its own conversation is under way.
        let row = map::call(record, telling.manager, &uon.facts);
        let made = api::made(heard.next(|| api::add_call(settings, row))?);
        return match made {
            Ok(id) => Ok(taken(id, &memory)),
            Err(failed) => {
                memory.no = No::of(&failed);
                Err(match memory.no {
                    Some(_) => Halt::Keep(memory.value()),
                    None => failed.into(),
                })
            }
        };
    }
    let whose = map::responsible(record);
    let manager = if settings.managers.is_empty() {
        let theirs = api::phones(heard.next(|| api::managers(settings))?)?;
        whose.and_then(|extension| theirs.get(extension).copied())
    } else {
        whose.and_then(|extension| settings.managers.get(extension).copied())
    };
    let phone = record.phone.as_deref().unwrap_or_default();
    let person = api::found(heard.next(|| api::find(settings, phone))?, phone)?;
    if person.is_none() {
        let reason = |words: &str| Halt::Nothing(words.into());
        let new = settings.strangers.of(record).map_err(reason)?;
        let request = match new {
            New::Contact => Some(api::add_client(settings, map::client(record, manager))),
            New::Lead if record.direction == Direction::In => Some(api::add_lead(
                settings,
                map::lead(record, manager, &uon.facts),
            )),
            New::Lead | New::Unsorted => None,
        };
        // Somebody made a second ago is not found yet, but not made again either.
        if let Some(request) = request.filter(|_| !memory.made) {
            api::made(heard.next(|| request)?)?;
            memory.made = true;
            return Err(Halt::Keep(memory.value()));
        }
    }
    if memory.doubtful {
        let row = map::call(record, manager, &uon.facts);
        let client = person.as_ref().map(|person| person.id);
        let reply = heard.next(|| api::history(settings, client, 1))?;
        let (mut holds, pages) = api::holds(reply, &row, &record.unique_id)?;
        // Whether the newest stand at the beginning or at the end is not documented.
        if !holds && pages > 1 {
            let reply = heard.next(|| api::history(settings, client, pages))?;
            holds = api::holds(reply, &row, &record.unique_id)?.0;
        }
        if holds {
            return Ok(Delivered::Duplicate);
        }
    }
    memory.telling = Some(Telling { manager });
    Err(Halt::Keep(memory.value()))
}

fn taken(id: Option<i64>, memory: &Memory) -> Delivered {
    let mut words = id.map(|id| format!("call {id}")).unwrap_or_default();
    if memory.doubtful {
        let more = "a try before this was cut off; U-ON's history did not hold the call, so it was told again";
        words = if words.is_empty() {
            more.into()
        } else {
            format!("{words}; {more}")
        };
    }
    Delivered::Taken(words)
}
