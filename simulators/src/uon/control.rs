//! The control API under `/_control`: what all have (`crate::control`), and what tests in other processes and the demo need to
//! set this scene.

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::json;

use super::hooks::{self, Click};
use super::state::{Book, Client, State};
use crate::control::{self, done};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        control::scope::<State>()
            .route("/state", web::get().to(control::state::<Book>))
            .route("/rights", web::post().to(permit))
            .route("/client", web::post().to(add_client))
            .route("/webhook", web::post().to(add_hook))
            .route("/click", web::post().to(click)),
    );
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
