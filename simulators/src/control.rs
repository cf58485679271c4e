//! What the control API under `/_control` of every stand-in can do: show what arrived, begin anew, make trouble. Each
//! `control.rs` adds what a person could do in that service. It goes through no key, no limit and no script.

use actix_web::web::{self, Data, Json};
use actix_web::{HttpResponse, Scope};
use serde::Serialize;
use serde_json::json;

use crate::scene::{Book, Scene};
use crate::script::{Behaviour, Script};

/// A stand-in that can be told what to do.
pub(crate) trait Controlled: Send + Sync + 'static {
    fn script(&self) -> &Script;

    fn reset(&self);
}

impl<B: Book> Controlled for Scene<B> {
    fn script(&self) -> &Script {
        &self.script
    }

    fn reset(&self) {
        Scene::reset(self);
    }
}

/// The scope with what all have. What cannot be read is told in JSON, as everything here.
pub(crate) fn scope<S: Controlled>() -> Scope {
    web::scope("/_control")
        .app_data(web::JsonConfig::default().error_handler(|error, _| {
            let body =
                HttpResponse::BadRequest().json(json!({"ok": false, "error": error.to_string()}));
            actix_web::error::InternalError::from_response(error, body).into()
        }))
        .route("/reset", web::post().to(reset::<S>))
        .route("/behaviour", web::get().to(behaviour::<S>))
        .route("/behaviour", web::post().to(add_behaviour::<S>))
        .route("/behaviour", web::delete().to(clear_behaviour::<S>))
}

/// For `/state`: everything a person would ask for.
pub(crate) async fn state<B: Book>(state: Data<Scene<B>>) -> HttpResponse {
    HttpResponse::Ok().json(state.shown())
}

/// It is done, and there is nothing to say about it.
pub(crate) fn done() -> HttpResponse {
    HttpResponse::Ok().json(json!({"ok": true}))
}

/// What whoever was called said, or why nobody could be.
pub(crate) fn heard<T: Serialize>(heard: anyhow::Result<T>) -> HttpResponse {
    match heard {
        Ok(heard) => HttpResponse::Ok().json(heard),
        Err(error) => HttpResponse::BadGateway().json(json!({"error": format!("{error:#}")})),
    }
}

async fn reset<S: Controlled>(state: Data<S>) -> HttpResponse {
    state.reset();
    done()
}

async fn behaviour<S: Controlled>(state: Data<S>) -> HttpResponse {
    HttpResponse::Ok().json(state.script().lines())
}

async fn add_behaviour<S: Controlled>(state: Data<S>, line: Json<Behaviour>) -> HttpResponse {
    state.script().set(line.into_inner());
    done()
}

async fn clear_behaviour<S: Controlled>(state: Data<S>) -> HttpResponse {
    state.script().clear();
    done()
}
