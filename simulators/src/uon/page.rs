//! What people would have seen: the pop-ups of each manager, the history of calls, clients and leads, and what was
//! turned down. Called by a browser; changes nothing by itself (the phone buttons go through the control API).

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use serde_json::json;

use super::markup::{self, Piece};
use super::state::{Manager, State};
use crate::clock::clock_time;
use crate::page::{NOTHING, SHOWN, Sheet, escape};

/// Pop-ups of one manager.
const CARDS: usize = 8;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/", web::get().to(show));
}

async fn show(state: Data<State>) -> HttpResponse {
    let (cards, calls, leads) = (state.notifications(), state.calls(), state.leads());
    let (counts, managers) = (state.counts(), state.managers());
    let cabinet = format!("{}.u-on.ru", state.settings.cabinet);
    let mut sheet = Sheet::new("U-ON.Travel", &cabinet);
    let facts = [
        ("уведомлений", cards.len()),
        ("звонков", calls.len()),
        ("обращений", leads.len()),
    ];
    sheet.facts(&facts, &counts);
    sheet.heading("Уведомления менеджеров");
    sheet.push("<div class=\"desks\">");
    for manager in managers.iter().filter(|one| one.active) {
        sheet.push(&format!(
            "<section class=\"desk\"><h3>{}</h3>",
            escape(&name_of(manager))
        ));
        let own = cards.iter().rev().filter(|one| one.manager == manager.u_id);
        let mut any = false;
        for card in own.take(CARDS) {
            any = true;
            sheet.push(&format!(
                "<article class=\"card\"><time>{}</time><p>{}</p></article>",
                clock_time(card.at),
                drawn(&card.text)
            ));
        }
        if !any {
            sheet.push(NOTHING);
        }
        sheet.push("</section>");
    }
    sheet.push("</div>");
    sheet.heading("История звонков");
    sheet.push_or_nothing(&history(&state));
    sheet.heading("Клиенты");
    sheet.push(&clients(&state));
    if !leads.is_empty() {
        sheet.heading("Обращения");
        sheet.push("<ul class=\"plain\">");
        for lead in leads.iter().rev().take(SHOWN) {
            sheet.push(&format!(
                "<li><b>№ {}</b> клиент {} · {} · {}</li>",
                lead.id,
                lead.client,
                escape(&lead.source),
                escape(&lead.note)
            ));
        }
        sheet.push("</ul>");
    }
    sheet.refusals(&counts);
    sheet.finish(include_str!("page.css"))
}

fn name_of(manager: &Manager) -> String {
    let extension = match manager.extension.as_str() {
        "" => String::new(),
        extension => format!(" · {extension}"),
    };
    format!("{} {}{extension}", manager.name, manager.surname)
}

fn history(state: &State) -> String {
    let (calls, managers, clients) = (state.calls(), state.managers(), state.clients());
    if calls.is_empty() {
        return String::new();
    }
    let mut text = String::from("<div class=\"rows\">");
    for call in calls.iter().rev().take(SHOWN) {
        let manager = managers.iter().find(|one| Some(one.u_id) == call.manager);
        let client = clients.iter().find(|one| Some(one.u_id) == call.client);
        let client = client.map(|one| format!("{} {}", one.surname, one.name));
        let listen = match call.record_link.as_str() {
            "" => String::new(),
            link => format!("<a href=\"{}\">запись</a>", escape(link)),
        };
        text.push_str(&format!(
            "<div class=\"row\"><span class=\"way\">{}</span><span class=\"phone\">+{}</span><span>{}</span>\
             <span>{}</span><span>{} с</span><time>{}</time>{listen}<span class=\"note\">{}</span></div>",
            if call.direction == 2 { "↓" } else { "↑" },
            escape(&call.phone),
            escape(&client.unwrap_or_default()),
            escape(&manager.map(name_of).unwrap_or_default()),
            call.duration,
            escape(&call.start),
            escape(&call.note),
        ));
    }
    text.push_str("</div>");
    text
}

fn clients(state: &State) -> String {
    let mut text = String::from("<div class=\"rows\">");
    let first = state.managers().into_iter().find(|one| one.active);
    for client in state.clients().iter().rev().take(SHOWN) {
        let phone = client.phones.iter().find(|phone| !phone.is_empty());
        let phone = phone.map(String::as_str).unwrap_or_default();
        let click =
            json!({"phone": phone, "user_id": first.as_ref().map(|one| one.u_id), "client": true});
        text.push_str(&format!(
            "<div class=\"row\"><button class=\"dial\" title=\"Позвонить\" data-busy=\"Звоним…\" \
             data-post=\"/_control/click\" data-body=\"{}\">✆</button><span class=\"phone\">+{}</span>\
             <span>{} {}</span></div>",
            escape(&click.to_string()),
            escape(phone),
            escape(&client.surname),
            escape(&client.name),
        ));
    }
    text.push_str("</div>");
    text
}

/// A pop-up's text as the cabinet draws it; what it could not be taken with is never here.
fn drawn(text: &str) -> String {
    let mut html = String::new();
    for piece in markup::read(text).unwrap_or_default() {
        match piece {
            Piece::Text(plain) => html.push_str(&escape(&plain)),
            Piece::Bold(true) => html.push_str("<b>"),
            Piece::Bold(false) => html.push_str("</b>"),
            Piece::Break => html.push_str("<br>"),
            Piece::Link(to) => {
                html.push_str(&format!("<a href=\"{}\" rel=\"noreferrer\">", escape(&to)))
            }
            Piece::LinkEnd => html.push_str("</a>"),
        }
    }
    html
}
