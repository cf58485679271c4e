//! The enterprise's bot and the chats that follow its calls, with a message that tries the way there. How chats join by
//! themselves is `joining`.

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::store::StoreError;
use actors::store::{enterprises, telegram as chats};
use actors::telegram::answer::Answer;
use actors::telegram::{api, trial};
use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{change, context, find, joining};
use crate::config::mask;
use crate::error::AppError;
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::Visit;

/// The page's forms.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Form {
    token: String,
    chat: String,
    name: String,
    /// Of a joining code: "1" for one chat only; how long it counts, in hours; and which is taken back.
    single: String,
    hours: String,
    code: String,
}

/// `GET /enterprise/{number}/telegram`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    draw(&app, &visit, &enterprise, ("", String::new()), (None, None)).await
}

/// `GET /enterprise/{number}/telegram/chats`: the chats and the codes as they stand now, for the page that is open.
pub async fn piece(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let mut context = context(&visit, &enterprise, "telegram")?;
    insert_chats(&app, &enterprise, &mut context).await?;
    visit.page(&app, "enterprise/telegram-chats.html", &context)
}

/// `POST /enterprise/{number}/telegram/{action}`: bot, add, remove, test, invite or uninvite.
pub async fn act(
    app: State,
    visit: Visit,
    path: web::Path<(String, String)>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let (number, action) = path.into_inner();
    let enterprise = find(&app, &visit, &number).await?;
    let mut made = None;
    let done: Said = match action.as_str() {
        "bot" => bot(&app, &visit, &enterprise, form.token.trim()).await?,
        "add" | "remove" | "test" => {
            let Ok(chat) = form.chat.trim().parse::<i64>() else {
                let said = ("telegram-no-chat", String::new());
                return draw(&app, &visit, &enterprise, said, (None, Some(&form))).await;
            };
            let id = enterprise.id;
            match action.as_str() {
                "add" => {
                    let name = form.name.trim().to_owned();
                    let what = json!({"chat": chat, "name": name});
                    change(
                        &app,
                        &visit,
                        &enterprise,
                        ("telegram.add", what),
                        move |conn, _| {
                            chats::subscribe(conn, id, chat, &name, Utc::now()).map(drop)
                        },
                    )
                    .await?;
                    ("", String::new())
                }
                "remove" => {
                    let what = json!({"chat": chat});
                    change(
                        &app,
                        &visit,
                        &enterprise,
                        ("telegram.remove", what),
                        move |conn, _| {
                            if !chats::unsubscribe(conn, id, chat)? {
                                return Err(StoreError::NotFound);
                            }
                            Ok(())
                        },
                    )
                    .await?;
                    ("", String::new())
                }
                _ => {
                    // The bot writes to chats of this enterprise only.
                    let known = app.store.read(move |conn| chats::subscribers(conn, id));
                    if !known.await?.iter().any(|one| one.chat == chat) {
                        return Err(AppError::NotFound);
                    }
                    test(&app, &enterprise, chat).await
                }
            }
        }
        "invite" => {
            let single = !form.single.is_empty();
            match joining::invite(&app, &visit, &enterprise, single, form.hours.trim()).await? {
                Ok(code) => {
                    made = Some(code);
                    ("", String::new())
                }
                Err(said) => said,
            }
        }
        "uninvite" => {
            joining::uninvite(&app, &visit, &enterprise, form.code.trim()).await?;
            ("", String::new())
        }
        _ => return Err(AppError::NotFound),
    };
    let enterprise = find(&app, &visit, &number).await?;
    let typed = Some(&*form).filter(|_| done.0 == "telegram-bad-token");
    draw(&app, &visit, &enterprise, done, (made, typed)).await
}

/// What is to be said: a text's key and the other side's words.
pub type Said = (&'static str, String);

async fn bot(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    token: &str,
) -> Result<Said, AppError> {
    let was = enterprise
        .bot_token
        .as_ref()
        .map(|token| mask(token.expose_secret()));
    if was.as_deref() == Some(token) {
        return Ok(("", String::new()));
    }
    if !token.is_empty() && !api::well_formed(token) {
        return Ok(("telegram-bad-token", String::new()));
    }
    let what = json!({"was": was, "is": mask(token)});
    let (id, new) = (
        enterprise.id,
        Some(token)
            .filter(|token| !token.is_empty())
            .map(SecretString::from),
    );
    change(
        app,
        visit,
        enterprise,
        ("telegram.bot", what),
        move |conn, vault| {
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            row.bot_token = new;
            enterprises::update(conn, vault, id, &row, Utc::now())
        },
    )
    .await?;
    app.telegram.attend();
    Ok(("telegram-saved", String::new()))
}

async fn test(app: &App, enterprise: &Enterprise, chat: i64) -> Said {
    let Some(token) = enterprise.bot_token.clone() else {
        return ("telegram-no-bot", String::new());
    };
    let settings = crate::house::telegram_settings(&app.settings);
    match trial::send(
        &settings,
        token,
        chat,
        &enterprise.language,
        &enterprise.name,
    )
    .await
    {
        Answer::Done { .. } | Answer::NotModified => ("telegram-sent", String::new()),
        Answer::Closed { reason } => ("telegram-closed", reason),
        Answer::Revoked { reason } => ("telegram-revoked", reason),
        Answer::Trouble { reason } | Answer::Refused { reason } => ("telegram-trouble", reason),
        Answer::Moved { chat_id } => ("telegram-moved", chat_id.to_string()),
        Answer::TooMany { pause } => ("telegram-too-many", pause.as_secs().to_string()),
        Answer::Gone | Answer::Unreadable => ("telegram-trouble", String::new()),
    }
}

async fn draw(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    (said, words): Said,
    (made, typed): (Option<joining::Made>, Option<&Form>),
) -> Result<HttpResponse, AppError> {
    let mut context = context(visit, enterprise, "telegram")?;
    insert_chats(app, enterprise, &mut context).await?;
    context.insert(
        "token",
        &enterprise
            .bot_token
            .as_ref()
            .map(|token| mask(token.expose_secret())),
    );
    context.insert("said", said);
    context.insert("good", &["telegram-saved", "telegram-sent"].contains(&said));
    context.insert("words", &words);
    context.insert("made", &made);
    context.insert("typed", typed.unwrap_or(&Form::default()));
    context.insert("hours", &joining::HOURS);
    visit.page(app, "enterprise/telegram.html", &context)
}

/// What changes by itself while the page is open: who follows the calls, and how the codes stand.
async fn insert_chats(
    app: &App,
    enterprise: &Enterprise,
    context: &mut tera::Context,
) -> Result<(), AppError> {
    let id = enterprise.id;
    let known = app
        .store
        .read(move |conn| chats::subscribers(conn, id))
        .await?;
    let rows: Vec<Value> = known
        .iter()
        .map(|one| json!({"chat": one.chat, "name": one.name, "active": one.active, "reason": one.disabled_reason, "created_at": one.created_at}))
        .collect();
    context.insert("chats", &rows);
    joining::insert(app, enterprise, context).await
}
