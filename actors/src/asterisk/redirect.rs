//! Smart redirect: a caller waits in the host's dialplan for at most ten seconds while the CRMs are asked whose client
//! this is; then the caller is sent to that manager's extension. Whatever fails, nothing is done and the dialplan goes on
//! by itself. Called by one handler; logs every decision with its why, for the call's page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::{Value, json};

use super::command::Command;
use super::host::Hosts;
use super::words::{Extension, UniqueId};
use crate::cache::names::{Names, NobodySaid, Said};
use crate::cache::snapshot::Enterprise;
use crate::call::number;
use crate::integration::connector::Manager;
use crate::store::Store;
use crate::store::logs::{self, NewLog};

/// What the host tells of a caller who waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub phone: String,
    pub unique_id: String,
    /// The line's name, for its rules of normalisation; may be empty.
    pub line: String,
}

/// What was done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The extension the caller was sent to; `None`: the dialplan goes on.
    pub extension: Option<String>,
    /// A word for machines: `redirected`, `manager_not_found`, `no_integrations`, `timeout` …
    pub reason: &'static str,
    /// The same for people.
    pub words: String,
    /// Who is responsible and which CRM said so.
    pub manager: Option<(String, String)>,
}

impl Decision {
    fn go_on(reason: &'static str, words: impl Into<String>) -> Decision {
        Decision {
            extension: None,
            reason,
            words: words.into(),
            manager: None,
        }
    }
}

/// Decides and acts. Cheap to clone.
#[derive(Clone)]
pub struct Redirects {
    pub store: Store,
    pub names: Names,
    pub hosts: Hosts,
    /// How long the CRMs may take, all together.
    pub deadline: Duration,
}

impl Redirects {
    /// Sends a waiting caller to the manager responsible, if there is one.
    pub async fn handle(&self, enterprise: Arc<Enterprise>, caller: Waiting) -> Decision {
        let redirects = self.clone();
        // A host that hangs up on us must not break off between the decision and its log.
        let task = actix_rt::spawn(async move {
            let began = Instant::now();
            let decision = redirects.decide(&enterprise, &caller).await;
            redirects.note(&enterprise, &caller, &decision, began.elapsed());
            decision
        });
        task.await
            .unwrap_or_else(|_| Decision::go_on("failed", "the decision was broken off"))
    }

    async fn decide(&self, enterprise: &Enterprise, caller: &Waiting) -> Decision {
        let unique_id = match UniqueId::parse(&caller.unique_id) {
            Ok(unique_id) => unique_id,
            Err(malformed) => return Decision::go_on("bad_unique_id", malformed.to_string()),
        };
        let Some(phone) = number::normalise(&caller.phone, &caller.line, enterprise) else {
            return Decision::go_on("no_number", "the caller's number is withheld or none");
        };
        let said = match self
            .names
            .responsible_beside(enterprise, &phone, self.deadline)
            .await
        {
            Ok(Some(said)) => said,
            Ok(None) => {
                return Decision::go_on(
                    "manager_not_found",
                    "no CRM names a manager for this client",
                );
            }
            Err(NobodySaid { reason, words }) => return Decision::go_on(reason, words),
        };
        let manager = Some((said.what.name.clone(), said.by.clone()));
        let extension = extension_of(enterprise, &said)
            .as_deref()
            .map(Extension::parse);
        let Some(Ok(extension)) = extension else {
            return Decision {
                manager,
                ..Decision::go_on(
                    "no_extension",
                    format!("the manager {} has no extension", said.what.name),
                )
            };
        };
        let command = Command::Redirect {
            unique_id,
            extension: extension.clone(),
        };
        match self.hosts.run(enterprise, &command).await {
            Ok(_) => Decision {
                extension: Some(extension.to_string()),
                reason: "redirected",
                words: format!("sent to {extension}"),
                manager,
            },
            Err(error) => Decision {
                manager,
                ..Decision::go_on(error.word(), error.to_string())
            },
        }
    }

    fn note(&self, enterprise: &Enterprise, caller: &Waiting, decision: &Decision, took: Duration) {
        let by = decision.manager.as_ref().map(|(_, by)| by.as_str());
        let log = NewLog {
            enterprise: enterprise.id,
            enterprise_number: enterprise.number.clone(),
            integration: by.unwrap_or("smart").to_owned(),
            event_type: "smart_redirect".into(),
            unique_id: cut(&caller.unique_id),
            phone: cut(&caller.phone),
            extension: decision.extension.clone().unwrap_or_default(),
            request: json!({"phone": cut(&caller.phone), "unique_id": cut(&caller.unique_id)})
                .to_string(),
            response: json!({
                "action": if decision.extension.is_some() { "redirected" } else { "continue" },
                "reason": decision.reason,
                "words": decision.words,
                "manager": decision.manager.as_ref().map(|(name, _)| name),
            })
            .to_string(),
            status: if is_trouble(decision.reason) {
                "error"
            } else {
                "success"
            }
            .into(),
            error: if is_trouble(decision.reason) {
                decision.words.clone()
            } else {
                String::new()
            },
            milliseconds: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
            at: Utc::now(),
            ..NewLog::default()
        };
        let store = self.store.clone();
        actix_rt::spawn(async move {
            if let Err(error) = store.write(move |conn| logs::add(conn, &log)).await {
                log::warn!("a smart redirect is not logged: {error}");
            }
        });
    }
}

/// Whether somebody ought to look after it; that nobody is responsible is everyday life.
fn is_trouble(reason: &str) -> bool {
    !matches!(
        reason,
        "redirected"
            | "manager_not_found"
            | "no_integrations"
            | "no_number"
            | "not_waiting"
            | "caller_gone"
    )
}

/// The host's words as far as they are worth keeping.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// The extension of a CRM's manager: what is held here wins over what the CRM told.
pub fn extension_of(enterprise: &Enterprise, said: &Said<Manager>) -> Option<String> {
    let mapped = || {
        user_extension(
            &enterprise.integrations.get(&said.by)?.settings,
            &said.what.id,
        )
    };
    mapped().or_else(|| said.what.extension.clone())
}

/// The extension of a CRM's user by `user_extensions` of an integration's settings.
pub fn user_extension(settings: &Value, user: &str) -> Option<String> {
    match settings.get("user_extensions")?.get(user)? {
        Value::String(extension) => {
            Some(extension.clone()).filter(|extension| !extension.is_empty())
        }
        Value::Number(extension) => Some(extension.to_string()),
        _ => None,
    }
}
