//! What Bitrix24 sends us: somebody clicked a number, a visitor of the site wants to be called back, the application was
//! installed, or a browser brings a code. Called by `mod.rs`. Pure.
//!
//! Events come once, whatever we answer, and now and then twice; each bears the application's token.

use secrecy::SecretString;

use super::access::{installed, is_theirs};
use super::map::Memory;
use super::settings::{Settings, Way};
use crate::integration::incoming::{Incoming, Wish};
use crate::integration::known::Known;

/// What is wanted.
///
/// # Errors
/// Words: why this cannot be taken.
pub fn wish(settings: &Settings, incoming: &Incoming, known: &Known) -> Result<Wish, String> {
    let application = matches!(settings.way, Way::Application { .. });
    if let (true, Some(code)) = (application, incoming.get("code")) {
        return Ok(Wish::Code(SecretString::from(code)));
    }
    let event = incoming.get("event").unwrap_or_default().to_uppercase();
    if event == "ONAPPINSTALL" {
        return match application {
            true => installed(settings, incoming).map(Wish::Tokens),
            false => Err("the settings say webhook, not application".into()),
        };
    }
    if !matches!(
        event.as_str(),
        "ONEXTERNALCALLSTART" | "ONEXTERNALCALLBACKSTART"
    ) {
        return Ok(Wish::Nothing(format!("nothing is done for {event}")));
    }
    let token = incoming.get("auth[application_token]").unwrap_or_default();
    if !is_theirs(settings, known, token)? {
        return Err("the application token is not the one we know".into());
    }
    let data = |name: &str| incoming.get(&format!("data[{name}]"));
    let phone = data("PHONE_NUMBER_INTERNATIONAL").or(data("PHONE_NUMBER"));
    let phone = phone.ok_or("there is no number to call")?.to_owned();
    if event == "ONEXTERNALCALLBACKSTART" {
        let extension = settings
            .callback_extension
            .clone()
            .ok_or("nobody is named in the settings who calls visitors back")?;
        // Two wishes of one visitor are told apart by their time; the same told twice is not.
        let asked = incoming.get("ts").unwrap_or("then").to_owned();
        let memory = Memory {
            asked,
            ..Memory::default()
        };
        return Ok(Wish::Call {
            user: None,
            extension: Some(extension),
            phone,
            memory: memory.write(),
        });
    }
    let user = data("USER_ID").ok_or("the event does not say who clicked")?;
    // Bitrix24 has registered the call already, and shows its card to whoever clicked.
    let memory = Memory {
        call_id: data("CALL_ID").unwrap_or_default().to_owned(),
        shown: user.parse().into_iter().collect(),
        ..Memory::default()
    };
    Ok(Wish::Call {
        user: Some(user.to_owned()),
        extension: None,
        phone,
        memory: memory.write(),
    })
}
