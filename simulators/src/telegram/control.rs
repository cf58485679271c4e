//! The control API under `/_control`: sets the scene and shows what arrived, for tests in other processes and the
//! demo. It never goes through tokens, limits or scripts.

use actix_web::web::{self, Data, Json, Query, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::{ChatFailure, NewChat};
use super::state::{Bot, NewBot, State};
use crate::control::{self, Controlled};
use crate::script::Script;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        control::scope::<State>()
            .route("/state", web::get().to(state))
            .route("/bot", web::post().to(add_bot))
            .route("/chat", web::post().to(add_chat))
            .route("/fail", web::post().to(fail))
            .route("/receive", web::post().to(receive)),
    );
}

impl Controlled for State {
    fn script(&self) -> &Script {
        &self.script
    }

    fn reset(&self) {
        State::reset(self);
    }
}

#[derive(Deserialize)]
struct Which {
    bot: Option<String>,
}

/// Something about one bot, by its token or its id; absent: the first of the settings.
#[derive(Deserialize)]
struct About<T> {
    bot: Option<String>,
    #[serde(flatten)]
    what: T,
}

#[derive(Deserialize)]
struct Failing {
    chat_id: i64,
    /// Absent: the chat is healed.
    failure: Option<ChatFailure>,
    times: Option<u64>,
}

#[derive(Deserialize)]
struct Received {
    chat_id: i64,
    text: String,
    /// A chat that is not there comes into being under this name.
    title: Option<String>,
}

fn dump(bot: &Bot) -> Value {
    let (counts, chats) = (bot.counts(), bot.chats());
    json!({
        "token": bot.token, "id": bot.id, "name": bot.name, "message_count": bot.message_count(), "counts": counts,
        "chats": chats,
    })
}

async fn state(state: Data<State>, which: Query<Which>) -> HttpResponse {
    if let Some(token) = &which.bot {
        return state
            .bot(token)
            .map_or_else(unknown, |bot| HttpResponse::Ok().json(dump(&bot)));
    }
    let bots: Vec<Value> = state.bots().iter().map(|bot| dump(bot)).collect();
    HttpResponse::Ok().json(json!({
        "refused": state.refused(), "strangers": state.stranger_counts(), "behaviour": state.script.lines(),
        "bots": bots,
    }))
}

fn unknown() -> HttpResponse {
    HttpResponse::NotFound().json(json!({"ok": false, "error": "no such bot or chat"}))
}

fn told(found: bool) -> HttpResponse {
    if found { control::done() } else { unknown() }
}

fn with(state: &State, token: Option<&str>, act: impl FnOnce(&Bot) -> bool) -> HttpResponse {
    let first = || state.settings.bots.first().map(|bot| bot.token.as_str());
    told(
        token
            .or_else(first)
            .and_then(|bot| {
                let by_id = || {
                    state
                        .bots()
                        .into_iter()
                        .find(|one| one.id.to_string() == bot)
                };
                state.bot(bot).or_else(by_id)
            })
            .is_some_and(|bot| act(&bot)),
    )
}

async fn add_bot(state: Data<State>, new: Json<NewBot>) -> impl Responder {
    state.add_bot(&new);
    control::done()
}

async fn add_chat(state: Data<State>, about: Json<About<NewChat>>) -> impl Responder {
    with(&state, about.bot.as_deref(), |bot| {
        bot.add_chat(&about.what);
        true
    })
}

async fn fail(state: Data<State>, about: Json<About<Failing>>) -> impl Responder {
    let about = about.into_inner();
    with(&state, about.bot.as_deref(), |bot| {
        bot.fail_chat(about.what.chat_id, about.what.failure, about.what.times)
    })
}

async fn receive(state: Data<State>, about: Json<About<Received>>) -> impl Responder {
    with(&state, about.bot.as_deref(), |bot| {
        let Received {
            chat_id,
            text,
            title,
        } = &about.what;
        if let Some(title) = title
            && bot.chat(*chat_id).is_none()
        {
            bot.add_chat(&NewChat::new(*chat_id, title));
        }
        bot.receive(*chat_id, text)
    })
}
