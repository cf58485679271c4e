//! Compares what a scenario came to with what it must come to, in words. Pure; called by `replay::run` when everything
//! is quiet.

use std::collections::HashMap;

use super::capture::{Expected, Identity, Scenario};
use super::host::Sent;
use super::seen::{Call, Deliveries, History, Message, Surroundings};
use crate::web::events::token::hide;

/// What may be otherwise than in a plain run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leeway {
    /// The server was killed: an answer of Telegram's may have been lost with it.
    pub killed: bool,
    /// Events came in another order: what looked like two calls may have become one.
    pub shuffled: bool,
}

/// The finding about one scenario.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// Empty when all is as expected.
    pub differences: Vec<String>,
    /// What is worth knowing all the same.
    pub notes: Vec<String>,
}

/// Compares. `around` is `None` where only the API can be asked.
pub fn compare(
    scenario: &Scenario,
    expected: &[Expected],
    calls: &[Call],
    around: Option<&Surroundings>,
    sent: &Sent,
    leeway: Leeway,
) -> Finding {
    let mut finding = Finding::default();
    sending(sent, &mut finding);
    let calls = in_order(scenario, calls);
    if calls.len() != expected.len() {
        finding.differences.push(format!(
            "{} instead of {}: {}",
            count(calls.len(), "call"),
            expected.len(),
            calls
                .iter()
                .map(|call| brief(call))
                .collect::<Vec<_>>()
                .join("; ")
        ));
    } else {
        for (number, (call, expected)) in calls.iter().zip(expected).enumerate() {
            let before = finding.differences.len();
            one(call, expected, &mut finding.differences);
            if let (Some(around), Some(wanted)) = (around, expected.crm_history) {
                history(call, wanted, around, &mut finding.differences);
            }
            if calls.len() > 1 {
                for difference in &mut finding.differences[before..] {
                    *difference = format!("call {}: {difference}", number + 1);
                }
            }
        }
    }
    for call in &calls {
        deliveries(call, leeway, &mut finding);
    }
    if let Some(around) = around {
        let wanted: Option<usize> = expected.iter().map(|call| call.crm_history).sum();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != around.history.len()) {
            finding.differences.push(format!(
                "{} at the CRM instead of {wanted}",
                count(around.history.len(), "history record")
            ));
        }
        for card in &around.open_cards {
            finding
                .differences
                .push(format!("left open at the CRM: {card}"));
        }
        for refusal in &around.refusals {
            finding.differences.push(format!("refused: {refusal}"));
        }
        chat(&calls, &around.messages, leeway, &mut finding);
        journal(sent, &around.journal, &mut finding.differences);
    }
    finding
}

fn sending(sent: &Sent, finding: &mut Finding) {
    if let Some(words) = &sent.given_up {
        finding.differences.push(words.clone());
    }
    for refused in &sent.refused {
        let words = format!(
            "{} was answered {}: {}",
            refused.what, refused.status, refused.words
        );
        if refused.fair {
            finding.notes.push(words);
        } else {
            finding.differences.push(words);
        }
    }
    if sent.resends > 0 {
        finding
            .notes
            .push(format!("{} sent again", count(sent.resends, "event")));
    }
}

/// The calls in the order of their first event in the file.
fn in_order<'a>(scenario: &Scenario, calls: &'a [Call]) -> Vec<&'a Call> {
    let place = |call: &Call| {
        let first = |ids: &dyn Fn(&super::capture::Told) -> bool| {
            scenario
                .events
                .iter()
                .position(|event| ids(&super::capture::Told::read(&event.body)))
        };
        first(&|told| told.unique_id == call.unique_id)
            .or_else(|| first(&|told| told.linked_id == call.linked_id))
            .unwrap_or(usize::MAX)
    };
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_cached_key(|call| (place(call), call.id.clone()));
    calls
}

