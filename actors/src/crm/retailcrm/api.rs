//! RetailCRM's URLs and answers: makes requests, understands replies. Called by `mod.rs`. Pure; the rule of the API is
//! that JSON travels as a string in a form field, and success needs a status below 400 *and* `success: true`.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::map::{Call, Event};
use super::module;
use super::settings::Settings;
use crate::integration::connector::{
    Answer, Customer, Delivered, Failed, KNOWS_NO_USER, Manager, Question, Step, judge_status,
};
use crate::integration::request::{Method, Reply, Request, form_encode};

/// Paths under `/telephony`: 40 requests a second for each key.
pub const TELEPHONY: &str = "telephony";
/// All others: 10 a second.
pub const OTHER: &str = "other";
/// Records in one upload at most.
pub const MOST_CALLS: usize = 50;
/// Users on one page; more than this is refused.
const PAGE: usize = 100;

/// call/event.
pub fn event(settings: &Settings, event: &Event) -> Request {
    post(
        settings,
        "/api/v5/telephony/call/event",
        "event",
        &json!(event),
    )
}

/// calls/upload.
pub fn upload(settings: &Settings, calls: &[Call]) -> Request {
    post(
        settings,
        "/api/v5/telephony/calls/upload",
        "calls",
        &json!(calls),
    )
}

fn post(settings: &Settings, path: &str, field: &'static str, value: &Value) -> Request {
    let request = request(settings, Method::Post, path, TELEPHONY);
    let mut form = Vec::with_capacity(2);
    let request = match &settings.client_id {
        Some(client_id) => {
            form.push(("clientId", client_id.expose_secret().to_owned()));
            request.secret(client_id)
        }
        None => request,
    };
    form.push((field, value.to_string()));
    request.form(form)
}

pub(super) fn request(
    settings: &Settings,
    method: Method,
    path: &str,
    lane: &'static str,
) -> Request {
    Request::new(method, format!("{}{path}", settings.domain), lane)
        .secret_header("X-API-KEY", &settings.api_key)
}

/// What became of an event. Extensions the CRM does not know are told in words: nobody saw that card.
pub fn event_taken(reply: &Reply) -> Result<Delivered, Failed> {
    let body = judge(reply)?;
    let unknown: Vec<String> = ["notExistCodes", "notExistUsers"]
        .iter()
        .filter_map(|key| body.get(key)?.as_array())
        .flatten()
        .map(plain)
        .collect();
    Ok(Delivered::Taken(if unknown.is_empty() {
        String::new()
    } else {
        format!("{KNOWS_NO_USER}{}", unknown.join(", "))
    }))
}

/// What became of an upload. "Already there" is what we wanted.
pub fn uploaded(reply: &Reply, external_id: &str) -> Result<Delivered, Failed> {
    let body = judge(reply)?;
    let duplicates = body.get("duplicateCalls").and_then(Value::as_array);
    if duplicates.is_some_and(|list| list.iter().any(|id| plain(id) == external_id)) {
        return Ok(Delivered::Duplicate);
    }
    Ok(Delivered::Taken(String::new()))
}

/// What can be said of a recording that was told with a second upload: whether the CRM adds it to a call that it has is
/// not documented, and its answer does not tell.
pub fn recording_told(uploaded: Delivered) -> Delivered {
    match uploaded {
        Delivered::Duplicate => Delivered::Taken(
            "RetailCRM had the call already; whether it takes the recording it does not say".into(),
        ),
        taken => taken,
    }
}

/// Questions of ours.
pub fn ask(settings: &Settings, question: &Question, heard: &[Reply]) -> Step<Answer> {
    match (question, heard) {
        (Question::Test, []) => {
            Step::Send(request(settings, Method::Get, "/api/credentials", OTHER))
        }
        (Question::Test, [reply, ..]) => {
            answered(judge(reply).map(|body| Answer::Works(rights(&body))))
        }
        (Question::Customer { phone } | Question::Responsible { phone }, []) => {
            let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
            // ignoreStatus: the client's own manager, free or not; whether to ring a busy one is the dialplan's matter.
            let path = format!("/api/v5/telephony/manager?phone={digits}&details=1&ignoreStatus=1");
            Step::Send(request(settings, Method::Get, &path, TELEPHONY))
        }
        (Question::Customer { .. }, [reply, ..]) => {
            answered(judge(reply).map(|body| Answer::Customer(customer(&body))))
        }
        (Question::Responsible { .. }, [reply, ..]) => answered(
            judge(reply).map(|body| Answer::Responsible(body.get("manager").and_then(manager))),
        ),
        (Question::Managers, heard) => managers(settings, heard),
        (Question::Authorize { .. }, _) => Step::Nothing("RetailCRM works with a key".into()),
        (Question::Register(told), heard) => module::register(settings, told, heard),
        (Question::Registration { code }, heard) => module::read(settings, code, heard),
    }
}

