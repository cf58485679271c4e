//! Registering our module in the enterprise's account, and taking it out again. Everything the CRM is to hold is told each
//! time, so registering twice does no harm. Nothing is saved here unless the CRM took it; every attempt is a line of the log.

use std::sync::Arc;

use actors::cache::Enterprise;
use actors::integration::connector::{Answer, Failed, Question};
use actors::integration::exchange::Exchanges;
use actors::integration::fields::text;
use actors::integration::registration::{Registered, Registration, Taken};
use actors::store::logs::{self, NewLog};
use chrono::Utc;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{account, settings};
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::integrations::document;
use crate::web::enterprise::integrations::users::extensions::{self, Held};
use crate::web::session::new_token;
use crate::web::visit::Visit;

/// A `clientId` shorter than this can be guessed: an enterprise's bare number, say.
const SHORTEST: usize = 16;

/// How an act at the CRM ended: its words, or how it said no.
pub type Said = Result<String, Failed>;

/// A registration that was taken.
#[derive(Debug)]
pub struct Done {
    /// What the CRM left out, in words; empty when nothing.
    pub words: String,
    /// The registration's id, by which account links are known.
    pub id: String,
}

/// Registers with these settings, and saves them when the CRM took it.
///
/// # Errors
/// `Ok(Err(…))` is the CRM's no, with nothing saved; `Err` is ours.
pub async fn register(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
    mut wanted: Value,
) -> Result<Result<Done, Failed>, AppError> {
    let _turn = app.modules.take(enterprise.id).await;
    let before = settings::stored_now(app, enterprise).await?;
    let kind = settings::kind()?;
    let public_url = &app.settings.server.public_url;
    if let Err(fault) = document::check(kind, &wanted, enterprise, public_url) {
        let failed = Failed::Settings {
            words: format!("{}: {}", fault.field, fault.words),
        };
        log(
            app,
            enterprise,
            "register_module",
            &Err(failed.clone()),
            &Exchanges::default(),
        )
        .await?;
        return Ok(Err(failed));
    }
    let known = |name: &str| text(&wanted, name).map(str::to_owned);
    let code = known("module_code").unwrap_or_else(|| format!("patchbay-{}", enterprise.number));
    let client_id = known("client_id")
        .filter(|id| id.len() >= SHORTEST)
        .unwrap_or_else(new_token);
    let id = new_token();
    wanted["module_code"] = code.clone().into();
    wanted["client_id"] = client_id.into();
    wanted["account_token"] = id.clone().into();

    // What the CRM holds already is not lost: shops' numbers that nobody set here, extensions that were never given here.
    let question = Question::Registration { code };
    let (answer, exchanges) = app
        .integrations
        .converse(enterprise, kind, &wanted, &question)
        .await;
    let held = match answer {
        Ok(Answer::Registration(held)) => held.unwrap_or_default(),
        Ok(_) => Registered::default(),
        Err(failed) => {
            log(
                app,
                enterprise,
                "register_module",
                &Err(failed.clone()),
                &exchanges,
            )
            .await?;
            return Ok(Err(failed));
        }
    };
    let given =
        extensions::read(&wanted).unwrap_or_else(|| extensions::taken_over(&held.extensions));
    wanted["user_extensions"] = extensions::written(&given);
    let told = registration(app, enterprise, &wanted, &given, &held)?;
    let taken = match tell(app, enterprise, &wanted, told, "register_module", "").await? {
        Ok(taken) => taken,
        Err(failed) => return Ok(Err(failed)),
    };
    wanted["enabled"] = true.into();
    wanted["registered_at"] = json!(Utc::now());
    wanted["registered_with"] = wanted["domain"].clone();
    let patch = settings::patch(&before, &wanted);
    let saved = settings::save(app, visit, enterprise, "retailcrm.register", patch).await;
    if let Err(error) = saved {
        log::error!(
            "RetailCRM of {} took a registration that could not be saved here: {error}",
            enterprise.number
        );
        return Err(AppError::Busy {
            message:
                "RetailCRM took the registration, but it could not be saved here: register again"
                    .into(),
            retry_after: 5,
        });
    }
    Ok(Ok(Done {
        words: taken.words(),
        id,
    }))
}

/// Takes the module out of the account and forgets the integration here. `anyway`: also when the CRM does not answer.
///
/// # Errors
/// As `register`.
pub async fn remove(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
    anyway: bool,
) -> Result<Said, AppError> {
    let _turn = app.modules.take(enterprise.id).await;
    let stored = settings::stored_now(app, enterprise).await?;
    let mut words = String::new();
    if is_registered(&stored) {
        let given = extensions::read(&stored).unwrap_or_default();
        let told = registration(app, enterprise, &stored, &given, &Registered::default())?;
        let told = Registration {
            active: false,
            ..told
        };
        match tell(app, enterprise, &stored, told, "remove_module", "").await? {
            Ok(_) => {}
            Err(failed) if anyway => {
                words = format!("the CRM was not told, the module may still be in it: {failed}");
            }
            Err(failed) => return Ok(Err(failed)),
        }
    }
    settings::save(app, visit, enterprise, "retailcrm.remove", Value::Null).await?;
    Ok(Ok(words))
}

