//! What MoySklad is told, as a person reads it, and what its answers mean.

use serde_json::json;

use super::*;
use crate::call::record::{Outcome, Phase, Record};
use crate::integration::sample;

const CALL: &str = include_str!("fixtures/call.json");
const UNKNOWN_CALL: &str = include_str!("fixtures/call_unknown.json");
const GONE: &str = r#"{"errors":[{"error":"Объект не найден","code":1021}]}"#;

fn connector(more: Value) -> MoySklad {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    let mut settings = json!({"token": "s3cret-key", "access_token": "s3cret-token"});
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    MoySklad::new(&place, &settings).unwrap()
}

/// What an earlier conversation kept.
fn kept(id: &str) -> Value {
    json!({"talk": 6, "call": {"id": id}})
}

fn ok(body: &str) -> Reply {
    Reply::new(200, body)
}

fn gone() -> Reply {
    Reply::new(404, GONE)
}

/// The call once the link to its recording is there.
fn linked() -> String {
    let link = "https://pbx.example/recordings/file/01935d00-0000-7000-8000-000000000001";
    let linked = format!("\"recordUrl\": [\"{link}\"]");
    let ended = "\"endTime\": \"2026-03-01 14:06:20.000\"";
    CALL.replace("\"recordUrl\": []", &linked)
        .replace("\"endTime\": null", ended)
}

/// A whole conversation: what is said, kept and come to, with these answers.
fn talk(ms: &MoySklad, notice: &Notice, memory: Value, answers: &[Reply]) -> String {
    let mut known = Known {
        talk: 7,
        memory,
        tokens: None,
    };
    let (mut heard, mut answers) = (Vec::<Reply>::new(), answers.iter());
    let mut text = String::new();
    loop {
        match ms.deliver(notice, &known, &heard) {
            Step::Send(request) => {
                text.push_str(&request.shown().replace("https://api.moysklad.ru", ""));
                text.push('\n');
                match answers.next() {
                    Some(reply) => heard.push(reply.clone()),
                    None => return text + "(no answer)\n",
                }
            }
            Step::Keep(memory) => {
                text.push_str(&format!("keep {memory}\n"));
                known.memory = memory;
                heard.clear();
            }
            other => return text + &format!("{other:?}\n"),
        }
    }
}

/// The call while 151 talks.
fn talking() -> Record {
    Record {
        phase: Phase::Talking,
        talked: vec!["151".into()],
        talking: Some("151".into()),
        events_count: 3,
        ..sample::ringing(1)
    }
}

#[test]
fn a_call_is_one_thing_from_its_ring_to_its_recording() {
    let ms = connector(json!({}));
    let known = kept("11111111-aaaa-11f0-0a80-000000000001");
    let more = Notice {
        extensions: vec!["152".into()],
        ..sample::notice(NoticeKind::Dial, talking())
    };
    let done = Reply::new(204, "");
    let text = [
        (
            "it rings",
            NoticeKind::Dial,
            sample::ringing(1),
            json!(null),
            vec![ok(CALL)],
        ),
        (
            "151 answers",
            NoticeKind::Bridge,
            talking(),
            known.clone(),
            vec![ok(CALL)],
        ),
        (
            "it is over",
            NoticeKind::Hangup,
            sample::answered(1),
            known.clone(),
            vec![done.clone()],
        ),
        (
            "its history",
            NoticeKind::Upload,
            sample::answered(1),
            known.clone(),
            vec![ok(CALL), ok(CALL)],
        ),
        (
            "nobody answered",
            NoticeKind::Upload,
            sample::unanswered(1, Outcome::Missed),
            known.clone(),
            vec![ok(CALL)],
        ),
        (
            "without a card before",
            NoticeKind::Upload,
            sample::answered(1),
            json!(null),
            vec![ok(&linked())],
        ),
        (
            "150 calls out",
            NoticeKind::Dial,
            Record {
                made_by: Some("150".into()),
                ..sample::outgoing(sample::ringing(1))
            },
            json!(null),
            vec![ok(CALL)],
        ),
    ]
    .into_iter()
    .map(|(what, kind, record, memory, answers)| {
        let notice = sample::notice(kind, record);
        format!("# {what}\n{}", talk(&ms, &notice, memory, &answers))
    })
    .chain([format!(
        "# 152 is asked, too\n{}",
        talk(&ms, &more, known, &[done])
    )])
    .collect::<Vec<_>>()
    .join("\n");
    insta::assert_snapshot!("a_call_in_moysklad", text);
}

