//! The control API under `/_control`: what tests in other processes and the demo need to set the scene and to see what
//! arrived. It goes through no signature and no script.

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::json;

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
            .route("/secrets", web::post().to(secrets)),
    );
}

fn done() -> HttpResponse {
    HttpResponse::Ok().json(json!({"ok": true}))
}

async fn state(state: Data<State>) -> impl Responder {
    HttpResponse::Ok().json(json!({
        "messages": state.messages(), "counts": state.counts(), "refused": state.refused(),
        "behaviour": state.script.lines(),
    }))
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
struct Secrets {
    secrets: Vec<String>,
}

async fn secrets(state: Data<State>, known: Json<Secrets>) -> impl Responder {
    state.set_secrets(known.into_inner().secrets);
    done()
}
