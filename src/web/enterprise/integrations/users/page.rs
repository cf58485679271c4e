//! `/enterprise/{number}/integrations/{kind}/users`: the CRM's users, each with a select of the enterprise's extensions. The
//! page is there at once and asks the CRM then; a CRM that does not answer keeps nobody from seeing and changing what is
//! held here. Tells the CRM nothing.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::integration::connector::{Answer, Failed, Kind, Manager, Question};
use actors::integration::fields::Input;
use actors::store::logs::{self, NewLog};
use actors::store::{audit, enterprises};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::extensions::{self, Held, Moved};
use super::roster;
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::integrations::document::{self, difference};
use crate::web::enterprise::integrations::{card, link};
use crate::web::enterprise::{context, find, note, spread};
use crate::web::gate::url_escape;
use crate::web::session::State;
use crate::web::visit::{Visit, go};

type Answered = Result<HttpResponse, AppError>;
type Path = web::Path<(String, String)>;

/// What the list shows above itself.
#[derive(Default)]
struct Said {
    /// A text key.
    saved: &'static str,
    moved: Vec<Moved>,
    taken_over: bool,
    failed: Option<Failed>,
}

/// Whether a kind's users are given extensions here.
pub fn has_users(kind: &Kind) -> bool {
    kind.fields
        .iter()
        .any(|field| field.input == Input::Extensions)
}

/// `GET /enterprise/{number}/integrations/{kind}/users`
pub async fn page(app: State, visit: Visit, path: Path) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    if kind.name == crate::web::retailcrm::NAME {
        let number = url_escape(&enterprise.number);
        return Ok(go(&format!("/retailcrm-admin/?enterprise_number={number}")));
    }
    let mut context = context(&visit, &enterprise, "integrations")?;
    context.insert("kind", &json!({"name": kind.name, "title": kind.title}));
    visit.page(&app, "enterprise/integrations/users/page.html", &context)
}

/// `POST /enterprise/{number}/integrations/{kind}/users`: asks the CRM. The names it tells are kept; the extensions it
/// holds are taken over when nobody ever gave anyone one here.
pub async fn list(app: State, visit: Visit, path: Path) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    let stored = card::stored(&enterprise, kind);
    let public_url = &app.settings.server.public_url;
    if document::check(kind, &stored, &enterprise, public_url).is_err() {
        return listed(&app, &visit, &path, Vec::new(), Said::default()).await;
    }
    let began = std::time::Instant::now();
    let answer = app
        .integrations
        .try_settings(&enterprise, kind.name, &stored, &Question::Managers)
        .await;
    let known = match answer {
        Ok(Answer::Managers(known)) => known,
        Ok(_) => Vec::new(),
        Err(failed) => {
            let log = NewLog {
                enterprise: enterprise.id,
                enterprise_number: enterprise.number.clone(),
                integration: kind.name.into(),
                event_type: "managers".into(),
                error: failed.to_string(),
                status: "error".into(),
                milliseconds: i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX),
                at: Utc::now(),
                ..NewLog::default()
            };
            app.store.write(move |conn| logs::add(conn, &log)).await?;
            let said = Said {
                failed: Some(failed),
                ..Said::default()
            };
            return listed(&app, &visit, &path, roster::kept(&stored), said).await;
        }
    };
    let theirs: Vec<(String, String)> = known
        .iter()
        .filter_map(|one| Some((one.id.clone(), one.extension.clone()?)))
        .filter(|(_, extension)| enterprise.extensions.contains_key(extension))
        .collect();
    let names = roster::names(&roster::users(
        known.clone(),
        &Held::new(),
        &roster::Statuses::new(),
    ));
    let taken_over = change(&app, &visit, &enterprise, kind, "integration.users", {
        move |part| {
            part.insert("user_names".into(), names.clone());
            let fresh = extensions::read(&Value::Object(part.clone())).is_none();
            let taken = extensions::taken_over(&theirs);
            if !fresh || taken.is_empty() {
                return Ok(false);
            }
            part.insert("user_extensions".into(), extensions::written(&taken));
            Ok(true)
        }
    })
    .await?;
    let said = Said {
        taken_over,
        ..Said::default()
    };
    listed(&app, &visit, &path, known, said).await
}

/// Who gets which extension; an empty one takes it away.
#[derive(Deserialize)]
pub struct Given {
    user: String,
    #[serde(default)]
    extension: String,
}