fn one(call: &Call, expected: &Expected, differences: &mut Vec<String>) {
    let mut differ = |what: &str, is: String, wanted: String| {
        if is != wanted {
            differences.push(format!("{what} {is}, expected {wanted}"));
        }
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    let list = |list: &[String]| {
        if list.is_empty() {
            "nobody".into()
        } else {
            list.join(",")
        }
    };
    if let Some(wanted) = &expected.direction {
        differ("direction", call.direction.clone(), wanted.clone());
    }
    if let Some(wanted) = &expected.phone {
        differ("phone", text(&call.phone), text(wanted));
    }
    if let Some(wanted) = &expected.result {
        differ("result", text(&call.result), wanted.clone());
    }
    if let Some(wanted) = &expected.rung {
        differ("rung", list(&call.rung), list(wanted));
    }
    if let Some(wanted) = &expected.talked {
        differ("talked", list(&call.talked), list(wanted));
    }
    if let Some(wanted) = &expected.made_by {
        differ("made by", text(&call.made_by), text(wanted));
    }
    for (what, is, wanted) in [
        ("waited", call.wait_seconds, expected.wait_s),
        ("talked for", call.talk_seconds, expected.talk_s),
    ] {
        if let Some(wanted) = wanted.filter(|wanted| (is - wanted).abs() > 1) {
            differences.push(format!("{what} {is} s, expected {wanted} s"));
        }
    }
    if !call.fault.is_empty() {
        differences.push(format!("the call is faulted: {}", call.fault));
    }
}

/// The records of this call at the CRM: as many as expected, and each says what the call came to.
fn history(call: &Call, wanted: usize, around: &Surroundings, differences: &mut Vec<String>) {
    let records: Vec<&History> = around
        .history
        .iter()
        .filter(|record| record.external_id == call.unique_id)
        .collect();
    if records.len() != wanted {
        differences.push(format!(
            "{} for it at the CRM, expected {wanted}",
            count(records.len(), "history record")
        ));
    }
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let result = match call.result.as_deref() {
        Some("answered") => "answered",
        Some("busy") => "busy",
        Some("failed") => "failed",
        Some("lost") => "unknown",
        _ => "no answer",
    };
    for record in records {
        for (what, told, is) in [
            ("direction", record.kind.clone(), call.direction.clone()),
            (
                "phone",
                digits(&record.phone),
                digits(call.phone.as_deref().unwrap_or_default()),
            ),
            ("result", record.result.clone(), result.to_owned()),
            (
                "talk",
                record.talk.to_string(),
                call.talk_seconds.to_string(),
            ),
            (
                "wait",
                record.wait.to_string(),
                call.wait_seconds.to_string(),
            ),
        ] {
            if told != is {
                differences.push(format!("the CRM was told {what} {told}, the call has {is}"));
            }
        }
    }
}

fn deliveries(call: &Call, leeway: Leeway, finding: &mut Finding) {
    let Deliveries {
        open,
        missed,
        failed,
    } = call.deliveries;
    for (number, what) in [(open, "left open"), (failed, "failed")] {
        if number > 0 {
            finding
                .differences
                .push(format!("{} {what}", count(number as usize, "delivery")));
        }
    }
    if missed > 0 {
        let words = format!("{} came too late", count(missed as usize, "delivery"));
        // A pop-up that waited while the server was down may be of no use any more.
        if leeway.killed {
            finding.notes.push(words);
        } else {
            finding.differences.push(words);
        }
    }
}

/// Each call has one message, with its last word.
fn chat(calls: &[&Call], messages: &[Message], leeway: Leeway, finding: &mut Finding) {
    for call in calls {
        let own: Vec<&Message> = messages
            .iter()
            .filter(|message| message.call.as_deref() == Some(&call.id))
            .collect();
        let last_word = match call.result.as_deref() {
            Some("answered") => "✅",
            Some("lost") => "⚠️",
            _ => "❌",
        };
        match own.as_slice() {
            [message] if !message.text.starts_with(last_word) => finding.differences.push(format!(
                "the message of a call that is {} reads {:?}",
                call.result.as_deref().unwrap_or("live"),
                message.text
            )),
            [message] => {
                if let Some(phone) = call
                    .phone
                    .as_deref()
                    .filter(|phone| !message.text.contains(phone))
                {
                    finding.differences.push(format!(
                        "the message does not name {phone}: {:?}",
                        message.text
                    ));
                }
            }
            other => finding.differences.push(format!(
                "{} of the call {} in Telegram",
                count(other.len(), "message"),
                call.unique_id
            )),
        }
    }
    let known = |message: &&Message| {
        message
            .call
            .as_ref()
            .is_some_and(|id| calls.iter().any(|call| call.id == *id))
    };
    let (absorbed, orphans): (Vec<&Message>, Vec<&Message>) = messages
        .iter()
        .filter(|message| !known(message))
        .partition(|message| message.text.starts_with("🔗 Часть другого звонка"));
    if !absorbed.is_empty() {
        let words = format!(
            "{} of a part that joined its call later",
            count(absorbed.len(), "message")
        );
        if leeway.shuffled {
            finding.notes.push(words);
        } else {
            finding.differences.push(words);
        }
    }
    if !orphans.is_empty() {
        let words = format!(
            "{} in Telegram that no call knows: {:?}",
            count(orphans.len(), "message"),
            orphans
                .iter()
                .map(|message| message.text.as_str())
                .collect::<Vec<_>>()
        );
        // Telegram took it, and the server was killed before it heard so: it had to send again.
        if leeway.killed {
            finding.notes.push(words);
        } else {
            finding.differences.push(words);
        }
    }
}

/// Every event that was answered 200 is there once, as it was sent.
fn journal(sent: &Sent, kept: &[(Identity, String)], differences: &mut Vec<String>) {
    let mut rows: HashMap<&Identity, Vec<&str>> = HashMap::new();
    for (identity, raw) in kept {
        rows.entry(identity).or_default().push(raw);
    }
    let mut bodies: HashMap<&Identity, Vec<String>> = HashMap::new();
    for (identity, body) in &sent.taken {
        bodies
            .entry(identity)
            .or_default()
            // As the journal keeps it.
            .push(hide(&String::from_utf8_lossy(body)).into_owned());
    }
    for (identity, sent) in &bodies {
        match rows.get(identity).map(Vec::as_slice) {
            None => differences.push(format!(
                "a {} that was answered 200 is not in the journal",
                identity.kind()
            )),
            Some([raw]) if sent.iter().any(|body| body == raw) => {}
            Some([_]) => differences.push(format!(
                "a {} is in the journal with another body than was sent",
                identity.kind()
            )),
            Some(more) => differences.push(format!(
                "a {} is in the journal {} times",
                identity.kind(),
                more.len()
            )),
        }
    }
    let strange = rows
        .keys()
        .filter(|identity| identity.kind() != "lost" && !bodies.contains_key(*identity))
        .count();
    if strange > 0 && sent.given_up.is_none() {
        differences.push(format!(
            "{} in the journal that nobody sent",
            count(strange, "event")
        ));
    }
}

fn brief(call: &Call) -> String {
    format!(
        "{} {} {} {}",
        call.unique_id,
        call.direction,
        call.phone.as_deref().unwrap_or("no number"),
        call.result.as_deref().unwrap_or("live")
    )
}

/// "1 call", "2 calls".
pub fn count(number: usize, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        _ => format!("{number} {what}s"),
    }
}