#[test]
fn a_call_is_asked_for_before_it_is_created_again() {
    let ms = connector(json!({}));
    let dial = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let began = json!({"talk": 6, "call": null});
    let found = talk(&ms, &dial, began.clone(), &[ok(CALL)]);
    assert!(
        found.starts_with("PUT /api/phone/1.0/call/extid/1772363109.1\n")
            && !found.contains("POST"),
        "{found}"
    );
    let created = talk(&ms, &dial, began.clone(), &[gone(), ok(CALL)]);
    let id = "\"id\":\"11111111-aaaa-11f0-0a80-000000000001\"";
    assert!(
        created.contains("POST /api/phone/1.0/call\n") && created.contains(id),
        "{created}"
    );
    // The card of a call that was created without our knowing is closed; of one that was not, there is none.
    let hangup = sample::notice(NoticeKind::Hangup, sample::answered(1));
    assert!(talk(&ms, &hangup, began.clone(), &[ok(CALL)]).contains("HIDE_ALL"));
    for (memory, answers) in [(json!(null), vec![]), (began, vec![gone()])] {
        let text = talk(&ms, &hangup, memory, &answers);
        assert!(text.ends_with("Nothing(\"no card was shown\")\n"), "{text}");
    }
    // An account that knows the call no more gets its history all the same.
    let upload = sample::notice(NoticeKind::Upload, sample::answered(1));
    let text = talk(&ms, &upload, kept("x"), &[gone(), ok(CALL), ok(CALL)]);
    assert!(text.contains("POST /api/phone/1.0/call\n"), "{text}");
}

#[test]
fn a_link_that_is_there_is_not_added_again() {
    let ms = connector(json!({}));
    let upload = sample::notice(NoticeKind::Upload, sample::answered(1));
    let text = talk(&ms, &upload, kept("x"), &[ok(&linked())]);
    assert!(!text.contains("recordUrl"), "{text}");
    // An answer without a body says nothing about links: better twice than not at all.
    let empty = Reply::new(204, "");
    let text = talk(&ms, &upload, kept("x"), &[empty.clone(), empty]);
    assert!(
        text.contains("recordUrl") && text.contains("Taken"),
        "{text}"
    );
}

#[test]
fn an_unknown_caller_becomes_a_counterparty_of_who_answered() {
    let ms = connector(json!({"unknown": "contact"}));
    let upload = sample::notice(NoticeKind::Upload, sample::answered(1));
    let nobody = ok(r#"{"rows": []}"#);
    let made = ok(
        r#"{"id": "c1", "meta": {"href": "https://api.moysklad.ru/api/remap/1.2/entity/counterparty/c1", "uuidHref": "x"}}"#,
    );
    let answers = [
        ok(UNKNOWN_CALL),
        ok(UNKNOWN_CALL),
        nobody.clone(),
        nobody.clone(),
        nobody,
        made,
        ok(CALL),
    ];
    let text = talk(
        &ms,
        &upload,
        kept("11111111-aaaa-11f0-0a80-000000000001"),
        &answers,
    );
    insta::assert_snapshot!("an_unknown_caller_in_moysklad", text);
    // Not by default, and never one of the enterprise's own numbers.
    let own = Record {
        phone: Some("+375172000000".into()),
        ..sample::answered(1)
    };
    for (ms, record) in [(connector(json!({})), sample::answered(1)), (ms, own)] {
        let upload = sample::notice(NoticeKind::Upload, record);
        let text = talk(
            &ms,
            &upload,
            kept("x"),
            &[ok(UNKNOWN_CALL), ok(UNKNOWN_CALL)],
        );
        assert!(
            text.ends_with("End(Taken(\"an unknown number\"))\n"),
            "{text}"
        );
    }
}

#[test]
fn new_counterparties_need_a_token() {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "",
        enterprise: &enterprise,
    };
    let fault = MoySklad::new(&place, &json!({"token": "k", "unknown": "contact"})).unwrap_err();
    assert_eq!(fault.field, "access_token");
}

