//! A conversation with the portal: methods called one after the other, answers read, a renamed portal followed. Called by
//! `deliver.rs` and `questions.rs`. Pure.
//!
//! Most refusals have no code but a text, so an answer is judged by its code where there is one, then by its status; texts
//! are looked at by those who wait for one.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::access::Access;
use crate::integration::connector::{Failed, judge_status};
use crate::integration::halt::{Halt, Heard};
use crate::integration::request::{Reply, form_encode};

/// Before a portal that has had too many requests is asked again.
const REST: Duration = Duration::from_secs(1);
/// What the portal says of a call that is not live, or not in its statistics.
pub const NO_CALL: &str = "Call is not found";
/// What it says of somebody who does not work there.
pub const NO_USER: &str = "User is not found";

/// See the module's head.
pub struct Talk<'a> {
    access: Access,
    heard: Heard<'a>,
    moved: bool,
    patience: Option<Duration>,
}

/// Methods to be called in one request, in the order of their names.
pub type Batch<'a> = &'a [(&'a str, String)];

impl<'a> Talk<'a> {
    /// Over the answers heard so far.
    pub fn new(access: Access, heard: &'a [Reply]) -> Self {
        Self {
            access,
            heard: Heard::new(heard),
            moved: false,
            patience: None,
        }
    }

    /// Waits so long for answers from now on.
    pub fn wait_for(&mut self, patience: Duration) {
        self.patience = Some(patience);
    }

    /// Where a person opens something: `/crm/contact/details/812/`.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.access.portal)
    }

    /// Words for whoever reads how it ended: a renamed portal is to be written into the settings.
    pub fn remark(&self) -> Option<String> {
        self.moved.then(|| {
            let portal = &self.access.portal;
            format!("the portal has been renamed and is now {portal}: write that into the settings")
        })
    }

    /// What a method gives.
    ///
    /// # Errors
    /// It is still to be called, or it said no.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, Halt> {
        let (status, body) = self.exchange(method, params)?;
        Ok(result(status, body)?)
    }

    /// What a method that gives a page gives, and how many there are on all pages.
    ///
    /// # Errors
    /// It is still to be called, or it said no.
    pub fn list(&mut self, method: &str, params: &Value) -> Result<(Value, usize), Halt> {
        let (reply, body) = self.exchange(method, params)?;
        let total = body.as_ref().and_then(|body| body.get("total")?.as_u64());
        let total = usize::try_from(total.unwrap_or(0)).unwrap_or(0);
        Ok((result(reply, body)?, total))
    }

    /// What each method of a batch gives.
    ///
    /// # Errors
    /// It is still to be sent, or the whole of it was refused.
    pub fn batch(&mut self, commands: Batch<'_>) -> Result<Many, Halt> {
        let cmd: Map<String, Value> = commands
            .iter()
            .map(|(key, line)| ((*key).to_owned(), line.as_str().into()))
            .collect();
        let given = self.call("batch", &json!({"halt": 0, "cmd": cmd}))?;
        Ok(Many(given))
    }

    fn exchange(&mut self, method: &str, params: &Value) -> Result<(Reply, Option<Value>), Halt> {
        loop {
            let mut request = self.access.request(method, params.clone());
            request.patience = self.patience;
            let reply = self.heard.next(|| request)?;
            match self.access.elsewhere(reply) {
                Some(portal) if !self.moved => {
                    self.access.portal = portal;
                    self.moved = true;
                }
                _ => return Ok((reply.clone(), serde_json::from_str(&reply.body).ok())),
            }
        }
    }
}

/// What a batch gave.
pub struct Many(Value);

impl Many {
    /// What one of its methods gave; `Null` when it was not called.
    ///
    /// # Errors
    /// It said no.
    pub fn get(&self, key: &str) -> Result<Value, Failed> {
        // An empty map is a list.
        if let Some(error) = self.0.pointer(&format!("/result_error/{key}")) {
            // The status of one method is not told; the code tells enough.
            let reply = Reply::new(400, "");
            return Err(
                refusal(&reply, Some(error)).unwrap_or_else(|| refused("no reason was given"))
            );
        }
        let found = self.0.pointer(&format!("/result/{key}"));
        Ok(found.cloned().unwrap_or_default())
    }
}