pub(super) fn answered(result: Result<Answer, Failed>) -> Step<Answer> {
    match result {
        Ok(answer) => Step::End(answer),
        Err(failed) => Step::Failed(failed),
    }
}

/// Page after page of active users; which extension each has is ours to know (`user_extensions`).
fn managers(settings: &Settings, heard: &[Reply]) -> Step<Answer> {
    let mut found = Vec::new();
    for reply in heard {
        let body = match judge(reply) {
            Ok(body) => body,
            Err(failed) => return Step::Failed(failed),
        };
        let users = body
            .get("users")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        found.extend(users.iter().filter_map(manager));
        let pages = body
            .pointer("/pagination/totalPageCount")
            .and_then(Value::as_u64)
            .unwrap_or(1);
        let read = u64::try_from(heard.len()).unwrap_or(u64::MAX);
        if read >= pages.min(100) && std::ptr::eq(reply, &heard[heard.len() - 1]) {
            return Step::End(Answer::Managers(found));
        }
    }
    let filter = form_encode("filter[active]");
    let path = format!(
        "/api/v5/users?limit={PAGE}&page={}&{filter}=1",
        heard.len() + 1
    );
    Step::Send(request(settings, Method::Get, &path, OTHER))
}

fn rights(body: &Value) -> String {
    match body
        .get("scopes")
        .or(body.get("credentials"))
        .and_then(Value::as_array)
    {
        Some(scopes) if !scopes.is_empty() => {
            format!(
                "the key works; it allows: {}",
                scopes.iter().map(plain).collect::<Vec<_>>().join(", ")
            )
        }
        _ => "the key works".into(),
    }
}

fn customer(body: &Value) -> Option<Customer> {
    let name = full_name(body.get("customer")?);
    let link = body
        .pointer("/links/customerLink")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    (!name.is_empty()).then_some(Customer { name, link })
}

fn manager(user: &Value) -> Option<Manager> {
    let id = user.get("id").map(plain).filter(|id| !id.is_empty())?;
    let extension = user.get("code").map(plain).filter(|code| !code.is_empty());
    Some(Manager {
        id,
        name: full_name(user),
        extension,
    })
}

fn full_name(person: &Value) -> String {
    let part = |key| {
        person
            .get(key)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|part| !part.is_empty())
    };
    ["lastName", "firstName", "patronymic"]
        .into_iter()
        .filter_map(part)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Ids come as numbers or as strings.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The body of a success, or how the CRM said no.
pub(super) fn judge(reply: &Reply) -> Result<Value, Failed> {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let words = match &body {
        Some(body) => {
            complaint(body).unwrap_or_else(|| format!("the CRM answered {}", reply.status))
        }
        None => format!("the CRM answered {} and no JSON", reply.status),
    };
    // 503 is how this CRM throttles; 429 is treated alike by its own client.
    if reply.status == 503 {
        return Err(Failed::Throttled {
            words,
            after: reply.retry_after,
        });
    }
    // An account that does not exist is answered by the web server in front: 404 in JSON, 405 with an HTML page.
    let no_account = (reply.status == 405 && reply.body.trim_start().starts_with('<'))
        || words.contains("Account does not exist");
    if no_account {
        return Err(Failed::Settings {
            words: "there is no such account; check the domain".into(),
        });
    }
    if words.contains("Telephony not enabled") {
        return Err(Failed::Settings {
            words: format!("{words}: register the module again"),
        });
    }
    if let Some(failed) = judge_status(reply, words.clone()) {
        return Err(failed);
    }
    match body {
        Some(body)
            if matches!(body.get("success"), Some(Value::Bool(true)))
                || body.get("success") == Some(&json!("true")) =>
        {
            Ok(body)
        }
        Some(body) if body.get("success").is_some() => Err(Failed::Refused { words }),
        // A page of some proxy in between, a cut answer: not the CRM's own no.
        _ => Err(Failed::Later { words, after: None }),
    }
}

/// `errorMsg` with its details; those are a map or a list.
fn complaint(body: &Value) -> Option<String> {
    let message = body.get("errorMsg").and_then(Value::as_str)?;
    let details: Vec<String> = match body.get("errors") {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(field, words)| format!("{field}: {}", plain(words)))
            .collect(),
        Some(Value::Array(list)) => list.iter().map(plain).collect(),
        _ => Vec::new(),
    };
    Some(if details.is_empty() {
        message.to_owned()
    } else {
        format!("{message} ({})", details.join("; "))
    })
}
