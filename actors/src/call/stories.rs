//! Calls that hosts are known to send and that no recording has: told event by event, each with what it must come
//! to. Times are seconds from the beginning.

use serde_json::{Value, json};

use super::event::{Body, Event, EventKind};
use super::record::{Direction, Outcome, Record};
use super::tests::run;

const CLIENT: &str = "375291234567";
const MOBILE: &str = "375297770011";

/// An event at a second of the story; microseconds in its id, as the kit writes them.
fn at(second: f64, kind: EventKind, fields: Value) -> Event {
    let micros = 1_795_194_000_000_000 + (second * 1e6) as i64;
    let mut body = fields;
    body["EventId"] = format!("{micros}-{}", kind.as_str()).into();
    let raw = body.to_string();
    Body::read(raw.as_bytes()).unwrap().into_event(
        kind,
        1,
        chrono_tz::UTC,
        None,
        chrono::Utc::now(),
    )
}

/// A leg as its host tells of it: unique id, linked id, type, phone, caller.
#[derive(Clone, Copy)]
struct Leg<'a> {
    ids: (&'a str, &'a str),
    call_type: i32,
    phone: &'a str,
    caller: &'a str,
}

fn leg<'a>(ids: (&'a str, &'a str), call_type: i32, phone: &'a str, caller: &'a str) -> Leg<'a> {
    Leg {
        ids,
        call_type,
        phone,
        caller,
    }
}

impl Leg<'_> {
    /// An event of it, with what else is told.
    fn says(&self, second: f64, kind: EventKind, more: Value) -> Event {
        let mut body = json!({"UniqueId": self.ids.0, "LinkedId": self.ids.1, "CallType": self.call_type,
            "Phone": self.phone, "CallerIDNum": self.caller});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        at(second, kind, body)
    }
}

use EventKind::{Bridge, BridgeLeave, Dial, Hangup, NewCallerId, Start};

/// One call comes of the events, whatever their order.
fn one(events: Vec<Event>) -> Record {
    let mut backwards = events.clone();
    backwards.reverse();
    let (forth, back) = (run(&events), run(&backwards));
    assert_eq!(forth.len(), 1, "{forth:#?}");
    assert_eq!(back.len(), 1, "{back:#?}");
    let key = |record: &Record| {
        (
            record.direction,
            record.phone.clone(),
            record.outcome,
            record.rung.clone(),
            record.talked.clone(),
            record.talk_seconds,
        )
    };
    assert_eq!(key(&forth[0]), key(&back[0]), "backwards");
    forth.into_iter().next().unwrap()
}

/// A client's call that 150 answers.
fn inbound(a: Leg<'_>) -> Vec<Event> {
    vec![
        a.says(0.0, Start, json!({})),
        a.says(0.1, Dial, json!({"Extensions": ["150"]})),
        a.says(
            1.0,
            Bridge,
            json!({"Extensions": ["150"], "ChannelUniqueId": "1.2", "CallStatus": "2"}),
        ),
    ]
}

#[test]
fn an_attended_transfer_by_phone_is_one_call_of_the_client() {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let d = leg(("1.3", "1.3"), 2, "151", "150");
    let mut events = inbound(a);
    events.extend([
        d.says(3.0, Start, json!({})),
        d.says(3.1, Dial, json!({"Extensions": ["151"]})),
        d.says(4.0, Bridge, json!({"Extensions": ["151"], "ChannelUniqueId": "1.4", "CallStatus": "2"})),
        d.says(6.0, Hangup, json!({"CallStatus": "2", "Extensions": ["151"], "DialStatus": "ANSWER"})),
        // The colleague's channel is in the client's bridge now and has taken over its linked id.
        at(9.0, BridgeLeave, json!({"UniqueId": "1.1", "LinkedId": "1.1", "CallerIDNum": CLIENT, "ConnectedLineNum": "151", "BridgeUniqueId": "b", "BridgeNumChannels": 1})),
        at(9.0, BridgeLeave, json!({"UniqueId": "1.4", "LinkedId": "1.1", "CallerIDNum": "151", "ConnectedLineNum": CLIENT, "BridgeUniqueId": "b", "BridgeNumChannels": 0})),
        a.says(9.1, Hangup, json!({"CallStatus": "2", "Extensions": ["150"], "DialStatus": "ANSWER", "LastConnected": "151"})),
    ]);
    let record = one(events);
    assert_eq!(
        (record.direction, record.outcome),
        (Direction::In, Some(Outcome::Answered))
    );
    assert_eq!(record.talked, ["150", "151"]);
    assert_eq!(record.rung, ["150", "151"]);
    assert_eq!(record.talk_seconds, 8);
    assert_eq!(record.hung_up_by, "client");
}