/// One method of a batch: `method?query`, brackets as PHP has them. A value that refers to another method's answer
/// (`$result[a][CALL_ID]`) stays as it is.
pub fn command(method: &str, params: &[(&str, String)]) -> String {
    let query: Vec<String> = params
        .iter()
        .map(|(name, value)| match value.starts_with("$result[") {
            true => format!("{name}={value}"),
            false => format!("{name}={}", form_encode(value)),
        })
        .collect();
    format!("{method}?{}", query.join("&"))
}

/// The same parameters as JSON.
pub fn object(params: &[(&str, String)]) -> Value {
    let members = params.iter();
    members
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect::<Map<_, _>>()
        .into()
}

fn result(reply: Reply, body: Option<Value>) -> Result<Value, Failed> {
    if let Some(failed) = refusal(&reply, body.as_ref()) {
        return Err(failed);
    }
    // Not the portal's own answer but some proxy's: it may be right the next time.
    let found = body.and_then(|mut body| body.get_mut("result").map(Value::take));
    found.ok_or_else(|| Failed::Later {
        words: format!("Bitrix24 answered {} without a result", reply.status),
        after: None,
    })
}

/// How the portal said no, if it did.
fn refusal(reply: &Reply, body: Option<&Value>) -> Option<Failed> {
    let text = |name: &str| {
        let text = body.and_then(|body| body.get(name)?.as_str());
        text.unwrap_or_default().trim().to_owned()
    };
    let (code, said) = (text("error"), text("error_description"));
    let words = match (code.as_str(), said.as_str()) {
        ("", "") => format!("Bitrix24 answered {}", reply.status),
        ("", said) => said.to_owned(),
        (code, "") => code.to_owned(),
        (code, said) => format!("{said} ({code})"),
    };
    let settings = |advice: &str| {
        Some(Failed::Settings {
            words: format!("{words}: {advice}"),
        })
    };
    match code.as_str() {
        "expired_token" => Some(Failed::Expired { words }),
        "QUERY_LIMIT_EXCEEDED" => Some(Failed::Throttled {
            words,
            after: Some(reply.retry_after.unwrap_or(REST)),
        }),
        // This method has cost too much; the others go on.
        "OPERATION_TIME_LIMIT" => Some(Failed::Postponed {
            words,
            after: body.and_then(free_in),
        }),
        "OVERLOAD_LIMIT" => Some(Failed::Blocked {
            words: format!("{words}: the vendor has blocked this portal's REST; ask their support"),
        }),
        "INTERNAL_SERVER_ERROR" | "ERROR_UNEXPECTED_ANSWER" => {
            Some(Failed::Later { words, after: None })
        }
        "WRONG_AUTH_TYPE" => settings(
            "this portal lets only applications register calls: create a local application and choose that in the settings",
        ),
        "insufficient_scope" => {
            settings("the rights telephony, crm and user (or user_basic) are needed")
        }
        "INVALID_CREDENTIALS" | "NO_AUTH_FOUND" | "invalid_token" => {
            settings("the webhook or the access is wrong or was revoked")
        }
        "ACCESS_DENIED" => {
            settings("the portal's plan does not include REST, or the right is missing")
        }
        "user_access_error" | "authorization_error" | "wrong_client" => {
            settings("the application has to be installed again")
        }
        "PORTAL_DELETED" => settings("there is no such portal any more"),
        "ERROR_METHOD_NOT_FOUND" => {
            settings("the portal has no telephony, or this is not its address")
        }
        // A refusal inside a batch, or with a status that says nothing.
        code if !code.is_empty() && reply.status < 300 => Some(refused(&words)),
        _ => judge_status(reply, words),
    }
}

fn refused(words: &str) -> Failed {
    Failed::Refused {
        words: words.to_owned(),
    }
}

/// Until the portal lets the method be called again, as far as it says so.
fn free_in(body: &Value) -> Option<Duration> {
    let time = |name: &str| body.pointer(&format!("/time/{name}"))?.as_f64();
    let seconds = time("operating_reset_at")? - time("start")?;
    Duration::try_from_secs_f64(seconds).ok()
}
