//! The control API under `/_control`: what all have (`crate::control`), and what tests in other processes and the demo need to
//! set this scene.

use std::time::Duration;

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;

use super::events::Click;
use super::state::{Book, State};
use crate::control::{self, done, heard};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        control::scope::<State>()
            .route("/state", web::get().to(control::state::<Book>))
            .route("/block", web::post().to(block))
            .route("/expire", web::post().to(expire))
            .route("/revoke", web::post().to(revoke))
            .route("/rename", web::post().to(rename))
            .route("/handler", web::post().to(handler))
            .route("/click", web::post().to(click))
            .route("/install", web::post().to(install))
            .route("/redirect", web::post().to(redirect))
            .route("/record/{tail:.*}", web::get().to(sound)),
    );
}

#[derive(Deserialize)]
struct Block {
    method: String,
    seconds: u64,
}

async fn block(state: Data<State>, told: Json<Block>) -> impl Responder {
    state.block(&told.method, Duration::from_secs(told.seconds));
    done()
}

async fn expire(state: Data<State>) -> impl Responder {
    state.expire();
    done()
}

async fn revoke(state: Data<State>) -> impl Responder {
    state.revoke();
    done()
}

#[derive(Deserialize)]
struct Names {
    old: String,
    new: String,
}

async fn rename(state: Data<State>, told: Json<Names>) -> impl Responder {
    state.rename(&told.old, &told.new);
    done()
}

#[derive(Deserialize)]
struct Place {
    url: String,
    #[serde(default)]
    domain: String,
}

/// An outgoing webhook of both events.
async fn handler(state: Data<State>, told: Json<Place>) -> impl Responder {
    for event in ["ONEXTERNALCALLSTART", "ONEXTERNALCALLBACKSTART"] {
        state.set_handler(event, &told.url);
    }
    done()
}

async fn click(state: Data<State>, told: Json<Click>) -> impl Responder {
    heard(state.click(&told).await)
}

async fn install(state: Data<State>, told: Json<Place>) -> impl Responder {
    heard(state.install(&told.url, &told.domain).await)
}

async fn redirect(state: Data<State>, told: Json<Place>) -> impl Responder {
    state.set_redirect(&told.url);
    done()
}

/// A second of silence, for those who have no recording to be fetched.
async fn sound() -> impl Responder {
    HttpResponse::Ok()
        .content_type("audio/wav")
        .body(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0".to_vec())
}
