//! `GET /calls` and `GET /api/calls`: the journal of ended calls, filtered, in pages.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use actors::call::record::{Direction, Outcome};
use actors::store::calls::{self, Call, Filter};
use actors::store::deliveries::{self, DeliveryState};
use actors::store::{Conn, StoreError, customers};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use super::row::{CallRow, Deliveries};
use crate::error::AppError;
use crate::state::App;
use crate::web::live::page::{enterprises, watched};
use crate::web::session::State;
use crate::web::visit::{Scope, Visit};

/// Calls on one page of the browser, and at most in one answer of the API.
const PAGE: i64 = 50;
const MOST: i64 = 500;
/// Pages further back are reached by dates, not by counting.
const DEEPEST: i64 = 1000;

/// What is looked for, as the form and the API write it.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Wanted {
    /// Days on the enterprise's calendar, both included; the API also takes RFC 3339 times.
    pub from: String,
    pub to: String,
    pub direction: String,
    pub result: String,
    /// A part of a number, or an extension.
    pub find: String,
    pub enterprise: String,
    pub page: i64,
    pub size: i64,
}

/// `GET /calls`
pub async fn page(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let mut wanted = wanted.into_inner();
    wanted.page = wanted.page.clamp(0, DEEPEST);
    // One more than a page holds tells whether there are older ones.
    let mut rows = find(&app, &visit, &wanted, wanted.page * PAGE, PAGE + 1).await?;
    let more = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    let turned = |page: i64| -> String {
        let pairs = [
            ("from", wanted.from.clone()),
            ("to", wanted.to.clone()),
            ("direction", wanted.direction.clone()),
            ("result", wanted.result.clone()),
            ("find", wanted.find.clone()),
            ("enterprise", wanted.enterprise.clone()),
            ("page", page.to_string()),
        ];
        let given: Vec<String> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", crate::web::gate::url_escape(value)))
            .collect();
        given.join("&")
    };
    let mut context = visit.context();
    let wide = visit.scope()? == Scope::All;
    context.insert("wide", &wide);
    context.insert("filter", &wanted);
    context.insert("calls", &rows);
    context.insert("page", &(wanted.page + 1));
    context.insert("newer", &(wanted.page > 0).then(|| turned(wanted.page - 1)));
    context.insert("older", &more.then(|| turned(wanted.page + 1)));
    if wide {
        context.insert("enterprises", &enterprises(&app));
    }
    visit.page(&app, "calls/list.html", &context)
}

/// `GET /api/calls`
pub async fn json(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let mut wanted = wanted.into_inner();
    wanted.page = wanted.page.clamp(0, DEEPEST);
    let size = if wanted.size > 0 {
        wanted.size.min(MOST)
    } else {
        PAGE
    };
    let rows = find(&app, &visit, &wanted, wanted.page * size, size).await?;
    Ok(HttpResponse::Ok()
        .json(serde_json::json!({"page": wanted.page, "size": size, "calls": rows})))
}

async fn find(
    app: &App,
    visit: &Visit,
    wanted: &Wanted,
    skip: i64,
    size: i64,
) -> Result<Vec<CallRow>, AppError> {
    let watched = watched(app, visit, &wanted.enterprise)?;
    let zone = watched
        .and_then(|id| app.cache.by_id(id))
        .map_or(chrono_tz::UTC, |enterprise| enterprise.time_zone);
    let known = |text: &str| {
        let mut all = app
            .cache
            .all()
            .into_iter()
            .filter(|enterprise| watched.is_none_or(|id| id == enterprise.id));
        all.any(|enterprise| enterprise.extensions.contains_key(text))
    };
    let filter = filter(wanted, watched, zone, known)?;
    let own = super::own_extensions(app, visit.viewer.as_deref()).await?;
    let found = app
        .store
        .read(move |conn| {
            let calls = match own {
                None => calls::page_from(conn, &filter, skip, size)?,
                Some(own) => of_extensions(conn, &filter, own, skip, size)?,
            };
            let ids: Vec<_> = calls.iter().map(|call| call.record.call).collect();
            let counts = deliveries::counts_of(conn, &ids)?;
            let enterprises: Vec<i64> = calls.iter().map(|call| call.record.enterprise).collect();
            let phones: Vec<String> = calls
                .iter()
                .filter_map(|call| call.record.phone.clone())
                .collect();
            let names = customers::names(conn, &enterprises, &phones)?;
            Ok((calls, counts, names))
        })
        .await?;
    let (calls, counts, names) = found;
    let names: HashMap<(i64, String), String> = names
        .into_iter()
        .map(|(enterprise, phone, name)| ((enterprise, phone), name))
        .collect();
    let mut by_call: HashMap<i64, Deliveries> = HashMap::new();
    for (call, state, count) in counts {
        let sums = by_call.entry(call.0).or_default();
        match state {
            DeliveryState::Done => sums.done += count,
            DeliveryState::Due | DeliveryState::Leased => sums.open += count,
            DeliveryState::Missed => sums.missed += count,
            DeliveryState::Failed => sums.failed += count,
            DeliveryState::Withdrawn => {}
        }
    }
    let now = Utc::now();
    Ok(calls
        .iter()
        .map(|call| {
            let record = &call.record;
            let name = record
                .phone
                .clone()
                .and_then(|phone| names.get(&(record.enterprise, phone)));
            let enterprise = app.cache.by_id(record.enterprise);
            let mut row =
                CallRow::draw(record, name.map(String::as_str), enterprise.as_deref(), now);
            row.deliveries = by_call.get(&record.call.0).copied().unwrap_or_default();
            row.fault.clone_from(&call.fault);
            row
        })
        .collect())
}

