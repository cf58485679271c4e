//! `patchbay enterprise show`: everything that is set of an enterprise, every secret masked to its last four characters.
//! Changes nothing.

use std::collections::HashMap;

use actors::cache::Enterprise;
use actors::store::telegram::{self as chats, Subscriber};
use actors::store::users;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::desk::Desk;
use super::line;
use crate::config::mask;
use crate::masked::masked;

pub async fn run(desk: &Desk, number: &str) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(number).await?;
    let set = desk.details(&enterprise).await?;
    let id = enterprise.id;
    let (people, subscribers) = desk
        .store
        .read(move |conn| Ok((users::list(conn, Some(id))?, chats::subscribers(conn, id)?)))
        .await?;
    let logins: HashMap<i64, String> = people
        .into_iter()
        .map(|person| (person.id, person.login))
        .collect();

    let state = if set.active {
        "active"
    } else {
        "off: its events are refused"
    };
    println!("{}  {}  {state}", set.number, set.name);
    let other = match &set.settings {
        Value::Object(map) if map.is_empty() => String::new(),
        other => masked("", other).to_string(),
    };
    for (name, value) in [
        ("country", set.country),
        ("time zone", set.time_zone),
        ("language", set.language),
        ("host", set.host_address),
        ("ssh", ssh(&set.ssh_user, set.ssh_port)),
        ("host key", set.host_key),
        ("originate context", set.originate_context),
        ("redirect context", set.redirect_context),
        (
            "debug log",
            if set.debug_log {
                "on".into()
            } else {
                "off".into()
            },
        ),
        ("token", secret(Some(&set.token))),
        ("secret", secret(set.secret.as_ref())),
        ("bot token", secret(set.bot_token.as_ref())),
        ("other settings", other),
    ] {
        let value = if value.is_empty() { "-" } else { &value };
        println!("  {name:<18} {value}");
    }
    extensions(&enterprise, &logins);
    lines(&enterprise);
    integrations(&enterprise);
    println!("chats");
    none(subscribers.is_empty());
    for subscriber in &subscribers {
        println!("  {}", chat(subscriber));
    }
    Ok(())
}

fn none(empty: bool) {
    if empty {
        println!("  none");
    }
}

fn ssh(user: &str, port: i32) -> String {
    match user {
        "" => String::new(),
        user => format!("{user}, port {port}"),
    }
}

fn secret(secret: Option<&SecretString>) -> String {
    secret.map_or(String::new(), |secret| mask(secret.expose_secret()))
}

fn extensions(enterprise: &Enterprise, logins: &HashMap<i64, String>) {
    println!("extensions");
    none(enterprise.extensions.is_empty());
    let mut all: Vec<_> = enterprise.extensions.iter().collect();
    // As numbers are read: 99 before 100.
    all.sort_by_key(|(extension, _)| (extension.len(), extension.as_str()));
    for (extension, person) in all {
        let login = person.user_id.and_then(|user| logins.get(&user));
        let login = login.map_or(String::new(), |login| format!(" ({login})"));
        println!(
            "{}",
            format!("  {extension:<8} {}{login}", person.name).trim_end()
        );
    }
}

fn lines(enterprise: &Enterprise) {
    println!("lines");
    none(enterprise.lines.is_empty());
    let mut all: Vec<_> = enterprise.lines.iter().collect();
    all.sort_by_key(|(id, _)| id.as_str());
    for (id, known) in all {
        println!(
            "{}\n{}",
            format!("  {id:<8} {}", known.name).trim_end(),
            line::rules(known)
        );
    }
}

fn integrations(enterprise: &Enterprise) {
    println!("integrations");
    none(enterprise.integrations.is_empty());
    for (kind, integration) in &enterprise.integrations {
        let state = if integration.enabled { "on" } else { "off" };
        let primary = if enterprise.primary.as_deref() == Some(kind) {
            ", asked first for names"
        } else {
            ""
        };
        println!("  {kind:<8} {state}{primary}");
        let shown = masked(kind, &integration.settings);
        for (name, value) in shown.as_object().into_iter().flatten() {
            if name != "enabled" {
                println!("    {name:<16} {}", plain(value));
            }
        }
    }
}

/// One chat: its id, name, and whether it is told.
pub fn chat(subscriber: &Subscriber) -> String {
    let state = match (subscriber.active, subscriber.disabled_reason.as_str()) {
        (true, _) => "on".to_owned(),
        (false, "") => "off".to_owned(),
        (false, reason) => format!("off: {reason}"),
    };
    format!("{:<16} {:<20} {state}", subscriber.chat, subscriber.name)
}

/// A setting as it is typed: the text itself, a map as KEY=VALUE,KEY=VALUE.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Null => String::new(),
        Value::Object(map)
            if map
                .values()
                .all(|value| !value.is_object() && !value.is_array()) =>
        {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}={}", plain(value)))
                .collect();
            pairs.join(",")
        }
        other => other.to_string(),
    }
}
