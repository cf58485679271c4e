//! What a person would have seen: the cards that were shown, the calls in clients' histories, the unsorted leads, and
//! what was turned down. Called by a browser; changes nothing.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use serde_json::Value;

use super::state::State;
use crate::clock::date_time;
use crate::page::{escape, frame};

/// How many entries of each kind a page shows.
const SHOWN: usize = 100;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/", web::get().to(show));
}

async fn show(state: Data<State>) -> HttpResponse {
    let (popups, notes, unsorted) = (state.popups(), state.notes(), state.unsorted());
    let (counts, entities) = (state.counts(), state.entities());
    let mut body = String::from(
        "<header><b>amoCRM</b><span class=\"badge\">симулятор</span></header><main><div class=\"facts\">",
    );
    for (class, name, number) in [
        ("good", "карточек", popups.len() as u64),
        ("good", "звонков", notes.len() as u64),
        ("", "в неразобранном", unsorted.len() as u64),
        (
            if counts.refused > 0 { "bad" } else { "" },
            "отклонено",
            counts.refused,
        ),
    ] {
        body.push_str(&format!(
            "<div class=\"fact {class}\">{name}: <b>{number}</b></div>"
        ));
    }
    body.push_str("</div><h2>Карточки</h2>");
    let cards = popups.iter().rev().map(|one| {
        let users: Vec<String> = one.users.iter().map(i64::to_string).collect();
        let whom = if users.is_empty() {
            "всем".into()
        } else {
            users.join(", ")
        };
        (
            one.at,
            "карточка",
            one.phone.clone(),
            format!("кому: {whom}"),
        )
    });
    body.push_str(&lines(cards));
    body.push_str("<h2>Звонки</h2>");
    let calls = notes.iter().rev().map(|one| {
        let name = entities.iter().find(|entity| entity.id == one.entity_id);
        let name = name.map_or("", |entity| entity.name.as_str());
        let words = format!(
            "{} {} {name} · {}",
            one.entity_type, one.entity_id, one.call
        );
        (one.at, "звонок", text(&one.call, "/phone"), words)
    });
    body.push_str(&lines(calls));
    body.push_str("<h2>Неразобранное</h2>");
    let waiting = unsorted.iter().rev().map(|one| {
        let phone = text(&one.item, "/metadata/phone");
        (one.at, "звонок", phone, one.item.to_string())
    });
    body.push_str(&lines(waiting));
    if !counts.refusals.is_empty() {
        body.push_str("<h2>Отклонено</h2>");
        let refused = counts.refusals.iter().rev().map(|one| {
            let status = one.status.to_string();
            (
                one.at,
                "отказ",
                status,
                format!("{}: {}", one.endpoint, one.reason),
            )
        });
        body.push_str(&lines(refused));
    }
    body.push_str("</main>");
    frame("amoCRM", include_str!("page.css"), &body)
}

fn lines(all: impl Iterator<Item = (i64, &'static str, String, String)>) -> String {
    let mut text = String::new();
    for (at, kind, phone, words) in all.take(SHOWN) {
        text.push_str(&format!(
            "<details class=\"event\"><summary><span class=\"kind\">{kind}</span> <span class=\"phone\">{}</span>\
             <time>{}</time></summary><pre>{}</pre></details>",
            escape(&phone),
            date_time(at),
            escape(&words)
        ));
    }
    if text.is_empty() {
        text.push_str("<p class=\"none\">Пока ничего.</p>");
    }
    text
}

fn text(value: &Value, path: &str) -> String {
    let found = value.pointer(path).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}
