//! What is set of an enterprise itself: seen and changed by its administrators, made and switched off by superadmins.
//! A new token or secret is shown in the one answer that makes it, and never again.

use actix_web::{HttpResponse, web};
use actors::cache::{Enterprise, snapshot};
use actors::store::StoreError;
use actors::store::audit::{self, NewEntry};
use actors::store::enterprises::{self, NewEnterprise};
use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{change, context, find, spread};
use crate::cli::check;
use crate::config::mask;
use crate::error::AppError;
use crate::state::App;
use crate::web::session::policy::Role;
use crate::web::session::{State, new_token};
use crate::web::visit::Visit;

/// The form. Check boxes are "1" or absent.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Form {
    number: String,
    name: String,
    country: String,
    time_zone: String,
    language: String,
    host_address: String,
    ssh_port: String,
    ssh_user: String,
    originate_context: String,
    redirect_context: String,
    active: String,
    debug_log: String,
    /// Days; empty: as the server's settings say.
    events_days: String,
    recording_links: String,
}

/// Days that events may be kept, besides for ever (0): fewer would leave nothing to look into after a holiday.
const EVENTS_DAYS: std::ops::RangeInclusive<u32> = 7..=3_650;

impl Form {
    fn of(row: &NewEnterprise) -> Form {
        let flag = |on: bool| if on { "1".to_owned() } else { String::new() };
        Form {
            number: row.number.clone(),
            name: row.name.clone(),
            country: row.country.clone(),
            time_zone: row.time_zone.clone(),
            language: row.language.clone(),
            host_address: row.host_address.clone(),
            ssh_port: row.ssh_port.to_string(),
            ssh_user: row.ssh_user.clone(),
            originate_context: row.originate_context.clone(),
            redirect_context: row.redirect_context.clone(),
            active: flag(row.active),
            debug_log: flag(row.debug_log),
            events_days: snapshot::events_days(&row.settings)
                .map(|days| days.to_string())
                .unwrap_or_default(),
            recording_links: flag(
                row.settings.get(snapshot::RECORDING_LINKS) != Some(&Value::Bool(false)),
            ),
        }
    }

    /// Puts what was filled in into the row; the number stays, and only `wide` people switch on and off.
    ///
    /// # Errors
    /// The first field that cannot be used, by its name: the page has the words.
    fn fill(&self, row: &mut NewEnterprise, wide: bool) -> Result<(), &'static str> {
        let word = |field, text: &str, empty: bool| {
            let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if text.len() > 60 || !text.chars().all(good) || (text.is_empty() && !empty) {
                return Err(field);
            }
            Ok(text.to_owned())
        };
        row.name = check::filled(self.name.trim()).map_err(|_| "name")?;
        row.country = check::country(self.country.trim()).map_err(|_| "country")?;
        row.time_zone = check::zone(self.time_zone.trim()).map_err(|_| "time_zone")?;
        row.language = match self.language.as_str() {
            "ru" | "en" => self.language.clone(),
            _ => return Err("language"),
        };
        row.host_address = match self.host_address.trim() {
            "" => String::new(),
            host => check::host(host).map_err(|_| "host_address")?,
        };
        row.ssh_port = self
            .ssh_port
            .trim()
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or("ssh_port")?
            .into();
        row.ssh_user = word("ssh_user", self.ssh_user.trim(), true)?;
        row.originate_context = word("originate_context", self.originate_context.trim(), false)?;
        row.redirect_context = word("redirect_context", self.redirect_context.trim(), false)?;
        row.debug_log = !self.debug_log.is_empty();
        self.keep(&mut row.settings)?;
        if wide {
            row.active = !self.active.is_empty();
        }
        Ok(())
    }
}

impl Form {
    /// Puts into the enterprise's document what is kept, and who is told of it. What else stands there stays.
    fn keep(&self, settings: &mut Value) -> Result<(), &'static str> {
        if !settings.is_object() {
            *settings = json!({});
        }
        let days = match self.events_days.trim() {
            "" => Value::Null,
            text => {
                let days = text.parse::<u32>().ok();
                let good = days.filter(|days| *days == 0 || EVENTS_DAYS.contains(days));
                json!(good.ok_or("events_days")?)
            }
        };
        if let Some(document) = settings.as_object_mut() {
            match days {
                Value::Null => document.remove(snapshot::EVENTS_DAYS),
                days => document.insert(snapshot::EVENTS_DAYS.into(), days),
            };
            let told = !self.recording_links.is_empty();
            document.insert(snapshot::RECORDING_LINKS.into(), json!(told));
        }
        Ok(())
    }
}

/// `GET /enterprise/{number}`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let form = Form::of(&details(&app, &enterprise).await?);
    draw(&app, &visit, &enterprise, &form, json!({})).await
}

/// `POST /enterprise/{number}`
pub async fn save(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let wide = visit.viewer()?.role == Role::Superadmin;
    let before = details(&app, &enterprise).await?;
    let mut row = before.clone();
    if let Err(field) = form.fill(&mut row, wide) {
        return draw(&app, &visit, &enterprise, &form, json!({"problem": field})).await;
    }
    let what = difference(&Form::of(&before), &Form::of(&row))?;
    let (id, form) = (enterprise.id, form.into_inner());
    change(
        &app,
        &visit,
        &enterprise,
        ("enterprise.save", what),
        move |conn, vault| {
            // Read again in this transaction: a token rotated meanwhile stays.
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            form.fill(&mut row, wide)
                .map_err(|field| StoreError::Refused(field.to_owned()))?;
            enterprises::update(conn, vault, id, &row, Utc::now())
        },
    )
    .await?;
    let enterprise = find(&app, &visit, &number).await?;
    let form = Form::of(&details(&app, &enterprise).await?);
    draw(&app, &visit, &enterprise, &form, json!({"saved": true})).await
}

