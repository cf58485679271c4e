//! The control API under `/_control`: everything tests in other processes and the demo need to set the scene and to
//! see what arrived. It never goes through keys, limits or scripts.

use actix_web::web::{self, Data, Json, Query, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::{Account, ApiKey, Customer, NewAccount, User};
use super::outbound::{MakeCall, Reply, StatusChange};
use super::state::State;
use crate::control::{self, Controlled, done};
use crate::script::Script;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        control::scope::<State>()
            .route("/state", web::get().to(state))
            .route("/account", web::post().to(add_account))
            .route("/user", web::post().to(put_user))
            .route("/customer", web::post().to(put_customer))
            .route("/key", web::post().to(put_key))
            .route("/make-call", web::post().to(make_call))
            .route("/status", web::post().to(change_status))
            .route("/open-account", web::post().to(open_account)),
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
    account: Option<String>,
}

/// Something about one account; absent: the one at the root.
#[derive(Deserialize)]
struct About<T> {
    account: Option<String>,
    #[serde(flatten)]
    what: T,
}

/// Everything one account remembers.
pub(crate) fn dump(account: &Account) -> Value {
    let counts = account.counts();
    let (events, cards, calls) = (account.events(), account.cards(), account.calls());
    let (event_count, call_count) = (account.event_count(), account.call_count());
    json!({
        "account": account.name, "event_count": event_count, "call_count": call_count, "counts": counts,
        "modules": account.modules(), "codes": account.codes().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "events": events.iter().map(AsRef::as_ref).collect::<Vec<_>>(), "cards": cards,
        "calls": calls.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
    })
}

async fn state(state: Data<State>, which: Query<Which>) -> HttpResponse {
    match &which.account {
        Some(name) => match state.account(name) {
            Some(account) => HttpResponse::Ok().json(dump(&account)),
            None => unknown(),
        },
        None => {
            let accounts: Vec<Value> = state
                .accounts()
                .iter()
                .map(|account| dump(account))
                .collect();
            HttpResponse::Ok().json(json!({
                "root": state.root(), "refused": state.refused(), "behaviour": state.script.lines(),
                "accounts": accounts,
            }))
        }
    }
}

fn unknown() -> HttpResponse {
    HttpResponse::NotFound().json(json!({"ok": false, "error": "no such account"}))
}

async fn add_account(state: Data<State>, new: Json<NewAccount>) -> impl Responder {
    state.add_account(&new);
    done()
}

fn with(state: &State, account: Option<&str>, act: impl FnOnce(&Account)) -> HttpResponse {
    match state.account(account.unwrap_or_else(|| state.root())) {
        Some(account) => {
            act(&account);
            done()
        }
        None => unknown(),
    }
}

async fn put_user(state: Data<State>, about: Json<About<User>>) -> impl Responder {
    let about = about.into_inner();
    with(&state, about.account.as_deref(), |account| {
        account.put_user(about.what)
    })
}

async fn put_customer(state: Data<State>, about: Json<About<Customer>>) -> impl Responder {
    let about = about.into_inner();
    with(&state, about.account.as_deref(), |account| {
        account.put_customer(about.what)
    })
}

async fn put_key(state: Data<State>, about: Json<About<ApiKey>>) -> impl Responder {
    let about = about.into_inner();
    with(&state, about.account.as_deref(), |account| {
        account.put_key(about.what)
    })
}

fn reply(outcome: anyhow::Result<Reply>) -> HttpResponse {
    match outcome {
        Ok(reply) => HttpResponse::Ok().json(json!({"ok": true, "reply": reply})),
        Err(error) => {
            HttpResponse::BadGateway().json(json!({"ok": false, "error": format!("{error:#}")}))
        }
    }
}

async fn make_call(state: Data<State>, about: Json<About<MakeCall>>) -> HttpResponse {
    let Some(account) = state.account(about.account.as_deref().unwrap_or_else(|| state.root()))
    else {
        return unknown();
    };
    reply(account.make_call(&about.what).await)
}

async fn change_status(state: Data<State>, about: Json<About<StatusChange>>) -> HttpResponse {
    let Some(account) = state.account(about.account.as_deref().unwrap_or_else(|| state.root()))
    else {
        return unknown();
    };
    reply(account.change_status(&about.what).await)
}

async fn open_account(state: Data<State>, which: Json<Which>) -> HttpResponse {
    let Some(account) = state.account(which.account.as_deref().unwrap_or_else(|| state.root()))
    else {
        return unknown();
    };
    reply(account.open_account().await)
}
