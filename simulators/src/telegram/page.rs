//! The chats as people see them: bubbles with the present text, what it was before, replies and buttons. Called by a
//! browser, which may also write to the bot in a chat's name. Links to bots lead to `/open/{username}`, where somebody
//! presses "Start". It never shows a bot's token.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Query, ServiceConfig};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::{ChatFailure, ChatView, Kind, Message, Version};
use super::entities::draw;
use super::state::{Bot, State};
use crate::clock::{clock_time, date_time};
use crate::page::{escape, frame, initials, tint};

/// How many chats a page shows side by side, and how many messages of each.
const CHATS: usize = 6;
const MESSAGES: usize = 60;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route("/open/{username}", web::get().to(open));
}

/// What a link to a bot carries.
#[derive(Deserialize)]
struct Link {
    start: Option<String>,
    startgroup: Option<String>,
}

/// Where `t.me/{username}?start=…` would lead: whoever follows the link presses "Start" in a talk with the bot, or adds it
/// to a group.
async fn open(state: Data<State>, username: web::Path<String>, link: Query<Link>) -> HttpResponse {
    let bot = state
        .bots()
        .into_iter()
        .find(|bot| bot.username() == *username);
    let Some(bot) = bot else {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("Нет такого бота");
    };
    let group = link.startgroup.is_some();
    let payload = link.startgroup.as_ref().or(link.start.as_ref());
    let command = match payload.map_or("", String::as_str) {
        code if group => format!("/start@{} {code}", bot.username()),
        "" => "/start".to_owned(),
        code => format!("/start {code}"),
    };
    let mut html = format!(
        "<header><b>{}</b><span class=\"badge\">имитация мессенджера</span></header><main><div class=\"chats\">\
         <section class=\"open\"><h1>{}</h1><p>{}</p>",
        escape(&bot.name),
        escape(&bot.name),
        if group {
            "В какую группу добавить бота?"
        } else {
            "Кто нажимает «Начать»?"
        },
    );
    for chat in bot.chats_shown(0) {
        if group != matches!(chat.kind, Kind::Group | Kind::Supergroup) {
            continue;
        }
        let body = json!({"bot": bot.id.to_string(), "chat_id": chat.id, "text": command});
        html.push_str(&press(&body, &chat.title));
    }
    let (id, title) = match (group, next_id(&bot)) {
        (true, id) => (-id, format!("Новая группа {id}")),
        (false, id) => (id, format!("Новый человек {id}")),
    };
    let body = json!({"bot": bot.id.to_string(), "chat_id": id, "text": command, "title": title});
    html.push_str(&press(&body, &title));
    html.push_str(&format!(
        "<p><a href=\"/?bot={}\">К чатам</a></p></section></div></main>",
        bot.id
    ));
    frame(&bot.name, include_str!("page.css"), &html)
}

fn press(body: &Value, title: &str) -> String {
    format!(
        "<button type=\"button\" data-post=\"/_control/receive\" data-body=\"{}\">{}</button>",
        escape(&body.to_string()),
        escape(title)
    )
}

/// An id that no chat has.
fn next_id(bot: &Bot) -> i64 {
    let ids = bot.chats_shown(0).into_iter().map(|chat| chat.id.abs());
    let ids = ids.filter(|id| *id < 1_000_000);
    ids.max().unwrap_or(500) + 1
}

/// The line at the bottom in which a person writes to the bot. It stands outside of what is drawn anew each second.
fn composer(bot: &Bot, wanted: Option<i64>) -> String {
    let mut html = format!(
        "<form class=\"composer\" data-write=\"/_control/receive\" data-bot=\"{}\"><select name=\"chat\" aria-label=\"Чей чат\">",
        bot.id
    );
    for chat in bot.chats_shown(0).iter().take(300) {
        let here = if wanted == Some(chat.id) {
            " selected"
        } else {
            ""
        };
        html.push_str(&format!(
            "<option value=\"{}\"{here}>{}</option>",
            chat.id,
            escape(&chat.title)
        ));
    }
    let id = next_id(bot);
    html.push_str(&format!(
        "<option value=\"{id}\" data-title=\"Новый человек {id}\">Новый человек…</option></select>\
         <input name=\"text\" required autocomplete=\"off\" placeholder=\"Написать боту: /start код\" aria-label=\"Сообщение боту\">\
         <button type=\"submit\">Отправить</button></form>"
    ));
    html
}

#[derive(Deserialize)]
struct Wanted {
    bot: Option<i64>,
    chat: Option<i64>,
}

