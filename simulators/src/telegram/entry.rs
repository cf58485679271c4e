//! The way of a request: path, token, script, fields, method. Called by actix for every path that is neither a page
//! nor the control API; it never holds a bot's lock across an await.

use std::sync::PoisonError;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::answer::{Answer, Refuse, Why};
use super::send;
use super::state::{Bot, State};
use crate::form::{self, Fields};
use crate::script::Fault;

const BODY_LIMIT: usize = 4 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    GetMe,
    SendMessage,
    EditMessageText,
    DeleteMessage,
    GetUpdates,
}

impl Method {
    fn find(name: &str) -> Option<Self> {
        let all = [
            Self::GetMe,
            Self::SendMessage,
            Self::EditMessageText,
            Self::DeleteMessage,
            Self::GetUpdates,
        ];
        all.into_iter()
            .find(|method| method.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::GetMe => "getMe",
            Self::SendMessage => "sendMessage",
            Self::EditMessageText => "editMessageText",
            Self::DeleteMessage => "deleteMessage",
            Self::GetUpdates => "getUpdates",
        }
    }
}

/// The token and the method in a path `…/bot{token}/{method}` or `…/bot{token}/test/{method}`.
fn split(path: &str) -> Option<(&str, &str)> {
    let mut parts = path
        .split('/')
        .skip_while(|part| !part.starts_with("bot") || !part.contains(':'));
    let token = parts.next()?.strip_prefix("bot")?;
    let mut method = parts.next()?;
    if method == "test" {
        method = parts.next()?;
    }
    let (id, secret) = token.split_once(':')?;
    let well_formed = !id.is_empty()
        && id.bytes().all(|byte| byte.is_ascii_digit())
        && !secret.is_empty()
        && secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    (well_formed && parts.next().is_none()).then_some((token, method))
}

pub(crate) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let Some((token, name)) = split(request.path()) else {
        return stranger(&state, Refuse::new(404, "Not Found"));
    };
    let method = Method::find(name);
    let name = method.map_or("unknown", Method::name);
    let script = state.script.take(token, name);
    if let Some(line) = &script {
        line.wait().await;
        if line.fault == Fault::Down {
            return line.fail().await;
        }
    }
    let Some(bot) = state.bot(token) else {
        return stranger(&state, Refuse::new(401, "Unauthorized"));
    };
    let Some(body) = form::read(payload, BODY_LIMIT).await else {
        return Refuse::new(413, "Request Entity Too Large").into_response();
    };
    let mut fields = Fields::urlencoded(request.query_string().as_bytes());
    let readable = form::fields(&request, &body)
        .map(|more| fields.extend(more))
        .is_some();
    bot.desk().tally.request(name);
    let act = async || match method {
        None => Err(Refuse::new(404, "Not Found: method not found")),
        Some(_) if !readable => Err(Refuse::bad(
            "can't parse request body: JSON object expected",
        )),
        Some(method) => run(&bot, method, &fields).await,
    };
    if let Some(line) = script.filter(|line| line.fault != Fault::None) {
        if line.after {
            let _ = act().await;
        }
        bot.desk().tally.scripted();
        return line.fail().await;
    }
    match act().await {
        Ok(result) => HttpResponse::Ok().json(json!({"ok": true, "result": result})),
        Err(refuse) => {
            let mut desk = bot.desk();
            match refuse.why {
                Why::Rule => desk
                    .tally
                    .refusal(name, refuse.status, refuse.description.clone()),
                Why::Limit => desk.tally.limited(),
                Why::Script => desk.tally.scripted(),
                Why::Harmless => desk.tally.harmless(),
            }
            drop(desk);
            refuse.into_response()
        }
    }
}

/// The token stays out of what is written down, as it must stay out of logs.
fn stranger(state: &State, refuse: Refuse) -> HttpResponse {
    let mut tally = state
        .strangers
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    tally.request("unknown");
    tally.refusal("unknown", refuse.status, refuse.description.clone());
    drop(tally);
    refuse.into_response()
}

async fn run(bot: &Bot, method: Method, fields: &Fields) -> Answer {
    match method {
        Method::GetMe => {
            let mut me = bot.json();
            me["can_join_groups"] = json!(true);
            me["can_read_all_group_messages"] = json!(false);
            me["supports_inline_queries"] = json!(false);
            Ok(me)
        }
        Method::SendMessage => send::send(bot, fields),
        Method::EditMessageText => send::edit(bot, fields),
        Method::DeleteMessage => send::delete(bot, fields),
        Method::GetUpdates => updates(bot, fields).await,
    }
}

async fn updates(bot: &Bot, fields: &Fields) -> Answer {
    let whole = |name: &str| fields.get(name).and_then(|text| text.parse::<i64>().ok());
    let offset = whole("offset").unwrap_or(0);
    let limit = usize::try_from(whole("limit").unwrap_or(100).clamp(1, 100)).unwrap_or(100);
    let timeout = Duration::from_secs(whole("timeout").unwrap_or(0).clamp(0, 50).unsigned_abs());
    let number = |update: &Value| {
        update
            .get("update_id")
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    let reader = {
        let mut desk = bot.desk();
        desk.readers += 1;
        desk.readers
    };
    bot.news.notify_waiters();
    let look = || {
        let mut desk = bot.desk();
        if desk.readers != reader {
            return Err(Refuse::new(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            ));
        }
        desk.updates.retain(|update| number(update) >= offset);
        Ok(desk.updates.iter().take(limit).cloned().collect::<Vec<_>>())
    };
    let end = actix_rt::time::Instant::now() + timeout;
    loop {
        // Asked for before looking, so that nothing is missed between the two.
        let mut news = std::pin::pin!(bot.news.notified());
        news.as_mut().enable();
        let found = look()?;
        let left = end.saturating_duration_since(actix_rt::time::Instant::now());
        if !found.is_empty() || actix_rt::time::timeout(left, news).await.is_err() {
            return Ok(Value::Array(found));
        }
    }
}
