//! The form, the beginning of a run, and the piece of page that shows how it goes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actors::cache::Enterprise;
use actors::store::calls;
use chrono::Utc;
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::runs::{Ending, Run};
use crate::emulator::patterns::{Pattern, Plan, compose};
use crate::emulator::player::{Player, Target, head_start};
use crate::error::AppError;
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::{Scope, Visit};

/// What the form holds.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// The enterprise's number; superadmins choose one.
    #[serde(default)]
    enterprise: String,
    pattern: Pattern,
    phone: String,
    extensions: String,
    #[serde(default)]
    line: String,
    ring: f64,
    talk: f64,
    speed: f64,
    #[serde(default)]
    seed: String,
}

/// `GET /test-interface`
pub async fn page(app: State, visit: Visit) -> Result<HttpResponse, AppError> {
    let wide = visit.scope()? == Scope::All;
    let mut enterprises: Vec<Arc<Enterprise>> = app.cache.all();
    let scope = visit.scope()?;
    enterprises.retain(|enterprise| enterprise.active && scope.covers(enterprise.id));
    let choices: Vec<Value> = enterprises
        .iter()
        .map(|enterprise| choice(enterprise))
        .collect();
    let mut context = visit.context();
    context.insert("wide", &wide);
    context.insert("enterprises", &choices);
    context.insert("patterns", &Pattern::ALL.map(Pattern::as_str));
    visit.page(&app, "emulator/page.html", &context)
}

/// What the form offers for an enterprise: its extensions and lines.
fn choice(enterprise: &Enterprise) -> Value {
    let mut extensions: Vec<&String> = enterprise.extensions.keys().collect();
    extensions.sort();
    extensions.truncate(3);
    let mut lines: Vec<&String> = enterprise.lines.keys().collect();
    lines.sort();
    json!({"number": enterprise.number, "name": enterprise.name, "extensions": extensions, "lines": lines})
}

/// `POST /test-interface/runs`: begins a call; gives the piece that follows it.
pub async fn begin(
    app: State,
    visit: Visit,
    request: HttpRequest,
    form: web::Form<Wanted>,
) -> Result<HttpResponse, AppError> {
    let enterprise = chosen(&app, &visit, &form.enterprise)?;
    let speed = form.speed;
    if !(0.1..=100.0).contains(&speed) {
        return Err(AppError::BadRequest("the speed is 0.1 to 100".into()));
    }
    let mut plan = plan(&form, &enterprise)?;
    let bad = |error: crate::emulator::patterns::BadPlan| AppError::BadRequest(error.to_string());
    plan.began -= head_start(&compose(&plan).map_err(bad)?.1, speed);
    let (unique_id, events) = compose(&plan).map_err(bad)?;
    let run = Run {
        id: Uuid::new_v4(),
        enterprise: enterprise.id,
        pattern: plan.pattern,
        unique_id,
        events: events.len(),
        sent: Vec::new(),
        done: false,
        call: None,
    };
    if !app.runs.begin(run.clone()) {
        return Err(AppError::Busy {
            message: "too many emulated calls are going on".into(),
            retry_after: 10,
        });
    }
    let url = format!("http://{}", reachable(request.app_config().local_addr()));
    let target = Target {
        url,
        token: enterprise.token.clone(),
        again: 3,
    };
    let ending = Ending {
        app: app.clone(),
        run: run.id,
    };
    let by = visit
        .viewer
        .as_ref()
        .map(|viewer| viewer.login.clone())
        .unwrap_or_default();
    actix_web::rt::spawn(async move {
        let (app, id) = (&ending.app, ending.run);
        let tell = |sent: crate::emulator::player::Sent| {
            let status = sent.status.unwrap_or_default();
            log::info!("emulator ({by}): {} {status} {:?}", sent.path, sent.answer);
            app.runs.change(id, |run| run.sent.push(sent));
        };
        Player::default().play(&target, &events, speed, tell).await;
    });
    draw(&app, &visit, run).await
}

