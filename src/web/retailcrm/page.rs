//! `/retailcrm-admin/?enterprise_number=0367`: connection, managers and log of one enterprise's RetailCRM, and what can be
//! done there. Refusals are a line beside the button; what was taken redraws the whole module.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use actors::cache::Enterprise;
use actors::integration::connector::{Answer, Failed, Question};
use actors::integration::exchange::Exchanges;
use actors::integration::fields::{flag, text};
use actors::store::logs::{self, Filter};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::managers::{self, Seen};
use super::{NAME, account, body, registration, settings};
use crate::config::mask;
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::integrations::link::named;
use crate::web::enterprise::integrations::users::{extensions, roster};
use crate::web::enterprise::integrations::{card, document};
use crate::web::enterprise::{context, find};
use crate::web::gate::url_escape;
use crate::web::session::State;
use crate::web::session::policy::Role;
use crate::web::visit::{Scope, Visit, go};

type Answered = Result<HttpResponse, AppError>;

/// Lines of the log on the page.
const LAST: i64 = 20;

/// Whose page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    enterprise_number: String,
}

/// `GET /retailcrm-admin/?enterprise_number=`; without a number one's own enterprise's.
pub async fn page(app: State, visit: Visit, wanted: web::Query<Wanted>) -> Answered {
    let number = wanted.enterprise_number.trim();
    if number.is_empty() {
        let own = match visit.scope()? {
            Scope::Enterprise(own) => app.cache.by_id(own).ok_or(AppError::NotFound)?,
            Scope::All => return Ok(go("/enterprises")),
        };
        return Ok(go(&format!(
            "/retailcrm-admin/?enterprise_number={}",
            url_escape(&own.number)
        )));
    }
    let enterprise = find(&app, &visit, number).await?;
    let context = drawn(&app, &visit, &enterprise, "", "").await?;
    visit.page(&app, "retailcrm/page.html", &context)
}

/// Everything that the module's template shows.
async fn drawn(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
    said: &str,
    words: &str,
) -> Result<tera::Context, AppError> {
    let stored = settings::stored(enterprise);
    let of = |name: &str| text(&stored, name).unwrap_or_default();
    let registered = registration::is_registered(&stored);
    let standing = card::standing(app, enterprise, settings::kind()?).await?;
    let mut context = context(visit, enterprise, "retailcrm")?;
    context.insert(
        "module",
        &json!({
            "set_up": !stored.is_null(), "registered": registered, "registered_at": of("registered_at"),
            "domain": of("domain"), "key": mask(of("api_key")), "code": of("module_code"),
            "client_id": mask(of("client_id")), "logo": of("logo"), "shop_phones": of("shop_phones"),
            "send_dial": flag(&stored, "send_dial", true), "send_hangup": flag(&stored, "send_hangup", true),
            "send_upload": flag(&stored, "send_upload", true), "allow_number": flag(&stored, "allow_number", false),
            "standing": standing, "unreachable": is_out_of_reach(&app.settings.server.public_url, of("domain")),
        }),
    );
    context.insert("guest", &(visit.viewer()?.role == Role::Guest));
    context.insert("own_address", &app.settings.server.public_url);
    context.insert("said", said);
    context.insert("words", words);
    context.insert("logs", &last(app, enterprise).await?);
    Ok(context)
}

async fn last(app: &App, enterprise: &Enterprise) -> Result<Vec<logs::Log>, AppError> {
    let filter = Filter {
        enterprise: Some(enterprise.id),
        integration: NAME.into(),
        ..Filter::default()
    };
    Ok(app
        .store
        .read(move |conn| logs::page_from(conn, &filter, 0, LAST))
        .await?)
}

/// `GET /retailcrm-admin/module/{number}/log`
pub async fn log(app: State, visit: Visit, number: web::Path<String>) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let mut context = context(&visit, &enterprise, "retailcrm")?;
    context.insert("logs", &last(&app, &enterprise).await?);
    context.insert("guest", &(visit.viewer()?.role == Role::Guest));
    visit.page(&app, "retailcrm/log.html", &context)
}

