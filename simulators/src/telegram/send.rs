//! sendMessage, editMessageText and deleteMessage. Called by the entry; the order of the checks is the real one's:
//! what the Bot API server sees by itself first, then chat, message and limits.

use std::time::Instant;

use serde_json::{Value, json};

use super::answer::{Answer, Refuse, Why};
use super::chat::{Chat, ChatFailure, Message, Version};
use super::entities::{self, Entity};
use super::state::{Bot, Desk};
use super::{html, keyboard, limits};
use crate::clock::now_ms;
use crate::form::Fields;

const LONGEST: usize = 4096;
const LONGEST_RAW: usize = 32_768;
const DELETABLE_MS: i64 = 48 * 3600 * 1000;

fn formatted(fields: &Fields) -> Result<(String, Vec<Entity>), Refuse> {
    let raw = fields.get("text").unwrap_or_default();
    if raw.len() > LONGEST_RAW {
        return Err(Refuse::bad("text is too long"));
    }
    let mode = fields
        .get("parse_mode")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let (text, entities) = match mode.as_str() {
        "" | "none" => {
            let entities = fields
                .get("entities")
                .map(|json| entities::given(json, raw))
                .transpose()?;
            (raw.to_owned(), entities.unwrap_or_default())
        }
        "html" => html::parse(raw)
            .map_err(|words| Refuse::bad(format!("can't parse entities: {words}")))?,
        _ => return Err(Refuse::bad("unsupported parse_mode")),
    };
    let (text, entities) = entities::trim(&text, entities);
    if text.is_empty() {
        return Err(Refuse::bad("message text is empty"));
    }
    if text.chars().count() > LONGEST {
        return Err(Refuse::bad("message is too long"));
    }
    Ok((text, entities))
}

fn chat_id(fields: &Fields) -> Result<i64, Refuse> {
    let given = fields.get("chat_id").map(str::trim).unwrap_or_default();
    if given.is_empty() {
        return Err(Refuse::bad("chat_id is empty"));
    }
    given.parse().map_err(|_| Refuse::bad("chat not found"))
}

fn message_id(fields: &Fields) -> Option<i64> {
    fields
        .get("message_id")?
        .trim()
        .parse()
        .ok()
        .filter(|id| *id > 0)
}

fn flag(fields: &Fields, name: &str) -> bool {
    fields.get(name).is_some_and(|value| {
        ["true", "1", "yes", "t", "y"].contains(&value.to_ascii_lowercase().as_str())
    })
}

/// The message to answer and whether it may be missing.
fn reply(fields: &Fields) -> Result<Option<(i64, bool)>, Refuse> {
    let Some(json) = fields
        .get("reply_parameters")
        .filter(|json| !json.trim().is_empty())
    else {
        let old = fields
            .get("reply_to_message_id")
            .and_then(|id| id.parse().ok())
            .filter(|id| *id > 0);
        return Ok(old.map(|id| (id, flag(fields, "allow_sending_without_reply"))));
    };
    let parsed: Value = serde_json::from_str(json)
        .map_err(|_| Refuse::bad("can't parse reply parameters JSON object"))?;
    if !parsed.is_object() {
        return Err(Refuse::bad("object expected as reply parameters"));
    }
    let id = parsed.get("message_id").and_then(Value::as_i64);
    let id = id.ok_or_else(|| {
        Refuse::bad("can't parse reply parameters: Can't find field \"message_id\"")
    })?;
    let lenient = parsed
        .get("allow_sending_without_reply")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    Ok(Some((id, lenient)))
}

/// The chat, once it neither fails by script nor is over a limit. With `Some(refuse)` the request is to be carried
/// out and then answered so.
fn enter<'a>(
    bot: &Bot,
    desk: &'a mut Desk,
    id: i64,
    limited: bool,
) -> Result<(&'a mut Chat, Option<Refuse>), Refuse> {
    bot.welcome(desk, id);
    let chat = desk
        .chats
        .get_mut(&id)
        .ok_or_else(|| Refuse::bad("chat not found"))?;
    let mut later = None;
    if let Some(failure) = chat.fail() {
        let refuse = chat.refuse(&failure);
        if !matches!(failure, ChatFailure::Error { stored: true, .. }) {
            return Err(refuse);
        }
        later = Some(refuse);
    }
    if limited {
        limits::admit(&mut desk.bucket, &mut chat.limits, Instant::now())
            .map_err(|seconds| Refuse::too_many(seconds, Why::Limit))?;
    }
    Ok((chat, later))
}

