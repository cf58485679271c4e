//! What `text` says about calls of every kind, as tables.

use std::fmt::Write as _;

use chrono::{TimeZone, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cache::snapshot::{Line, Person};
use crate::call::record::CallId;

pub(crate) fn enterprise(language: &str) -> Enterprise {
    let person = |name: &str| Person {
        user_id: None,
        name: name.to_owned(),
    };
    Enterprise {
        id: 1,
        number: "0367".into(),
        name: "june".into(),
        token: "t".into(),
        active: true,
        country: "BY".into(),
        time_zone: chrono_tz::Europe::Minsk,
        language: language.into(),
        bot_token: None,
        secret: None,
        debug_log: false,
        settings: json!({}),
        extensions: [
            ("150".to_owned(), person("Анна <b>")),
            ("152".to_owned(), person("")),
        ]
        .into(),
        lines: [(
            "0001367".to_owned(),
            Line {
                name: "Офис & склад".into(),
                rules: vec![],
            },
        )]
        .into(),
        primary: None,
        integrations: Default::default(),
        has_telegram_subscribers: true,
        host: Default::default(),
    }
}

pub(crate) fn record(direction: Direction, phase: Phase) -> Record {
    let at = Utc.with_ymd_and_hms(2026, 11, 20, 10, 0, 0).unwrap();
    Record {
        call: CallId(1),
        enterprise: 1,
        uuid: uuid::Uuid::from_u128(7),
        unique_id: "1795194153.0".into(),
        linked_id: "1795194153.0".into(),
        direction,
        phase,
        outcome: None,
        phone: Some("+375291234567".into()),
        raw_phone: "375291234567".into(),
        line: "0001367".into(),
        rung: vec![],
        talked: vec![],
        talking: None,
        made_by: None,
        received_at: at,
        answered_at: None,
        ended_at: None,
        wait_seconds: 4,
        talk_seconds: 0,
        recording: String::new(),
        hung_up_by: String::new(),
        request_id: String::new(),
        events_count: 1,
        data_source: "live".into(),
    }
}

fn list(of: &[&str]) -> Vec<String> {
    of.iter().map(|e| (*e).to_owned()).collect()
}

fn ended(direction: Direction, outcome: Outcome) -> Record {
    Record {
        outcome: Some(outcome),
        rung: list(&["150", "151"]),
        ..record(direction, Phase::Ended)
    }
}

fn cases() -> Vec<(&'static str, Record)> {
    use Direction::{In, Internal, Out};
    let group = || list(&["150", "151", "152"]);
    let inside = |phase| Record {
        phone: Some("151".into()),
        raw_phone: "151".into(),
        made_by: Some("150".into()),
        line: String::new(),
        ..record(Internal, phase)
    };
    let out = |phase| Record {
        made_by: Some("150".into()),
        ..record(Out, phase)
    };
    vec![
        (
            "in: start, only the line is known",
            record(In, Phase::Ringing),
        ),
        (
            "in: start, unknown line",
            Record {
                line: "77".into(),
                ..record(In, Phase::Ringing)
            },
        ),
        (
            "in: start, no line",
            Record {
                line: String::new(),
                ..record(In, Phase::Ringing)
            },
        ),
        (
            "in: dial",
            Record {
                rung: group(),
                ..record(In, Phase::Dialing)
            },
        ),
        (
            "in: talking",
            Record {
                rung: group(),
                talked: list(&["151"]),
                talking: Some("151".into()),
                ..record(In, Phase::Talking)
            },
        ),
        (
            "in: held",
            Record {
                rung: group(),
                talked: list(&["150"]),
                ..record(In, Phase::Held)
            },
        ),
        (
            "in: answered, transferred, recorded",
            Record {
                talked: list(&["150", "151"]),
                talk_seconds: 125,
                recording: "a.wav".into(),
                ..ended(In, Outcome::Answered)
            },
        ),
        (
            "in: missed, an empty recording",
            Record {
                recording: "a.wav".into(),
                ..ended(In, Outcome::Missed)
            },
        ),
        (
            "in: missed without a dial",
            Record {
                rung: vec![],
                ..ended(In, Outcome::Missed)
            },
        ),
        ("in: busy", ended(In, Outcome::Busy)),
        ("in: failed", ended(In, Outcome::Failed)),
        ("in: lost while ringing", ended(In, Outcome::Lost)),
        (
            "in: lost in talk",
            Record {
                talked: list(&["150"]),
                ..ended(In, Outcome::Lost)
            },
        ),
        (
            "in: withheld",
            Record {
                phone: None,
                raw_phone: "anonymous".into(),
                ..record(In, Phase::Ringing)
            },
        ),
        (
            "in: not a number",
            Record {
                phone: None,
                raw_phone: "<i>12;rm</i>".into(),
                ..record(In, Phase::Ringing)
            },
        ),
        ("out: start", out(Phase::Ringing)),
        ("out: dial", out(Phase::Dialing)),
        (
            "out: talking",
            Record {
                talked: list(&["150"]),
                talking: Some("150".into()),
                ..out(Phase::Talking)
            },
        ),
        (
            "out: answered",
            Record {
                outcome: Some(Outcome::Answered),
                talked: list(&["150"]),
                talk_seconds: 3599,
                ..out(Phase::Ended)
            },
        ),
        (
            "out: not answered",
            Record {
                outcome: Some(Outcome::Missed),
                ..out(Phase::Ended)
            },
        ),
        (
            "out: no such number",
            Record {
                outcome: Some(Outcome::Failed),
                ..out(Phase::Ended)
            },
        ),
        ("internal: start", inside(Phase::Ringing)),
        (
            "internal: dial",
            Record {
                rung: list(&["151"]),
                ..inside(Phase::Dialing)
            },
        ),
        (
            "internal: talking",
            Record {
                talked: list(&["151"]),
                ..inside(Phase::Talking)
            },
        ),
        (
            "internal: answered",
            Record {
                outcome: Some(Outcome::Answered),
                talked: list(&["151"]),
                talk_seconds: 8,
                ..inside(Phase::Ended)
            },
        ),
        (
            "internal: missed",
            Record {
                outcome: Some(Outcome::Missed),
                ..inside(Phase::Ended)
            },
        ),
        (
            "internal: caller unknown",
            Record {
                made_by: None,
                ..inside(Phase::Ringing)
            },
        ),
    ]
}

fn told(language: &str, client: Option<&str>) -> String {
    let enterprise = enterprise(language);
    let scene = Scene {
        enterprise: &enterprise,
        client,
        public_url: "https://pb.example/",
    };
    cases()
        .into_iter()
        .fold(String::new(), |mut all, (name, record)| {
            let _ = writeln!(
                all,
                "{name}\n    {}",
                compose(&record, scene).replace('\n', "\n    ")
            );
            all
        })
}

#[test]
fn every_moment_in_russian_with_a_name() {
    insta::assert_snapshot!(told("ru", Some("ООО «Ромашка» <script>")));
}

#[test]
fn every_moment_in_english_without_a_name() {
    insta::assert_snapshot!(told("en", None));
}

#[test]
fn a_long_ring_group_is_counted_and_long_names_are_cut() {
    let house = enterprise("ru");
    let scene = Scene {
        enterprise: &house,
        client: Some(&"я".repeat(500)),
        public_url: "",
    };
    let call = Record {
        rung: (100..400).map(|e| e.to_string()).collect(),
        ..record(Direction::In, Phase::Dialing)
    };
    insta::assert_snapshot!(compose(&call, scene));
}

#[test]
fn a_name_cannot_break_out_of_its_line() {
    let house = enterprise("ru");
    let scene = Scene {
        enterprise: &house,
        client: Some("a\n✅ Завершен\u{202E}\u{0}b"),
        public_url: "",
    };
    let text = compose(&record(Direction::In, Phase::Ringing), scene);
    assert_eq!(
        text,
        "📞 Звонок от +375291234567 (a ✅ Завершен b) → Офис &amp; склад"
    );
}

#[test]
fn without_markup_the_text_reads_the_same() {
    assert_eq!(
        plain("a &lt;b&gt; &amp;amp;\n<a href=\"https://x/\">Запись</a>"),
        "a <b> &amp;\nЗапись"
    );
}

proptest! {
    /// Whatever a caller or a CRM calls itself, the message is one that Telegram takes: short, no markup of theirs.
    #[test]
    fn no_name_or_number_spoils_a_message(name in "\\PC*|.{0,300}", raw in ".{0,100}", extension in ".{0,30}") {
        let house = enterprise("en");
        let scene = Scene { enterprise: &house, client: Some(&name), public_url: "https://pb.example" };
        let call = Record { phone: None, raw_phone: raw, rung: vec![extension; 50], ..record(Direction::In, Phase::Dialing) };
        let text = compose(&call, scene);
        prop_assert!(plain(&text).encode_utf16().count() <= 4096);
        prop_assert!(!text.contains(['<', '>', '\n']));
        prop_assert!(text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").replace("&quot;", "").find('&').is_none());
    }
}
