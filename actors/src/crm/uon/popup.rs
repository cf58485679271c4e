//! How a call is shown: who calls, then a pop-up for each manager whose phone rings, one request each. Called by
//! `mod.rs`. Pure.
//!
//! ```text
//!   extensions given here? ─no─▶ U-ON's own ─▶ who calls? ─▶ keep "showing 2" ─▶ show 2 ─▶ keep "shown 2, showing 3" ─▶ …
//! ```
//!
//! A pop-up cannot be asked for afterwards. Where a try was cut off it is shown again, for one too many does less harm
//! than none, and the outcome says so.

use super::memory::{Memory, No};
use super::{Uon, api, map};
use crate::call::record::{Direction, Notice};
use crate::integration::connector::{Delivered, Failed, KNOWS_NO_USER};
use crate::integration::halt::{Halt, Heard};

/// Tells the managers whose phones ring.
pub fn tell(
    uon: &Uon,
    notice: &Notice,
    mut memory: Memory,
    mut heard: Heard<'_>,
) -> Result<Delivered, Halt> {
    let (settings, record) = (&uon.settings, &notice.record);
    if record.direction == Direction::Out {
        let words = "U-ON is shown incoming calls only";
        return Err(Halt::Nothing(words.into()));
    }
    if memory.under_way
        && let Some(no) = memory.no
    {
        return Err(no.failed().into());
    }
    let (wanted, unknown) = whom(uon, notice, &mut memory, &mut heard)?;
    if wanted.is_empty() {
        let words = format!("no manager of U-ON has {}", notice.extensions.join(", "));
        return Err(Halt::Nothing(words));
    }
    if let Some(manager) = memory.showing {
        // Found only while its own conversation is under way.
        let person = memory.caller.clone().flatten();
        let show = || {
            let text = map::popup(notice, person.as_ref(), settings, &uon.facts);
            api::show(settings, manager, text)
        };
        match api::judge(heard.next(show)?) {
            Ok(_) => memory.shown.push(manager),
            // One whom U-ON does not know keeps nobody else from his pop-up.
            Err(Failed::Refused { .. }) => memory.refused.push(manager),
            Err(failed) => {
                memory.no = No::of(&failed);
                return Err(match memory.no {
                    Some(_) => Halt::Keep(memory.value()),
                    None => failed.into(),
                });
            }
        }
        memory.showing = next(&memory, &wanted);
        return Err(Halt::Keep(memory.value()));
    }
    match next(&memory, &wanted) {
        Some(manager) => {
            if memory.caller.is_none() {
                let phone = record.phone.as_deref().unwrap_or_default();
                let reply = heard.next(|| api::find(settings, phone))?;
                memory.caller = Some(api::found(reply, phone)?);
            }
            memory.showing = Some(manager);
            Err(Halt::Keep(memory.value()))
        }
        None if !wanted.iter().any(|id| memory.shown.contains(id)) => {
            let words = format!("U-ON did not take it for {}", list(&wanted));
            Err(Failed::Refused { words }.into())
        }
        // Somebody with two phones, or a try that was cut off at its very end.
        None if !memory.under_way => Ok(Delivered::Duplicate),
        None => Ok(Delivered::Taken(said(&memory, &unknown))),
    }
}

/// The managers whose phones ring, and the extensions nobody has.
fn whom(
    uon: &Uon,
    notice: &Notice,
    memory: &mut Memory,
    heard: &mut Heard<'_>,
) -> Result<(Vec<i64>, Vec<String>), Halt> {
    let given = &uon.settings.managers;
    let asked = |memory: &Memory| {
        notice
            .extensions
            .iter()
            .all(|one| memory.phones.contains_key(one))
    };
    if given.is_empty() && !asked(memory) {
        let theirs = api::phones(heard.next(|| api::managers(&uon.settings))?)?;
        for extension in &notice.extensions {
            let id = theirs.get(extension).copied().unwrap_or(0);
            memory.phones.insert(extension.clone(), id);
        }
    }
    let known = if given.is_empty() {
        &memory.phones
    } else {
        given
    };
    let (mut wanted, mut unknown) = (Vec::new(), Vec::new());
    for extension in &notice.extensions {
        match known.get(extension).filter(|id| **id > 0) {
            Some(id) if wanted.contains(id) => {}
            Some(id) => wanted.push(*id),
            None => unknown.push(extension.clone()),
        }
    }
    Ok((wanted, unknown))
}

fn next(memory: &Memory, wanted: &[i64]) -> Option<i64> {
    let done = |id: &&i64| memory.shown.contains(id) || memory.refused.contains(id);
    wanted.iter().find(|id| !done(id)).copied()
}

fn list(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    ids.join(", ")
}

fn said(memory: &Memory, unknown: &[String]) -> String {
    let mut words = Vec::new();
    if !memory.twice.is_empty() {
        words.push(format!(
            "a try before this was cut off: may have been shown twice to {}",
            list(&memory.twice)
        ));
    }
    if !memory.refused.is_empty() {
        words.push(format!(
            "U-ON did not take it for {}",
            list(&memory.refused)
        ));
    }
    if !unknown.is_empty() {
        words.push(format!("{KNOWS_NO_USER}{}", unknown.join(", ")));
    }
    words.join("; ")
}
