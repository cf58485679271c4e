//! A real Asterisk runs the dialplan kit and makes calls; the server says what it made of each. The host is
//! `scripts/asterisk-host`, the scenarios are those of `tests/asterisk`, whose own check looks at the events alone.

mod commands;
mod host;

use std::process::{Command, Stdio};

use actors::store::testing::Kind;
use serde_json::Value;

use crate::world::{JUNE, World};

/// Scenario, and each call it must come to: direction, result, who talked with the client.
const EXPECTED: [(&str, &[&str]); 23] = [
    ("inbound-answered", &["in answered 150"]),
    ("inbound-caller-hangs-up", &["in answered 150"]),
    ("inbound-missed", &["in missed"]),
    ("inbound-busy", &["in busy"]),
    ("inbound-caller-cancels", &["in missed"]),
    ("inbound-group-answered", &["in answered 151"]),
    ("inbound-queue-answered", &["in answered 151"]),
    ("inbound-queue-abandoned", &["in missed"]),
    ("inbound-withheld", &["in answered 150"]),
    ("outgoing-answered", &["out answered 150"]),
    ("outgoing-busy", &["out busy"]),
    ("outgoing-not-answered", &["out missed"]),
    ("outgoing-failed", &["out failed"]),
    ("internal-answered", &["internal answered 151"]),
    ("internal-missed", &["internal missed"]),
    ("blind-transfer", &["in answered 150,151"]),
    ("attended-transfer", &["in answered 150,151"]),
    ("smart-redirect", &["in answered 152"]),
    ("smart-redirect-manager-misses", &["in answered 151"]),
    ("smart-redirect-fallback", &["in answered 151"]),
    ("click-to-call", &["out answered 150"]),
    ("click-to-call-agent-missed", &[]),
    ("server-away", &["in answered 150", "in answered 150"]),
];

#[test]
fn calls_of_a_real_asterisk_come_to_what_was_played() {
    let world = World::on(Kind::Sqlite).start();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/asterisk/run");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut names: Vec<&str> = EXPECTED.iter().map(|(name, _)| *name).collect();
    names.push("hostile-caller-id");
    let played = Command::new(root)
        .args([
            "--server",
            &world.server.base_url,
            "--token",
            JUNE.token,
            "--only",
            &names.join(","),
        ])
        .arg("--keep")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("the scenarios run");
    let said = String::from_utf8_lossy(&played.stdout);
    eprintln!("{said}");
    assert!(
        played.status.success(),
        "a scenario left channels or unsent events"
    );
    world.settle();

    let told = world.person("root").get("/api/calls?size=500").json();
    let calls = told["calls"].as_array().expect("calls");
    let mut faults = Vec::new();
    let mut scenarios = 0;
    for line in said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        let Some(name) = line["scenario"].as_str() else {
            continue;
        };
        scenarios += 1;
        let ids: Vec<&str> = line["unique_ids"]
            .as_array()
            .expect("ids")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut came: Vec<String> = calls
            .iter()
            .filter(|call| ids.contains(&call["unique_id"].as_str().unwrap_or_default()))
            .map(summary)
            .collect();
        came.sort();
        match EXPECTED.iter().find(|(known, _)| *known == name) {
            Some((_, expected)) if came == *expected => {}
            Some((_, expected)) => faults.push(format!("{name}: {came:?}, not {expected:?}")),
            // Strangers' names and numbers: each call is a call, and nothing they wrote did anything.
            None if came.len() == ids.len()
                && came.iter().all(|call| call == "in answered 150") => {}
            None => faults.push(format!("{name}: {came:?}")),
        }
        if !line["pwned"].as_array().is_none_or(Vec::is_empty) {
            faults.push(format!("{name}: a caller ran a command: {}", line["pwned"]));
        }
    }
    assert_eq!(scenarios, names.len(), "every scenario was played");
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(
        world.number("SELECT COUNT(*) FROM call_events WHERE parked"),
        0
    );
    assert_eq!(root_live(&world), 0, "nobody is shown to talk still");
    assert_eq!(
        world.account(&JUNE).counts().refused,
        0,
        "nothing was sent that the CRM refuses"
    );
}

fn summary(call: &Value) -> String {
    let text = |field: &str| call[field].as_str().unwrap_or("-").to_owned();
    let talked: Vec<&str> = call["talked"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    format!(
        "{} {} {}",
        text("direction"),
        text("result"),
        talked.join(",")
    )
    .trim_end()
    .to_owned()
}

fn root_live(world: &World) -> usize {
    let live = world.person("root").get("/api/live").json();
    live["live"].as_array().map_or(0, Vec::len)
}
