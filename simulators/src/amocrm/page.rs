//! What a person would have seen: the cards that were shown, the calls in clients' histories, the unsorted leads, and
//! what was turned down. Called by a browser; changes nothing.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use serde_json::Value;

use super::state::State;
use crate::clock::date_time;
use crate::page::{SHOWN, Sheet, escape};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/", web::get().to(show));
}

async fn show(state: Data<State>) -> HttpResponse {
    let (popups, notes, unsorted) = (state.popups(), state.notes(), state.unsorted());
    let (counts, entities) = (state.counts(), state.entities());
    let mut sheet = Sheet::new("amoCRM", "");
    let facts = [
        ("карточек", popups.len()),
        ("звонков", notes.len()),
        ("в неразобранном", unsorted.len()),
    ];
    sheet.facts(&facts, &counts);
    sheet.heading("Карточки");
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
    sheet.push_or_nothing(&lines(cards));
    sheet.heading("Звонки");
    let calls = notes.iter().rev().map(|one| {
        let name = entities.iter().find(|entity| entity.id == one.entity_id);
        let name = name.map_or("", |entity| entity.name.as_str());
        let words = format!(
            "{} {} {name} · {}",
            one.entity_type, one.entity_id, one.call
        );
        (one.at, "звонок", text(&one.call, "/phone"), words)
    });
    sheet.push_or_nothing(&lines(calls));
    sheet.heading("Неразобранное");
    let waiting = unsorted.iter().rev().map(|one| {
        let phone = text(&one.item, "/metadata/phone");
        (one.at, "звонок", phone, one.item.to_string())
    });
    sheet.push_or_nothing(&lines(waiting));
    sheet.refusals(&counts);
    sheet.finish("")
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
    text
}

fn text(value: &Value, path: &str) -> String {
    let found = value.pointer(path).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}
