//! What Telegram's answer means for us. Called by `api` with status and body, and by nobody else; pure.
//!
//! The rules come from the Bot API server's own source: the HTTP status equals `error_code`, descriptions carry the
//! status as a prefix, `parameters` names what to do. An answer that cannot be understood counts as trouble of the
//! server, because a proxy in between answers in HTML.

use std::time::Duration;

use serde::Deserialize;

/// Longest pause that is believed; a server that asks for more is asked again after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Longest description kept for people, in characters.
const WORDS_LIMIT: usize = 200;

/// One answer, in our words.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Done; the message's id where one was sent or edited.
    Done { message_id: Option<i64> },
    /// It shows this already: a success.
    NotModified,
    /// There is nothing (any more) to edit or to delete, or it is not allowed to.
    Gone,
    /// The markup could not be read.
    Unreadable,
    /// The chat is known under a new id.
    Moved { chat_id: i64 },
    /// The chat is closed to the bot for good: blocked, kicked, deactivated, not found.
    Closed { reason: String },
    /// The bot itself is not accepted: its token was revoked or never was one.
    Revoked { reason: String },
    /// Too many requests: nothing to this chat before the time is over.
    TooMany { pause: Duration },
    /// The server is in trouble, or not to be reached: later again. The request may have been carried out.
    Trouble { reason: String },
    /// This message will never be taken.
    Refused { reason: String },
}

#[derive(Deserialize)]
struct Body {
    ok: bool,
    #[serde(default)]
    result: serde_json::Value,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

/// Reads an answer. `retry_after` is the header of that name, in seconds, where it came.
pub fn read(status: u16, retry_after: Option<u64>, body: &[u8]) -> Answer {
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return match status {
            429 => pause(retry_after),
            _ => Answer::Trouble {
                reason: format!("HTTP {status}, not an answer of the Bot API"),
            },
        };
    };
    if body.ok {
        return Answer::Done {
            message_id: body
                .result
                .get("message_id")
                .and_then(serde_json::Value::as_i64),
        };
    }
    if let Some(chat_id) = body.parameters.migrate_to_chat_id {
        return Answer::Moved { chat_id };
    }
    let reason: String = body.description.chars().take(WORDS_LIMIT).collect();
    let says = |words: &str| reason.to_ascii_lowercase().contains(words);
    match status {
        400 if says("message is not modified") => Answer::NotModified,
        400 if says("message to edit not found")
            || says("message can't be edited")
            || says("message to delete not found")
            || says("message can't be deleted")
            || says("message_id_invalid") =>
        {
            Answer::Gone
        }
        400 if says("can't parse entities") => Answer::Unreadable,
        400 if says("chat not found")
            || says("chat_write_forbidden")
            || says("user_is_blocked")
            || says("peer_id_invalid")
            || says("group chat was deactivated")
            || says("not enough rights") =>
        {
            Answer::Closed { reason }
        }
        401 | 404 => Answer::Revoked { reason },
        403 => Answer::Closed { reason },
        429 => pause(body.parameters.retry_after.or(retry_after)),
        400..=499 => Answer::Refused { reason },
        _ => Answer::Trouble { reason },
    }
}

fn pause(seconds: Option<u64>) -> Answer {
    Answer::TooMany {
        pause: Duration::from_secs(seconds.unwrap_or(5).max(1)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn no(code: u16, description: &str) -> Answer {
        let body = serde_json::json!({"ok": false, "error_code": code, "description": description});
        read(code, None, body.to_string().as_bytes())
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let sent = br#"{"ok":true,"result":{"message_id":78,"chat":{"id":1}}}"#;
        assert_eq!(
            read(200, None, sent),
            Answer::Done {
                message_id: Some(78)
            }
        );
        assert_eq!(
            read(200, None, br#"{"ok":true,"result":true}"#),
            Answer::Done { message_id: None }
        );
        let same = "Bad Request: message is not modified: specified new message content and reply markup are exactly \
                    the same as a current content and reply markup of the message";
        assert_eq!(no(400, same), Answer::NotModified);
        assert_eq!(
            no(400, "Bad Request: message to edit not found"),
            Answer::Gone
        );
        assert_eq!(
            no(400, "Bad Request: message can't be edited"),
            Answer::Gone
        );
        assert_eq!(
            no(400, "Bad Request: message to delete not found"),
            Answer::Gone
        );
        let tag = "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 4";
        assert_eq!(no(400, tag), Answer::Unreadable);
        assert!(matches!(
            no(400, "Bad Request: chat not found"),
            Answer::Closed { .. }
        ));
        assert!(matches!(
            no(400, "Bad Request: message is too long"),
            Answer::Refused { .. }
        ));
        assert!(matches!(no(401, "Unauthorized"), Answer::Revoked { .. }));
        assert!(matches!(no(404, "Not Found"), Answer::Revoked { .. }));
        let blocked = "Forbidden: bot was blocked by the user";
        assert_eq!(
            no(403, blocked),
            Answer::Closed {
                reason: blocked.into()
            }
        );
        assert!(matches!(
            no(500, "Internal Server Error"),
            Answer::Trouble { .. }
        ));
        assert!(matches!(
            read(502, None, b"<html>bad gateway</html>"),
            Answer::Trouble { .. }
        ));
        assert!(matches!(
            read(200, None, b"<html>hello</html>"),
            Answer::Trouble { .. }
        ));
    }

    #[test]
    fn a_pause_is_read_from_the_body_else_from_the_header() {
        let body = br#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":14}}"#;
        assert_eq!(
            read(429, Some(3), body),
            Answer::TooMany {
                pause: Duration::from_secs(14)
            }
        );
        assert_eq!(
            read(429, Some(3), b"slow down"),
            Answer::TooMany {
                pause: Duration::from_secs(3)
            }
        );
        assert_eq!(
            read(429, None, b""),
            Answer::TooMany {
                pause: Duration::from_secs(5)
            }
        );
        assert_eq!(
            read(429, Some(u64::MAX), b""),
            Answer::TooMany {
                pause: LONGEST_PAUSE
            }
        );
    }

    #[test]
    fn a_group_that_became_a_supergroup_tells_its_new_id() {
        let body = br#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat",
            "parameters":{"migrate_to_chat_id":-1001234567890}}"#;
        assert_eq!(
            read(400, None, body),
            Answer::Moved {
                chat_id: -1_001_234_567_890
            }
        );
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(status in 0u16..700, body in prop::collection::vec(any::<u8>(), 0..200)) {
            read(status, None, &body);
        }
    }
}