#[test]
fn without_bridge_events_the_hangup_tells_who_took_over() {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let mut events = inbound(a);
    events.push(a.says(9.0, Hangup, json!({"CallStatus": "2", "Extensions": ["150"], "DialStatus": "ANSWER", "LastConnected": "151"})));
    assert_eq!(one(events).talked, ["150", "151"]);
}

/// A client's call to 150, whose phone sends it on to a mobile.
pub fn forwarded() -> Vec<Event> {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let b = leg(("1.3", "1.1"), 1, MOBILE, CLIENT);
    vec![
        a.says(0.0, Start, json!({})),
        a.says(0.1, Dial, json!({"Extensions": ["150"]})),
        b.says(0.5, Start, json!({})),
        b.says(0.6, Dial, json!({"Extensions": [CLIENT]})),
        b.says(4.0, Bridge, json!({"Extensions": [CLIENT], "CallStatus": "2"})),
        a.says(4.1, Bridge, json!({"Extensions": [format!("+{MOBILE}")], "CallStatus": "2"})),
        b.says(9.0, Hangup, json!({"CallStatus": "2", "Extensions": [CLIENT], "DialStatus": "ANSWER"})),
        a.says(9.1, Hangup, json!({"CallStatus": "2", "Extensions": [format!("+{MOBILE}")], "DialStatus": "ANSWER"})),
    ]
}

#[test]
fn a_phone_forwarded_to_a_mobile_is_the_clients_one_call() {
    let record = one(forwarded());
    assert_eq!(
        (record.direction, record.phone.as_deref()),
        (Direction::In, Some("+375291234567"))
    );
    assert_eq!(record.rung, ["150"]);
    assert_eq!(record.talked, ["+375297770011"]);
    assert_eq!((record.wait_seconds, record.talk_seconds), (4, 5));
}

#[test]
fn a_call_picked_up_by_another_phone_was_answered_there() {
    let picked = leg(("1.1", "1.5"), 0, CLIENT, CLIENT);
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let record = one(vec![
        a.says(0.0, Start, json!({})),
        a.says(0.1, Dial, json!({"Extensions": ["150"]})),
        // The linked id is the picker's channel's.
        picked.says(
            2.0,
            Bridge,
            json!({"Extensions": ["152"], "CallStatus": "2"}),
        ),
        a.says(
            5.0,
            Hangup,
            json!({"CallStatus": "2", "Extensions": ["152"], "DialStatus": "ANSWER"}),
        ),
    ]);
    assert_eq!(
        (record.rung, record.talked),
        (vec!["150".to_owned()], vec!["152".to_owned()])
    );
}

#[test]
fn an_outgoing_call_handed_to_a_colleague_goes_on() {
    let a = leg(("1.1", "1.1"), 1, CLIENT, "150");
    for (call_type, hangup_first) in [(0, true), (2, false), (1, true)] {
        let b = leg(("1.2", "1.1"), call_type, CLIENT, CLIENT);
        let (hangup, start) = if hangup_first { (5.0, 5.1) } else { (5.1, 5.0) };
        let parent = |more: Value| {
            let mut more = more;
            more["ParentUniqueId"] = "1.1".into();
            more
        };
        let record = one(vec![
            a.says(0.0, Start, json!({"ConnectedLineNum": CLIENT})),
            a.says(0.1, Dial, json!({"ConnectedLineNum": CLIENT, "Extensions": ["150"]})),
            a.says(2.0, Bridge, json!({"ConnectedLineNum": CLIENT, "Extensions": ["150"], "ChannelUniqueId": "1.2", "CallStatus": "2"})),
            a.says(hangup, Hangup, json!({"CallStatus": "2", "Extensions": ["150"], "DialStatus": "ANSWER"})),
            b.says(start, Start, parent(json!({}))),
            b.says(5.3, Dial, parent(json!({"Extensions": ["152"]}))),
            b.says(6.0, Bridge, parent(json!({"Extensions": ["152"], "CallStatus": "2"}))),
            b.says(9.0, Hangup, parent(json!({"CallStatus": "2", "Extensions": ["152"], "DialStatus": "ANSWER"}))),
        ]);
        assert_eq!(
            (record.direction, record.made_by.as_deref()),
            (Direction::Out, Some("150")),
            "type {call_type}"
        );
        if call_type != 1 {
            assert_eq!(
                (record.rung, record.talked),
                (
                    vec!["152".to_owned()],
                    vec!["150".to_owned(), "152".to_owned()]
                )
            );
        }
        assert_eq!(record.talk_seconds, 7, "type {call_type}");
    }
}

