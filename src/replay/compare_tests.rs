//! Every difference is found and said in words.

use super::capture::{Event, Expected, Scenario};
use super::compare::*;
use super::host::Sent;
use super::seen::{Call, History, Message, Surroundings};

fn scenario() -> Scenario {
    let event = |index, unique_id: &str| Event {
        index,
        at: 0.0,
        path: "/start".into(),
        headers: Vec::new(),
        body: format!(r#"{{"UniqueId": "{unique_id}"}}"#).into_bytes(),
        hostile: false,
        answered: None,
    };
    Scenario {
        name: "one".into(),
        events: vec![event(0, "1.1"), event(1, "1.2")],
        token: "7".into(),
        expected: None,
    }
}

fn call(unique_id: &str) -> Call {
    Call {
        id: format!("9{unique_id}"),
        unique_id: unique_id.into(),
        direction: "in".into(),
        phone: Some("+375291234567".into()),
        result: Some("answered".into()),
        rung: vec!["150".into()],
        talked: vec!["150".into()],
        wait_seconds: 2,
        talk_seconds: 5,
        ..Call::default()
    }
}

fn expected() -> Expected {
    Expected {
        direction: Some("in".into()),
        phone: Some(Some("+375291234567".into())),
        result: Some("answered".into()),
        rung: Some(vec!["150".into()]),
        talked: Some(vec!["150".into()]),
        made_by: None,
        crm_history: Some(1),
        wait_s: Some(1),
        talk_s: Some(6),
    }
}

fn sent() -> Sent {
    let taken = scenario()
        .events
        .iter()
        .map(|event| (event.identity(), event.body.clone()))
        .collect();
    Sent {
        taken,
        ..Sent::default()
    }
}

/// What stands around `call("1.1")` when all went well.
fn around() -> Surroundings {
    Surroundings {
        history: vec![History {
            external_id: "1.1".into(),
            kind: "in".into(),
            phone: "375291234567".into(),
            result: "answered".into(),
            talk: 5,
            wait: 2,
        }],
        messages: vec![Message {
            text: "✅ Завершен: +375291234567 ↔ 150, 0:05".into(),
            call: Some("91.1".into()),
        }],
        journal: sent()
            .taken
            .into_iter()
            .map(|(identity, body)| (identity, String::from_utf8(body).unwrap()))
            .collect(),
        ..Surroundings::default()
    }
}

fn differences(change: impl FnOnce(&mut Call, &mut Surroundings)) -> String {
    let (mut call, mut around) = (call("1.1"), around());
    change(&mut call, &mut around);
    let leeway = Leeway::default();
    compare(
        &scenario(),
        &[expected()],
        &[call],
        Some(&around),
        &sent(),
        leeway,
    )
    .differences
    .join("; ")
}

#[test]
fn a_second_more_or_less_is_the_same() {
    assert_eq!(differences(|_, _| ()), "");
}

type Change = fn(&mut Call, &mut Surroundings);

#[test]
fn whatever_differs_is_said() {
    let table: [(&str, Change); 14] = [
        ("result busy, expected answered", |call, _| {
            call.result = Some("busy".into())
        }),
        ("phone none, expected +375291234567", |call, _| {
            call.phone = None
        }),
        ("talked 150,151, expected 150", |call, _| {
            call.talked.push("151".into())
        }),
        ("rung nobody, expected 150", |call, _| call.rung.clear()),
        ("waited 3 s, expected 1 s", |call, _| call.wait_seconds = 3),
        ("1 delivery left open", |call, _| call.deliveries.open = 1),
        ("2 deliveries came too late", |call, _| {
            call.deliveries.missed = 2
        }),
        ("told talk 0, the call has 5", |_, around| {
            around.history[0].talk = 0
        }),
        ("2 history records at the CRM instead of 1", |_, around| {
            around.history.push(around.history[0].clone());
        }),
        ("refused: Telegram", |_, around| {
            around.refusals.push("Telegram, x (400): y".into())
        }),
        (
            "the message of a call that is answered reads",
            |_, around| {
                around.messages[0].text = "🔗 Разговор: +375291234567 ↔ 150".into();
            },
        ),
        ("0 messages of the call 1.1", |_, around| {
            around.messages.clear()
        }),
        ("is not in the journal", |_, around| {
            drop(around.journal.pop())
        }),
        ("is in the journal 2 times", |_, around| {
            around.journal.push(around.journal[0].clone());
        }),
    ];
    for (words, change) in table {
        let told = differences(change);
        assert!(told.contains(words), "{words:?} is not in {told:?}");
    }
}

#[test]
fn calls_are_compared_in_the_order_of_their_first_events() {
    let second = Call {
        result: Some("missed".into()),
        ..call("1.2")
    };
    let wanted = |result: &str| Expected {
        result: Some(result.into()),
        ..Expected::default()
    };
    let compared = |calls: &[Call]| {
        let expected = [wanted("answered"), wanted("missed")];
        compare(
            &scenario(),
            &expected,
            calls,
            None,
            &sent(),
            Leeway::default(),
        )
        .differences
    };
    assert!(compared(&[second.clone(), call("1.1")]).is_empty());
    assert!(compared(&[second])[0].starts_with("1 call instead of 2"));
}

#[test]
fn a_killed_server_may_leave_a_message_nobody_knows_but_no_unfinished_one() {
    let mut around = around();
    around.messages.push(Message {
        text: "📞 Звонок от +375291234567".into(),
        call: None,
    });
    let found = |killed| {
        let leeway = Leeway {
            killed,
            shuffled: false,
        };
        compare(
            &scenario(),
            &[expected()],
            &[call("1.1")],
            Some(&around),
            &sent(),
            leeway,
        )
    };
    assert_eq!(found(false).differences.len(), 1);
    let killed = found(true);
    assert_eq!((killed.differences.len(), killed.notes.len()), (0, 1));
}
