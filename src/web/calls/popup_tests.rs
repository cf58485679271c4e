//! Each way in which a pop-up can fail to appear, and the line that must tell of it.

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_194_000 + seconds, 0).expect("a time")
}

/// A call whose pop-up was shown.
fn shown() -> Facts {
    Facts {
        events: 3,
        first_event: Some(at(0)),
        enterprise_number: "0367".into(),
        enterprise_active: true,
        direction: Direction::In,
        direction_word: "incoming".into(),
        phone: Some("+375296254070".into()),
        raw_phone: "80296254070".into(),
        rung: vec!["150".into(), "151".into()],
        integration: Some(Integration {
            name: "retailcrm".into(),
            enabled: true,
            mapped: Some(vec!["150".into()]),
            paused: false,
        }),
        delivery: Some(Delivery {
            stand: Stand::Done,
            attempts: 1,
            outcome: String::new(),
            created_at: at(1),
            finished_at: Some(at(2)),
        }),
        ended_at: Some(at(60)),
    }
}

#[test]
fn a_shown_popup_has_no_reason() {
    let answer = answer(&shown(), |at| at.to_rfc3339());
    assert_eq!(
        (answer.verdict, answer.reason.key.as_str()),
        ("shown", "popup-all-good")
    );
    assert!(
        answer.checks.iter().all(|check| check.mark == Mark::Yes),
        "{:?}",
        answer.checks
    );
}

/// Each row breaks one thing of a call that was fine, and names the line that must be the reason.
#[test]
fn the_first_failed_line_is_the_reason() {
    type Break = fn(&mut Facts);
    let table: &[(&str, &str, Break)] = &[
        ("not", "popup-event-no", |facts| facts.events = 0),
        ("not", "popup-active-no", |facts| {
            facts.enterprise_active = false
        }),
        ("not", "popup-external-no", |facts| {
            facts.direction = Direction::Internal
        }),
        ("not", "popup-number-no", |facts| facts.phone = None),
        ("not", "popup-rung-no", |facts| facts.rung.clear()),
        ("not", "popup-mapped-no", |facts| {
            let delivery = facts.delivery.as_mut().expect("a delivery");
            delivery.outcome = format!("{KNOWS_NO_USER}150, 151");
        }),
        ("not", "popup-configured-no", |facts| {
            facts.integration = None
        }),
        ("not", "popup-enabled-no", |facts| enabled(facts, false)),
        ("not", "popup-mapped-no", |facts| mapped(facts, &["152"])),
        ("not", "popup-mapped-no", |facts| mapped(facts, &[])),
        ("not", "popup-made-no", |facts| facts.delivery = None),
        ("not", "popup-accepted-no", |facts| {
            stand(facts, Stand::Failed)
        }),
        ("not", "popup-accepted-no", |facts| {
            stand(facts, Stand::Missed)
        }),
        ("not", "popup-running-missed", |facts| {
            stand(facts, Stand::Missed);
            if let Some(delivery) = &mut facts.delivery {
                delivery.attempts = 0;
            }
        }),
        ("waiting", "popup-accepted-waiting", |facts| {
            stand(facts, Stand::Open)
        }),
        ("waiting", "popup-running-no", |facts| {
            stand(facts, Stand::Open);
            pause(facts);
        }),
        ("not", "popup-useful-no", |facts| {
            facts.ended_at = Some(at(1))
        }),
        // A pause of now says nothing of a pop-up that arrived.
        ("shown", "popup-all-good", pause),
        // While the call goes on, whatever arrived is in time.
        ("shown", "popup-all-good", |facts| facts.ended_at = None),
        // Of several things that are wrong, the first is the reason.
        ("not", "popup-external-no", |facts| {
            facts.direction = Direction::Internal;
            facts.integration = None;
            facts.delivery = None;
        }),
    ];
    for (verdict, key, damage) in table {
        let mut facts = shown();
        damage(&mut facts);
        let answer = answer(&facts, |at| at.to_rfc3339());
        assert_eq!(
            (answer.verdict, answer.reason.key.as_str()),
            (*verdict, *key)
        );
        assert_eq!(
            answer.checks.len(),
            13,
            "every line is shown, reached or not"
        );
        let after = answer
            .checks
            .iter()
            .skip_while(|check| check.mark != Mark::No)
            .skip(1);
        assert!(
            after.clone().all(|check| check.mark == Mark::Skipped),
            "{key}: nothing is claimed after the reason"
        );
    }
}

#[test]
fn a_crm_that_finds_its_people_by_itself_is_not_asked_for_them() {
    let mut facts = shown();
    if let Some(integration) = &mut facts.integration {
        integration.mapped = None;
    }
    let answer = answer(&facts, |at| at.to_rfc3339());
    assert_eq!(answer.verdict, "shown");
    assert!(
        answer
            .checks
            .iter()
            .any(|check| check.text.key == "popup-mapped" && check.mark == Mark::Skipped)
    );
}

fn enabled(facts: &mut Facts, on: bool) {
    if let Some(integration) = &mut facts.integration {
        integration.enabled = on;
    }
}

fn mapped(facts: &mut Facts, extensions: &[&str]) {
    if let Some(integration) = &mut facts.integration {
        integration.mapped = Some(
            extensions
                .iter()
                .map(|extension| (*extension).to_owned())
                .collect(),
        );
    }
}

fn stand(facts: &mut Facts, stand: Stand) {
    if let Some(delivery) = &mut facts.delivery {
        delivery.stand = stand;
    }
}

fn pause(facts: &mut Facts) {
    if let Some(integration) = &mut facts.integration {
        integration.paused = true;
    }
}
