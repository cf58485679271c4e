//! The enterprise's Asterisk host as clicks and redirects use it: of which kind it is, our key for it, its own key as it
//! was accepted, a trial of the whole way with each step in words, and the clicks of late. A private key is made here or
//! handed in, sealed, and never shown again; only its public half is.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use actors::asterisk::{Access, Command, HostError};
use actors::cache::Enterprise;
use actors::cache::snapshot::HostKind;
use actors::store::StoreError;
use actors::store::enterprises;
use actors::store::requests;
use chrono::Utc;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{change, context, find};
use crate::error::AppError;
use crate::host_keys::{self, accepted, fingerprint, public_half};
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::{Visit, go};

/// Clicks shown.
const SHOWN: i64 = 20;

/// The page's forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Form {
    kind: String,
    /// A private key that somebody brings along.
    key: String,
    /// The host's key, as it showed it.
    offered: String,
}

/// What is told above the page: a text's key, and whether it is good news.
type Said = (&'static str, bool);

/// What the page is told by the address that a form leads to.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Done {
    /// Something was saved just now.
    saved: String,
}

/// `GET /enterprise/{number}/host`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    done: web::Query<Done>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let said = if done.saved.is_empty() {
        ""
    } else {
        "people-done"
    };
    draw(&app, &visit, &enterprise, (said, true)).await
}

/// `POST /enterprise/{number}/host/{action}`: kind, make, bring, accept or refuse.
pub async fn act(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let (number, action) = path.into_inner();
    let enterprise = find(&app, &visit, &number).await?;
    let said = match action.as_str() {
        "kind" => set_kind(&app, &visit, &enterprise, &form.kind).await?,
        "make" => {
            let made = host_keys::make().map_err(AppError::unknown)?;
            keep_key(&app, &visit, &enterprise, made, "made").await?
        }
        "bring" => match host_keys::brought(&form.key) {
            None => ("hostpage-no-key", false),
            Some(key) => keep_key(&app, &visit, &enterprise, key, "brought").await?,
        },
        "accept" | "refuse" => {
            judge(&app, &visit, &enterprise, &form.offered, action == "accept").await?
        }
        _ => return Err(AppError::NotFound),
    };
    if said.0.is_empty() {
        return Ok(go(&format!("/enterprise/{number}/host?saved=1")));
    }
    let enterprise = find(&app, &visit, &number).await?;
    draw(&app, &visit, &enterprise, said).await
}

/// `POST /enterprise/{number}/host/test`: begins to try the whole way; a piece of the page that looks again by itself.
pub async fn attempt(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    if let Some(trial) = app.trials.begin(enterprise.id) {
        let (hosts, enterprise) = (app.hosts.clone(), enterprise.clone());
        actix_web::rt::spawn(async move {
            let told = trial.clone();
            // That the settings are complete shows in that it is begun at all.
            if Access::of(&enterprise.host).is_ok() {
                trial.step();
            }
            let tell = move |_| told.step();
            let outcome = hosts.try_out(&enterprise, &Command::Look, tell).await;
            if outcome.is_ok() {
                trial.step();
            }
            trial.end(outcome);
        });
    }
    // What ends at once is shown at once.
    if let Some(trial) = app.trials.latest(enterprise.id) {
        trial.wait(AT_ONCE).await;
    }
    tried(&app, &visit, &enterprise)
}

/// `GET /enterprise/{number}/host/test`: how far the latest trial has come.
pub async fn follow(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    tried(&app, &visit, &enterprise)
}

fn tried(app: &App, visit: &Visit, enterprise: &Enterprise) -> Result<HttpResponse, AppError> {
    let mut context = context(visit, enterprise, "host")?;
    let Some(trial) = app.trials.latest(enterprise.id) else {
        // Begun by a process that has ended meanwhile.
        context.insert("lost", &true);
        return visit.page(app, "enterprise/host-tried.html", &context);
    };
    let standing = trial.standing();
    let reached = match &standing.outcome {
        Some((Err(error), _)) => step_of(error),
        _ => standing.steps.len(),
    };
    let steps: Vec<Value> = STEPS
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let mark = match at.cmp(&reached) {
                std::cmp::Ordering::Less => "yes",
                std::cmp::Ordering::Equal if standing.outcome.is_none() => "waiting",
                std::cmp::Ordering::Equal => "no",
                std::cmp::Ordering::Greater => "skipped",
            };
            let after = standing.steps.get(at).filter(|_| at < reached);
            json!({"key": format!("hostpage-step-{step}"), "mark": mark, "after": after})
        })
        .collect();
    let (problem, took, words) = match &standing.outcome {
        None => (Value::Null, 0, ""),
        Some((Ok(words), took)) => (Value::Null, *took, words.as_str()),
        Some((Err(error), took)) => (problem(enterprise, error), *took, ""),
    };
    context.insert("lost", &false);
    context.insert("going", &standing.outcome.is_none());
    context.insert("steps", &steps);
    context.insert("problem", &problem);
    context.insert("took", &took);
    context.insert("words", words);
    visit.page(app, "enterprise/host-tried.html", &context)
}