#[test]
fn a_forwarder_that_tells_of_every_channel_ends_a_call_once() {
    let ids = |channel: &str| json!({"UniqueId": channel, "LinkedId": "1.1"});
    let of = |second: f64, kind: EventKind, channel: &str, more: Value| {
        let mut body = ids(channel);
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        at(second, kind, body)
    };
    for every_channel_starts in [false, true] {
        let mut events = vec![
            of(
                0.0,
                Start,
                "1.1",
                json!({"CallerIDNum": CLIENT, "ConnectedLineNum": ""}),
            ),
            of(
                0.1,
                Dial,
                "1.1",
                json!({"CallerIDNum": CLIENT, "Extensions": "150"}),
            ),
            of(
                0.11,
                Dial,
                "1.1",
                json!({"CallerIDNum": CLIENT, "Extensions": "151"}),
            ),
            of(
                2.0,
                Bridge,
                "1.3",
                json!({"CallerIDNum": "151", "ConnectedLineNum": CLIENT}),
            ),
            of(
                2.01,
                Bridge,
                "1.1",
                json!({"CallerIDNum": CLIENT, "ConnectedLineNum": "151"}),
            ),
            of(
                2.1,
                Hangup,
                "1.2",
                json!({"CallerIDNum": "150", "HangupCause": 26}),
            ),
            of(
                7.0,
                Hangup,
                "1.3",
                json!({"CallerIDNum": "151", "HangupCause": 16}),
            ),
            of(
                7.1,
                Hangup,
                "1.1",
                json!({"CallerIDNum": CLIENT, "HangupCause": "16"}),
            ),
        ];
        if every_channel_starts {
            events.push(of(
                0.05,
                Start,
                "1.2",
                json!({"CallerIDNum": "150", "ConnectedLineNum": CLIENT}),
            ));
            events.push(of(
                0.06,
                Start,
                "1.3",
                json!({"CallerIDNum": "151", "ConnectedLineNum": CLIENT}),
            ));
        }
        let record = one(events);
        assert_eq!(
            (record.direction, record.outcome),
            (Direction::In, Some(Outcome::Answered))
        );
        assert_eq!(
            (record.rung, record.talked),
            (
                vec!["150".to_owned(), "151".to_owned()],
                vec!["151".to_owned()]
            )
        );
        assert_eq!(record.talk_seconds, 5);
    }
}

/// Both hangups come right after the client answered, the Local channels having stepped aside; the talk goes on.
fn stepping_aside(ends: Vec<Event>) -> Vec<Event> {
    let b = leg(("1.2", "1.1"), 2, "150", "");
    let f = leg(("1.5", "1.1"), 1, CLIENT, "150");
    let mut events = vec![
        at(
            0.0,
            NewCallerId,
            json!({"UniqueId": "1.1", "LinkedId": "1.1", "CallerIDNum": "150"}),
        ),
        b.says(0.1, Start, json!({"ConnectedLineNum": "150"})),
        b.says(0.2, Dial, json!({"Extensions": ["150"]})),
        b.says(
            2.0,
            Bridge,
            json!({"Extensions": ["150"], "ChannelUniqueId": "1.3", "CallStatus": "2"}),
        ),
        f.says(2.1, Start, json!({"ConnectedLineNum": CLIENT})),
        f.says(2.2, Dial, json!({"Extensions": ["150"]})),
        f.says(
            5.0,
            Bridge,
            json!({"Extensions": ["150"], "ChannelUniqueId": "1.6", "CallStatus": "2"}),
        ),
        f.says(
            5.1,
            Hangup,
            json!({"CallStatus": "2", "BillSec": 0, "Extensions": ["150"], "DialStatus": "ANSWER"}),
        ),
        b.says(
            5.1,
            Hangup,
            json!({"CallStatus": "2", "BillSec": 3, "Extensions": ["150"], "DialStatus": "ANSWER"}),
        ),
        // The client's channel changes its bridge at that moment.
        at(
            5.1,
            BridgeLeave,
            json!({"UniqueId": "1.6", "LinkedId": "1.1", "CallerIDNum": CLIENT, "ConnectedLineNum": "150", "BridgeUniqueId": "x", "BridgeNumChannels": 1}),
        ),
    ];
    events.extend(ends);
    events
}

#[test]
fn a_click_to_call_lasts_until_the_real_channels_part() {
    let record = one(stepping_aside(vec![
        at(
            30.0,
            BridgeLeave,
            json!({"UniqueId": "1.3", "LinkedId": "1.1", "CallerIDNum": "150", "ConnectedLineNum": CLIENT, "BridgeUniqueId": "y", "BridgeNumChannels": 1}),
        ),
        at(
            30.0,
            BridgeLeave,
            json!({"UniqueId": "1.6", "LinkedId": "1.1", "CallerIDNum": CLIENT, "ConnectedLineNum": "150", "BridgeUniqueId": "y", "BridgeNumChannels": 0}),
        ),
    ]));
    assert_eq!(
        (record.direction, record.outcome),
        (Direction::Out, Some(Outcome::Answered))
    );
    assert_eq!(
        (record.talked, record.made_by.as_deref()),
        (vec!["150".to_owned()], Some("150"))
    );
    assert_eq!(record.talk_seconds, 25);
}

