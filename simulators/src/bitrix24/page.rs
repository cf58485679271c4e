//! What a person would have seen: the cards on people's screens, the statistics of calls, what was turned down. Called by
//! a browser; changes nothing.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use super::state::{Entity, Finished, State};
use crate::clock::date_time;
use crate::page::{SHOWN, Sheet, escape};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/", web::get().to(show));
}

async fn show(state: Data<State>) -> HttpResponse {
    let (live, finished, counts) = (state.live(), state.finished(), state.counts());
    let entities = state.entities();
    let names: Vec<(i64, String)> = state
        .book()
        .users
        .iter()
        .map(|user| (user.id, format!("{} {}", user.name, user.last_name)))
        .collect();
    let name = |id: i64| {
        let found = names.iter().find(|(known, _)| *known == id);
        found.map_or_else(|| id.to_string(), |(_, name)| name.clone())
    };
    let open: usize = live.iter().map(|call| call.shown.len()).sum();
    let mut sheet = Sheet::new("Битрикс24", "");
    let facts = [
        ("карточек открыто", open),
        ("звонков идёт", live.len()),
        ("в статистике", finished.len()),
    ];
    sheet.facts(&facts, &counts);
    sheet.heading("Карточки на экранах");
    sheet.push("<div class=\"cards\">");
    for call in &live {
        for user in &call.shown {
            sheet.push(&format!(
                "<div class=\"card\"><small>{} · {}</small><b>{}</b>+{}<br><small>{}</small></div>",
                escape(&name(*user)),
                way(call.kind),
                escape(&client(&entities, call.entity)),
                escape(&call.phone),
                date_time(call.at)
            ));
        }
    }
    sheet.push("</div>");
    if open == 0 {
        sheet.push("<p class=\"none\">Ни у кого.</p>");
    }
    sheet.heading("Статистика звонков");
    sheet.push(
        "<div class=\"wide\"><table><tr><th>Когда</th><th>Звонок</th><th>Номер</th>\
         <th>Клиент</th><th>Сотрудник</th><th>Итог</th><th>Запись</th></tr>",
    );
    for row in finished.iter().rev().take(SHOWN) {
        sheet.push(&line(
            row,
            &client(&entities, row.call.entity),
            &name(row.user),
        ));
    }
    sheet.push("</table></div>");
    sheet.refusals(&counts);
    sheet.finish(include_str!("page.css"))
}

fn line(row: &Finished, client: &str, user: &str) -> String {
    let call = &row.call;
    let record = row
        .record
        .as_ref()
        .map_or("", |record| record.name.as_str());
    format!(
        "<tr><td>{}</td><td>{}<br><small>{}</small></td><td>+{}</td><td>{}</td><td>{}</td><td>{} · {} с</td><td>{}</td></tr>",
        date_time(row.at),
        way(call.kind),
        escape(&call.external_id),
        escape(&call.phone),
        escape(client),
        escape(user),
        escape(&row.status),
        row.duration,
        escape(record)
    )
}

fn client(entities: &[Entity], whose: Option<(&str, i64)>) -> String {
    let found = whose.and_then(|(kind, id)| {
        let mut all = entities.iter();
        all.find(|one| one.kind == kind && one.id == id)
    });
    found.map_or_else(|| "Неизвестный номер".into(), |one| one.name.clone())
}

fn way(kind: i64) -> &'static str {
    match kind {
        1 => "исходящий",
        2 => "входящий",
        3 => "переадресованный",
        4 => "обратный",
        _ => "информационный",
    }
}