async fn show(state: Data<State>, wanted: Query<Wanted>) -> HttpResponse {
    let bots = state.bots();
    let first = || {
        state
            .settings
            .bots
            .first()
            .and_then(|bot| state.bot(&bot.token))
            .or_else(|| bots.first().cloned())
    };
    let bot = match wanted.bot {
        Some(id) => bots.iter().find(|bot| bot.id == id).cloned(),
        None => first(),
    };
    let Some(bot) = bot else {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("Нет такого бота");
    };
    let mut html = String::from("<header><b>Чаты</b><nav>");
    if bots.len() > 1 {
        for other in bots.iter().take(300) {
            let class = if other.id == bot.id { "here" } else { "" };
            html.push_str(&format!(
                "<a class=\"{class}\" href=\"/?bot={}\">{}</a>",
                other.id,
                escape(&other.name)
            ));
        }
    }
    html.push_str("</nav><span class=\"badge\">имитация мессенджера</span></header><main>");
    html.push_str(&body(&bot, wanted.chat));
    html.push_str("</main>");
    html.push_str(&composer(&bot, wanted.chat));
    frame(
        &format!("{} — чаты", bot.name),
        include_str!("page.css"),
        &html,
    )
}

fn body(bot: &Bot, wanted: Option<i64>) -> String {
    let mut views = bot.chats_shown(MESSAGES);
    // The liveliest first, but in a steady order, or panels would jump about under the reader's eyes.
    let latest = |chat: &ChatView| chat.messages.last().map(Message::sent).unwrap_or_default();
    let mut order: Vec<(i64, i64)> = views.iter().map(|chat| (-latest(chat), chat.id)).collect();
    order.sort_unstable();
    order.truncate(CHATS);
    let mut html = String::from("<nav>");
    let here = if wanted.is_none() { "here" } else { "" };
    html.push_str(&format!(
        "<a class=\"{here}\" href=\"/?bot={}\">Все чаты</a>",
        bot.id
    ));
    for chat in views.iter().take(300) {
        let here = if wanted == Some(chat.id) { "here" } else { "" };
        let (id, title) = (chat.id, escape(&chat.title));
        html.push_str(&format!(
            "<a class=\"{here}\" href=\"/?bot={}&amp;chat={id}\">{title}</a>",
            bot.id
        ));
    }
    let counts = bot.counts();
    html.push_str(&match counts.refused {
        0 => "<span class=\"fine\">отказов нет</span></nav>".to_owned(),
        refused => format!("<span class=\"bad\">отказов: {refused}</span></nav>"),
    });
    if counts.refused > 0 {
        html.push_str(
            "<details class=\"refusals\" id=\"refusals\"><summary>Почему отказано</summary><ul>",
        );
        for refusal in counts.refusals.iter().rev().take(20) {
            let (at, words) = (clock_time(refusal.at), escape(&refusal.reason));
            html.push_str(&format!(
                "<li>{at} {} {words}</li>",
                escape(&refusal.endpoint)
            ));
        }
        html.push_str("</ul></details>");
    }
    views.retain(|chat| match wanted {
        Some(id) => chat.id == id,
        None => order.iter().any(|(_, id)| *id == chat.id),
    });
    html.push_str("<div class=\"chats\">");
    for chat in &views {
        html.push_str(&conversation(bot, chat));
    }
    html.push_str("</div>");
    html
}

fn conversation(bot: &Bot, chat: &ChatView) -> String {
    let kind = match chat.kind {
        Kind::Private => "личный чат",
        Kind::Group => "группа",
        Kind::Supergroup => "супергруппа",
        Kind::Channel => "канал",
    };
    let mut html = format!(
        "<section class=\"chat\"><div class=\"title\"><span class=\"face t{}\">{}</span><div><div class=\"name\">{}</div>\
         <div class=\"sub\">{kind} · {} · сообщений: {}</div></div>{}</div>\
         <div class=\"lines\" data-scroll id=\"chat{}\">",
        tint(chat.id),
        initials(&chat.title),
        escape(&chat.title),
        chat.id,
        chat.message_count,
        chat.failure.as_ref().map(failing).unwrap_or_default(),
        chat.id,
    );
    if chat.messages.is_empty() {
        html.push_str("<div class=\"none\">Сообщений пока нет</div>");
    }
    let mut day = String::new();
    for message in &chat.messages {
        let today = date_time(message.sent())
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        if today != day {
            html.push_str(&format!("<div class=\"day\">{today}</div>"));
            day = today;
        }
        html.push_str(&line(bot, chat, message));
    }
    html.push_str("</div></section>");
    html
}