#[test]
fn a_redirect_that_came_too_late_is_a_transfer() {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let record = one(vec![
        a.says(0.0, Start, json!({})),
        a.says(10.0, Dial, json!({"Extensions": ["150", "151", "152"]})),
        a.says(12.0, Bridge, json!({"Extensions": ["151"], "CallStatus": "2"})),
        a.says(13.0, Dial, json!({"Extensions": ["152"]})),
        a.says(14.0, Bridge, json!({"Extensions": ["152"], "CallStatus": "2"})),
        a.says(18.0, Hangup, json!({"CallStatus": "2", "Extensions": ["152"], "DialStatus": "ANSWER", "LastConnected": "152"})),
    ]);
    assert_eq!(record.rung, ["150", "151", "152"]);
    assert_eq!(record.talked, ["151", "152"]);
}

#[test]
fn a_hangup_alone_is_a_call_that_ended() {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let missed = one(vec![a.says(
        5.0,
        Hangup,
        json!({"CallStatus": "0", "Extensions": [], "DialStatus": ""}),
    )]);
    assert_eq!(
        (missed.outcome, missed.talk_seconds),
        (Some(Outcome::Missed), 0)
    );
    let answered = one(vec![a.says(
        65.0,
        Hangup,
        json!({"CallStatus": 2, "BillSec": "60", "Extensions": "150"}),
    )]);
    assert_eq!(
        (answered.outcome, answered.talk_seconds),
        (Some(Outcome::Answered), 60)
    );
    assert_eq!(answered.talked, ["150"]);
}

/// The dial's event was lost: what the hangup says of it is all there is.
#[test]
fn without_a_dial_the_hangup_tells_whose_phones_rang() {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let hangup = a.says(
        20.0,
        Hangup,
        json!({"Extensions": ["150", "151"], "CallStatus": "0"}),
    );
    let told_nothing = one(vec![a.says(0.0, Start, json!({})), hangup.clone()]);
    assert_eq!(told_nothing.outcome, Some(Outcome::Missed));
    assert_eq!(told_nothing.rung, ["150", "151"]);
    let mut told = inbound(a);
    told.truncate(2);
    told.push(hangup);
    assert_eq!(one(told).rung, ["150"], "a dial that came is believed");
}

#[test]
fn a_status_of_a_failed_transfer_does_not_undo_a_talk() {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let mut events = inbound(a);
    events.push(a.says(3.0, Dial, json!({"Extensions": ["151"]})));
    events.push(a.says(
        8.0,
        Hangup,
        json!({"CallStatus": "0", "Extensions": [], "DialStatus": "NOANSWER"}),
    ));
    let record = one(events);
    assert_eq!(record.outcome, Some(Outcome::Answered));
    assert_eq!(record.talked, ["150"]);
}

#[test]
fn two_clients_whose_channels_meet_stay_two_calls() {
    let moved = leg(("1.3", "1.1"), 1, MOBILE, "150");
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let d = leg(("1.3", "1.3"), 1, MOBILE, "150");
    let mut events = inbound(a);
    events.extend([
        d.says(3.0, Start, json!({"ConnectedLineNum": MOBILE})),
        d.says(3.1, Dial, json!({"Extensions": ["150"]})),
        d.says(
            4.0,
            Bridge,
            json!({"Extensions": ["150"], "ChannelUniqueId": "1.4", "CallStatus": "2"}),
        ),
        moved.says(
            6.0,
            Hangup,
            json!({"CallStatus": "2", "Extensions": ["150"], "DialStatus": "ANSWER"}),
        ),
        a.says(
            9.1,
            Hangup,
            json!({"CallStatus": "2", "Extensions": ["150"], "DialStatus": "ANSWER"}),
        ),
    ]);
    let records = run(&events);
    let phones: Vec<_> = records
        .iter()
        .map(|record| record.phone.as_deref().unwrap())
        .collect();
    assert_eq!(phones, ["+375291234567", "+375297770011"]);
    assert!(
        records
            .iter()
            .all(|record| record.outcome == Some(Outcome::Answered))
    );
}

#[test]
fn a_hangup_sent_once_more_brings_the_recording() {
    let a = leg(("1.1", "1.1"), 0, CLIENT, CLIENT);
    let hangup = |second: f64, file: &str| {
        let more = json!({"CallStatus": "2", "Extensions": ["150"], "DialStatus": "ANSWER", "RecordFile": file});
        a.says(second, Hangup, more)
    };
    let mut events = inbound(a);
    events.extend([hangup(9.0, ""), hangup(60.0, "1.1.wav")]);
    let record = one(events);
    assert_eq!(record.recording, "1.1.wav");
    assert_eq!(record.talk_seconds, 8, "the call ended when it ended");
}
