//! The events of calls as a host tells them, with the fields of the contract's samples.

use serde_json::{Value, json};

/// Kind and body of one event.
pub type Told = (&'static str, Value);

/// What every event of a call carries.
fn event(unique_id: &str, kind: &str, phone: &str, more: Value) -> Value {
    let mut body = json!({
        "UniqueId": unique_id, "LinkedId": unique_id, "EventId": format!("{unique_id}-{kind}"), "Phone": phone,
        "CallerIDNum": phone, "CallType": 0, "Trunk": "0001367", "ExternalInitiated": true,
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// A call from outside that rings these extensions and is answered by one of them.
pub fn answered(unique_id: &str, phone: &str, rung: &[&str], who: &str) -> Vec<Told> {
    vec![
        ("start", event(unique_id, "start", phone, json!({}))),
        (
            "dial",
            event(unique_id, "dial", phone, json!({"Extensions": rung})),
        ),
        (
            "bridge",
            event(
                unique_id,
                "bridge",
                phone,
                json!({"Extensions": [who], "ConnectedLineNum": who, "CallStatus": "2"}),
            ),
        ),
        (
            "hangup",
            event(
                unique_id,
                "hangup",
                phone,
                json!({"Extensions": [who], "CallStatus": "2", "HangupCause": "16", "DialStatus": "ANSWER"}),
            ),
        ),
    ]
}

/// A call from outside that nobody answers.
pub fn missed(unique_id: &str, phone: &str, rung: &[&str]) -> Vec<Told> {
    vec![
        ("start", event(unique_id, "start", phone, json!({}))),
        (
            "dial",
            event(unique_id, "dial", phone, json!({"Extensions": rung})),
        ),
        (
            "hangup",
            event(
                unique_id,
                "hangup",
                phone,
                json!({"Extensions": [], "CallStatus": "0", "HangupCause": "16", "DialStatus": "NOANSWER"}),
            ),
        ),
    ]
}

/// 150 calls out and is answered.
pub fn outgoing(unique_id: &str, phone: &str) -> Vec<Told> {
    let mut story = answered(unique_id, phone, &["150"], "150");
    for (_, body) in &mut story {
        body["CallType"] = json!(1);
        body["CallerIDNum"] = json!("150");
        body["ConnectedLineNum"] = json!(phone);
        body["ExternalInitiated"] = json!(false);
    }
    story
}

/// 150 calls 151 and is answered.
pub fn internal(unique_id: &str) -> Vec<Told> {
    let mut story = answered(unique_id, "151", &["151"], "151");
    for (_, body) in &mut story {
        body["CallType"] = json!(2);
        body["CallerIDNum"] = json!("150");
        body["Trunk"] = json!("");
    }
    story
}
