//! Signed requests, and what a receiver's answers mean. Pure. Standard Webhooks knows three words of a receiver: any
//! 2xx took it, 410 wants no more, anything else did not take it; 4xx that judge this one body are told apart, for a
//! body does not get better by repetition.

use serde_json::json;

use super::map;
use super::settings::Settings;
use crate::call::record::Notice;
use crate::integration::connector::{Answer, Delivered, Failed, Question, Step, judge_status};
use crate::integration::request::{Method, Reply, Request};
use crate::integration::seal::Seal;

/// All requests count against one limit.
pub const LANE: &str = "all";
/// Letters of a receiver's answer that are shown.
const SHOWN: usize = 200;

/// The next step of telling an event.
pub fn tell(
    settings: &Settings,
    facts: &map::Facts,
    notice: &Notice,
    heard: &[Reply],
) -> Step<Delivered> {
    if let Some(reply) = heard.last() {
        return match judge(reply) {
            None => Step::End(Delivered::Taken(String::new())),
            Some(failed) => Step::Failed(failed),
        };
    }
    if settings.silent.contains(&map::Type::of(notice)) {
        return Step::Nothing("this event is switched off in the settings".into());
    }
    match map::event(notice, facts) {
        Ok(event) => Step::Send(request(settings, map::id(notice), json!(event).to_string())),
        Err(reason) => Step::Nothing(reason),
    }
}

/// A test delivery; the receiver is asked nothing else.
pub fn ask(
    settings: &Settings,
    facts: &map::Facts,
    question: &Question,
    heard: &[Reply],
) -> Step<Answer> {
    let (Question::Test, reply) = (question, heard.last()) else {
        return Step::Nothing("a webhook is told, not asked".into());
    };
    match reply.map(judge) {
        None => {
            // The one body that is not made of a notice: each test is a message of its own, of its own time.
            let id = format!("msg_{}", uuid::Uuid::new_v4().simple());
            let body = json!({
                "type": "webhook.test",
                "timestamp": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                "data": {"enterprise": facts.enterprise},
            });
            Step::Send(request(settings, id, body.to_string()))
        }
        Some(None) => {
            let status = reply.map(|reply| reply.status).unwrap_or_default();
            Step::End(Answer::Works(format!(
                "the receiver took the test event ({status})"
            )))
        }
        Some(Some(failed)) => Step::Failed(failed),
    }
}

fn request(settings: &Settings, id: String, body: String) -> Request {
    let mut request = Request::new(Method::Post, &settings.url, LANE)
        .json(body)
        .guarded()
        .seal(Seal {
            id,
            keys: settings.keys.clone(),
        });
    for secret in &settings.secrets {
        request = request.secret(secret);
    }
    request
}

fn judge(reply: &Reply) -> Option<Failed> {
    let said: String = reply.body.trim().chars().take(SHOWN).collect();
    let words = match said.as_str() {
        "" => format!("the receiver answered {}", reply.status),
        said => format!("the receiver answered {}: {said}", reply.status),
    };
    match reply.status {
        410 => Some(Failed::Settings {
            words: format!("the receiver wants no more events (410 Gone): {words}"),
        }),
        // The address is wrong, not the event.
        404 | 405 => Some(Failed::Settings { words }),
        _ => judge_status(reply, words),
    }
}
