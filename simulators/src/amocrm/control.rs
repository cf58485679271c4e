//! The control API under `/_control`: what tests in other processes and the demo need to set the scene and to see what
//! arrived. It goes through no token, no limit and no script.

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
            .route("/block", web::post().to(block))
            .route("/contacts", web::post().to(add_contact))
            .route("/integration", web::post().to(integrate))
            .route("/expire", web::post().to(expire)),
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
struct Block {
    blocked: bool,
}

async fn block(state: Data<State>, told: Json<Block>) -> impl Responder {
    state.block(told.blocked);
    done()
}

#[derive(Deserialize)]
struct Integration {
    redirect_uri: String,
}

async fn integrate(state: Data<State>, told: Json<Integration>) -> impl Responder {
    HttpResponse::Ok().json(json!({"code": state.integrate(&told.redirect_uri)}))
}

async fn expire(state: Data<State>) -> impl Responder {
    state.expire();
    done()
}

#[derive(Deserialize)]
struct Contact {
    name: String,
    phone: String,
}

async fn add_contact(state: Data<State>, told: Json<Contact>) -> impl Responder {
    HttpResponse::Ok().json(json!({"id": state.add_contact(&told.name, &told.phone)}))
}
