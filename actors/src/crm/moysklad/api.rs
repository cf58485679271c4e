//! The Phone API's URLs and answers, and how both of MoySklad's APIs say no. Called by `mod.rs` and `questions.rs`. Pure.

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::Settings;
use crate::integration::connector::{Delivered, Failed, judge_status};
use crate::integration::request::{Method, Reply, Request, form_encode};

/// The Phone API takes 100 requests in five seconds; of which we use less.
pub const LANE: &str = "phone";

/// How a call is named in a path: by their id, or by ours where theirs is not known.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    Id(&'a str),
    External(&'a str),
}

impl Name<'_> {
    fn path(self) -> String {
        match self {
            Name::Id(id) => form_encode(id),
            Name::External(id) => format!("extid/{}", form_encode(id)),
        }
    }
}

/// A call as MoySklad has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    pub id: String,
    /// False: the answer had no body, and the rest is not known.
    pub is_told: bool,
    /// As MoySklad writes it; what was told first stays.
    pub start: String,
    pub is_ended: bool,
    /// Links to recordings.
    pub links: Vec<String>,
    /// A client has the number.
    pub is_known: bool,
    /// The extension of the employee whose client it is.
    pub responsible: Option<String>,
    /// The employee the call is put to: a reference.
    pub employee: Option<Value>,
}

impl Call {
    /// What it came to, for the call's page.
    pub fn taken(&self) -> Delivered {
        Delivered::Taken(match (&self.responsible, self.is_known) {
            _ if !self.is_told => String::new(),
            (Some(extension), _) => format!("a known client, {extension} is responsible"),
            (None, true) => "a known client".into(),
            (None, false) => "an unknown number".into(),
        })
    }
}

/// Creates a call.
pub fn create(settings: &Settings, body: &Value) -> Request {
    send(settings, Method::Post, "call", body)
}

/// Fills in what a call has not yet.
pub fn fill_in(settings: &Settings, call: Name<'_>, body: &Value) -> Request {
    send(
        settings,
        Method::Put,
        &format!("call/{}", call.path()),
        body,
    )
}

/// One command to employees' screens.
pub fn command(settings: &Settings, call: Name<'_>, command: &Value) -> Request {
    let path = format!("call/{}/event", call.path());
    send(settings, Method::Post, &path, command)
}

/// Who has an extension.
pub fn employees(settings: &Settings) -> Request {
    request(settings, Method::Get, "employee")
}

/// The call that was created.
///
/// # Errors
/// How MoySklad said no; also when it said yes and told no id.
pub fn created(reply: &Reply) -> Result<Call, Failed> {
    let call = read(&judge(reply)?);
    call.ok_or_else(no_id)
}

/// Not the CRM's own answer but some proxy's: it may be right the next time.
fn no_id() -> Failed {
    Failed::Later {
        words: "MoySklad told no id of the call".into(),
        after: None,
    }
}

/// The call that was filled in, as far as it was told; `None` when there is no such call.
///
/// # Errors
/// How MoySklad said no.
pub fn filled_in(reply: &Reply) -> Result<Option<Call>, Failed> {
    if is_gone(reply) {
        return Ok(None);
    }
    match judge(reply)? {
        // An answer without a body is a yes as well.
        Value::Null => Ok(Some(Call::default())),
        body => read(&body).map(Some).ok_or_else(no_id),
    }
}

/// What became of a command; `None` when there is no such call.
///
/// # Errors
/// How MoySklad said no.
pub fn obeyed(reply: &Reply) -> Result<Option<Delivered>, Failed> {
    if is_gone(reply) {
        return Ok(None);
    }
    // 204; where 200 is said, what stands in it is not documented, and a card that is missed is not told again.
    judge(reply).map(|_| Some(Delivered::Taken(String::new())))
}

/// Extension by the employee's id.
///
/// # Errors
/// How MoySklad said no.
pub fn extensions(reply: &Reply) -> Result<Vec<(String, String)>, Failed> {
    let body = judge(reply)?;
    let list = body.get("employees").and_then(Value::as_array);
    let list = list.ok_or_else(|| Failed::Later {
        words: "MoySklad told no list of employees".into(),
        after: None,
    })?;
    let one = |one: &Value| {
        // Their own spelling.
        let extension = one.get("extention")?.as_str()?.trim().to_owned();
        let id = id_in(one.get("meta")?)?;
        Some((id, extension)).filter(|(_, extension)| !extension.is_empty())
    };
    Ok(list.iter().filter_map(one).collect())
}

