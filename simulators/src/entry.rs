//! The way of a request into every stand-in of one account: the script's delay and trouble, the body, the count, and then what
//! its own `entry.rs` answers. It never holds a book's lock across an await.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;

use crate::form;
use crate::scene::{Book, Scene};
use crate::script::Fault;

/// Answers a request of at most `limit` bytes, or fails as the script says for this target and endpoint. `answer` is given the
/// body, and is also run when only the answer is to be lost.
pub(crate) async fn serve<B: Book>(
    state: &Scene<B>,
    (target, endpoint): (&str, &'static str),
    payload: web::Payload,
    limit: usize,
    answer: impl AsyncFn(&[u8]) -> HttpResponse,
) -> HttpResponse {
    let script = state.script.take(target, endpoint);
    if let Some(line) = &script {
        line.wait().await;
        if line.fault == Fault::Down {
            return line.fail().await;
        }
    }
    let Some(body) = form::read(payload, limit).await else {
        return HttpResponse::build(StatusCode::PAYLOAD_TOO_LARGE).finish();
    };
    state.book().tally().request(endpoint);
    if let Some(line) = script.filter(|line| line.fault != Fault::None) {
        if line.after {
            drop(answer(&body).await);
        }
        state.book().tally().scripted();
        return line.fail().await;
    }
    answer(&body).await
}
