//! The control API under `/_control`: what all have (`crate::control`), and what tests in other processes and the demo need to
//! set this scene.

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::json;

use super::state::{Book, State};
use crate::control::{self, done};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        control::scope::<State>()
            .route("/state", web::get().to(control::state::<Book>))
            .route("/block", web::post().to(block))
            .route("/contacts", web::post().to(add_contact))
            .route("/integration", web::post().to(integrate))
            .route("/expire", web::post().to(expire)),
    );
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