fn read(body: &Value) -> Option<Call> {
    let id = body.get("id")?.as_str().filter(|id| !id.is_empty())?;
    let links = body.get("recordUrl").and_then(Value::as_array);
    let owner = body.get("counterpartyowner");
    let responsible = owner.and_then(|owner| owner.get("extention")?.as_str());
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let is_there = |name: &str| body.get(name).filter(|value| value.is_object()).cloned();
    Some(Call {
        id: id.to_owned(),
        is_told: true,
        start: text("startTime").unwrap_or_default().to_owned(),
        is_ended: text("endTime").is_some(),
        links: links
            .into_iter()
            .flatten()
            .filter_map(|link| link.as_str().map(str::to_owned))
            .collect(),
        is_known: is_there("counterparty").is_some(),
        responsible: responsible.map(str::to_owned),
        employee: is_there("employee"),
    })
}

/// The id at the end of a reference's address.
pub fn id_in(meta: &Value) -> Option<String> {
    let href = meta.get("href")?.as_str()?;
    let id = href.rsplit('/').next()?.split('?').next()?;
    (!id.is_empty()).then(|| id.to_owned())
}

fn send(settings: &Settings, method: Method, path: &str, body: &Value) -> Request {
    request(settings, method, path).json(body.to_string())
}

fn request(settings: &Settings, method: Method, path: &str) -> Request {
    let url = format!("{}/api/phone/1.0/{path}", settings.address);
    Request::new(method, url, LANE)
        .secret_header("Lognex-Phone-Auth-Token", &settings.phone_key)
        .header("Accept-Encoding", "gzip")
}

/// The body of a success (`null` when there is none to be), or how MoySklad said no.
///
/// # Errors
/// How it said no.
pub fn judge(reply: &Reply) -> Result<Value, Failed> {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let (code, said) = body.as_ref().and_then(complaint).unwrap_or_default();
    let words = match said.is_empty() {
        true => format!("MoySklad answered {}", reply.status),
        false => said,
    };
    match (reply.status, code) {
        (204, _) => return Ok(Value::Null),
        (_, Some(55008)) => {
            let words = format!("{words}: install the solution \"Phone API\" in MoySklad");
            return Err(Failed::Settings { words });
        }
        (401, _) => {
            let words = format!("{words}: the key or the token is wrong, or was made anew");
            return Err(Failed::Settings { words });
        }
        (404, None) if body.is_none() => {
            let words = "there is no MoySklad at this address".into();
            return Err(Failed::Settings { words });
        }
        (415, _) if reply.body.is_empty() => {
            let words =
                "MoySklad missed gzip in Accept-Encoding: something between changes headers";
            return Err(Failed::Settings {
                words: words.into(),
            });
        }
        _ => {}
    }
    match judge_status(reply, words.clone()) {
        Some(failed) => Err(failed),
        // Not the CRM's own answer but some proxy's: it may be right the next time.
        None => body.ok_or(Failed::Later { words, after: None }),
    }
}

/// 404 of the CRM's own: no such call, or nothing that could be one.
fn is_gone(reply: &Reply) -> bool {
    let body = || serde_json::from_str(&reply.body).ok();
    let code = || complaint(&body()?)?.0;
    reply.status == 404 && matches!(code(), Some(1000 | 1021))
}

/// The first code, and all words.
fn complaint(body: &Value) -> Option<(Option<u64>, String)> {
    let errors = body.get("errors")?.as_array()?;
    let one = |error: &Value| {
        let text = |name: &str| {
            let text = error.get(name).and_then(Value::as_str);
            text.map(str::trim).filter(|text| !text.is_empty())
        };
        let words = text("error").or(text("error_message"))?;
        Some(match text("parameter") {
            Some(parameter) if !words.contains(parameter) => format!("{words} ({parameter})"),
            _ => words.to_owned(),
        })
    };
    let words: Vec<String> = errors.iter().filter_map(one).collect();
    let code = errors.first().and_then(|error| error.get("code")?.as_u64());
    Some((code, words.join("; ")))
}

/// The right signature of a click, in each of the orders it may be made in: the manual says "the key and the values of
/// the parameters" and no more.
pub fn signatures(settings: &Settings, values: [&str; 3], body: &str) -> [String; 3] {
    use md5::{Digest, Md5};
    let [src, dest, uid] = values;
    [
        format!("{src}{dest}{uid}"),
        format!("{dest}{src}{uid}"),
        body.to_owned(),
    ]
    .map(|text| {
        let mut hash = Md5::new();
        hash.update(settings.phone_key.expose_secret());
        hash.update(text);
        hex::encode_upper(hash.finalize())
    })
}
