//! The module as JSON: `/retailcrm-admin/api/…`, for the sessions that open its page. Bodies come as JSON or as forms; an
//! empty or broken one is refused in words, the CRM's no is 502 with its words. Does what the page does, through the same acts.

use actix_web::{HttpRequest, HttpResponse, web};
use actors::integration::connector::Failed;
use serde_json::{Map, Value, json};

use super::managers::{self, Seen};
use super::page::{has, tried};
use super::{NAME, account, body, registration, settings};
use crate::error::AppError;
use crate::masked::masked;
use crate::web::enterprise::integrations::document;
use crate::web::enterprise::integrations::users::{extensions, roster};
use crate::web::enterprise::{find, spread};
use crate::web::session::State;
use crate::web::visit::Visit;

type Answered = Result<HttpResponse, AppError>;
type Number = web::Path<String>;

/// What a body of settings names.
const SETTINGS: &str = "domain, api_key, send_dial, send_hangup, send_upload, enabled, allow_number, logo or shop_phones";

/// `GET …/config/{number}`: the settings, secrets masked.
pub async fn config(app: State, visit: Visit, number: Number) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let stored = settings::stored_now(&app, &enterprise).await?;
    Ok(HttpResponse::Ok().json(json!({
        "enterprise_number": enterprise.number, "name": enterprise.name,
        "registered": registration::is_registered(&stored), "config": masked(NAME, &stored),
    })))
}

/// `PUT …/config/{number}`: what is named replaces what is stored; a masked key that comes back is the stored one.
pub async fn save(app: State, visit: Visit, number: Number, told: web::Bytes) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let body = body::read(&told, SETTINGS)?;
    if !settings::names_any(&body) {
        return Err(AppError::BadRequest(format!(
            "the body names no setting: send {SETTINGS}"
        )));
    }
    let turn = app.modules.take(enterprise.id).await;
    let stored = settings::stored_now(&app, &enterprise).await?;
    let wanted = settings::given(&body, &stored)?;
    if document::is_on(&wanted) {
        let public_url = &app.settings.server.public_url;
        document::check(settings::kind()?, &wanted, &enterprise, public_url)
            .map_err(|fault| AppError::BadRequest(format!("{}: {}", fault.field, fault.words)))?;
    }
    let patch = settings::patch(&stored, &wanted);
    settings::save(&app, &visit, &enterprise, "retailcrm.save", patch).await?;
    drop(turn);
    config(app, visit, number).await
}

/// `DELETE …/config/{number}`: takes the module out of the CRM and forgets it here; `?anyway=1` also when the CRM says no.
pub async fn remove(
    app: State,
    visit: Visit,
    number: Number,
    query: web::Query<super::page::Removal>,
) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let words = registration::remove(&app, &visit, &enterprise, query.is_anyway())
        .await?
        .map_err(refused)?;
    Ok(HttpResponse::Ok().json(json!({"success": true, "message": words})))
}

/// `POST …/register/{number}`: registers with what is stored, or with what the body names over it, and saves that.
pub async fn register(
    app: State,
    visit: Visit,
    request: HttpRequest,
    number: Number,
    told: web::Bytes,
) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let body = body::read_any(&told)?;
    let stored = settings::stored_now(&app, &enterprise).await?;
    if body.is_empty() && stored.is_null() {
        return Err(AppError::BadRequest(format!(
            "nothing is stored yet: send {SETTINGS}"
        )));
    }
    let wanted = settings::given(&body, &stored)?;
    let done = registration::register(&app, &visit, &enterprise, wanted)
        .await?
        .map_err(refused)?;
    let mut answer = HttpResponse::Ok();
    if let Some(cookie) = account::renewed(&app, &visit, &request, &enterprise, &done.id)? {
        answer.cookie(cookie);
    }
    Ok(answer.json(json!({"success": true, "message": done.words})))
}

/// `POST …/test/{number}`: asks the CRM with what is stored, or with what the body names over it. The CRM's no is an answer too.
pub async fn test(app: State, visit: Visit, number: Number, told: web::Bytes) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let body = body::read_any(&told)?;
    let stored = settings::stored_now(&app, &enterprise).await?;
    if body.is_empty() && stored.is_null() {
        return Err(AppError::BadRequest(format!(
            "nothing is stored yet: send {SETTINGS}"
        )));
    }
    let wanted = settings::given(&body, &stored)?;
    let (said, milliseconds) = tried(&app, &enterprise, &wanted).await?;
    let message = said.as_ref().map_or_else(ToString::to_string, Clone::clone);
    Ok(HttpResponse::Ok().json(json!({
        "success": said.is_ok(), "message": message, "response_time_ms": milliseconds,
    })))
}

/// `GET …/internal-phones/{number}`: the enterprise's extensions, and which of the CRM's users has each.
pub async fn internal_phones(app: State, visit: Visit, number: Number) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let stored = settings::stored_now(&app, &enterprise).await?;
    let held = extensions::read(&stored).unwrap_or_default();
    let phones = roster::phones(&enterprise, &held, &[]);
    let list: Vec<Value> = phones
        .iter()
        .map(|one| json!({"phone": one.extension, "name": one.name, "user_id": one.user, "free": one.user.is_none()}))
        .collect();
    Ok(HttpResponse::Ok()
        .json(json!({"enterprise_number": enterprise.number, "internal_phones": list})))
}

/// `GET …/managers/{number}`: the CRM's users, each with the extension held here. Changes nothing.
pub async fn managers(app: State, visit: Visit, number: Number) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let stored = settings::stored_now(&app, &enterprise).await?;
    connected(&stored)?;
    let users = managers::look(&app, &enterprise, &stored)
        .await?
        .map_err(refused)?;
    Ok(HttpResponse::Ok().json(json!({"enterprise_number": enterprise.number, "managers": users})))
}

