//! The enterprise's Asterisk host as clicks and redirects use it: of which kind it is, our key for it, its own key as it
//! was accepted, a trial of the whole way with each step in words, and the clicks of late. A private key is made here or
//! handed in, sealed, and never shown again; only its public half is.

use actix_web::{HttpResponse, web};
use actors::asterisk::{Command, HostError};
use actors::cache::Enterprise;
use actors::cache::snapshot::HostKind;
use actors::store::StoreError;
use actors::store::enterprises;
use actors::store::requests;
use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey};

use super::{change, context, find};
use crate::error::AppError;
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::{Visit, go};

/// Clicks shown.
const SHOWN: i64 = 20;

/// What the kit's installation puts before our public key: the key can do nothing but ask our gate.
const FORCED: &str = "command=\"/usr/local/lib/patchbay/patchbay-gate\",restrict";

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

/// `GET /enterprise/{number}/host`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    draw(&app, &visit, &enterprise, ("", true)).await
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
            let made = new_key()?;
            keep_key(&app, &visit, &enterprise, made, "made").await?
        }
        "bring" => {
            let brought = form.key.trim().replace("\r\n", "\n");
            if !brought.starts_with("-----BEGIN ") || !brought.contains("PRIVATE KEY-----") {
                ("hostpage-no-key", false)
            } else {
                let key = SecretString::from(format!("{brought}\n"));
                keep_key(&app, &visit, &enterprise, key, "brought").await?
            }
        }
        "accept" | "refuse" => {
            judge(&app, &visit, &enterprise, &form.offered, action == "accept").await?
        }
        _ => return Err(AppError::NotFound),
    };
    if said.0.is_empty() {
        return Ok(go(&format!("/enterprise/{number}/host")));
    }
    let enterprise = find(&app, &visit, &number).await?;
    draw(&app, &visit, &enterprise, said).await
}

/// `POST /enterprise/{number}/host/test`: tries the whole way and tells how far it came; a piece of the page.
pub async fn attempt(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let began = std::time::Instant::now();
    let outcome = app.hosts.run(&enterprise, &Command::Look).await;
    let took = began.elapsed().as_millis();
    let (reached, problem) = match &outcome {
        Ok(_) => (STEPS.len(), Value::Null),
        Err(error) => (step_of(error), problem(&enterprise, error)),
    };
    let steps: Vec<Value> = STEPS
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let mark = match at.cmp(&reached) {
                std::cmp::Ordering::Less => "yes",
                std::cmp::Ordering::Equal => "no",
                std::cmp::Ordering::Greater => "unknown",
            };
            json!({"key": format!("hostpage-step-{step}"), "mark": mark})
        })
        .collect();
    let mut context = context(&visit, &enterprise, "host")?;
    context.insert("steps", &steps);
    context.insert("problem", &problem);
    context.insert("took", &took);
    context.insert("words", &outcome.unwrap_or_default());
    visit.page(&app, "enterprise/host-tried.html", &context)
}

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

/// Fingerprints of the keys that were accepted, as `ssh-keygen -lf` writes them.
fn accepted(known: &str) -> Vec<String> {
    known
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(fingerprint)
        .collect()
}

/// `SHA256:…` of a line of a public key; the line itself where it cannot be read.
fn fingerprint(line: &str) -> String {
    PublicKey::from_openssh(line.trim()).map_or_else(
        |_| line.trim().to_owned(),
        |key| key.fingerprint(HashAlg::Sha256).to_string(),
    )
}

/// A fresh key pair, as OpenSSH writes a private key.
fn new_key() -> Result<SecretString, AppError> {
    let pair = Ed25519Keypair::from_seed(&rand::random());
    let mut key = PrivateKey::from(pair);
    key.set_comment("patchbay");
    let text = key
        .to_openssh(LineEnding::LF)
        .map_err(|error| AppError::unknown(anyhow::anyhow!("a key cannot be written: {error}")))?;
    Ok(SecretString::from(text.as_str()))
}

/// The line for the host's `authorized_keys`; `None` for a key whose public half cannot be told from it.
fn public_half(key: &SecretString, kind: HostKind) -> Option<String> {
    let key = PrivateKey::from_openssh(key.expose_secret()).ok()?;
    let line = key.public_key().to_openssh().ok()?;
    Some(match kind {
        HostKind::Kit => format!("{FORCED} {line}"),
        HostKind::Plain => line,
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
    let Ok(key) = PublicKey::from_openssh(offered.trim()) else {
        return Ok(("hostpage-no-host-key", false));
    };
    let line = key
        .to_openssh()
        .map_err(|error| AppError::unknown(anyhow::anyhow!("a key cannot be written: {error}")))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_has_a_public_half_that_a_kit_binds_to_its_gate() {
        let key = new_key().unwrap();
        let plain = public_half(&key, HostKind::Plain).unwrap();
        assert!(plain.starts_with("ssh-ed25519 AAAA") && plain.ends_with(" patchbay"));
        let bound = public_half(&key, HostKind::Kit).unwrap();
        assert_eq!(bound, format!("{FORCED} {plain}"));
        assert!(fingerprint(&plain).starts_with("SHA256:"));
        assert_ne!(new_key().unwrap().expose_secret(), key.expose_secret());
    }

    #[test]
    fn what_is_no_key_is_shown_as_it_is() {
        assert_eq!(fingerprint(" no key "), "no key");
        assert_eq!(public_half(&"secret".into(), HostKind::Plain), None);
    }
}
