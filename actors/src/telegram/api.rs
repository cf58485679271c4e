//! The Bot API over HTTP: one request, one `Answer`. Called by the actor's jobs; decides nothing and retries nothing.
//!
//! The address of every request holds the token. So no address, and no error of the HTTP client that could hold one,
//! leaves this file: failures are told in words of our own.

use std::fmt;
use std::slice::from_ref;
use std::time::Duration;

use awc::error::{PayloadError, SendRequestError};
use awc::http::header::RETRY_AFTER;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::plan::Step;
use super::text;
use crate::integration::request::mask;

/// Longest answer read; a hundred messages that wait are a few hundred kilobytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// Telegram's own server.
pub const DEFAULT_BASE: &str = "https://api.telegram.org";

/// One bot at one server. Lives in its actor; cheap to clone.
#[derive(Clone)]
pub struct Api {
    client: awc::Client,
    base: String,
    token: SecretString,
    timeout: Duration,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// The client every bot of an arbiter shares: the server is the same for all of them.
pub fn client(connections: usize) -> awc::Client {
    let connector = awc::Connector::new()
        .limit(connections)
        .timeout(Duration::from_secs(5));
    awc::Client::builder()
        .connector(connector)
        .timeout(Duration::from_secs(60))
        .finish()
}

impl Api {
    /// `base`: the server, with any prefix, with or without a slash at the end. `timeout`: connecting and answering.
    pub fn new(client: awc::Client, base: &str, token: SecretString, timeout: Duration) -> Self {
        Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            token,
            timeout,
        }
    }

    /// Carries out one step in one chat.
    pub async fn carry_out(&self, chat: i64, step: &Step) -> Answer {
        match step {
            Step::Nothing => Answer::NotModified,
            Step::Send {
                text,
                plain,
                reply_to,
                ..
            } => {
                let mut body = body(chat, text, *plain);
                if let Some(message_id) = reply_to {
                    // The previous message may have been deleted by hand: the new one is sent all the same.
                    body["reply_parameters"] =
                        json!({"message_id": message_id, "allow_sending_without_reply": true});
                }
                self.call("sendMessage", &body).await
            }
            Step::Edit {
                message_id,
                text,
                plain,
                ..
            } => {
                let mut body = body(chat, text, *plain);
                body["message_id"] = json!(message_id);
                self.call("editMessageText", &body).await
            }
            Step::Delete { message_id } => {
                self.call(
                    "deleteMessage",
                    &json!({"chat_id": chat, "message_id": message_id}),
                )
                .await
            }
        }
    }

    /// Asks the server who the bot is: whether the token is good.
    pub async fn introduce(&self) -> Answer {
        self.call("getMe", &json!({})).await
    }

    /// The bot's username, by which links lead to it.
    ///
    /// # Errors
    /// Telegram's answer, where it was not the bot.
    pub async fn username(&self) -> Result<String, Answer> {
        let (status, pause, bytes) = self.ask("getMe", &json!({}), self.timeout).await?;
        let me = result(&bytes).ok_or_else(|| answer::read(status, pause, &bytes))?;
        let name = me.get("username").and_then(Value::as_str);
        Ok(name.unwrap_or_default().to_owned())
    }

    /// What was written to the bot from `offset` on; waits so long for something to come. What is before `offset` is
    /// forgotten by Telegram.
    ///
    /// # Errors
    /// Telegram's answer, where it was not updates.
    pub async fn updates(&self, offset: i64, wait: Duration) -> Result<Vec<Value>, Answer> {
        let body = json!({"offset": offset, "timeout": wait.as_secs(), "allowed_updates": ["message", "channel_post"]});
        let (status, pause, bytes) = self.ask("getUpdates", &body, wait + self.timeout).await?;
        match result(&bytes) {
            Some(Value::Array(updates)) => Ok(updates),
            _ => Err(answer::read(status, pause, &bytes)),
        }
    }

    async fn call(&self, method: &str, body: &Value) -> Answer {
        match self.ask(method, body, self.timeout).await {
            Ok((status, pause, bytes)) => answer::read(status, pause, &bytes),
            Err(answer) => answer,
        }
    }

    /// Sends one request; gives the status, the header `Retry-After` and the body.
    async fn ask(
        &self,
        method: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<(u16, Option<u64>, bytes::Bytes), Answer> {
        let token = self.token.expose_secret();
        if !well_formed(token) {
            return Err(Answer::Revoked {
                reason: "the token does not have the form of a bot's token".into(),
            });
        }
        let url = format!("{}/bot{token}/{method}", self.base);
        let mut response = match self.client.post(url).timeout(timeout).send_json(body).await {
            Ok(response) => response,
            Err(error) => {
                return Err(Answer::Trouble {
                    reason: words_for(&error),
                });
            }
        };
        let status = response.status().as_u16();
        let pause = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        match response.body().limit(BODY_LIMIT).await {
            Ok(bytes) => {
                // Whoever answers may repeat the address.
                let text = mask(&String::from_utf8_lossy(&bytes), from_ref(&self.token));
                Ok((status, pause, bytes::Bytes::from(text)))
            }
            Err(PayloadError::Overflow) => Err(Answer::Trouble {
                reason: format!("HTTP {status}, an answer too long"),
            }),
            Err(_) => Err(Answer::Trouble {
                reason: format!("HTTP {status}, the answer broke off"),
            }),
        }
    }
}

/// What a good answer gives.
fn result(bytes: &[u8]) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(bytes).ok()?;
    (body.get("ok") == Some(&Value::Bool(true))).then(|| body["result"].take())
}

fn body(chat: i64, text: &str, plain: bool) -> Value {
    let mut body = json!({"chat_id": chat, "link_preview_options": {"is_disabled": true}});
    if plain {
        body["text"] = json!(text::plain(text));
    } else {
        body["text"] = json!(text);
        body["parse_mode"] = json!("HTML");
    }
    body
}

/// Whether this has the form of a bot's token, `123456:AA…`: anything else could change the address.
pub fn well_formed(token: &str) -> bool {
    token.split_once(':').is_some_and(|(id, key)| {
        !id.is_empty()
            && id.bytes().all(|b| b.is_ascii_digit())
            && !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

/// What went wrong, without the client's own words: they may hold the address.
fn words_for(error: &SendRequestError) -> String {
    match error {
        SendRequestError::Url(_) => "the Bot API's base address is not a URL",
        SendRequestError::Connect(_) => "the Bot API's server cannot be reached",
        SendRequestError::Timeout => "the Bot API's server did not answer in time",
        _ => "the connection to the Bot API's server broke off",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_form_never_gets_into_an_address() {
        assert!(well_formed("123456:AAExample-Token_x"));
        for bad in [
            "", ":", "1:", "bot1:x", "1:x/../y", "1:x y", "1:x?", "1:x\n", "12", "1:x:y",
        ] {
            assert!(!well_formed(bad), "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let token = SecretString::from("123456:AAsecret".to_owned());
        actix_rt::System::new().block_on(async {
            let api = Api::new(client(1), DEFAULT_BASE, token, Duration::from_secs(1));
            assert!(!format!("{api:?}").contains("AAsecret"));
        });
    }
}
