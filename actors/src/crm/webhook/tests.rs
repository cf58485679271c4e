//! What a receiver is told, as it reads it, and what its answers mean. Every body is held against the published schema.

use serde_json::{Value, json};

use super::*;
use crate::call::record::{Outcome, Record};
use crate::integration::connector::Failed;
use crate::integration::known::Known;
use crate::integration::sample;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FORMER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const URL: &str = "https://example.com/hooks?from=patchbay";

fn made(settings: Value) -> Connected {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example/",
        enterprise: &enterprise,
    };
    connect(&place, &settings)
}

fn connector() -> Box<dyn Connector> {
    made(json!({"url": URL, "secret": SECRET})).unwrap()
}

fn sent(step: Step<Delivered>) -> String {
    match step {
        Step::Send(request) => {
            let text = request.sealed(sample::morning()).shown();
            let (head, body) = text.rsplit_once('\n').unwrap();
            let body: Value = serde_json::from_str(body).unwrap();
            assert_valid(&body);
            format!("{head}\n{body:#}")
        }
        other => format!("{other:?}"),
    }
}

fn assert_valid(body: &Value) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let faults: Vec<String> = validator
        .iter_errors(body)
        .map(|fault| fault.to_string())
        .collect();
    assert!(faults.is_empty(), "{body:#}\n{faults:#?}");
}

/// The notice of an extension that answers after `talked` have talked.
fn bridge(extension: &str, talked: &[&str]) -> Notice {
    let record = Record {
        talked: talked.iter().map(|one| (*one).to_owned()).collect(),
        talking: Some(extension.into()),
        answered_at: Some(sample::morning() + chrono::Duration::seconds(9)),
        wait_seconds: 9,
        ..sample::ringing(1)
    };
    Notice {
        kind: NoticeKind::Bridge,
        extensions: vec![extension.into()],
        synthetic: false,
        at: Some(sample::morning() + chrono::Duration::seconds(40)),
        record,
    }
}

#[test]
fn each_moment_of_a_call_is_an_event_of_the_schema() {
    let of = |kind, record| sample::notice(kind, record);
    for (name, notice) in [
        ("started", of(NoticeKind::Start, sample::ringing(1))),
        ("ringing", of(NoticeKind::Dial, sample::ringing(1))),
        ("answered", bridge("151", &["151"])),
        ("transferred", bridge("152", &["151", "152"])),
        ("ended", of(NoticeKind::Hangup, sample::answered(1))),
        (
            "missed",
            of(NoticeKind::Hangup, sample::unanswered(1, Outcome::Missed)),
        ),
        ("recording", of(NoticeKind::Upload, sample::answered(1))),
        (
            "recording-later",
            Notice {
                at: Some(sample::morning() + chrono::Duration::minutes(5)),
                ..of(NoticeKind::Recording, sample::answered(1))
            },
        ),
        (
            "outgoing",
            of(NoticeKind::Hangup, sample::outgoing(sample::answered(1))),
        ),
    ] {
        insta::assert_snapshot!(
            name,
            sent(connector().deliver(&notice, &Known::default(), &[]))
        );
    }
}

#[test]
fn a_body_that_breaks_the_schema_would_be_found() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let notice = sample::notice(NoticeKind::Hangup, sample::answered(1));
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    let good = json!(map::event(&notice, &Facts::of(&place)).unwrap());
    assert!(validator.is_valid(&good));
    for (path, value) in [
        ("/type", json!("call.over")),
        ("/data/outcome", json!(null)),
        ("/data/phone", json!("375296254070")),
        ("/data/direction", json!("internal")),
        ("/data/talk_seconds", json!(-1)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        assert!(!validator.is_valid(&bad), "{path}");
    }
}

#[test]
fn a_test_delivery_is_signed_and_of_the_schema_too() {
    let Step::Send(request) = connector().ask(&Question::Test, &Known::default(), &[]) else {
        panic!("a test sends");
    };
    let text = request.sealed(sample::morning()).shown();
    assert!(text.contains("webhook-signature: v1,"), "{text}");
    let body: Value = serde_json::from_str(text.rsplit_once('\n').unwrap().1).unwrap();
    assert_valid(&body);
    assert_eq!(body["type"], "webhook.test");
    let end = connector().ask(&Question::Test, &Known::default(), &[Reply::new(204, "")]);
    assert!(
        matches!(&end, Step::End(Answer::Works(words)) if words == "the receiver took the test event (204)"),
        "{end:?}"
    );
}

