//! The control API under `/_control`: what all have (`crate::control`), and what tests in other processes and the demo need to
//! set this scene.

use actix_web::Responder;
use actix_web::web::{self, Data, Json, ServiceConfig};
use serde::Deserialize;

use super::state::{Book, State};
use crate::control::{self, done};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        control::scope::<State>()
            .route("/state", web::get().to(control::state::<Book>))
            .route("/secrets", web::post().to(secrets)),
    );
}

#[derive(Deserialize)]
struct Secrets {
    secrets: Vec<String>,
}

async fn secrets(state: Data<State>, known: Json<Secrets>) -> impl Responder {
    state.set_secrets(known.into_inner().secrets);
    done()
}