/// `POST /retailcrm-admin/module/{number}/test`: asks with what the form holds, saved or not.
pub async fn test(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    told: web::Bytes,
) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let wanted = settings::given(&body::read_any(&told)?, &settings::stored(&enterprise))?;
    let (said, milliseconds) = tried(&app, &enterprise, &wanted).await?;
    let mut context = visit.context();
    let (verdict, words) = match said {
        Ok(words) => ("works", words),
        Err(failed) => (named(&failed), failed.to_string()),
    };
    context.insert("verdict", verdict);
    context.insert("words", &words);
    context.insert("milliseconds", &milliseconds);
    told_log(visit.page(&app, "enterprise/integrations/verdict.html", &context))
}

/// Asks the CRM whether address and key work, and logs the answer.
pub async fn tried(
    app: &App,
    enterprise: &Arc<Enterprise>,
    wanted: &Value,
) -> Result<(registration::Said, u64), AppError> {
    let kind = settings::kind()?;
    let fault = document::check(kind, wanted, enterprise, &app.settings.server.public_url);
    let (said, exchanges) = match fault {
        Err(fault) => {
            let words = format!("{}: {}", fault.field, fault.words);
            (Err(Failed::Settings { words }), Exchanges::default())
        }
        Ok(()) => {
            let (answer, exchanges) = app
                .integrations
                .converse(enterprise, kind, wanted, &Question::Test)
                .await;
            let words = |answer| match answer {
                Answer::Works(words) => words,
                _ => String::new(),
            };
            (answer.map(words), exchanges)
        }
    };
    registration::log(app, enterprise, "test", &said, &exchanges).await?;
    Ok((said, exchanges.milliseconds))
}

/// `POST /retailcrm-admin/module/{number}/register`: saves what the form holds, once the CRM took it.
pub async fn register(
    app: State,
    visit: Visit,
    request: HttpRequest,
    number: web::Path<String>,
    told: web::Bytes,
) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let wanted = settings::given(&body::read_any(&told)?, &settings::stored(&enterprise))?;
    let done = match registration::register(&app, &visit, &enterprise, wanted).await? {
        Ok(done) => done,
        Err(failed) => return refused(&app, &visit, &number, "retailcrm-not-registered", &failed),
    };
    let renewed = account::renewed(&app, &visit, &request, &enterprise, &done.id)?;
    let mut answer = redrawn(&app, &visit, &number, "retailcrm-registered", &done.words).await?;
    if let Some(cookie) = renewed {
        answer.add_cookie(&cookie).map_err(AppError::unknown)?;
    }
    Ok(answer)
}

/// Also without the CRM's word?
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Removal {
    anyway: String,
}

impl Removal {
    /// Whether it is to be forgotten here whatever the CRM says.
    pub fn is_anyway(&self) -> bool {
        !matches!(self.anyway.as_str(), "" | "0" | "false")
    }
}

/// `POST /retailcrm-admin/module/{number}/remove`
pub async fn remove(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    form: web::Form<Removal>,
) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    match registration::remove(&app, &visit, &enterprise, form.is_anyway()).await? {
        Ok(words) => redrawn(&app, &visit, &number, "retailcrm-removed", &words).await,
        Err(failed) => refused(&app, &visit, &number, "retailcrm-not-removed", &failed),
    }
}

/// `POST /retailcrm-admin/module/{number}/managers`: both sides are read and brought into step.
pub async fn managers(app: State, visit: Visit, number: web::Path<String>) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    if settings::stored(&enterprise).is_null() {
        return listed(&app, &visit, &number, Ok(Seen::default()), "").await;
    }
    let seen = managers::sync(&app, &visit, &enterprise).await?;
    listed(&app, &visit, &number, seen, "").await
}

/// Who gets which extension; an empty one takes it away.
#[derive(Deserialize)]
pub struct Given {
    user: String,
    #[serde(default)]
    extension: String,
}

/// `POST /retailcrm-admin/module/{number}/managers/save`
pub async fn give(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    form: web::Form<Given>,
) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let told: Map<String, Value> = [(form.user.clone(), Value::from(form.extension.clone()))]
        .into_iter()
        .collect();
    let stored = settings::stored(&enterprise);
    let asked = extensions::asked(&told, extensions::is_number, has(&enterprise, &stored))
        .map_err(AppError::BadRequest)?;
    let mut seen = managers::save(&app, &visit, &enterprise, &asked).await?;
    if let Ok(seen) = &mut seen {
        let enterprise = find(&app, &visit, &number).await?;
        match managers::look(&app, &enterprise, &settings::stored(&enterprise)).await? {
            Ok(users) => seen.users = users,
            Err(failed) => {
                return listed(&app, &visit, &number, Err(failed), "retailcrm-given").await;
            }
        }
    }
    listed(&app, &visit, &number, seen, "retailcrm-given").await
}

