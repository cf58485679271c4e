//! What a person would have seen: the cards on people's screens, the statistics of calls, what was turned down. Called by
//! a browser; changes nothing.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use super::state::{Entity, Finished, State};
use crate::clock::date_time;
use crate::page::{escape, frame};

/// How many entries of each kind a page shows.
const SHOWN: usize = 100;

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
    let mut body = String::from(
        "<header><b>Битрикс24</b><span class=\"badge\">симулятор</span></header><main><div class=\"facts\">",
    );
    for (class, words, number) in [
        ("", "карточек открыто", open as u64),
        ("", "звонков идёт", live.len() as u64),
        ("", "в статистике", finished.len() as u64),
        (
            if counts.refused > 0 { "bad" } else { "" },
            "отклонено",
            counts.refused,
        ),
    ] {
        body.push_str(&format!(
            "<div class=\"fact {class}\">{words}: <b>{number}</b></div>"
        ));
    }
    body.push_str("</div><h2>Карточки на экранах</h2><div class=\"cards\">");
    for call in &live {
        for user in &call.shown {
            body.push_str(&format!(
                "<div class=\"card\"><small>{} · {}</small><b>{}</b>+{}<br><small>{}</small></div>",
                escape(&name(*user)),
                way(call.kind),
                escape(&client(&entities, call.entity)),
                escape(&call.phone),
                date_time(call.at)
            ));
        }
    }
    body.push_str("</div>");
    if open == 0 {
        body.push_str("<p class=\"none\">Ни у кого.</p>");
    }
    body.push_str(
        "<h2>Статистика звонков</h2><div class=\"wide\"><table><tr><th>Когда</th><th>Звонок</th><th>Номер</th>\
         <th>Клиент</th><th>Сотрудник</th><th>Итог</th><th>Запись</th></tr>",
    );
    for row in finished.iter().rev().take(SHOWN) {
        body.push_str(&line(
            row,
            &client(&entities, row.call.entity),
            &name(row.user),
        ));
    }
    body.push_str("</table></div>");
    if !counts.refusals.is_empty() {
        body.push_str("<h2>Отклонено</h2><ul class=\"refusals\">");
        for one in counts.refusals.iter().rev().take(SHOWN) {
            body.push_str(&format!(
                "<li>{} {} {}: {}</li>",
                date_time(one.at),
                one.status,
                escape(&one.endpoint),
                escape(&one.reason)
            ));
        }
        body.push_str("</ul>");
    }
    body.push_str("</main>");
    frame("Битрикс24", include_str!("page.css"), &body)
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