pub(crate) fn send(bot: &Bot, fields: &Fields) -> Answer {
    let id = chat_id(fields)?;
    let (text, entities) = formatted(fields)?;
    let markup = keyboard::check(fields.get("reply_markup"), false)?;
    let reply = reply(fields)?;
    let mut desk = bot.desk();
    if let Some((wanted, false)) = reply
        && let Some(chat) = bot.welcome(&mut desk, id)
        && chat.failure.is_none()
        && chat.message(wanted).is_none()
    {
        return Err(Refuse::bad("message to be replied not found"));
    }
    let (chat, later) = enter(bot, &mut desk, id, true)?;
    let reply_to = reply
        .map(|(wanted, _)| wanted)
        .filter(|wanted| chat.message(*wanted).is_some());
    let version = Version {
        at: now_ms(),
        text,
        entities,
        markup,
    };
    let silent = flag(fields, "disable_notification");
    let number = chat.add(version, reply_to, false, silent);
    later.map_or_else(|| Ok(shown(bot, chat, number)), Err)
}

pub(crate) fn edit(bot: &Bot, fields: &Fields) -> Answer {
    let id = chat_id(fields)?;
    let number =
        message_id(fields).ok_or_else(|| Refuse::bad("message identifier is not specified"))?;
    let (text, entities) = formatted(fields)?;
    let markup = keyboard::check(fields.get("reply_markup"), true)?;
    let mut desk = bot.desk();
    let (chat, later) = enter(bot, &mut desk, id, true)?;
    let message = chat
        .message(number)
        .ok_or_else(|| Refuse::bad("message to edit not found"))?;
    if message.incoming {
        return Err(Refuse::bad("message can't be edited"));
    }
    let same = message
        .versions
        .last()
        .is_some_and(|now| now.text == text && now.entities == entities && now.markup == markup);
    if same {
        let words = "message is not modified: specified new message content and reply markup are exactly the same \
             as a current content and reply markup of the message";
        return Err(Refuse {
            why: Why::Harmless,
            ..Refuse::bad(words)
        });
    }
    message.versions.push(Version {
        at: now_ms(),
        text,
        entities,
        markup,
    });
    later.map_or_else(|| Ok(shown(bot, chat, number)), Err)
}

pub(crate) fn delete(bot: &Bot, fields: &Fields) -> Answer {
    let id = chat_id(fields)?;
    let number =
        message_id(fields).ok_or_else(|| Refuse::bad("message identifier is not specified"))?;
    let mut desk = bot.desk();
    let (chat, later) = enter(bot, &mut desk, id, false)?;
    let message = chat
        .message(number)
        .ok_or_else(|| Refuse::bad("message to delete not found"))?;
    let at = now_ms();
    if at - message.sent() > DELETABLE_MS {
        return Err(Refuse::bad("message can't be deleted"));
    }
    message.deleted = Some(at);
    later.map_or(Ok(json!(true)), Err)
}

/// A message as the API shows it, with the one it answers.
fn shown(bot: &Bot, chat: &mut Chat, number: i64) -> Value {
    let place = chat.json();
    let Some(message) = chat.message(number) else {
        return Value::Null;
    };
    let reply_to = message.reply_to;
    let mut json = message_json(bot, &place, message);
    if let Some(answered) = reply_to.and_then(|id| chat.message(id)) {
        json["reply_to_message"] = message_json(bot, &place, answered);
    }
    json
}

fn message_json(bot: &Bot, chat: &Value, message: &Message) -> Value {
    let mut json = json!({
        "message_id": message.id, "from": bot.json(), "chat": chat, "date": message.sent() / 1000,
    });
    if let Some(now) = message.versions.last() {
        json["text"] = json!(now.text);
        if !now.entities.is_empty() {
            json["entities"] = json!(now.entities);
        }
        if let Some(markup) = now
            .markup
            .as_ref()
            .filter(|markup| markup.get("inline_keyboard").is_some())
        {
            json["reply_markup"] = markup.clone();
        }
        if message.edits() > 0 {
            json["edit_date"] = json!(now.at / 1000);
        }
    }
    json
}
