//! The yardstick: an actix-web handler that parses the same JSON and answers. It keeps nothing and checks nothing else.

use std::io::Write;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;

async fn take(body: web::Bytes) -> HttpResponse {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(event)) if event.contains_key("UniqueId") => HttpResponse::Ok()
            .content_type("application/json")
            .body(r#"{"status":"ok"}"#),
        _ => HttpResponse::BadRequest().finish(),
    }
}

/// Serves until the process is ended; says its address the way the server does.
///
/// # Errors
/// When the address cannot be bound.
pub fn serve(listen: &str, workers: usize) -> anyhow::Result<()> {
    actix_rt::System::new().block_on(async {
        let server = HttpServer::new(|| {
            ["/start", "/dial", "/bridge", "/hangup"]
                .into_iter()
                .fold(App::new(), |app, path| {
                    app.route(path, web::post().to(take))
                })
        })
        .workers(workers)
        .bind(listen)?;
        for address in server.addrs() {
            writeln!(std::io::stderr(), "listening on http://{address}")?;
        }
        server.run().await?;
        Ok(())
    })
}
