//! What U-ON sends us: its webhooks, of which a click on a number is the one we want. Called by `mod.rs`. Pure.

use super::settings::Settings;
use crate::integration::incoming::{Done, Incoming, Spoken, Wish};

/// A click on a client's number.
const CLICK: &str = "47";

/// What is wanted.
///
/// # Errors
/// Why it cannot be taken.
pub fn hear(settings: &Settings, incoming: &Incoming) -> Result<Wish, String> {
    let theirs = incoming.get("uon_subdomain");
    if let (Some(ours), Some(theirs)) = (&settings.cabinet, theirs)
        && ours != &theirs.to_ascii_lowercase()
    {
        return Err("this is another cabinet's address".into());
    }
    let is_click = match incoming.get("type_id") {
        Some(id) => id == CLICK,
        None => incoming.get("method") == Some("call"),
    };
    if !is_click {
        return Ok(Wish::Nothing(
            "only clicks on numbers (47) are wanted here".into(),
        ));
    }
    let phone = incoming.get("phone").unwrap_or_default();
    if phone.is_empty() {
        return Err("phone is missing".into());
    }
    // Not among the documented parameters, though it comes: without it nobody knows whose phone to ring.
    let user = incoming
        .get("user_id")
        .or_else(|| incoming.get("manager_id"));
    let Some(user) = user else {
        return Err("user_id is missing: U-ON does not say who clicked".into());
    };
    Ok(Wish::Call {
        user: Some(user.to_owned()),
        extension: None,
        phone: dialled(phone),
        memory: serde_json::Value::Null,
    })
}

/// A number as the cabinet shows it, which sends no plus: what is long enough to be international gets its own back.
fn dialled(phone: &str) -> String {
    let digits = super::api::digits(phone);
    let national = digits.len() == 11 && digits.starts_with('8');
    if digits.len() >= 11 && !national {
        format!("+{digits}")
    } else {
        digits
    }
}

/// How it is answered. After a 5xx U-ON sends the click again, and a phone would ring when nobody waits for it any
/// more; so trouble of ours is told in words.
pub fn speak(outcome: Result<&Done, (u16, &str)>) -> Spoken {
    let spoken = Spoken::json(outcome);
    Spoken {
        status: if spoken.status >= 500 {
            200
        } else {
            spoken.status
        },
        ..spoken
    }
}
