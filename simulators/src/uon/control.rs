//! The control API under `/_control`: what tests in other processes and the demo need to set the scene and to see what
//! arrived. It goes through no key, no limit and no script.

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::json;

use super::hooks::{self, Click};
use super::state::{Client, State};
use crate::script::Behaviour;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/_control")
            .route("/state", web::get().to(state))
            .route("/reset", web::post().to(reset))
            .route("/behaviour", web::get().to(behaviour))
            .route("/behaviour", web::post().to(add_behaviour))
            .route("/behaviour", web::delete().to(clear_behaviour))
            .route("/rights", web::post().to(permit))
            .route("/client", web::post().to(add_client))
            .route("/webhook", web::post().to(add_hook))
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
struct Rights {
    get: bool,
    post: bool,
}

async fn permit(state: Data<State>, told: Json<Rights>) -> impl Responder {
    state.permit(told.get, told.post);
    done()
}

#[derive(Deserialize)]
struct NewClient {
    id: i64,
    #[serde(default)]
    surname: String,
    #[serde(default)]
    name: String,
    phone: String,
    #[serde(default)]
    manager: i64,
}

async fn add_client(state: Data<State>, told: Json<NewClient>) -> impl Responder {
    let it = told.into_inner();
    state.add_client(Client::new(
        it.id,
        &it.surname,
        &it.name,
        &it.phone,
        it.manager,
    ));
    done()
}

#[derive(Deserialize)]
struct NewHook {
    #[serde(default = "clicks")]
    type_id: i64,
    url: String,
    #[serde(default = "get")]
    method: String,
}

fn clicks() -> i64 {
    47
}

fn get() -> String {
    "GET".into()
}

async fn add_hook(state: Data<State>, told: Json<NewHook>) -> impl Responder {
    state.add_hook(told.type_id, &told.url, &told.method);
    done()
}

async fn click(state: Data<State>, told: Json<Click>) -> HttpResponse {
    match state.click(&told).await {
        Ok(replies) => HttpResponse::Ok().json(hooks::shown(&replies)),
        Err(error) => HttpResponse::Ok().json(json!({"ok": false, "error": error.to_string()})),
    }
}