#[test]
fn nothing_is_said_of_what_is_not_there_or_switched_off() {
    let unrecorded = Record {
        recording: String::new(),
        ..sample::answered(1)
    };
    let step = connector().deliver(
        &sample::notice(NoticeKind::Upload, unrecorded),
        &Known::default(),
        &[],
    );
    assert!(matches!(&step, Step::Nothing(words) if words == "the call was not recorded"));
    let silent = made(json!({"url": URL, "secret": SECRET, "send_ringing": false})).unwrap();
    let step = silent.deliver(
        &sample::notice(NoticeKind::Dial, sample::ringing(1)),
        &Known::default(),
        &[],
    );
    assert!(matches!(step, Step::Nothing(_)));
}

#[test]
fn a_message_keeps_its_id_through_tries_and_replays() {
    let id = |notice: &Notice| map::id(notice);
    let ended = sample::notice(NoticeKind::Hangup, sample::answered(1));
    let later = Notice {
        at: Some(sample::morning()),
        ..ended.clone()
    };
    assert_eq!(id(&ended), id(&later));
    let recorded = |kind| id(&sample::notice(kind, sample::answered(1)));
    assert_eq!(
        recorded(NoticeKind::Upload),
        recorded(NoticeKind::Recording)
    );
    let mut again = ended.clone();
    again.record.ended_at = Some(sample::morning() + chrono::Duration::seconds(99));
    let others = [
        id(&again),
        id(&sample::notice(NoticeKind::Hangup, sample::answered(2))),
        id(&sample::notice(NoticeKind::Start, sample::answered(1))),
        id(&bridge("151", &["151"])),
        id(&bridge("152", &["151", "152"])),
    ];
    let mut all: Vec<&String> = others.iter().collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), others.len());
    assert!(!others.contains(&id(&ended)));
    assert!(
        others.iter().all(|id| !id.contains('.')),
        "the signed text is cut at full stops"
    );
}

#[test]
fn while_a_secret_is_exchanged_both_sign() {
    let count = |settings: Value| {
        let step = made(settings).unwrap().deliver(
            &sample::notice(NoticeKind::Dial, sample::ringing(1)),
            &Known::default(),
            &[],
        );
        let text = sent(step);
        let line = text
            .lines()
            .find(|line| line.starts_with("webhook-signature: "))
            .unwrap();
        assert!(!text.contains("MfKQ9r8"), "{text}");
        line.matches("v1,").count()
    };
    let until = |at: &str| json!({"url": URL, "secret": SECRET, "former_secret": FORMER, "former_secret_until": at});
    assert_eq!(count(until("2026-03-01T11:05:10Z")), 2);
    assert_eq!(count(until("2026-03-01T11:05:09Z")), 1);
    assert_eq!(
        count(until("")),
        2,
        "entered by hand, it signs until it is taken away"
    );
}

#[test]
fn settings_are_refused_with_their_field() {
    for (settings, field) in [
        (json!({"url": "", "secret": SECRET}), "url"),
        (json!({"url": "example.com/hook", "secret": SECRET}), "url"),
        (json!({"url": "ftp://example.com", "secret": SECRET}), "url"),
        (
            json!({"url": "https://me:pass@example.com", "secret": SECRET}),
            "url",
        ),
        (json!({"url": URL, "secret": "whsec_short"}), "secret"),
        (
            json!({"url": URL, "secret": SECRET, "former_secret": "x"}),
            "former_secret",
        ),
    ] {
        let fault = made(settings.clone()).err().unwrap();
        assert_eq!(fault.field, field, "{settings}");
    }
}

#[test]
fn answers_mean_what_standard_webhooks_says() {
    let notice = sample::notice(NoticeKind::Hangup, sample::answered(1));
    let of = |status, body: &str| match connector().deliver(
        &notice,
        &Known::default(),
        &[Reply::new(status, body)],
    ) {
        Step::End(Delivered::Taken(_)) => "taken".to_owned(),
        Step::Failed(failed) => {
            let name = match failed {
                Failed::Expired { .. } => "expired",
                Failed::Later { .. } => "later",
                Failed::Throttled { .. } => "throttled",
                Failed::Postponed { .. } => "postponed",
                Failed::Refused { .. } => "refused",
                Failed::Settings { .. } => "settings",
                Failed::Blocked { .. } => "blocked",
            };
            format!("{name}: {failed}")
        }
        other => format!("{other:?}"),
    };
    let table = [
        (200, "<html>thanks"),
        (204, ""),
        (302, ""),
        (400, "no such field"),
        (401, "bad signature"),
        (404, ""),
        (410, ""),
        (429, ""),
        (500, ""),
        (502, "bad gateway"),
    ];
    let lines: Vec<String> = table
        .iter()
        .map(|(status, body)| format!("{status} {body:?} → {}", of(*status, body)))
        .collect();
    insta::assert_snapshot!("answers", lines.join("\n"));
}
