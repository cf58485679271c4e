//! The CRM's users and the enterprise's extensions: read from both sides, saved on both sides in one act, and kept in step.
//! What is held here wins; a difference is a line of the log. What the CRM holds is taken over once, when nothing is held here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actors::cache::Enterprise;
use actors::integration::connector::{Answer, Failed, Question};
use actors::integration::fields::text;
use actors::integration::registration::Registered;
use actors::store::requests;
use chrono::Utc;
use serde_json::{Value, json};

use super::registration::{is_registered, log, registration, tell};
use super::settings;
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::integrations::users::extensions::{self, Difference, Held, Moved};
use crate::web::enterprise::integrations::users::roster::{User, names, users};
use crate::web::visit::Visit;

/// What came of looking or saving, for the page and the API.
#[derive(Debug, Default)]
pub struct Seen {
    pub users: Vec<User>,
    pub moved: Vec<Moved>,
    pub differences: Vec<Difference>,
    /// Extensions were taken over from the CRM.
    pub taken_over: bool,
    /// The CRM was told; false: the module is not registered, it will be told then.
    pub told: bool,
    /// What the CRM left out, in words.
    pub words: String,
}

/// The CRM's users with what is held here.
///
/// # Errors
/// `Ok(Err(…))` is the CRM's no.
pub async fn look(
    app: &App,
    enterprise: &Enterprise,
    stored: &Value,
) -> Result<Result<Vec<User>, Failed>, AppError> {
    let (answer, exchanges) = app
        .integrations
        .converse(enterprise, settings::kind()?, stored, &Question::Managers)
        .await;
    let known = match answer {
        Ok(Answer::Managers(known)) => known,
        Ok(_) => Vec::new(),
        Err(failed) => {
            log(
                app,
                enterprise,
                "managers",
                &Err(failed.clone()),
                &exchanges,
            )
            .await?;
            return Ok(Err(failed));
        }
    };
    let held = extensions::read(stored).unwrap_or_default();
    let id = enterprise.id;
    let statuses = app
        .store
        .read(move |conn| requests::statuses(conn, id))
        .await?;
    let statuses: BTreeMap<String, _> = statuses
        .into_iter()
        .filter(|one| one.integration == super::NAME)
        .map(|one| (one.manager, (one.status, one.at)))
        .collect();
    Ok(Ok(users(known, &held, &statuses)))
}

/// Gives extensions to users and takes them away, here and in the CRM; when the CRM says no, nothing is changed.
///
/// # Errors
/// `Ok(Err(…))` is the CRM's no; `Err` is ours, with the CRM put back to what it held.
pub async fn save(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
    asked: &Held,
) -> Result<Result<Seen, Failed>, AppError> {
    let _turn = app.modules.take(enterprise.id).await;
    let stored = settings::stored_now(app, enterprise).await?;
    if !stored.is_object() {
        return Err(AppError::BadRequest(
            "RetailCRM is not connected yet: enter domain and key first".into(),
        ));
    }
    let before = extensions::read(&stored).unwrap_or_default();
    let (after, moved) = extensions::changed(&before, asked);
    let mut seen = Seen {
        moved,
        told: is_registered(&stored),
        ..Seen::default()
    };
    let shops = shops_of(app, enterprise, &stored).await?;
    if seen.told {
        let told = registration(app, enterprise, &stored, &after, &shops)?;
        match tell(
            app,
            enterprise,
            &stored,
            told,
            "save_extensions",
            &words_of(asked),
        )
        .await?
        {
            Ok(taken) => seen.words = taken.words(),
            Err(failed) => return Ok(Err(failed)),
        }
    }
    let patch = json!({"user_extensions": extensions::written(&after), "last_sync": Utc::now()});
    let saved = settings::save(app, visit, enterprise, "retailcrm.extensions", patch).await;
    if saved.is_err() && seen.told {
        // The CRM has what we could not keep: it gets back what it had.
        let told = registration(app, enterprise, &stored, &before, &shops)?;
        if let Ok(Err(failed)) = tell(
            app,
            enterprise,
            &stored,
            told,
            "save_extensions",
            "put back",
        )
        .await
        {
            log::warn!(
                "RetailCRM of {} keeps extensions that are not saved here: {failed}",
                enterprise.number
            );
        }
    }
    saved?;
    Ok(Ok(seen))
}