fn failing(failure: &ChatFailure) -> String {
    let words = match failure {
        ChatFailure::Blocked => "бот заблокирован".to_owned(),
        ChatFailure::Deactivated => "аккаунт удалён".to_owned(),
        ChatFailure::Kicked => "бот исключён".to_owned(),
        ChatFailure::NotMember => "бота нет в чате".to_owned(),
        ChatFailure::NotFound => "чат не найден".to_owned(),
        ChatFailure::WriteForbidden => "нельзя писать".to_owned(),
        ChatFailure::Migrated { to } => format!("переехал в {to}"),
        ChatFailure::Error { status, .. } => format!("ошибка {status}"),
        ChatFailure::TooMany { retry_after } => format!("429, ждать {retry_after} с"),
    };
    format!("<span class=\"fail\">{words}</span>")
}

fn line(bot: &Bot, chat: &ChatView, message: &Message) -> String {
    let Some(now) = message.versions.last() else {
        return String::new();
    };
    let mut class = String::from(if message.incoming {
        "line mine"
    } else {
        "line"
    });
    if message.deleted.is_some() {
        class.push_str(" deleted");
    }
    let mut html = format!("<div class=\"{class}\"><div class=\"bubble\">");
    if let Some(answered) = message.reply_to {
        let found = chat.messages.iter().find(|other| other.id == answered);
        let author = if found.is_some_and(|other| other.incoming) {
            &chat.title
        } else {
            &bot.name
        };
        let text = found.map_or("…", |other| other.text());
        let text: String = text.chars().take(120).collect();
        html.push_str(&format!(
            "<div class=\"reply\"><b>{}</b><span>{}</span></div>",
            escape(author),
            escape(&text.replace('\n', " ")),
        ));
    }
    html.push_str(&format!(
        "<div class=\"text\">{}</div>",
        draw(&now.text, &now.entities)
    ));
    html.push_str("<div class=\"meta\">");
    if message.silent {
        html.push_str("🔕 ");
    }
    if message.deleted.is_some() {
        html.push_str("удалено ");
    }
    if message.edits() > 0 {
        html.push_str(&past(chat.id, message));
    } else {
        html.push_str(&clock_time(message.sent()));
    }
    html.push_str("</div></div>");
    html.push_str(&now.markup.as_ref().map(keys).unwrap_or_default());
    html.push_str("</div>");
    html
}

/// "Edited so many times", with every earlier text inside; pointing at it shows them as plain text too.
fn past(chat: i64, message: &Message) -> String {
    let earlier = message.versions.get(..message.edits()).unwrap_or_default();
    let plain: Vec<String> = earlier
        .iter()
        .map(|version| format!("{}  {}", clock_time(version.at), version.text))
        .collect();
    let item = |version: &Version| {
        format!(
            "<li><time>{}</time>{}</li>",
            clock_time(version.at),
            draw(&version.text, &version.entities)
        )
    };
    let changed = message
        .versions
        .last()
        .map(|now| clock_time(now.at))
        .unwrap_or_default();
    let times = if message.edits() > 1 {
        format!(" ×{}", message.edits())
    } else {
        String::new()
    };
    format!(
        "<details class=\"history\" id=\"h{chat}_{}\"><summary title=\"{}\">изменено{times} {}</summary>\
         <ul class=\"past\">{}<li><time>{changed}</time>текст выше</li></ul></details> ",
        message.id,
        escape(&plain.join("\n")),
        clock_time(message.sent()),
        earlier.iter().map(item).collect::<String>(),
    )
}

fn keys(markup: &Value) -> String {
    let rows = markup.get("inline_keyboard").and_then(Value::as_array);
    let mut html = String::from("<div class=\"keys\">");
    for row in rows.into_iter().flatten() {
        html.push_str("<div>");
        for button in row.as_array().into_iter().flatten() {
            let text = escape(
                button
                    .get("text")
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
            );
            let url = button.get("url").and_then(Value::as_str);
            html.push_str(&match url.filter(|url| url.starts_with("http://") || url.starts_with("https://")) {
                Some(url) => {
                    let url = escape(url);
                    format!("<a target=\"_blank\" rel=\"noopener noreferrer\" href=\"{url}\">{text} ↗</a>")
                }
                None => format!("<span>{text}</span>"),
            });
        }
        html.push_str("</div>");
    }
    html.push_str("</div>");
    html
}
