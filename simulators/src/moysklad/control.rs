//! The control API under `/_control`: what tests in other processes and the demo need to set the scene and to see what
//! arrived. It goes through no key, no limit and no script.

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::json;

use super::outbound::Click;
use super::state::State;
use crate::script::Behaviour;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/_control")
            .route("/state", web::get().to(state))
            .route("/reset", web::post().to(reset))
            .route("/behaviour", web::get().to(behaviour))
            .route("/behaviour", web::post().to(add_behaviour))
            .route("/behaviour", web::delete().to(clear_behaviour))
            .route("/counterparties", web::post().to(add_counterparty))
            .route("/employees", web::post().to(add_employee))
            .route("/provider", web::post().to(provider))
            .route("/click", web::post().to(click)),
    );
}

fn done() -> HttpResponse {
    HttpResponse::Ok().json(json!({"ok": true}))
}

async fn state(state: Data<State>) -> impl Responder {
    HttpResponse::Ok().json(state.shown())
}

async fn reset(state: Data<State>) -> impl Responder {
    state.reset();
    done()
}

async fn behaviour(state: Data<State>) -> impl Responder {
    HttpResponse::Ok().json(state.script.lines())
}

async fn add_behaviour(state: Data<State>, line: Json<Behaviour>) -> impl Responder {
    state.behave(line.into_inner());
    done()
}

async fn clear_behaviour(state: Data<State>) -> impl Responder {
    state.script.clear();
    done()
}

#[derive(Deserialize)]
struct NewCounterparty {
    name: String,
    phone: String,
}

async fn add_counterparty(state: Data<State>, told: Json<NewCounterparty>) -> impl Responder {
    HttpResponse::Ok().json(json!({"id": state.add_counterparty(&told.name, &told.phone)}))
}

#[derive(Deserialize)]
struct NewEmployee {
    name: String,
    extension: Option<String>,
}

async fn add_employee(state: Data<State>, told: Json<NewEmployee>) -> impl Responder {
    let id = state.add_employee(&told.name, told.extension.as_deref());
    HttpResponse::Ok().json(json!({"id": id}))
}

#[derive(Deserialize)]
struct Provider {
    url: String,
}

async fn provider(state: Data<State>, told: Json<Provider>) -> impl Responder {
    state.set_provider(&told.url);
    done()
}

async fn click(state: Data<State>, told: Json<Click>) -> HttpResponse {
    match state.click(&told).await {
        Ok(heard) => HttpResponse::Ok().json(heard),
        Err(error) => HttpResponse::BadGateway().json(json!({"error": format!("{error:#}")})),
    }
}