/// `POST /enterprise/{number}/rotate/{which}`: a new token of the host, or a new API key of `/api/makecallexternal`.
pub async fn rotate(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, AppError> {
    let (number, which) = path.into_inner();
    let enterprise = find(&app, &visit, &number).await?;
    if !["token", "secret"].contains(&which.as_str()) {
        return Err(AppError::NotFound);
    }
    let made = new_token();
    let (id, new, token) = (
        enterprise.id,
        SecretString::from(made.clone()),
        which == "token",
    );
    let was = if token {
        Some(&enterprise.token)
    } else {
        enterprise.secret.as_ref()
    };
    let what = json!({"was": was.map(|was| mask(was.expose_secret())), "is": mask(&made)});
    let action = format!("enterprise.rotate-{which}");
    change(
        &app,
        &visit,
        &enterprise,
        (&action, what),
        move |conn, vault| {
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            if token {
                row.token = new;
            } else {
                row.secret = Some(new);
            }
            enterprises::update(conn, vault, id, &row, Utc::now())
        },
    )
    .await?;
    let form = Form::of(&details(&app, &enterprise).await?);
    draw(
        &app,
        &visit,
        &enterprise,
        &form,
        json!({"made": made, "which": which}),
    )
    .await
}

/// `GET /enterprises/new`
pub async fn blank(app: State, visit: Visit) -> Result<HttpResponse, AppError> {
    draw_new(&app, &visit, &Form::of(&NewEnterprise::default()), "")
}

/// `POST /enterprises/new`: makes one and shows its token, this once.
pub async fn create(
    app: State,
    visit: Visit,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let token = new_token();
    let mut row = NewEnterprise {
        token: SecretString::from(token.clone()),
        ..NewEnterprise::default()
    };
    let number = check::enterprise(form.number.trim()).map_err(|_| "number");
    let filled = number.and_then(|number| {
        row.number = number;
        form.fill(&mut row, true)
    });
    if let Err(field) = filled {
        return draw_new(&app, &visit, &form, field);
    }
    let viewer = visit.viewer()?;
    let entry = NewEntry {
        enterprise: None,
        user: Some(viewer.user),
        who: viewer.login.clone(),
        action: "enterprise.add".into(),
        what: json!({"number": row.number, "name": row.name, "token": mask(&token)}),
    };
    let (number, vault) = (row.number.clone(), app.store.vault().clone());
    let made = app
        .store
        .write(move |conn| {
            let id = enterprises::add(conn, &vault, &row, Utc::now())?;
            audit::add(
                conn,
                &NewEntry {
                    enterprise: Some(id),
                    ..entry.clone()
                },
                Utc::now(),
            )
        })
        .await;
    match made {
        Ok(()) => {}
        Err(StoreError::Taken(_)) => {
            return draw_new(&app, &visit, &form, "taken");
        }
        Err(other) => return Err(other.into()),
    }
    spread(&app, &number).await;
    let enterprise = find(&app, &visit, &number).await?;
    let form = Form::of(&details(&app, &enterprise).await?);
    draw(
        &app,
        &visit,
        &enterprise,
        &form,
        json!({"made": token, "which": "token"}),
    )
    .await
}

/// What differs between two forms: what it was and what it is. No field of it is a secret.
fn difference(before: &Form, after: &Form) -> Result<Value, AppError> {
    let (before, after) = (json!(before), json!(after));
    let changes: Map<String, Value> = after
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| before.get(name.as_str()) != Some(value))
        .map(|(name, value)| (name.clone(), json!([before.get(name.as_str()), value])))
        .collect();
    Ok(Value::Object(changes))
}

async fn details(app: &App, enterprise: &Enterprise) -> Result<NewEnterprise, AppError> {
    let (id, vault) = (enterprise.id, app.store.vault().clone());
    let found = app
        .store
        .read(move |conn| enterprises::details(conn, &vault, id))
        .await?;
    found.ok_or(AppError::NotFound)
}

async fn draw(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    form: &Form,
    told: Value,
) -> Result<HttpResponse, AppError> {
    let row = details(app, enterprise).await?;
    let mut context = context(visit, enterprise, "settings")?;
    context.insert("form", form);
    context.insert("problem", told["problem"].as_str().unwrap_or_default());
    context.insert("told", &told);
    context.insert("server_days", &app.settings.retention.events_days);
    context.insert("token", &mask(row.token.expose_secret()));
    context.insert(
        "secret",
        &row.secret
            .as_ref()
            .map(|secret| mask(secret.expose_secret())),
    );
    visit.page(app, "enterprise/settings.html", &context)
}

fn draw_new(
    app: &App,
    visit: &Visit,
    form: &Form,
    problem: &str,
) -> Result<HttpResponse, AppError> {
    let mut context = visit.context();
    context.insert("form", form);
    context.insert("wide", &true);
    context.insert("told", &json!({}));
    context.insert("problem", problem);
    context.insert("server_days", &app.settings.retention.events_days);
    visit.page(app, "enterprise/new.html", &context)
}
