//! The CRM as a person sees it: each manager's pop-up cards, and the history of calls. Called by a browser; it never
//! changes anything by itself (the phone buttons go through the control API).

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde_json::json;

use super::account::{Account, User};
use super::book::{Call, Card};
use super::state::State;
use crate::clock::{clock_time, date_time, now_ms};
use crate::page::{escape, frame, initials, tint};

/// How many managers, cards of each and calls a page shows.
const PEOPLE: usize = 24;
const CARDS: usize = 6;
const CALLS: usize = 100;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(root))
        .route("/a/{account}", web::get().to(named))
        .route("/a/{account}/", web::get().to(named));
}

async fn root(state: Data<State>) -> impl Responder {
    show(&state, state.root())
}

async fn named(state: Data<State>, name: Path<String>) -> impl Responder {
    show(&state, &name)
}

struct View {
    managers: Vec<(String, Option<User>, Vec<Card>)>,
    calls: Vec<(std::sync::Arc<Call>, Option<String>)>,
    dialable: bool,
}

/// What the page needs, copied under the account's lock; the HTML is made after it.
fn look(account: &Account) -> View {
    let book = account.book();
    let mut managers: Vec<(String, Option<User>, Vec<Card>)> = Vec::new();
    for (code, id) in book.codes.iter().take(PEOPLE) {
        managers.push((code.clone(), book.users.get(id).cloned(), Vec::new()));
    }
    for card in book.cards.iter().rev().take(PEOPLE * CARDS * 4) {
        let whose = |(code, user, _): &&mut (String, Option<User>, Vec<Card>)| match &card.code {
            Some(wanted) => code == wanted,
            None => user.as_ref().map(|user| user.id) == card.user_id,
        };
        if let Some((_, _, cards)) = managers.iter_mut().find(whose)
            && (cards.len() < CARDS || card.closed.is_none())
        {
            cards.push(card.clone());
        }
    }
    for (_, _, cards) in &mut managers {
        cards.sort_by_key(|card| card.closed.is_some());
        cards.truncate(CARDS);
    }
    let name = |call: &Call| book.users.get(&call.user_id?).map(User::full_name);
    let calls = book
        .calls
        .iter()
        .rev()
        .take(CALLS)
        .map(|call| (call.clone(), name(call)))
        .collect();
    let mut active = book.modules.values().filter(|module| module.active);
    View {
        managers,
        calls,
        dialable: active.any(|module| module.telephony("makeCallUrl").is_some()),
    }
}

fn show(state: &State, name: &str) -> HttpResponse {
    let Some(account) = state.account(name) else {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("Нет такого аккаунта");
    };
    let view = look(&account);
    let mut html = header(state, name);
    html.push_str("<main>");
    html.push_str(&facts(&account));
    html.push_str("<h2>Карточки звонков</h2><div class=\"people\">");
    if view.managers.is_empty() {
        html.push_str("<div class=\"none\">Добавочные номера ещё не заданы</div>");
    }
    for (code, user, cards) in &view.managers {
        html.push_str(&person(name, code, user.as_ref(), cards, view.dialable));
    }
    html.push_str("</div><h2>История звонков</h2><div class=\"table\">");
    html.push_str(&history(name, &view));
    html.push_str("</div></main>");
    frame(&format!("{name} — звонки"), include_str!("page.css"), &html)
}

fn header(state: &State, here: &str) -> String {
    let accounts = state.accounts();
    let links: String = accounts
        .iter()
        .take(300)
        .map(|account| {
            let class = if account.name == here { "here" } else { "" };
            let name = escape(&account.name);
            format!("<a class=\"{class}\" href=\"/a/{name}\">{name}</a>")
        })
        .collect();
    let links = if accounts.len() > 1 {
        links
    } else {
        String::new()
    };
    format!(
        "<header><b>Телефония</b><nav>{links}</nav><span class=\"badge\">имитация CRM</span></header>"
    )
}