/// Reads both sides and brings them into step.
///
/// # Errors
/// As `save`.
pub async fn sync(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
) -> Result<Result<Seen, Failed>, AppError> {
    let _turn = app.modules.take(enterprise.id).await;
    let mut stored = settings::stored_now(app, enterprise).await?;
    if !stored.is_object() {
        return Err(AppError::BadRequest(
            "RetailCRM is not connected yet: enter domain and key first".into(),
        ));
    }
    let users = match look(app, enterprise, &stored).await? {
        Ok(users) => users,
        Err(failed) => return Ok(Err(failed)),
    };
    let mut seen = Seen {
        users,
        told: is_registered(&stored),
        ..Seen::default()
    };
    let Some(code) = text(&stored, "module_code")
        .map(str::to_owned)
        .filter(|_| seen.told)
    else {
        return Ok(Ok(seen));
    };
    let question = Question::Registration { code };
    let (answer, exchanges) = app
        .integrations
        .converse(enterprise, settings::kind()?, &stored, &question)
        .await;
    let held = match answer {
        Ok(Answer::Registration(held)) => held.unwrap_or_default(),
        Ok(_) => Registered::default(),
        Err(failed) => {
            log(
                app,
                enterprise,
                "sync_extensions",
                &Err(failed.clone()),
                &exchanges,
            )
            .await?;
            return Ok(Err(failed));
        }
    };
    let mut patch = json!({});
    let ours = match extensions::read(&stored) {
        Some(ours) => ours,
        None => {
            let taken = extensions::taken_over(&held.extensions);
            seen.taken_over = !taken.is_empty();
            patch["user_extensions"] = extensions::written(&taken);
            stored["user_extensions"] = patch["user_extensions"].clone();
            for user in &mut seen.users {
                user.extension = taken.get(&user.id).cloned().flatten();
            }
            taken
        }
    };
    let knows: BTreeSet<String> = seen
        .users
        .iter()
        .filter(|one| !one.gone)
        .map(|one| one.id.clone())
        .collect();
    seen.differences = extensions::differences(&ours, &held.extensions, &knows);
    if !seen.differences.is_empty() {
        let known: Held = ours
            .iter()
            .filter(|(user, _)| knows.contains(*user))
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect();
        let told = registration(app, enterprise, &stored, &known, &held)?;
        let why = format!(
            "the CRM differed and was put right: {}",
            extensions::words(&seen.differences)
        );
        match tell(app, enterprise, &stored, told, "sync_extensions", &why).await? {
            Ok(taken) => seen.words = taken.words(),
            Err(failed) => return Ok(Err(failed)),
        }
    }
    let synced =
        seen.taken_over || !seen.differences.is_empty() || text(&stored, "last_sync").is_none();
    if synced {
        patch["last_sync"] = json!(Utc::now());
    }
    let names = names(&seen.users);
    if stored.get("user_names") != Some(&names) {
        patch["user_names"] = names;
    }
    if patch.as_object().is_some_and(|patch| !patch.is_empty()) {
        let action = if synced {
            "retailcrm.extensions"
        } else {
            "retailcrm.names"
        };
        settings::save(app, visit, enterprise, action, patch).await?;
    }
    Ok(Ok(seen))
}

/// The shops' numbers that the CRM holds, where nobody set them here: an edit that left them out would take them away.
async fn shops_of(
    app: &App,
    enterprise: &Enterprise,
    stored: &Value,
) -> Result<Registered, AppError> {
    let code = text(stored, "module_code").filter(|_| text(stored, "shop_phones").is_none());
    let Some(code) = code.filter(|_| is_registered(stored)) else {
        return Ok(Registered::default());
    };
    let question = Question::Registration {
        code: code.to_owned(),
    };
    let (answer, _) = app
        .integrations
        .converse(enterprise, settings::kind()?, stored, &question)
        .await;
    Ok(match answer {
        Ok(Answer::Registration(Some(held))) => held,
        // Whatever keeps it from answering will be told by the edit that follows.
        _ => Registered::default(),
    })
}

fn words_of(asked: &Held) -> String {
    let one = |(user, extension): (&String, &Option<String>)| {
        format!("user {user}: {}", extension.as_deref().unwrap_or("none"))
    };
    asked.iter().map(one).collect::<Vec<_>>().join(", ")
}
