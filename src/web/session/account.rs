//! One's own account: a new password, the language, and the sessions that are open, each of which can be ended.

use actix_web::{HttpResponse, web};
use actors::store::StoreError;
use actors::store::audit::{self, NewEntry};
use actors::store::{sessions, users};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{State, password};
use crate::error::AppError;
use crate::web::visit::{Viewer, Visit, go, there};

/// A new password, with the one it replaces.
#[derive(Deserialize)]
pub struct Change {
    old: String,
    new: String,
    again: String,
}

/// `GET /account`
pub async fn page(app: State, visit: Visit) -> Result<HttpResponse, AppError> {
    draw(&app, &visit, "", "").await
}

/// `POST /account/password`: changes it and ends every other session.
pub async fn change(
    app: State,
    visit: Visit,
    change: web::Form<Change>,
) -> Result<HttpResponse, AppError> {
    let viewer = visit.viewer()?.clone();
    let Change { old, new, again } = change.into_inner();
    if new.chars().count() < password::SHORTEST {
        return draw(&app, &visit, "account-too-short", "").await;
    }
    if new != again {
        return draw(&app, &visit, "account-differ", "").await;
    }
    if new == old {
        return draw(&app, &visit, "account-same", "").await;
    }
    // Whoever holds a stolen session must not guess the password here.
    app.throttle
        .take(&viewer.login, &visit.address)
        .map_err(AppError::TooMany)?;
    let id = viewer.user;
    let user = app
        .store
        .read(move |conn| users::by_id(conn, None, id))
        .await?
        .ok_or(AppError::Unauthenticated)?;
    let hash = web::block(move || {
        if password::verify(&old, Some(&user.password_hash)) {
            password::hash(&new).map(Some)
        } else {
            Ok(None)
        }
    })
    .await?
    .map_err(AppError::Unknown)?;
    let Some(hash) = hash else {
        return draw(&app, &visit, "account-old-wrong", "").await;
    };
    let entry = entry(&viewer, "password.change", json!({}));
    app.store
        .write(move |conn| {
            let now = Utc::now();
            users::set_password(conn, viewer.user, &hash, false, now)?;
            for session in sessions::list(conn, viewer.user, now)?
                .iter()
                .filter(|open| open.id != viewer.session)
            {
                sessions::delete(conn, viewer.user, session.id)?;
            }
            audit::add(conn, &entry, now)
        })
        .await?;
    if visit.viewer()?.must_choose {
        return Ok(go("/"));
    }
    draw(&app, &visit, "", "account-changed").await
}

/// `POST /account/sessions/{id}/end`
pub async fn end(app: State, visit: Visit, id: web::Path<i64>) -> Result<HttpResponse, AppError> {
    let viewer = visit.viewer()?.clone();
    let entry = entry(&viewer, "session.end", json!({"session": *id}));
    app.store
        .write(move |conn| {
            // Only sessions of this very user are found by it.
            if !sessions::delete(conn, viewer.user, *id)? {
                return Err(StoreError::NotFound);
            }
            audit::add(conn, &entry, Utc::now())
        })
        .await?;
    Ok(go("/account"))
}

fn entry(viewer: &Viewer, action: &str, what: Value) -> NewEntry {
    NewEntry {
        enterprise: viewer.enterprise,
        user: Some(viewer.user),
        who: viewer.login.clone(),
        action: action.into(),
        what,
    }
}

async fn draw(
    app: &State,
    visit: &Visit,
    problem: &str,
    success: &str,
) -> Result<HttpResponse, AppError> {
    let viewer = visit.viewer()?;
    let (user, own) = (viewer.user, viewer.session);
    let open = app
        .store
        .read(move |conn| sessions::list(conn, user, Utc::now()))
        .await?;
    let open: Vec<Value> = open
        .into_iter()
        .map(|session| {
            json!({
                "id": session.id, "address": session.address, "agent": session.agent, "own": session.id == own,
                "created_at": session.created_at, "last_seen_at": session.last_seen_at, "expires_at": session.expires_at,
            })
        })
        .collect();
    let zone = viewer
        .enterprise
        .and_then(|id| app.cache.by_id(id))
        .map_or("UTC", |enterprise| enterprise.time_zone.name());
    let mut context = visit.context();
    context.insert("there", &there("/account", ""));
    context.insert("sessions", &open);
    context.insert("problem", problem);
    context.insert("success", success);
    context.insert("shortest", &password::SHORTEST);
    context.insert("zone", zone);
    visit.page(app, "session/account.html", &context)
}