fn facts(account: &Account) -> String {
    let counts = account.counts();
    let modules = account.modules();
    let fact = |class: &str, label: &str, value: &str| {
        format!(
            "<span class=\"fact {class}\">{label} <b>{}</b></span>",
            escape(value)
        )
    };
    let mut html = String::from("<div class=\"facts\">");
    html.push_str(&fact("", "Аккаунт", &account.name));
    for module in &modules {
        let module_name = module
            .body
            .get("name")
            .and_then(|name| name.as_str())
            .unwrap_or(&module.code);
        let (class, label) = if module.active {
            ("good", "Модуль")
        } else {
            ("", "Модуль выключен")
        };
        html.push_str(&fact(class, label, module_name));
    }
    if modules.is_empty() {
        html.push_str(&fact("", "Модуль", "не подключён"));
    }
    html.push_str(&fact("", "Событий", &account.event_count().to_string()));
    html.push_str(&fact("", "Звонков", &account.call_count().to_string()));
    if counts.limited > 0 {
        html.push_str(&fact("", "Сверх лимита", &counts.limited.to_string()));
    }
    html.push_str(&fact(
        if counts.refused > 0 { "bad" } else { "good" },
        "Отказов",
        &counts.refused.to_string(),
    ));
    if counts.refused > 0 {
        html.push_str(
            "<details class=\"refusals\" id=\"refusals\"><summary>Почему отказано</summary><ul>",
        );
        for refusal in counts.refusals.iter().rev().take(20) {
            let at = clock_time(refusal.at);
            html.push_str(&format!(
                "<li>{at} {} {}</li>",
                refusal.status,
                escape(&refusal.reason)
            ));
        }
        html.push_str("</ul></details>");
    }
    html.push_str("</div>");
    html
}

fn status_words(status: &str) -> &'static str {
    match status {
        "free" => "свободен",
        "busy" => "занят",
        "dinner" => "на обеде",
        "break" => "перерыв",
        _ => "",
    }
}

fn person(
    account: &str,
    code: &str,
    user: Option<&User>,
    cards: &[Card],
    dialable: bool,
) -> String {
    let name = user.map(User::full_name).unwrap_or_default();
    let status = user.map(|user| user.status.as_str()).unwrap_or_default();
    let mut html = format!(
        "<section class=\"person\"><div class=\"who\"><span class=\"face t{}\">{}</span><div><div class=\"name\">{}</div>\
         <div class=\"state {}\">{}</div></div><span class=\"ext\">{}</span></div>",
        tint(user.map_or(0, |user| user.id)),
        initials(&name),
        escape(&name),
        escape(status),
        status_words(status),
        escape(code),
    );
    if cards.is_empty() {
        html.push_str("<div class=\"none\">Звонков пока не было</div>");
    }
    for shown in cards {
        html.push_str(&card(account, shown, dialable));
    }
    html.push_str("</section>");
    html
}

fn card(account: &str, card: &Card, dialable: bool) -> String {
    let kind = if card.kind == "out" {
        "Исходящий звонок"
    } else {
        "Входящий звонок"
    };
    let state = match card.closed {
        Some(_) => "closed",
        None if now_ms() - card.opened < 1500 => "open new",
        None => "open",
    };
    let clock = match card.closed {
        Some(_) => format!("<span class=\"clock\">{}</span>", clock_time(card.opened)),
        None => format!(
            "<span class=\"clock\" data-since=\"{}\"></span>",
            card.opened
        ),
    };
    let client = match &card.client {
        Some(name) => format!("<div class=\"client\">{}</div>", escape(name)),
        None => "<div class=\"client new\">Новый клиент</div>".to_owned(),
    };
    let ended = match card.hangup.as_deref() {
        Some("answered") => "разговор завершён",
        Some("busy") => "занято",
        Some("cancel") => "отменён",
        Some("failed") => "не удался",
        Some("no answered") => "без ответа",
        _ => "",
    };
    let mut more = match card.closed {
        Some(closed) => format!("Закрыта в {} — {ended}", clock_time(closed)),
        None => format!("Открыта в {}", clock_time(card.opened)),
    };
    if let Some(own) = &card.external_phone {
        more.push_str(&format!(" · на {}", escape(own)));
    }
    if card.repeats > 0 {
        more.push_str(&format!(" · повторов: {}", card.repeats));
    }
    let dial = dial(
        account,
        &card.phone,
        card.user_id,
        card.code.as_deref(),
        dialable,
    );
    format!(
        "<article class=\"card {} {state}\"><div class=\"kind\">{kind}{clock}</div>{client}\
         <div class=\"phone\">{}{dial}</div><div class=\"more\">{more}</div></article>",
        card.kind,
        escape(&card.phone),
    )
}

