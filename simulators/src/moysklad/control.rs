//! The control API under `/_control`: what all have (`crate::control`), and what tests in other processes and the demo need to
//! set this scene.

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::json;

use super::outbound::Click;
use super::state::{Book, State};
use crate::control::{self, done, heard};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        control::scope::<State>()
            .route("/state", web::get().to(control::state::<Book>))
            .route("/counterparties", web::post().to(add_counterparty))
            .route("/employees", web::post().to(add_employee))
            .route("/provider", web::post().to(provider))
            .route("/click", web::post().to(click)),
    );
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
    heard(state.click(&told).await)
}
