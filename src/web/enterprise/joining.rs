//! How chats join by themselves: a code for one chat or for many, until a time, as a link and to be typed. Called by
//! `telegram`, whose page it is; what is written to the bot is heard by `actors::telegram`. A code is shown in the one
//! answer that makes it, and never again.

use actors::cache::Enterprise;
use actors::store::invitations::{self, NewInvitation, Standing};
use actors::telegram::code::Code;
use actors::telegram::{bot_id, trial};
use chrono::{TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::change;
use super::telegram::Said;
use crate::error::AppError;
use crate::state::App;
use crate::web::visit::Visit;

/// How long a code may count: an hour, a day, a week.
pub const HOURS: [i64; 3] = [1, 24, 168];
/// Codes of an enterprise that count at the same time.
const OPEN_AT_MOST: usize = 20;

/// A code that was made just now.
#[derive(Serialize)]
pub struct Made {
    code: String,
    /// Leads a person to the bot, or adds the bot to a group; empty when Telegram did not tell the bot's name.
    link: String,
    group_link: String,
    single: bool,
}

/// Makes a code; else gives what is to be said instead.
///
/// # Errors
/// The database's own.
pub async fn invite(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    single: bool,
    hours: &str,
) -> Result<Result<Made, Said>, AppError> {
    let Some(token) = enterprise.bot_token.clone() else {
        return Ok(Err(("telegram-no-bot", String::new())));
    };
    let hours = hours.parse().ok().filter(|hours| HOURS.contains(hours));
    let Some(hours) = hours else {
        return Ok(Err(("telegram-bad-hours", String::new())));
    };
    let (id, now) = (enterprise.id, Utc::now());
    let known = app
        .store
        .read(move |conn| invitations::of(conn, id, now))
        .await?;
    let open = known
        .iter()
        .filter(|one| one.standing(now) == Standing::Open);
    if open.count() >= OPEN_AT_MOST {
        return Ok(Err(("telegram-many-codes", OPEN_AT_MOST.to_string())));
    }
    let code = Code::random();
    let new = NewInvitation {
        enterprise: id,
        code_hash: code.fingerprint(app.store.vault()),
        hint: code.hint().to_owned(),
        single,
        made_by: visit.viewer()?.login.clone(),
        created_at: now,
        expires_at: now + TimeDelta::hours(hours),
    };
    let what = json!({"code": format!("…{}", code.hint()), "single": single, "hours": hours});
    change(
        app,
        visit,
        enterprise,
        ("telegram.invite", what),
        move |conn, _| invitations::add(conn, &new),
    )
    .await?;
    app.telegram.attend();
    // The code is good without the link: Telegram may be away just now.
    let settings = crate::house::telegram_settings(&app.settings);
    let text = code.text();
    let link = |username: &str, field: &str| match username {
        "" => String::new(),
        name => format!("{}/{name}?{field}={text}", settings.link_url),
    };
    let username = trial::username(&settings, token).await.unwrap_or_default();
    Ok(Ok(Made {
        link: link(&username, "start"),
        group_link: link(&username, "startgroup"),
        code: text,
        single,
    }))
}

/// Takes a code back.
///
/// # Errors
/// `NotFound` when the enterprise has no such code that counts.
pub async fn uninvite(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    code: &str,
) -> Result<(), AppError> {
    let (id, code): (i64, i64) = (enterprise.id, code.parse().map_err(|_| AppError::NotFound)?);
    let known = app
        .store
        .read(move |conn| invitations::of(conn, id, Utc::now()))
        .await?;
    let found = known.iter().find(|one| one.id == code);
    let hint = &found.ok_or(AppError::NotFound)?.hint;
    let what = json!({"code": format!("…{hint}")});
    change(
        app,
        visit,
        enterprise,
        ("telegram.uninvite", what),
        move |conn, _| invitations::end(conn, id, code, Utc::now()),
    )
    .await
}

/// The codes as they stand, and why nothing is heard from the bot.
///
/// # Errors
/// The database's own.
pub async fn insert(
    app: &App,
    enterprise: &Enterprise,
    context: &mut tera::Context,
) -> Result<(), AppError> {
    let (id, now) = (enterprise.id, Utc::now());
    let bot = enterprise.bot_token.as_ref().and_then(bot_id);
    let (known, trouble) = app
        .store
        .read(move |conn| {
            let trouble = match bot {
                Some(bot) => invitations::trouble(conn, bot)?,
                None => String::new(),
            };
            Ok((invitations::of(conn, id, now)?, trouble))
        })
        .await?;
    let open = known.iter().any(|one| one.standing(now) == Standing::Open);
    let rows: Vec<Value> = known
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "hint": one.hint, "single": one.single, "standing": one.standing(now).as_str(),
                "uses": one.uses, "name": one.last_name, "chat": one.last_chat, "used_at": one.used_at,
                "made_by": one.made_by, "expires_at": one.expires_at,
            })
        })
        .collect();
    context.insert("codes", &rows);
    context.insert("waiting", &open);
    context.insert("trouble", &trouble);
    Ok(())
}
