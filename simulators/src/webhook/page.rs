//! What the receiver got, as a person sees it: each event with what its signature was worth, and what was turned down.
//! Called by a browser; changes nothing.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use super::state::{Message, State};
use crate::clock::date_time;
use crate::page::{Sheet, escape};

/// How many events a page shows.
const EVENTS: usize = 200;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/", web::get().to(show));
}

async fn show(state: Data<State>) -> HttpResponse {
    let (messages, counts) = (state.messages(), state.counts());
    let mut sheet = Sheet::new("Получатель вебхуков", "");
    let fresh = messages.iter().filter(|message| !message.again).count();
    let facts = [
        ("принято событий", fresh),
        ("повторов", messages.len() - fresh),
    ];
    sheet.facts(&facts, &counts);
    sheet.refusals(&counts);
    sheet.heading("События");
    if messages.is_empty() {
        sheet.push("<p class=\"none\">Пока ничего не пришло.</p>");
    }
    for message in messages.iter().rev().take(EVENTS) {
        sheet.push(&event(message));
    }
    sheet.finish("")
}

fn event(message: &Message) -> String {
    let signed = match message.signed_with.as_slice() {
        [0] => "подпись верна",
        [] => "подписи нет",
        [_] => "подпись верна: прежний секрет",
        _ => "обе подписи верны",
    };
    let pretty = serde_json::to_string_pretty(&message.body).unwrap_or_default();
    format!(
        "<details class=\"event{}\" id=\"{}-{}\"><summary><span class=\"kind\">{}</span> <span class=\"phone\">{}</span> \
         <span class=\"ext\">{}</span><span class=\"signed\">✓ {signed} ({})</span><time>{}</time></summary>\
         <p class=\"id\">{} → {}{}</p><pre>{}</pre></details>",
        if message.again { " again" } else { "" },
        escape(&message.id),
        message.at,
        escape(message.kind()),
        escape(message.text("phone")),
        escape(&extensions(message)),
        message.signatures,
        date_time(message.at),
        escape(&message.id),
        escape(&message.path),
        if message.again {
            " · повтор: уже есть"
        } else {
            ""
        },
        escape(&pretty),
    )
}

fn extensions(message: &Message) -> String {
    let list = message.body.pointer("/data/extensions");
    let words = list.and_then(|list| list.as_array()).map(|list| {
        list.iter()
            .filter_map(|one| one.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    });
    words.unwrap_or_default()
}