/// `GET /test-interface/runs/{id}`
pub async fn follow(
    app: State,
    visit: Visit,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, AppError> {
    let run = app.runs.get(*id).ok_or(AppError::NotFound)?;
    if !visit.scope()?.covers(run.enterprise) {
        return Err(AppError::NotFound);
    }
    draw(&app, &visit, run).await
}

fn chosen(app: &App, visit: &Visit, number: &str) -> Result<Arc<Enterprise>, AppError> {
    let enterprise = match visit.scope()? {
        Scope::All => app.cache.by_number(number),
        // A form that names none means the own one; one that names another finds nothing.
        Scope::Enterprise(own) => app
            .cache
            .by_id(own)
            .filter(|own| number.is_empty() || own.number == number),
    };
    enterprise.ok_or(AppError::NotFound)
}

fn plan(form: &Wanted, enterprise: &Enterprise) -> Result<Plan, AppError> {
    let seconds = |of: f64| {
        Duration::try_from_secs_f64(of)
            .map_err(|_| AppError::BadRequest("ringing and talking take 0 to 600 seconds".into()))
    };
    let split = |c: char| c == ',' || c.is_whitespace();
    let extensions = form
        .extensions
        .split(split)
        .filter(|e| !e.is_empty())
        .map(str::to_owned)
        .collect();
    let seed = match form.seed.trim() {
        "" => rand::rng().random(),
        seed => seed
            .parse()
            .map_err(|_| AppError::BadRequest("the seed is a whole number".into()))?,
    };
    Ok(Plan {
        pattern: form.pattern,
        phone: form.phone.trim().to_owned(),
        extensions,
        line: form.line.trim().to_owned(),
        ring: seconds(form.ring)?,
        talk: seconds(form.talk)?,
        began: Utc::now(),
        zone: enterprise.time_zone,
        seed,
    })
}

/// Our own address as we ourselves reach it.
fn reachable(local: SocketAddr) -> SocketAddr {
    let ip = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, local.port())
}

async fn draw(app: &App, visit: &Visit, mut run: Run) -> Result<HttpResponse, AppError> {
    // An event that was taken is in the journal: its unique id leads to the call.
    if run.call.is_none() && run.sent.iter().any(|sent| sent.is_taken()) {
        let found = app
            .store
            .find(run.enterprise, vec![run.unique_id.clone()])
            .await?;
        run.call = found.map(|found| found.call);
        app.runs.change(run.id, |kept| kept.call = run.call);
    }
    let call = match run.call {
        Some(call) => {
            let enterprise = run.enterprise;
            let read =
                move |conn: &mut actors::store::Conn| calls::by_id(conn, Some(enterprise), call);
            app.store.read(read).await?
        }
        None => None,
    };
    let made = call.map(|call| {
        let record = &call.record;
        json!({
            "id": record.call.0.to_string(),
            "result": record.outcome.map(|outcome| outcome.as_str()),
            "phase": record.phase.as_str(),
            "direction": record.direction.as_str(),
            "phone": record.phone,
            "raw_phone": record.raw_phone,
            "rung": record.rung.join(", "),
            "talked": record.talked.join(", "),
            "wait_seconds": record.wait_seconds,
            "talk_seconds": record.talk_seconds,
        })
    });
    let mut context = visit.context();
    context.insert("id", &run.id.to_string());
    context.insert("pattern", run.pattern.as_str());
    context.insert("unique_id", &run.unique_id);
    context.insert("events", &run.events);
    context.insert("done", &run.done);
    let sent: Vec<Value> = run.sent.iter().map(|sent| json!({"at": format!("{:.2}", sent.at_ms as f64 / 1000.0), "path": sent.path,
        "status": sent.status, "taken": sent.is_taken(), "took": format!("{:.1}", sent.took_ms), "tries": sent.tries,
        "body": sent.body.to_string(), "event_id": sent.event_id, "answer": sent.answer})).collect();
    context.insert("sent", &sent);
    context.insert("call", &made);
    visit.page(app, "emulator/run.html", &context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_everyone_is_reached_on_this_machine() {
        for (local, own) in [
            ("0.0.0.0:8000", "127.0.0.1:8000"),
            ("[::]:8000", "[::1]:8000"),
            ("10.0.0.5:80", "10.0.0.5:80"),
        ] {
            assert_eq!(reachable(local.parse().unwrap()).to_string(), own);
        }
    }
}