/// `POST /enterprise/{number}/integrations/{kind}/users/save`
pub async fn save(app: State, visit: Visit, path: Path, form: web::Form<Given>) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    let told: Map<String, Value> = [(form.user.clone(), Value::from(form.extension.clone()))]
        .into_iter()
        .collect();
    let (place, public_url) = (enterprise.clone(), app.settings.server.public_url.clone());
    let moved = change(
        &app,
        &visit,
        &enterprise,
        kind,
        "integration.extensions",
        move |part| {
            let before = Value::Object(part.clone());
            let held = extensions::read(&before).unwrap_or_default();
            let has = extensions::given(&place, &held);
            let asked = extensions::asked(&told, extensions::is_id, has)?;
            let (after, moved) = extensions::changed(&held, &asked);
            part.insert("user_extensions".into(), extensions::written(&after));
            // An id that this CRM's users cannot have would make the whole integration useless.
            let is_usable = |settings: &Value| document::check(kind, settings, &place, &public_url);
            match is_usable(&Value::Object(part.clone())) {
                Err(fault) if is_usable(&before).is_ok() => Err(fault.words),
                _ => Ok(moved),
            }
        },
    )
    .await?;
    let enterprise = find(&app, &visit, &path.0).await?;
    let said = Said {
        saved: "users-given",
        moved,
        ..Said::default()
    };
    let kept = roster::kept(&card::stored(&enterprise, kind));
    listed(&app, &visit, &path, kept, said).await
}

/// The list as it is now.
async fn listed(
    app: &App,
    visit: &Visit,
    path: &Path,
    known: Vec<Manager>,
    said: Said,
) -> Answered {
    let (enterprise, kind) = at(app, visit, path).await?;
    let stored = card::stored(&enterprise, kind);
    let held = extensions::read(&stored).unwrap_or_default();
    let users = roster::users(known, &held, &roster::Statuses::new());
    let name = |id: &str| {
        let found = users.iter().find(|user| user.id == id && !user.gone);
        found.map_or_else(|| id.to_owned(), |user| user.name.clone())
    };
    let moved: Vec<Value> = said
        .moved
        .iter()
        .map(|one| json!({"extension": one.extension, "from": name(&one.from)}))
        .collect();
    let fault = document::check(kind, &stored, &enterprise, &app.settings.server.public_url);
    let mut context = context(visit, &enterprise, "integrations")?;
    context.insert("kind", &json!({"name": kind.name, "title": kind.title}));
    context.insert("set_up", &fault.is_ok());
    context.insert("phones", &roster::phones(&enterprise, &held, &users));
    context.insert("moved", &moved);
    context.insert("taken_over", &said.taken_over);
    context.insert("failed", &said.failed.as_ref().map(ToString::to_string));
    context.insert("why", &said.failed.as_ref().map(link::named));
    context.insert("said", said.saved);
    context.insert("users", &users);
    visit.page(app, "enterprise/integrations/users/list.html", &context)
}

/// Changes one kind's settings by `work` and notes what changed; nothing is written when nothing did. What is there is read
/// in the transaction that writes it.
async fn change<T: Send + 'static>(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
    kind: &'static Kind,
    action: &str,
    work: impl Fn(&mut Map<String, Value>) -> Result<T, String> + Send + 'static,
) -> Result<T, AppError> {
    let (id, vault) = (enterprise.id, app.store.vault().clone());
    let entry = note(visit, id, action, Value::Null)?;
    let (done, changed) = app
        .store
        .write(move |conn| {
            let before = enterprises::integrations(conn, &vault, id)?;
            let mut after = before.clone();
            let Some(part) = after.get_mut(kind.name).and_then(Value::as_object_mut) else {
                return Ok((Err(format!("{} is not connected yet", kind.title)), false));
            };
            let done = work(part);
            let changed = done.is_ok() && before != after;
            if changed {
                enterprises::save_integrations(conn, &vault, id, &after, Utc::now())?;
                let what = difference(&before, &after);
                let entry = audit::NewEntry {
                    what,
                    ..entry.clone()
                };
                audit::add(conn, &entry, Utc::now())?;
            }
            Ok((done, changed))
        })
        .await?;
    if changed {
        spread(app, &enterprise.number).await;
    }
    done.map_err(AppError::BadRequest)
}

/// The enterprise and the kind, when that kind has users.
async fn at(
    app: &App,
    visit: &Visit,
    path: &Path,
) -> Result<(Arc<Enterprise>, &'static Kind), AppError> {
    let (enterprise, kind) = card::at(app, visit, path).await?;
    if has_users(kind) {
        Ok((enterprise, kind))
    } else {
        Err(AppError::NotFound)
    }
}
