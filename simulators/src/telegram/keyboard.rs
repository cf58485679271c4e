//! Checks the keyboard of a message. Called by the methods; it returns the markup as it is stored and compared.

use serde_json::Value;

use super::answer::Refuse;
use super::html::check_link;

const ACTIONS: [&str; 10] = [
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
];

/// Reads the field `reply_markup`; an empty keyboard is none.
pub(crate) fn check(json: Option<&str>, only_inline: bool) -> Result<Option<Value>, Refuse> {
    let Some(json) = json.map(str::trim).filter(|json| !json.is_empty()) else {
        return Ok(None);
    };
    if json.len() > 10_000 {
        return Err(Refuse::bad("reply markup is too long"));
    }
    let markup: Value = serde_json::from_str(json)
        .map_err(|_| Refuse::bad("can't parse reply keyboard markup JSON object"))?;
    let Value::Object(members) = &markup else {
        return Err(Refuse::bad("object expected as reply markup"));
    };
    let Some(rows) = members.get("inline_keyboard") else {
        let other = ["keyboard", "remove_keyboard", "force_reply"]
            .iter()
            .any(|name| members.contains_key(*name));
        if only_inline && other {
            return Err(Refuse::bad("inline keyboard expected"));
        }
        return Ok((other).then_some(markup));
    };
    let words = "can't parse inline keyboard button: ";
    let rows = rows
        .as_array()
        .ok_or_else(|| Refuse::bad("field \"inline_keyboard\" must be of type Array"))?;
    let mut buttons = 0;
    for row in rows {
        let row = row
            .as_array()
            .ok_or_else(|| Refuse::bad("field \"inline_keyboard\" must be an Array of Arrays"))?;
        for button in row {
            let button = button.as_object().ok_or_else(|| {
                Refuse::bad(format!("{words}InlineKeyboardButton must be an Object"))
            })?;
            let text = button
                .get("text")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if text.trim().is_empty() {
                return Err(Refuse::bad(format!(
                    "{words}field \"text\" must be a non-empty String"
                )));
            }
            let actions: Vec<&str> = ACTIONS
                .into_iter()
                .filter(|action| button.contains_key(*action))
                .collect();
            match actions.as_slice() {
                [] => {
                    return Err(Refuse::bad(
                        "text buttons are unallowed in the inline keyboard",
                    ));
                }
                [action] => check_action(action, button.get(*action).unwrap_or(&Value::Null))?,
                _ => return Err(Refuse::bad(format!("{words}exactly one action is allowed"))),
            }
            buttons += 1;
        }
    }
    if buttons > 100 {
        return Err(Refuse::bad("reply markup is too long"));
    }
    Ok((buttons > 0).then_some(markup))
}

fn check_action(action: &str, value: &Value) -> Result<(), Refuse> {
    let text = value.as_str().unwrap_or_default();
    match action {
        "url" => {
            let scheme = text
                .split_once(':')
                .map(|(scheme, _)| scheme.to_ascii_lowercase());
            let known = |scheme: &str| {
                ["http", "https", "tg", "ton"].contains(&scheme) || scheme.contains('.')
            };
            if scheme
                .as_deref()
                .is_some_and(|scheme| !known(scheme) && scheme != "localhost")
            {
                return Err(Refuse::bad(format!(
                    "inline keyboard button URL '{text}' is invalid: Unsupported URL protocol"
                )));
            }
            if check_link(text).is_none() {
                return Err(Refuse::bad("BUTTON_URL_INVALID"));
            }
        }
        "callback_data" if text.is_empty() || text.len() > 64 => {
            return Err(Refuse::bad("BUTTON_DATA_INVALID"));
        }
        "copy_text" => {
            let copied = value
                .get("text")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .chars()
                .count();
            if copied == 0 || copied > 256 {
                return Err(Refuse::bad("BUTTON_COPY_TEXT_INVALID"));
            }
        }
        _ => {}
    }
    Ok(())
}
