//! What the receiver got, as a person sees it: each event with what its signature was worth, and what was turned down.
//! Called by a browser; changes nothing.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::state::{Message, State};
use crate::clock::date_time;
use crate::page::{Sheet, Tongue, escape};

/// How many events a page shows.
const EVENTS: usize = 200;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/", web::get().to(show));
}

async fn show(state: Data<State>, request: HttpRequest) -> HttpResponse {
    let tongue = Tongue::of(&request);
    let (messages, counts) = (state.messages(), state.counts());
    let mut sheet = Sheet::spoken(
        tongue,
        tongue.say("Получатель вебхуков", "Receiver of webhooks"),
        "",
    );
    let fresh = messages.iter().filter(|message| !message.again).count();
    let facts = [
        (tongue.say("принято событий", "events taken"), fresh),
        (tongue.say("повторов", "repeated"), messages.len() - fresh),
    ];
    sheet.facts(&facts, &counts);
    sheet.refusals(&counts);
    sheet.heading(tongue.say("События", "Events"));
    if messages.is_empty() {
        let none = tongue.say("Пока ничего не пришло.", "Nothing has come yet.");
        sheet.push(&format!("<p class=\"none\">{none}</p>"));
    }
    for message in messages.iter().rev().take(EVENTS) {
        sheet.push(&event(message, tongue));
    }
    sheet.finish("")
}

fn event(message: &Message, tongue: Tongue) -> String {
    let signed = match message.signed_with.as_slice() {
        [0] => tongue.say("подпись верна", "the signature is good"),
        [] => tongue.say("подписи нет", "no signature"),
        [_] => tongue.say(
            "подпись верна: прежний секрет",
            "the signature is good: the former secret",
        ),
        _ => tongue.say("обе подписи верны", "both signatures are good"),
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
            tongue.say(" · повтор: уже есть", " · repeated: it is here already")
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