/// The phone icon: there is one only if the module has a make-call URL and the user an extension.
fn dial(
    account: &str,
    phone: &str,
    user_id: Option<i64>,
    code: Option<&str>,
    dialable: bool,
) -> String {
    let (true, Some(code)) = (dialable, code) else {
        return String::new();
    };
    let body =
        json!({"account": account, "phone": phone, "user_id": user_id, "code": code}).to_string();
    format!(
        "<button class=\"dial\" title=\"Позвонить\" data-busy=\"Звоним…\" data-post=\"/_control/make-call\" \
         data-body=\"{}\">✆</button>",
        escape(&body),
    )
}

fn history(account: &str, view: &View) -> String {
    if view.calls.is_empty() {
        return "<div class=\"none\">История пуста</div>".to_owned();
    }
    let mut html = String::from(
        "<table><thead><tr><th>Дата</th><th>Тип</th><th>Клиент</th><th>Менеджер</th><th>Результат</th>\
         <th>Длительность</th><th>Запись</th></tr></thead><tbody>",
    );
    for (call, manager) in &view.calls {
        html.push_str(&row(account, call, manager.as_deref(), view.dialable));
    }
    html.push_str("</tbody></table>");
    html
}

fn row(account: &str, call: &Call, manager: Option<&str>, dialable: bool) -> String {
    let (arrow, kind) = if call.kind == "out" {
        ("out", "↗ Исходящий")
    } else {
        ("in", "↙ Входящий")
    };
    let (class, result) = match call.result.as_str() {
        "answered" => ("answered", "Отвечен"),
        "busy" => ("bad", "Занято"),
        "failed" => ("bad", "Не удался"),
        "no answer" => ("bad", "Без ответа"),
        "not allowed" => ("bad", "Запрещён"),
        _ => ("", "Неизвестно"),
    };
    let minutes = |seconds: i64| format!("{}:{:02}", seconds / 60, seconds % 60);
    let mut lasted = call.duration.map(minutes).unwrap_or_default();
    if let Some(waiting) = call.duration_waiting {
        lasted.push_str(&format!("<br><small>ожидание {}</small>", minutes(waiting)));
    }
    let record = call.record_url.as_deref().map(|url| {
        let url = escape(url);
        format!("<a href=\"{url}\" target=\"_blank\" rel=\"noopener noreferrer\" title=\"{url}\">▶ Прослушать</a>")
    });
    let client = call
        .client
        .as_deref()
        .map(|name| format!("{}<br>", escape(name)))
        .unwrap_or_default();
    let code = call
        .code
        .as_deref()
        .map(|code| format!(" <small>{}</small>", escape(code)))
        .unwrap_or_default();
    let uploaded = date_time(call.at);
    format!(
        "<tr title=\"{} · загружен {uploaded}\"><td class=\"num\">{}</td><td><span class=\"arrow {arrow}\">{kind}</span></td>\
         <td class=\"wide\">{client}<span class=\"num\">{}</span> {}</td><td>{}{code}</td>\
         <td><span class=\"tag {class}\">{result}</span></td><td class=\"num\">{lasted}</td><td>{}</td></tr>",
        escape(&call.external_id),
        escape(&call.date),
        escape(&call.phone),
        dial(
            account,
            &call.phone,
            call.user_id,
            call.code.as_deref(),
            dialable
        ),
        escape(manager.unwrap_or_default()),
        record.unwrap_or_default(),
    )
}