/// Whether this account was told of us and not told otherwise since: another account's registration says nothing here.
pub fn is_registered(settings: &Value) -> bool {
    let all = [
        "registered_at",
        "client_id",
        "module_code",
        "registered_with",
    ];
    all.iter().all(|name| text(settings, name).is_some())
        && text(settings, "registered_with") == text(settings, "domain")
}

/// What the account is to hold, by these settings.
pub fn registration(
    app: &App,
    enterprise: &Enterprise,
    wanted: &Value,
    given: &Held,
    held: &Registered,
) -> Result<Registration, AppError> {
    let base = app
        .settings
        .server
        .public_url
        .trim_end_matches('/')
        .to_owned();
    let id = text(wanted, "account_token").unwrap_or_default();
    let token = account::link_token(app, &enterprise.number, id)?;
    let of = |name: &str| text(wanted, name).unwrap_or_default().to_owned();
    let shop_phones = match text(wanted, "shop_phones") {
        Some(told) => shop_phones(told),
        None => held.shop_phones.clone(),
    };
    Ok(Registration {
        code: of("module_code"),
        name: format!("Patchbay ({})", enterprise.name),
        active: true,
        client_id: SecretString::from(of("client_id")),
        account_url: SecretString::from(format!("{base}/retailcrm-admin/account?token={token}")),
        logo: Some(of("logo"))
            .filter(|logo| !logo.is_empty())
            .unwrap_or_else(|| format!("{base}/static/logo.svg")),
        make_call_url: format!("{base}/retailcrm/make-call"),
        status_url: format!("{base}/retailcrm/status"),
        base_url: base,
        extensions: extensions::pairs(given),
        shop_phones,
    })
}

/// "main-shop=+375…, second=+7…", as people write it.
fn shop_phones(told: &str) -> Vec<(String, String)> {
    told.split([',', ';', '\n'])
        .filter_map(|pair| pair.split_once('='))
        .map(|(shop, phone)| (shop.trim().to_owned(), phone.trim().to_owned()))
        .filter(|(shop, phone)| !shop.is_empty() && !phone.is_empty())
        .collect()
}

/// Tells the CRM a registration, and the log what came of it; `why` goes with a success there.
pub async fn tell(
    app: &App,
    enterprise: &Enterprise,
    with: &Value,
    told: Registration,
    event: &str,
    why: &str,
) -> Result<Result<Taken, Failed>, AppError> {
    let question = Question::Register(Box::new(told));
    let (answer, exchanges) = app
        .integrations
        .converse(enterprise, settings::kind()?, with, &question)
        .await;
    let taken = answer.map(|answer| match answer {
        Answer::Taken(taken) => taken,
        _ => Taken::default(),
    });
    let said = match &taken {
        Ok(taken) => Ok([why, &taken.words()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("; ")),
        Err(failed) => Err(failed.clone()),
    };
    log(app, enterprise, event, &said, &exchanges).await?;
    Ok(taken)
}

/// A line of the log.
pub async fn log(
    app: &App,
    enterprise: &Enterprise,
    event: &str,
    said: &Said,
    exchanges: &Exchanges,
) -> Result<(), AppError> {
    let log = NewLog {
        enterprise: enterprise.id,
        enterprise_number: enterprise.number.clone(),
        integration: super::NAME.into(),
        event_type: event.to_owned(),
        request: exchanges.request.clone(),
        response: exchanges.response.clone(),
        status: if said.is_ok() { "success" } else { "error" }.into(),
        // What a CRM left out of what it took is worth a word too.
        error: said.as_ref().map_or_else(ToString::to_string, Clone::clone),
        milliseconds: i32::try_from(exchanges.milliseconds).unwrap_or(i32::MAX),
        at: Utc::now(),
        ..NewLog::default()
    };
    app.store.write(move |conn| logs::add(conn, &log)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_numbers_are_read_as_people_write_them() {
        assert_eq!(
            shop_phones("main-shop = +375173900017, second=74950000001;\nbroken, =5"),
            [("main-shop", "+375173900017"), ("second", "74950000001")]
                .map(|(shop, phone)| (shop.to_owned(), phone.to_owned()))
        );
    }

    #[test]
    fn a_module_is_registered_when_all_of_its_marks_are_there() {
        let all = json!({"registered_at": "2026-11-21T03:00:00Z", "client_id": "x", "module_code": "patchbay-0367",
            "registered_with": "https://a.example", "domain": "https://a.example"});
        assert!(is_registered(&all));
        for name in [
            "registered_at",
            "client_id",
            "module_code",
            "registered_with",
            "domain",
        ] {
            let mut less = all.clone();
            less[name] = Value::Null;
            assert!(!is_registered(&less), "{name}");
        }
    }
}
