//! A click on a number in MoySklad: `{"srcNumber": "151", "destNumber": "+7…", "uid": "login"}`, posted to the address that
//! was typed into its solution. Read by `mod.rs`. Pure. Whoever knows the address could click; the signature shows that
//! they also know the key.

use serde_json::Value;

use super::api;
use super::settings::Settings;
use crate::integration::incoming::{Incoming, Wish, is_secret};

/// The header with the signature, as `Incoming` names it.
pub const SIGNATURE: &str = "lognex-content-md5";

/// What was clicked.
///
/// # Errors
/// Words: what is missing, or that the signature is not of our key.
pub fn hear(settings: &Settings, incoming: &Incoming) -> Result<Wish, String> {
    let (Some(extension), Some(phone)) = (incoming.get("srcNumber"), incoming.get("destNumber"))
    else {
        return Err("a click names srcNumber and destNumber".into());
    };
    if settings.check_signature {
        let Some(told) = incoming.headers.get(SIGNATURE) else {
            return Err("the click is not signed: Lognex-Content-MD5 is missing".into());
        };
        let told = told.trim().to_ascii_uppercase();
        let values = ["srcNumber", "destNumber", "uid"]
            .map(|name| incoming.fields.get(name).map_or("", String::as_str));
        let right = api::signatures(settings, values, &incoming.body);
        if !right.into_iter().any(|one| is_secret(&one.into(), &told)) {
            return Err("the click's signature does not fit our key: if the key is right, switch its check off".into());
        }
    }
    Ok(Wish::Call {
        user: incoming.get("uid").map(str::to_owned),
        extension: Some(extension.to_owned()),
        phone: phone.to_owned(),
        memory: Value::Null,
    })
}