/// Extensions that can be given.
pub fn has<'a>(enterprise: &'a Enterprise, stored: &Value) -> impl Fn(&str) -> bool + use<'a> {
    extensions::given(enterprise, &extensions::read(stored).unwrap_or_default())
}

/// The list of managers as it is now.
async fn listed(
    app: &App,
    visit: &Visit,
    number: &str,
    seen: Result<Seen, Failed>,
    said: &str,
) -> Answered {
    let enterprise = find(app, visit, number).await?;
    let stored = settings::stored(&enterprise);
    let held = extensions::read(&stored).unwrap_or_default();
    let mut context = context(visit, &enterprise, "retailcrm")?;
    let (seen, failed) = match seen {
        Ok(seen) => (seen, None),
        Err(failed) => (Seen::default(), Some(failed.to_string())),
    };
    let name = |id: &str| {
        let found = seen
            .users
            .iter()
            .find(|user| user.id == id)
            .map(|user| user.name.clone());
        found
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| id.to_owned())
    };
    let moved: Vec<Value> = seen
        .moved
        .iter()
        .map(
            |one| json!({"extension": one.extension, "from": name(&one.from), "to": name(&one.to)}),
        )
        .collect();
    let differences: Vec<Value> = seen
        .differences
        .iter()
        .map(|one| json!({"user": name(&one.user), "ours": one.ours, "theirs": one.theirs}))
        .collect();
    context.insert("phones", &roster::phones(&enterprise, &held, &seen.users));
    context.insert("moved", &moved);
    context.insert("differences", &differences);
    context.insert("taken_over", &seen.taken_over);
    context.insert("registered", &registration::is_registered(&stored));
    context.insert("set_up", &!stored.is_null());
    context.insert("words", &seen.words);
    context.insert("failed", &failed);
    context.insert("said", said);
    context.insert("users", &seen.users);
    told_log(visit.page(app, "retailcrm/managers.html", &context))
}

/// The whole module in place of what the page shows, with what was done above it.
async fn redrawn(
    app: &App,
    visit: &Visit,
    number: &str,
    said: &str,
    words: &str,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(app, visit, number).await?;
    let context = drawn(app, visit, &enterprise, said, words).await?;
    let mut answer = visit.page(app, "retailcrm/module.html", &context)?;
    let headers = answer.headers_mut();
    for (name, value) in [("hx-retarget", "#module"), ("hx-reswap", "outerHTML")] {
        headers.insert(
            actix_web::http::header::HeaderName::from_static(name),
            actix_web::http::header::HeaderValue::from_static(value),
        );
    }
    Ok(answer)
}

/// The CRM's no, beside the button.
fn refused(app: &App, visit: &Visit, number: &str, said: &str, failed: &Failed) -> Answered {
    let mut context = visit.context();
    context.insert("enterprise_number", number);
    context.insert("said", said);
    context.insert("why", named(failed));
    context.insert("words", &failed.to_string());
    told_log(visit.page(app, "retailcrm/refused.html", &context))
}

/// Lets the page's log look again at once.
fn told_log(answer: Answered) -> Answered {
    answer.map(|mut answer| {
        answer.headers_mut().insert(
            actix_web::http::header::HeaderName::from_static("hx-trigger"),
            actix_web::http::header::HeaderValue::from_static("told"),
        );
        answer
    })
}

/// Whether a CRM somewhere else cannot call us: our public address is this machine's own.
fn is_out_of_reach(own: &str, crm: &str) -> bool {
    let local = |address: &str| {
        let host = address.split("://").nth(1).unwrap_or(address);
        ["127.", "localhost", "[::1]"]
            .iter()
            .any(|start| host.starts_with(start))
    };
    local(own) && !crm.is_empty() && !local(crm)
}
