//! What a person does with a CRM from its card, beside its settings: asks whether it answers, pauses, resumes or resets its
//! link, has deliveries sent again. Each is in the audit; what a link makes of an order is its own.

use actix_web::web;
use actors::integration::actor::Order;
use actors::integration::connector::{Answer, Failed, Kind, Question};
use actors::store::logs::{self, NewLog};
use actors::store::outbox::Again;
use actors::store::{audit, deliveries, enterprises};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::card::{self, Typed, at, stored};
use super::dialog::{Answered, Fields, STATE, piece, restate};
use super::document::{self, filled_in};
use crate::error::AppError;
use crate::state::App;
use crate::web::calls::list::instant;
use crate::web::enterprise::{change, note};
use crate::web::session::State;
use crate::web::visit::Visit;

/// `POST /enterprise/{number}/integrations/{kind}/test`: asks the CRM with what the form holds, saved or not.
pub async fn test(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: Fields,
) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    let settings = filled_in(kind, &form, &stored(&enterprise, kind));
    let began = std::time::Instant::now();
    let said = match document::check(
        kind,
        &settings,
        &enterprise,
        &app.settings.server.public_url,
    ) {
        Err(fault) => Err(Failed::Settings {
            words: format!("{}: {}", fault.field, fault.words),
        }),
        Ok(()) => {
            app.integrations
                .try_settings(&enterprise, kind.name, &settings, &Question::Test)
                .await
        }
    };
    let (verdict, words) = match &said {
        Ok(Answer::Works(words)) => ("works", words.clone()),
        Ok(_) => ("works", String::new()),
        Err(failed) => (named(failed), failed.to_string()),
    };
    let milliseconds = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
    let log = NewLog {
        enterprise: enterprise.id,
        enterprise_number: enterprise.number.clone(),
        integration: kind.name.into(),
        event_type: "test".into(),
        response: if said.is_ok() {
            words.clone()
        } else {
            String::new()
        },
        error: if said.is_ok() {
            String::new()
        } else {
            words.clone()
        },
        status: if said.is_ok() { "success" } else { "error" }.into(),
        milliseconds,
        at: Utc::now(),
        ..NewLog::default()
    };
    app.store.write(move |conn| logs::add(conn, &log)).await?;
    let mut context = visit.context();
    context.insert("verdict", verdict);
    let shown = labelled(&app, &visit, kind, &words).unwrap_or(words);
    context.insert("words", &shown);
    context.insert("milliseconds", &milliseconds);
    visit.page(&app, "enterprise/integrations/verdict.html", &context)
}

/// What is wrong with the settings, with the field called as the card calls it.
fn labelled(app: &App, visit: &Visit, kind: &Kind, words: &str) -> Option<String> {
    let (field, fault) = words.split_once(": ")?;
    let key = format!("integration-{}-{field}", kind.name);
    let label = app.pages.known(visit.lang, &key)?;
    Some(format!("{label}: {}", app.pages.told(visit.lang, fault)))
}

/// The locale files' word (`integration-test-…`) for how a CRM said no.
pub fn named(failed: &Failed) -> &'static str {
    match failed {
        Failed::Later { .. } => "later",
        Failed::Throttled { .. } | Failed::Postponed { .. } => "throttled",
        Failed::Refused { .. } => "refused",
        Failed::Settings { .. } | Failed::Expired { .. } => "settings",
        Failed::Blocked { .. } => "blocked",
    }
}

/// What is to be done with a link.
#[derive(Deserialize)]
pub struct Ordered {
    order: String,
}

/// `POST /enterprise/{number}/integrations/{kind}/order`: pause, resume or reset.
pub async fn order(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: web::Form<Ordered>,
) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    let (order, action) = match form.order.as_str() {
        "pause" => (Order::Pause, "integration.pause"),
        "resume" => (Order::Resume, "integration.resume"),
        "reset" => (Order::Reset, "integration.reset"),
        _ => return Err(AppError::BadRequest("order: pause, resume or reset".into())),
    };
    let (id, paused) = (enterprise.id, form.order == "pause");
    change(
        &app,
        &visit,
        &enterprise,
        (action, json!({"integration": kind.name})),
        move |conn, vault| {
            if matches!(order, Order::Reset) {
                return Ok(());
            }
            // A pause is kept with the settings: it outlives the process, and every process keeps it.
            let mut document = enterprises::integrations(conn, vault, id)?;
            if let Some(part) = document.get_mut(kind.name).and_then(Value::as_object_mut) {
                if paused {
                    part.insert("paused".into(), true.into());
                } else {
                    part.remove("paused");
                }
            }
            enterprises::save_integrations(conn, vault, id, &document, Utc::now())
        },
    )
    .await?;
    // The link would find it by itself within a second or so; the person who clicked sees it at once.
    if !app
        .integrations
        .order(enterprise.id, kind.name, order)
        .await
    {
        return Err(AppError::Busy {
            message: "the link does not answer".into(),
            retry_after: 5,
        });
    }
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    restate(&app, &visit, &enterprise, kind).await
}

/// Which deliveries are to be sent again: one, or those of some days and of one kind.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    delivery: Option<i64>,
    kind: String,
    /// Days on the enterprise's calendar, both included.
    from: String,
    to: String,
    /// "1": also what was taken, for a receiver that lost it.
    delivered: String,
}

/// `POST /enterprise/{number}/integrations/{kind}/resend`
pub async fn resend(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: web::Form<Wanted>,
) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    if let Some(delivery) = form.delivery {
        let (id, name) = (enterprise.id, kind.name);
        let found = app
            .store
            .read(move |conn| deliveries::by_id(conn, Some(id), delivery))
            .await?;
        if found.is_none_or(|found| found.integration != name) {
            return Err(AppError::NotFound);
        }
    }
    let again = Again {
        ids: form.delivery.into_iter().collect(),
        // A card that was shown is of no use a second time; an event that was lost is.
        delivered: kind.lasting && (form.delivery.is_some() || !form.delivered.is_empty()),
        integration: Some(kind.name.into()),
        kind: Some(form.kind.clone()).filter(|kind| !kind.is_empty()),
        from: instant(&form.from, "from", enterprise.time_zone, 0)?,
        to: instant(&form.to, "to", enterprise.time_zone, 1)?,
        ..Again::default()
    };
    let what = json!({"integration": kind.name, "delivery": form.delivery, "kind": form.kind, "from": form.from, "to": form.to, "delivered": again.delivered});
    let count = app.integrations.resend(enterprise.id, again).await?;
    let entry = note(
        &visit,
        enterprise.id,
        "integration.resend",
        json!({"which": what, "deliveries": count}),
    )?;
    app.store
        .write(move |conn| audit::add(conn, &entry, Utc::now()))
        .await?;
    let mut drawn = card::draw(&app, &enterprise, kind, Typed::default()).await?;
    drawn["resent"] = count.into();
    piece(&app, &visit, &enterprise, &drawn, STATE)
}