/// `GET …/user-extensions/{number}`: CRM user id → extension.
pub async fn user_extensions(app: State, visit: Visit, number: Number) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let stored = settings::stored_now(&app, &enterprise).await?;
    let held = extensions::read(&stored).unwrap_or_default();
    Ok(HttpResponse::Ok().json(json!({
        "enterprise_number": enterprise.number, "user_extensions": extensions::written(&held),
        "last_sync": stored.get("last_sync"),
    })))
}

/// `POST …/save-extensions/{number}`: `{"user_extensions": {"16": "150", "17": null}}`, or that map alone, or a form of it.
/// Users who are not named keep theirs, unless it was given away.
pub async fn save_extensions(
    app: State,
    visit: Visit,
    number: Number,
    told: web::Bytes,
) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let body = body::read(&told, "user_extensions, CRM user id to extension")?;
    let told = mapped(body).map_err(AppError::BadRequest)?;
    let stored = settings::stored_now(&app, &enterprise).await?;
    let asked = extensions::asked(&told, extensions::is_number, has(&enterprise, &stored))
        .map_err(AppError::BadRequest)?;
    let seen = managers::save(&app, &visit, &enterprise, &asked)
        .await?
        .map_err(refused)?;
    Ok(HttpResponse::Ok().json(told_of(&seen)))
}

/// `POST …/sync-extensions/{number}`: reads both sides and brings them into step; ours wins.
pub async fn sync_extensions(app: State, visit: Visit, number: Number) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let seen = managers::sync(&app, &visit, &enterprise)
        .await?
        .map_err(refused)?;
    Ok(HttpResponse::Ok().json(told_of(&seen)))
}

/// `GET|POST …/config-cache/active-enterprises`: those of the visitor's enterprises that have RetailCRM switched on.
pub async fn active_enterprises(app: State, visit: Visit) -> Answered {
    let scope = visit.scope()?;
    let mut active: Vec<Value> = app
        .cache
        .all()
        .iter()
        .filter(|one| scope.covers(one.id) && one.active)
        .filter(|one| one.integrations.get(NAME).is_some_and(|part| part.enabled))
        .map(|one| json!({"enterprise_number": one.number, "name": one.name}))
        .collect();
    active.sort_by_key(|one| one["enterprise_number"].to_string());
    Ok(HttpResponse::Ok().json(json!({"count": active.len(), "enterprises": active})))
}

/// `GET|POST …/config-cache/refresh/{number}`: reads the enterprise's configuration anew.
pub async fn refresh(app: State, visit: Visit, number: Number) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    spread(&app, &enterprise.number).await;
    Ok(HttpResponse::Ok().json(json!({"success": true, "enterprise_number": enterprise.number})))
}

/// `GET|POST …/config-cache/refresh-all`: the same for all the visitor may see.
pub async fn refresh_all(app: State, visit: Visit) -> Answered {
    let scope = visit.scope()?;
    let mut count = 0;
    for enterprise in app.cache.all().iter().filter(|one| scope.covers(one.id)) {
        spread(&app, &enterprise.number).await;
        count += 1;
    }
    Ok(HttpResponse::Ok().json(json!({"success": true, "count": count})))
}

fn refused(failed: Failed) -> AppError {
    AppError::Crm(failed.to_string())
}

fn connected(stored: &Value) -> Result<(), AppError> {
    if stored.is_object() {
        return Ok(());
    }
    Err(AppError::Missing(
        "RetailCRM is not connected yet: enter domain and key first".into(),
    ))
}

fn told_of(seen: &Seen) -> Value {
    json!({
        "success": true, "told_crm": seen.told, "message": seen.words, "moved": seen.moved,
        "differences": seen.differences, "taken_over": seen.taken_over,
    })
}

/// The map in a body, however it was wrapped.
fn mapped(mut body: Map<String, Value>) -> Result<Map<String, Value>, String> {
    match body.remove("user_extensions") {
        Some(Value::Object(map)) => return Ok(map),
        // In a form a map is a text.
        Some(Value::String(text)) => {
            return serde_json::from_str(&text)
                .map_err(|error| format!("user_extensions is no JSON object: {error}"));
        }
        Some(_) => return Err("user_extensions: an object, CRM user id to extension".into()),
        None => {}
    }
    let one = body.remove("user_id").or_else(|| body.remove("user"));
    Ok(match one {
        Some(Value::String(user)) => [(user, body.remove("extension").unwrap_or(Value::Null))]
            .into_iter()
            .collect(),
        Some(Value::Number(user)) => [(
            user.to_string(),
            body.remove("extension").unwrap_or(Value::Null),
        )]
        .into_iter()
        .collect(),
        Some(other) => return Err(format!("user_id: a number, not {other}")),
        None => body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_extensions_is_found_however_it_was_wrapped() {
        for (body, map) in [
            (
                json!({"user_extensions": {"16": "150"}}),
                json!({"16": "150"}),
            ),
            (
                json!({"user_extensions": "{\"16\": null}"}),
                json!({"16": null}),
            ),
            (
                json!({"16": "150", "17": ""}),
                json!({"16": "150", "17": ""}),
            ),
            (
                json!({"user_id": 16, "extension": "150"}),
                json!({"16": "150"}),
            ),
            (json!({"user": "16"}), json!({"16": null})),
        ] {
            let found = mapped(body.as_object().unwrap().clone()).unwrap();
            assert_eq!(Value::Object(found), map, "{body}");
        }
        for bad in [
            json!({"user_extensions": 5}),
            json!({"user_extensions": "x"}),
            json!({"user_id": []}),
        ] {
            assert!(mapped(bad.as_object().unwrap().clone()).is_err(), "{bad}");
        }
    }
}
