//! What a call calls for, as rows of the outbox: one for each connected CRM that wants the notice. Called by the
//! call's actor before its commit, which writes the rows in the event's own transaction. Pure. These rules hold for
//! every CRM and are written nowhere else:
//!
//! - an internal call and a withheld number are nobody's business but ours;
//! - the pop-up is told at once and is of use for seconds; history goes after a short rest and is tried for days;
//! - a kind that lasts is told of each moment, with its time, and every notice is history to it;
//! - (call, integration, kind) names a row once and for all; `position` keeps the order within the call.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::settings::Settings;
use crate::cache::snapshot::Enterprise;
use crate::call::effect::{Planned, When};
use crate::call::record::{Direction, Notice, NoticeKind};
use crate::crm;
use crate::store::deliveries::NewDelivery;

/// A history record that must wait for the call's real end is renewed by it; should that never come, it goes after
/// this time as it is.
const HELD: Duration = Duration::from_secs(24 * 3_600);

/// The rows that these notices call for.
pub fn deliveries_for(
    planned: &[Planned],
    enterprise: &Enterprise,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Vec<NewDelivery> {
    let mut rows = Vec::new();
    for plan in planned {
        let notice = &plan.notice;
        if forbidden(notice).is_some() {
            continue;
        }
        let (mut plain, mut timed) = (None, None);
        for (name, integration) in &enterprise.integrations {
            let wanted = crm::find(name)
                .filter(|kind| integration.enabled && kind.wants.contains(&notice.kind));
            let Some(kind) = wanted else {
                continue;
            };
            let payload = if kind.lasting && is_moment(plan) {
                timed.get_or_insert_with(|| written(&at(notice, now)))
            } else {
                plain.get_or_insert_with(|| written(notice))
            };
            let (not_before, expires_at) = times(plan, settings, kind.lasting, now);
            rows.push(NewDelivery {
                enterprise: enterprise.id,
                integration: name.clone(),
                call: notice.record.call,
                unique_id: notice.record.unique_id.clone(),
                kind: plan.key.clone(),
                position: plan.position,
                payload: payload.clone(),
                not_before,
                expires_at: Some(expires_at),
                lease: plan.when == When::Now,
            });
        }
    }
    rows
}

/// Whether the time of a notice is when it came to that, and not the call's own.
fn is_moment(plan: &Planned) -> bool {
    plan.when == When::Now || plan.notice.kind == NoticeKind::Recording
}

fn written(notice: &Notice) -> String {
    serde_json::to_string(notice).unwrap_or_default()
}

fn at(notice: &Notice, now: DateTime<Utc>) -> Notice {
    Notice {
        at: Some(now),
        ..notice.clone()
    }
}

fn times(
    plan: &Planned,
    settings: &Settings,
    lasting: bool,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let ms = Duration::from_millis;
    let from = match plan.when {
        When::Now => now,
        When::Settled => now + ms(settings.settle_ms),
        When::Held => now + HELD,
    };
    let days = Duration::from_secs(settings.history_life_hours.saturating_mul(3_600));
    let life = match plan.notice.kind {
        _ if lasting => days,
        NoticeKind::Start | NoticeKind::Dial | NoticeKind::Bridge => ms(settings.popup_life_ms),
        NoticeKind::Hangup => ms(settings.hangup_life_ms),
        NoticeKind::Upload | NoticeKind::Recording => days,
    };
    (from, from + life)
}

/// Why nothing may be said about this call to any CRM, in words for its page. Asked again before each delivery: a
/// late event may have corrected direction or number.
pub fn forbidden(notice: &Notice) -> Option<&'static str> {
    let record = &notice.record;
    match (record.direction, record.phone.as_deref()) {
        (Direction::Internal, _) => Some("an internal call is not told to CRMs"),
        (_, None | Some("")) => Some(
            "the number was withheld or could not be understood: there is nothing to look up in a CRM",
        ),
        (Direction::In | Direction::Out, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample;
    use super::*;
    use crate::call::record::Record;

    fn plan(kind: NoticeKind, when: When, record: Record) -> Planned {
        Planned {
            key: kind.as_str().into(),
            position: 3,
            when,
            notice: sample::notice(kind, record),
        }
    }

    fn rows(planned: &[Planned], integrations: &[(&str, serde_json::Value)]) -> Vec<NewDelivery> {
        let settings = Settings::default();
        deliveries_for(
            planned,
            &sample::enterprise(integrations),
            &settings,
            sample::morning(),
        )
    }

    #[test]
    fn each_connected_crm_gets_what_it_wants_and_nothing_else() {
        let planned = [
            plan(NoticeKind::Dial, When::Now, sample::ringing(1)),
            plan(NoticeKind::Bridge, When::Now, sample::ringing(1)),
            plan(NoticeKind::Upload, When::Settled, sample::answered(1)),
        ];
        let rows = rows(
            &planned,
            &[("retailcrm", json!({})), ("unknown", json!({}))],
        );
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.integration.as_str(), row.kind.as_str(), row.lease))
            .collect();
        assert_eq!(
            seen,
            [("retailcrm", "dial", true), ("retailcrm", "upload", false)]
        );
        let notice: Notice = serde_json::from_str(&rows[1].payload).unwrap();
        assert_eq!(notice, planned[2].notice);
    }

    #[test]
    fn a_pop_up_lives_seconds_and_history_days() {
        let life = |kind, when| {
            let rows = rows(
                &[plan(kind, when, sample::ringing(1))],
                &[("retailcrm", json!({}))],
            );
            let row = &rows[0];
            let from = row.not_before - sample::morning();
            (
                from.num_seconds(),
                (row.expires_at.unwrap() - row.not_before).num_seconds(),
            )
        };
        assert_eq!(life(NoticeKind::Dial, When::Now), (0, 15));
        assert_eq!(life(NoticeKind::Hangup, When::Now), (0, 120));
        assert_eq!(life(NoticeKind::Upload, When::Settled), (3, 7 * 86_400));
        assert_eq!(life(NoticeKind::Upload, When::Held), (86_400, 7 * 86_400));
    }

    #[test]
    fn internal_calls_withheld_numbers_and_what_is_switched_off_make_no_row() {
        let on = [("retailcrm", json!({}))];
        let internal = Record {
            direction: Direction::Internal,
            ..sample::ringing(1)
        };
        let withheld = Record {
            phone: None,
            ..sample::ringing(1)
        };
        assert!(rows(&[plan(NoticeKind::Dial, When::Now, internal)], &on).is_empty());
        assert!(rows(&[plan(NoticeKind::Dial, When::Now, withheld)], &on).is_empty());
        let mut enterprise = sample::enterprise(&on);
        enterprise
            .integrations
            .values_mut()
            .for_each(|one| one.enabled = false);
        let planned = [plan(NoticeKind::Dial, When::Now, sample::ringing(1))];
        let rows = deliveries_for(
            &planned,
            &enterprise,
            &Settings::default(),
            sample::morning(),
        );
        assert!(rows.is_empty());
    }
}
