//! What a person would have seen: the cards on employees' screens, the history of calls with their recordings, and what
//! was turned down. Called by a browser; changes nothing.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use super::cards::Shown;
use super::state::{Call, State};
use crate::page::{NOTHING, SHOWN, Sheet, escape};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/", web::get().to(show));
}

async fn show(state: Data<State>) -> HttpResponse {
    let (calls, counts) = (state.calls(), state.counts());
    let (clients, employees) = (state.counterparties(), state.employees());
    let open = |call: &&Call| call.cards.values().any(|card| card.shown != Shown::Closed);
    let mut sheet = Sheet::new("МойСклад", "");
    let facts = [
        ("открытых карточек", calls.iter().filter(open).count()),
        ("звонков", calls.len()),
        ("контрагентов", clients.len()),
    ];
    sheet.facts(&facts, &counts);
    sheet.heading("Экраны сотрудников");
    let mut cards = String::new();
    for call in calls.iter().rev().filter(open).take(SHOWN) {
        for (extension, card) in call
            .cards
            .iter()
            .filter(|(_, it)| it.shown != Shown::Closed)
        {
            let whose = if card.employee.is_empty() {
                "никто не видит"
            } else {
                &card.employee
            };
            let words = if card.shown == Shown::Talking {
                "разговор"
            } else {
                "звонит"
            };
            cards.push_str(&format!(
                "<div class=\"event\"><div class=\"summary\"><span class=\"kind\">{words}</span> \
                 <span class=\"phone\">{}</span> <span>{}</span> <span class=\"ext\">{} · {}</span></div></div>",
                escape(&call.number),
                escape(&name_of(call, &state)),
                escape(extension),
                escape(whose),
            ));
        }
    }
    sheet.push_or_nothing(&cards);
    sheet.heading("Звонки");
    if calls.is_empty() {
        sheet.push(NOTHING);
    }
    for call in calls.iter().rev().take(SHOWN) {
        let whose = call.employee.as_ref();
        let whose = whose.and_then(|id| employees.iter().find(|one| one.id == *id));
        let whose = whose.map_or("", |one| one.name.as_str());
        let length = call.duration.map_or("идёт".into(), |milliseconds| {
            format!("{} с", milliseconds / 1000)
        });
        let ways = if call.is_incoming {
            "входящий"
        } else {
            "исходящий"
        };
        let links: String = call
            .record_urls
            .iter()
            .map(|link| format!("<a href=\"{0}\">{0}</a>\n", escape(link)))
            .collect();
        sheet.push(&format!(
            "<details class=\"event\"><summary><span class=\"kind\">{ways}</span> <span class=\"phone\">{}</span> \
             <span>{}</span> <span class=\"ext\">{} {}</span> <span>{length}</span><time>{} мск</time></summary>\
             <p class=\"id\">{} · {}</p><pre>{}\n{links}</pre></details>",
            escape(&call.number),
            escape(&name_of(call, &state)),
            escape(call.extension.as_deref().unwrap_or_default()),
            escape(whose),
            call.start.format("%d.%m.%Y %H:%M:%S"),
            escape(&call.external_id),
            escape(&call.id),
            escape(&call.commands.join("\n")),
        ));
    }
    sheet.refusals(&counts);
    sheet.finish(include_str!("page.css"))
}

fn name_of(call: &Call, state: &State) -> String {
    let id = call.counterparty.as_ref();
    let all = state.counterparties();
    let client = id.and_then(|id| all.iter().find(|one| one.id == *id));
    client.map_or_else(|| "новый номер".into(), |one| one.name.clone())
}
