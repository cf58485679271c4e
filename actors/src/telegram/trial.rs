//! One message to one chat that only tries the way there: whether the bot's token and the chat are good. For people who
//! set a bot up; needs no actor, no table and no cache, and remembers nothing.

use secrecy::SecretString;

use super::answer::Answer;
use super::api::{self, Api};
use super::plan::Step;
use super::settings::Settings;
use super::text;

/// Sends the message. Runs inside an actix system.
pub async fn send(
    settings: &Settings,
    token: SecretString,
    chat: i64,
    language: &str,
    enterprise: &str,
) -> Answer {
    let api = Api::new(api::client(1), &settings.base_url, token, settings.timeout);
    let step = Step::Send {
        text: text::trial(language, enterprise),
        plain: false,
        reply_to: None,
        last: true,
    };
    api.carry_out(chat, &step).await
}

/// The bot's username, by which links lead to it. Runs inside an actix system.
///
/// # Errors
/// Telegram's answer, where it did not tell.
pub async fn username(settings: &Settings, token: SecretString) -> Result<String, Answer> {
    Api::new(api::client(1), &settings.base_url, token, settings.timeout)
        .username()
        .await
}
