//! People: who may log in to one enterprise, with role, extensions, password and open sessions, and which extensions
//! there are; for superadmins also themselves (`/people`). The page; what is done on it is `acts.rs`.

mod acts;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::store::{sessions, users};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{context, find, spread};
use crate::error::AppError;
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::{Visit, there};
use acts::serve;

/// The forms of the page; which fields count depends on the action.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Form {
    login: String,
    name: String,
    role: String,
    /// Separated by commas or spaces.
    extensions: String,
    /// A ticked box: may log in.
    active: String,
    /// One extension, of the list of them.
    extension: String,
    session: i64,
}

/// Whose people a page is about: an enterprise's, or the installation's own superadmins.
#[derive(Clone)]
enum Whose {
    Enterprise(Arc<Enterprise>),
    Installation,
}

impl Whose {
    fn id(&self) -> Option<i64> {
        match self {
            Whose::Enterprise(enterprise) => Some(enterprise.id),
            Whose::Installation => None,
        }
    }
}

/// What is told above the page: a text's key, words that go with it, a password shown this once.
#[derive(Default)]
struct Told {
    problem: &'static str,
    about: String,
    password: String,
    /// What was done, where nothing else shows it: a text's key.
    done: &'static str,
    /// The form that was refused: its action, and what was typed.
    typed: Option<Box<(String, Form)>>,
}

impl Told {
    fn problem(problem: &'static str, about: impl Into<String>) -> Told {
        Told {
            problem,
            about: about.into(),
            ..Told::default()
        }
    }
}

/// `GET /enterprise/{number}/people`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let whose = Whose::Enterprise(find(&app, &visit, &number).await?);
    draw(&app, &visit, &whose, Told::default()).await
}

/// `POST /enterprise/{number}/people/{action}`: add, save, password, end, extension, or drop an extension.
pub async fn act(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let (number, action) = path.into_inner();
    let whose = Whose::Enterprise(find(&app, &visit, &number).await?);
    let told = serve(&app, &visit, &whose, &action, form.into_inner()).await?;
    // Names of extensions are part of what the cache holds.
    spread(&app, &number).await;
    let whose = Whose::Enterprise(find(&app, &visit, &number).await?);
    draw(&app, &visit, &whose, told).await
}

/// `GET /people`: superadmins.
pub async fn own_page(app: State, visit: Visit) -> Result<HttpResponse, AppError> {
    draw(&app, &visit, &Whose::Installation, Told::default()).await
}

/// `POST /people/{action}`
pub async fn own_act(
    app: State,
    visit: Visit,
    action: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let whose = Whose::Installation;
    let told = serve(&app, &visit, &whose, &action, form.into_inner()).await?;
    draw(&app, &visit, &whose, told).await
}

async fn draw(
    app: &App,
    visit: &Visit,
    whose: &Whose,
    told: Told,
) -> Result<HttpResponse, AppError> {
    let enterprise = whose.id();
    let (own, wide) = {
        let viewer = visit.viewer()?;
        (viewer.user, enterprise.is_none())
    };
    let typed = |action: &str| {
        let typed = told.typed.as_deref().filter(|(of, _)| of == action);
        typed.map(|(_, form)| form.clone())
    };
    let refused = typed("save");
    let (rows, free) = app
        .store
        .read(move |conn| {
            let mut rows = Vec::new();
            for user in users::list(conn, enterprise)? {
                if user.enterprise != enterprise {
                    continue;
                }
                let extensions = match enterprise {
                    Some(enterprise) => users::extensions_of(conn, enterprise, user.id)?,
                    None => Vec::new(),
                };
                let open: Vec<Value> = sessions::list(conn, user.id, Utc::now())?
                    .into_iter()
                    .map(|open| json!({"id": open.id, "address": open.address, "agent": open.agent, "last_seen_at": open.last_seen_at}))
                    .collect();
                let mut row = json!({
                    "login": user.login, "name": user.full_name, "role": user.role, "active": user.active,
                    "extensions": extensions.join(", "), "sessions": open, "own": user.id == own,
                });
                if let Some(typed) = refused.as_ref().filter(|typed| typed.login == user.login) {
                    row["typed"] = json!({
                        "name": typed.name, "role": typed.role, "extensions": typed.extensions,
                        "active": !typed.active.is_empty(),
                    });
                }
                rows.push(row);
            }
            let free = match enterprise {
                Some(enterprise) => users::free_extensions(conn, enterprise)?,
                None => Vec::new(),
            };
            Ok((rows, free))
        })
        .await?;
    let mut context = match whose {
        Whose::Enterprise(enterprise) => context(visit, enterprise, "people")?,
        Whose::Installation => {
            let mut context = visit.context();
            context.insert("zone", "UTC");
            context
        }
    };
    let free: Vec<Value> = free
        .into_iter()
        .map(|(extension, name)| json!({"extension": extension, "name": name}))
        .collect();
    let root = match whose {
        Whose::Enterprise(enterprise) => format!("/enterprise/{}/people", enterprise.number),
        Whose::Installation => "/people".to_owned(),
    };
    context.insert("root", &root);
    context.insert("there", &there(&root, ""));
    context.insert("new", &typed("add").unwrap_or_default());
    context.insert("new_extension", &typed("extension").unwrap_or_default());
    context.insert("done", told.done);
    context.insert("wide", &wide);
    context.insert("people", &rows);
    context.insert("free", &free);
    context.insert("roles", &["admin", "supervisor", "operator"]);
    context.insert("problem", told.problem);
    context.insert("about", &told.about);
    context.insert("password", &told.password);
    visit.page(app, "enterprise/people.html", &context)
}