/// A page of the calls that any of these extensions had a part in.
fn of_extensions(
    conn: &mut Conn,
    filter: &Filter,
    own: Vec<String>,
    skip: i64,
    size: i64,
) -> Result<Vec<Call>, StoreError> {
    let mut all: Vec<Call> = Vec::new();
    let wanted = filter.extension.clone();
    for extension in own
        .into_iter()
        .filter(|own| wanted.is_empty() || *own == wanted)
    {
        let filter = Filter {
            extension,
            ..filter.clone()
        };
        all.extend(calls::page_from(conn, &filter, 0, skip + size)?);
    }
    all.sort_by_key(|call| std::cmp::Reverse((call.record.received_at, call.record.call)));
    all.dedup_by_key(|call| call.record.call);
    let (skip, size) = (
        usize::try_from(skip).unwrap_or(0),
        usize::try_from(size).unwrap_or(0),
    );
    Ok(all.into_iter().skip(skip).take(size).collect())
}

/// The form in the store's words; `known` tells extensions from parts of numbers.
fn filter(
    wanted: &Wanted,
    enterprise: Option<i64>,
    zone: chrono_tz::Tz,
    known: impl Fn(&str) -> bool,
) -> Result<Filter, AppError> {
    let find: String = wanted
        .find
        .chars()
        .filter(|c| !c.is_whitespace() && !"()-".contains(*c))
        .take(64)
        .collect();
    let digits = !find.is_empty() && find.bytes().all(|byte| byte.is_ascii_digit());
    let short = digits && (find.len() < 5 || (find.len() == 5 && known(&find)));
    Ok(Filter {
        enterprise,
        from: instant(&wanted.from, "from", zone, 0)?,
        to: instant(&wanted.to, "to", zone, 1)?,
        phone: if short { String::new() } else { find.clone() },
        extension: if short { find } else { String::new() },
        outcome: word(
            &wanted.result,
            "result",
            &[
                Outcome::Answered,
                Outcome::Missed,
                Outcome::Busy,
                Outcome::Failed,
                Outcome::Lost,
            ],
            Outcome::as_str,
        )?,
        direction: word(
            &wanted.direction,
            "direction",
            &[Direction::In, Direction::Out, Direction::Internal],
            Direction::as_str,
        )?,
    })
}

fn word<T: Copy>(
    text: &str,
    name: &str,
    known: &[T],
    spell: impl Fn(T) -> &'static str,
) -> Result<Option<T>, AppError> {
    if text.is_empty() {
        return Ok(None);
    }
    match known.iter().find(|value| spell(**value) == text) {
        Some(value) => Ok(Some(*value)),
        None => {
            let all: Vec<&str> = known.iter().map(|value| spell(*value)).collect();
            Err(AppError::BadRequest(format!(
                "`{name}` is one of {}",
                all.join(", ")
            )))
        }
    }
}

/// A day on the zone's calendar (`days` after its beginning), or an instant.
pub fn instant(
    text: &str,
    name: &str,
    zone: chrono_tz::Tz,
    days: u64,
) -> Result<Option<DateTime<Utc>>, AppError> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(instant) = text.parse::<DateTime<Utc>>() {
        return Ok(Some(instant));
    }
    let day: NaiveDate = text.parse().map_err(|_| {
        AppError::BadRequest(format!(
            "`{name}` is a day like 2026-11-20, or a time like 2026-11-20T10:00:00Z"
        ))
    })?;
    let day = day.checked_add_days(chrono::Days::new(days)).unwrap_or(day);
    let start = zone
        .from_local_datetime(&day.and_time(NaiveTime::MIN))
        .earliest();
    Ok(start.map(|start| start.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_enterprises_calendar() {
        let zone = chrono_tz::Europe::Minsk;
        let wanted = Wanted {
            from: "2026-11-20".into(),
            to: "2026-11-20".into(),
            ..Wanted::default()
        };
        let filter = filter(&wanted, Some(1), zone, |_| false).expect("a filter");
        assert_eq!(
            filter.from.map(|at| at.to_rfc3339()),
            Some("2026-11-19T21:00:00+00:00".into())
        );
        assert_eq!(
            filter.to.map(|at| at.to_rfc3339()),
            Some("2026-11-20T21:00:00+00:00".into())
        );
    }

    #[test]
    fn short_numbers_are_extensions() {
        let of = |find: &str| {
            let wanted = Wanted {
                find: find.into(),
                ..Wanted::default()
            };
            filter(&wanted, None, chrono_tz::UTC, |text| text == "12345")
                .map(|filter| (filter.phone, filter.extension))
        };
        assert_eq!(of("150").ok(), Some((String::new(), "150".into())));
        assert_eq!(of("12345").ok(), Some((String::new(), "12345".into())));
        assert_eq!(of("29123").ok(), Some(("29123".into(), String::new())));
        assert_eq!(
            of("+375 (29) 625-40").ok(),
            Some(("+3752962540".into(), String::new()))
        );
    }

    #[test]
    fn what_cannot_be_meant_is_told_in_words() {
        for wanted in [
            Wanted {
                from: "yesterday".into(),
                ..Wanted::default()
            },
            Wanted {
                result: "won".into(),
                ..Wanted::default()
            },
            Wanted {
                direction: "up".into(),
                ..Wanted::default()
            },
        ] {
            assert!(matches!(
                filter(&wanted, None, chrono_tz::UTC, |text| text == "12345"),
                Err(AppError::BadRequest(_))
            ));
        }
    }
}