#[test]
fn each_no_has_its_own_consequence() {
    let ms = connector(json!({}));
    let dial = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let told = |code: u64| {
        json!({"errors": [{"error": "слова", "code": code, "parameter": "number"}]}).to_string()
    };
    for (status, body, consequence) in [
        (
            401,
            told(1056),
            "Settings { words: \"слова (number): the key",
        ),
        (
            403,
            told(55008),
            "Settings { words: \"слова (number): install",
        ),
        (403, told(1016), "Settings"),
        (404, "<html>".into(), "Settings"),
        (415, String::new(), "Settings"),
        (412, told(3000), "Refused { words: \"слова (number)\""),
        (429, told(1049), "Throttled"),
        (502, String::new(), "Later"),
        (200, "<html>".into(), "Later"),
        (200, "{}".into(), "Later"),
    ] {
        let text = talk(&ms, &dial, json!(null), &[Reply::new(status, body)]);
        let last = text.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("Failed({consequence}")),
            "{status}: {last}"
        );
    }
}

#[test]
fn a_click_is_heard_when_it_is_signed_with_our_key() {
    let click = |signature: Option<&str>| {
        let body =
            r#"{"srcNumber": "151", "destNumber": "+79001234567", "uid": "admin@mycompany"}"#;
        let fields: std::collections::BTreeMap<String, String> =
            serde_json::from_str(body).unwrap();
        Incoming {
            fields,
            body: body.into(),
            headers: signature
                .map(|text| (clicks::SIGNATURE.to_owned(), text.to_owned()))
                .into_iter()
                .collect(),
        }
    };
    let ms = connector(json!({}));
    let hear =
        |ms: &MoySklad, signature: Option<&str>| ms.hear(&click(signature), &Known::default());
    let values = ["151", "+79001234567", "admin@mycompany"];
    for right in api::signatures(&ms.settings, values, &click(None).body) {
        for told in [right.clone(), right.to_lowercase()] {
            let wish = hear(&ms, Some(&told)).unwrap();
            assert!(
                matches!(&wish, Wish::Call { extension: Some(it), phone, .. } if it == "151" && phone == "+79001234567"),
                "{wish:?}"
            );
        }
    }
    assert!(hear(&ms, Some("802EFD4A933386248031D2928612A13F")).is_err());
    assert!(hear(&ms, None).is_err());
    let careless = connector(json!({"check_signature": false}));
    assert!(hear(&careless, None).is_ok());
    assert!(
        careless
            .hear(&Incoming::default(), &Known::default())
            .is_err()
    );
}

#[test]
fn a_mobile_that_a_call_was_forwarded_to_has_no_screen() {
    let record = Record {
        rung: vec!["150".into(), "+375297770011".into()],
        talked: vec!["+375297770011".into()],
        ..talking()
    };
    let notice = sample::notice(NoticeKind::Bridge, record);
    let said = json!(map::commands(&notice, false)).to_string();
    assert_eq!(
        said,
        r#"[{"eventType":"HIDE","extension":"150","sequence":3200}]"#
    );
}

#[test]
fn times_are_moscows() {
    assert_eq!(map::moscow(sample::morning()), "2026-03-01 14:05:09.000");
}
