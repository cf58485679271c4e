//! The page of cards, their settings and switches. Each change answers with the card as it is then; it is saved with its
//! audit row in one transaction and holds for the next call.

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::crm;
use actors::integration::connector::Kind;
use actors::integration::fields::Input;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::card::{self, Typed, at, stored};
use super::change::store;
use super::document::{self, Fault, filled_in};
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::{context, find};
use crate::web::hosts::crm as from_crm;
use crate::web::session::State;
use crate::web::visit::Visit;

/// Template of the part of a card that changes by itself.
pub(super) const STATE: &str = "enterprise/integrations/state.html";

/// A form, as it was sent.
pub(super) type Fields = web::Form<Vec<(String, String)>>;
pub(super) type Answered = Result<HttpResponse, AppError>;

/// `GET /enterprise/{number}/integrations`
pub async fn page(app: State, visit: Visit, number: web::Path<String>) -> Answered {
    let enterprise = find(&app, &visit, &number).await?;
    let mut cards = Vec::new();
    for kind in crm::KINDS {
        cards.push(card::draw(&app, &enterprise, kind, Typed::default()).await?);
    }
    let mut context = context(&visit, &enterprise, "integrations")?;
    context.insert("cards", &cards);
    visit.page(&app, "enterprise/integrations/page.html", &context)
}

/// `GET /enterprise/{number}/integrations/{kind}/state`: the part of a card that changes by itself.
pub async fn state(app: State, visit: Visit, path: web::Path<(String, String)>) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    restate(&app, &visit, &enterprise, kind).await
}

/// `POST /enterprise/{number}/integrations/{kind}/save`: the settings form.
pub async fn save(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: Fields,
) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    let stored = stored(&enterprise, kind);
    let mut settings = filled_in(kind, &form, &stored);
    let switching = form.iter().any(|(name, _)| name == "switch_on");
    if switching {
        settings["enabled"] = true.into();
    }
    if document::is_on(&settings)
        && let Err(fault) = document::check(
            kind,
            &settings,
            &enterprise,
            &app.settings.server.public_url,
        )
    {
        let typed = Typed {
            settings: Some(settings),
            fault: Some(fault),
            open: true,
            switching,
            ..Typed::default()
        };
        return redraw(&app, &visit, &enterprise, kind, typed).await;
    }
    let told = json!({ kind.name: settings });
    store(&app, &visit, &enterprise, told, "integration.save").await?;
    let enterprise = find(&app, &visit, &path.0).await?;
    let code = kind.fields.iter().find(|field| field.input == Input::Code);
    let told = code.and_then(|field| {
        let typed = form
            .iter()
            .find(|(name, value)| name == field.name && !value.trim().is_empty());
        typed.map(|(_, value)| (field.name, SecretString::from(value.trim())))
    });
    if let Some((field, code)) = told
        && let Err(words) = from_crm::authorize(&app, &enterprise, kind, code).await?
    {
        let fault = Fault {
            field: field.into(),
            words,
            empty: false,
        };
        let typed = Typed {
            fault: Some(fault),
            open: true,
            ..Typed::default()
        };
        return redraw(&app, &visit, &enterprise, kind, typed).await;
    }
    let typed = Typed {
        open: true,
        said: "integration-saved",
        ..Typed::default()
    };
    redraw(&app, &visit, &enterprise, kind, typed).await
}

/// Which way a switch is turned.
#[derive(Deserialize)]
pub struct Switch {
    /// "1" or nothing.
    #[serde(default)]
    on: String,
}

/// `POST /enterprise/{number}/integrations/{kind}/switch`. Switching on opens the settings; what cannot work yet is not
/// switched on before it is filled in.
pub async fn switch(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: web::Form<Switch>,
) -> Answered {
    let (enterprise, kind) = at(&app, &visit, &path).await?;
    let on = !form.on.is_empty();
    let mut settings = stored(&enterprise, kind);
    if on
        && let Err(fault) = document::check(
            kind,
            &settings,
            &enterprise,
            &app.settings.server.public_url,
        )
    {
        let fresh = settings.is_null();
        let typed = Typed {
            // Nobody has typed anything yet: that fields are empty is no news.
            fault: Some(fault).filter(|_| !fresh),
            open: true,
            switching: true,
            said: "integration-fill-in",
            ..Typed::default()
        };
        return redraw(&app, &visit, &enterprise, kind, typed).await;
    }
    if !settings.is_object() {
        settings = json!({});
    }
    settings["enabled"] = on.into();
    store(
        &app,
        &visit,
        &enterprise,
        json!({ kind.name: settings }),
        "integration.switch",
    )
    .await?;
    let enterprise = find(&app, &visit, &path.0).await?;
    let typed = Typed {
        open: on,
        ..Typed::default()
    };
    redraw(&app, &visit, &enterprise, kind, typed).await
}

/// The part of a card that changes by itself, as it is now.
pub(super) async fn restate(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    kind: &'static Kind,
) -> Answered {
    let drawn = card::draw(app, enterprise, kind, Typed::default()).await?;
    piece(app, visit, enterprise, &drawn, STATE)
}

async fn redraw(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    kind: &'static Kind,
    typed: Typed,
) -> Answered {
    let drawn = card::draw(app, enterprise, kind, typed).await?;
    piece(
        app,
        visit,
        enterprise,
        &drawn,
        "enterprise/integrations/card.html",
    )
}

/// A card, or a part of it.
pub(super) fn piece(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    card: &Value,
    template: &str,
) -> Answered {
    let mut context = context(visit, enterprise, "integrations")?;
    context.insert("card", card);
    visit.page(app, template, &context)
}