/// How long the answer that begins a trial waits for its end.
const AT_ONCE: Duration = Duration::from_millis(150);

/// The way to Asterisk, step by step; the last part of a text's key.
const STEPS: [&str; 5] = ["settings", "reach", "host-key", "our-key", "asterisk"];

/// At which step of the way it ended.
fn step_of(error: &HostError) -> usize {
    match error {
        HostError::NotSet(_) => 0,
        HostError::Down(_) | HostError::Timeout | HostError::Busy => 1,
        HostError::HostKeyUnknown { .. } | HostError::HostKeyChanged { .. } => 2,
        HostError::KeyRefused(_) => 3,
        HostError::AsteriskNotRunning
        | HostError::AsteriskMissing
        | HostError::UnknownExtension(_)
        | HostError::UnknownNumber
        | HostError::NotWaiting
        | HostError::CallerGone
        | HostError::Refused(_) => 4,
    }
}

fn problem(enterprise: &Enterprise, error: &HostError) -> Value {
    let offered = match error {
        HostError::HostKeyUnknown { offered } | HostError::HostKeyChanged { offered } => {
            Some(offered)
        }
        _ => None,
    };
    json!({
        "key": format!("hostpage-error-{}", error.word().replace('_', "-")),
        "words": match error {
            // The key is shown as its fingerprint below.
            HostError::HostKeyUnknown { .. } | HostError::HostKeyChanged { .. } => String::new(),
            HostError::NotSet(words) | HostError::Down(words) | HostError::KeyRefused(words) | HostError::Refused(words) => words.clone(),
            _ => String::new(),
        },
        "offered": offered,
        "fingerprint": offered.map(|key| fingerprint(key)),
        "accepted": accepted(&enterprise.host.host_key),
    })
}

async fn set_kind(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    word: &str,
) -> Result<Said, AppError> {
    let Some(kind) = HostKind::parse(word) else {
        return Err(AppError::NotFound);
    };
    let what = json!({"kind": [enterprise.host.kind.as_str(), kind.as_str()]});
    let id = enterprise.id;
    change(
        app,
        visit,
        enterprise,
        ("host.kind", what),
        move |conn, vault| {
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            row.host_kind = kind;
            enterprises::update(conn, vault, id, &row, Utc::now())
        },
    )
    .await?;
    Ok(("", true))
}

async fn keep_key(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    key: SecretString,
    how: &str,
) -> Result<Said, AppError> {
    let public = public_half(&key, HostKind::Plain);
    let what = json!({"key": how, "fingerprint": public.as_deref().map(fingerprint)});
    let id = enterprise.id;
    change(
        app,
        visit,
        enterprise,
        ("host.key", what),
        move |conn, vault| {
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            row.ssh_key = Some(key);
            enterprises::update(conn, vault, id, &row, Utc::now())
        },
    )
    .await?;
    Ok(("hostpage-key-kept", true))
}

/// Takes the key a host showed as its own from now on, or notes that it was not taken.
async fn judge(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    offered: &str,
    accept: bool,
) -> Result<Said, AppError> {
    let Some(line) = host_keys::public(offered) else {
        return Ok(("hostpage-no-host-key", false));
    };
    let was = accepted(&enterprise.host.host_key).join(", ");
    let shown = fingerprint(&line);
    let what = if accept {
        json!({"host key": [was, shown]})
    } else {
        json!({"refused": shown, "kept": was})
    };
    let action = if accept { "host.accept" } else { "host.refuse" };
    let id = enterprise.id;
    change(
        app,
        visit,
        enterprise,
        (action, what),
        move |conn, vault| {
            if !accept {
                return Ok(());
            }
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            row.host_key = line;
            enterprises::update(conn, vault, id, &row, Utc::now())
        },
    )
    .await?;
    Ok(if accept {
        ("hostpage-accepted", true)
    } else {
        ("hostpage-refused", true)
    })
}

async fn draw(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    (said, good): Said,
) -> Result<HttpResponse, AppError> {
    let id = enterprise.id;
    let clicks = app
        .store
        .read(move |conn| requests::recent(conn, Some(id), SHOWN))
        .await?;
    let host = &enterprise.host;
    let mut context = context(visit, enterprise, "host")?;
    context.insert(
        "host",
        &json!({
            "address": host.address, "port": host.port, "user": host.user, "kind": host.kind.as_str(),
            "has_key": host.key.is_some(),
            "public": host.key.as_ref().and_then(|key| public_half(key, host.kind)),
            "accepted": accepted(&host.host_key),
            "version": app.heard.state(id).map(|state| state.version),
        }),
    );
    context.insert("clicks", &clicks);
    context.insert("said", said);
    context.insert("good", &good);
    visit.page(app, "enterprise/host.html", &context)
}
