//! What somebody wrote to a bot, read from one update of the Bot API. Called by `listener`; pure. Only what can be about
//! joining is understood: everything else that people write to a bot is none of our business.

use serde_json::Value;

use super::code::Code;

/// Longest name kept of a chat, in characters.
const NAME_LIMIT: usize = 100;

/// One update.
#[derive(Debug)]
pub struct Update {
    /// Its number; the next one is asked for from there.
    pub number: i64,
    /// `None`: nothing that concerns us.
    pub said: Option<Said>,
}

/// Somebody speaks to the bot about joining.
#[derive(Debug)]
pub struct Said {
    pub chat: i64,
    /// The group's title, or the person's name.
    pub name: String,
    pub wish: Wish,
}

/// What is wanted.
#[derive(Debug)]
pub enum Wish {
    /// To join by this code.
    Join(Code),
    /// To join by something that has not the form of a code.
    Unreadable,
    /// `/start` or `/join` alone: what to do.
    Ask,
}

/// Reads an update. `username`: the bot's own, in whose name commands in groups are addressed.
pub fn read(update: &Value, username: &str) -> Update {
    let number = update.get("update_id").and_then(Value::as_i64);
    let message = update.get("message").or_else(|| update.get("channel_post"));
    Update {
        number: number.unwrap_or_default(),
        said: message.and_then(|message| said(message, username)),
    }
}

fn said(message: &Value, username: &str) -> Option<Said> {
    let text = |at: &Value, field: &str| {
        at.get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let chat = message.get("chat")?;
    let private = text(chat, "type") == "private";
    let wish = wish(&text(message, "text"), username, private)?;
    let name = match private {
        false => text(chat, "title"),
        true => {
            let whole = format!("{} {}", text(chat, "first_name"), text(chat, "last_name"));
            match (whole.trim(), text(chat, "username")) {
                ("", username) => username,
                (whole, _) => whole.to_owned(),
            }
        }
    };
    let name = name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(NAME_LIMIT)
        .collect();
    Some(Said {
        chat: chat.get("id").and_then(Value::as_i64)?,
        name,
        wish,
    })
}

/// `/start CODE` as a link sends it, `/join CODE` as people type it; in a talk with one person the code alone too.
fn wish(text: &str, username: &str, private: bool) -> Option<Wish> {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (command, addressed) = first.split_once('@').unwrap_or((first, username));
    let ours = addressed.eq_ignore_ascii_case(username);
    match command.to_ascii_lowercase().as_str() {
        "/start" | "/join" if ours && rest.trim().is_empty() => Some(Wish::Ask),
        "/start" | "/join" if ours => Some(Code::read(rest).map_or(Wish::Unreadable, Wish::Join)),
        _ if private => Code::read(text).map(Wish::Join),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn heard(kind: &str, text: &str) -> String {
        let chat = json!({"id": -5, "type": kind, "title": "Sales", "first_name": "Anna", "last_name": "P"});
        let update = json!({"update_id": 9, "message": {"chat": chat, "text": text}});
        let update = read(&update, "patchbay_bot");
        assert_eq!(update.number, 9);
        match update.said {
            None => "nothing".into(),
            Some(said) => {
                let name = said.name;
                match said.wish {
                    Wish::Join(code) => format!("{name} joins by {}", code.text()),
                    Wish::Unreadable => format!("{name} says something else"),
                    Wish::Ask => format!("{name} asks"),
                }
            }
        }
    }

    #[test]
    fn only_what_is_about_joining_is_understood() {
        for (kind, text, is) in [
            (
                "private",
                "/start K7QF-2MXW-9TDA",
                "Anna P joins by K7QF-2MXW-9TDA",
            ),
            (
                "private",
                "k7qf 2mxw 9tda",
                "Anna P joins by K7QF-2MXW-9TDA",
            ),
            ("private", "/start", "Anna P asks"),
            ("private", "/start hello", "Anna P says something else"),
            ("private", "good morning", "nothing"),
            ("private", "/help", "nothing"),
            (
                "group",
                "/join@Patchbay_Bot K7QF2MXW9TDA",
                "Sales joins by K7QF-2MXW-9TDA",
            ),
            (
                "group",
                "/start@patchbay_bot K7QF-2MXW-9TDA",
                "Sales joins by K7QF-2MXW-9TDA",
            ),
            (
                "supergroup",
                "/join\nK7QF-2MXW-9TDA",
                "Sales joins by K7QF-2MXW-9TDA",
            ),
            ("group", "/join@other_bot K7QF-2MXW-9TDA", "nothing"),
            ("group", "K7QF-2MXW-9TDA", "nothing"),
        ] {
            assert_eq!(heard(kind, text), is, "{kind}: {text}");
        }
    }

    #[test]
    fn a_channel_speaks_in_its_own_name_and_odd_updates_are_passed_over() {
        let post = json!({"update_id": 3, "channel_post": {
            "chat": {"id": -100, "type": "channel", "title": "Calls\u{7}"}, "text": "/join K7QF-2MXW-9TDA"}});
        assert_eq!(
            read(&post, "b").said.map(|said| said.name),
            Some("Calls".into())
        );
        for odd in [
            json!({"update_id": 4}),
            json!({"update_id": 4, "message": {}}),
            json!({"update_id": 4, "message": {"chat": {"type": "private"}, "text": "/start"}}),
            json!({"update_id": 4, "message": {"chat": {"id": 1, "type": "private"}, "photo": []}}),
        ] {
            let update = read(&odd, "b");
            assert!(update.number == 4 && update.said.is_none(), "{odd}");
        }
    }
}
