//! `patchbay enterprise integration`: one enterprise's connection to one CRM. Which settings there are is the connector's
//! word (`actors::crm::KINDS`), and the connector checks them before they are saved; no CRM is named here.

use actors::cache::Enterprise;
use actors::crm::{self, KINDS};
use actors::integration::connector::{Answer, Failed, Kind, Place, Question};
use actors::integration::fields::{Field, Input};
use actors::integration::trial;
use actors::store::{Conn, StoreError, enterprises, outbox};
use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::desk::Desk;
use super::show::plain;
use crate::cli::{check, given};
use crate::masked::masked;

#[derive(clap::Args)]
#[command(after_help = fields_of_all())]
pub struct Args {
    /// The enterprise's number.
    #[arg(value_parser = check::enterprise)]
    number: String,
    /// The CRM.
    #[arg(value_parser = kind)]
    kind: &'static Kind,
    /// A setting: - reads the value from standard input, env:NAME from an environment variable, an empty one takes the
    /// setting away. May be given several times; what is not named stays.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    settings: Vec<String>,
    /// Tell this CRM of calls from now on.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Tell it no more; its settings stay.
    #[arg(long)]
    disable: bool,
    /// Ask the CRM with these settings before they are saved; when it says no, nothing is saved.
    #[arg(long)]
    test: bool,
}

fn kind(name: &str) -> Result<&'static Kind, String> {
    crm::find(name).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        format!(
            "there is no such integration; there are: {}",
            known.join(", ")
        )
    })
}

/// The settings of every CRM, for `--help`.
fn fields_of_all() -> String {
    let mut text = String::from("Settings:");
    for kind in KINDS {
        text.push_str(&format!("\n  {} ({})", kind.name, kind.title));
        for field in kind.fields {
            text.push_str(&format!("\n    {:<18} {}", field.name, form(field)));
        }
    }
    text
}

/// How a field is filled in.
fn form(field: &Field) -> String {
    let form = match field.input {
        Input::Text => "text".into(),
        Input::Url => "address, as https://shop.example".into(),
        Input::Secret => "secret: better - or env:NAME than the value itself".into(),
        Input::Code => "code by which somebody lets us in; entered on the page only".into(),
        Input::Flag(default) => format!(
            "yes or no; {} when not set",
            if default { "yes" } else { "no" }
        ),
        Input::Choice(words) => words.join(" or "),
        Input::Extensions => "user of the CRM = extension, as 16=150,17=151".into(),
    };
    if field.required {
        format!("{form} (required)")
    } else {
        form
    }
}

pub async fn run(desk: &Desk, args: Args) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(&args.number).await?;
    let kind = args.kind;
    let saved = enterprise.integrations.get(kind.name);
    let given = args
        .settings
        .iter()
        .map(|setting| read(kind, setting))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut settings = match saved.map(|saved| saved.settings.clone()) {
        Some(Value::Object(settings)) => settings,
        _ => Map::new(),
    };
    let changes = Map::from_iter(given.iter().cloned());
    for (name, value) in given {
        if value.is_null() {
            settings.remove(&name);
        } else {
            settings.insert(name, value);
        }
    }
    let switched = args.enable || args.disable;
    if switched {
        settings.insert("enabled".into(), args.enable.into());
    }
    settings.entry("enabled").or_insert(Value::Bool(false));
    let settings = Value::Object(settings);
    let on = settings["enabled"] == Value::Bool(true);

    if !changes.is_empty() || args.enable {
        check_with(desk, &enterprise, kind, &settings)?;
    }
    if args.test {
        let words = test(desk, &enterprise, kind, &settings).await;
        let nothing = if changes.is_empty() && !switched {
            ""
        } else {
            "\nnothing was saved"
        };
        match words {
            Ok(words) => println!("{} answers: {words}", kind.title),
            Err(words) => bail!("{words}{nothing}"),
        }
    }
    if changes.is_empty() && !switched {
        if !args.test {
            show(&enterprise, kind);
        }
        return Ok(());
    }
    let what = json!({"integration": kind.name, "enabled": on, "set": masked(kind.name, &Value::Object(changes))});
    let id = enterprise.id;
    desk.change(
        &enterprise,
        "integration.save",
        what,
        move |conn, vault, now| {
            let mut document = enterprises::integrations(conn, vault, id)?;
            document
                .as_object_mut()
                .ok_or_else(|| {
                    StoreError::Damaged("the integrations document is no object".into())
                })?
                .insert(kind.name.into(), settings);
            enterprises::save_integrations(conn, vault, id, &document, now)
        },
    )
    .await?;
    println!(
        "saved; {} is {} for {}",
        kind.title,
        if on { "on" } else { "off" },
        args.number
    );
    desk.tell(&args.number).await;
    if on {
        // What waited for a wrong key to be mended waits no longer.
        let hasten = move |conn: &mut Conn| outbox::hasten(conn, id, kind.name, Utc::now());
        desk.store.write(hasten).await?;
    }
    Ok(())
}

/// A setting as it was typed: its name and what the document is to hold, null for nothing.
fn read(kind: &Kind, setting: &str) -> anyhow::Result<(String, Value)> {
    let (name, text) = setting.split_once('=').with_context(|| {
        // What has no = may be a secret: it is not repeated.
        "a setting is written FIELD=VALUE, as --set domain=https://shop.example"
    })?;
    let field = kind
        .fields
        .iter()
        .find(|field| field.name == name.trim())
        .ok_or_else(|| {
            let known: Vec<&str> = kind.fields.iter().map(|field| field.name).collect();
            anyhow!(
                "{} has no setting {:?}; it has {}",
                kind.title,
                name.trim(),
                known.join(", ")
            )
        })?;
    let text = given::read(text, field.name)?;
    let value = value(field, &text).with_context(|| format!("{} of {}", field.name, kind.title))?;
    Ok((field.name.to_owned(), value))
}

fn value(field: &Field, text: &str) -> anyhow::Result<Value> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    Ok(match field.input {
        Input::Text | Input::Url | Input::Secret => text.into(),
        Input::Code => bail!("{} is entered on the page of integrations", field.name),
        Input::Flag(_) => match text.to_lowercase().as_str() {
            "yes" | "true" | "on" | "1" => true.into(),
            "no" | "false" | "off" | "0" => false.into(),
            _ => bail!("{text:?} is neither yes nor no"),
        },
        Input::Choice(words) => {
            ensure!(
                words.contains(&text),
                "{text:?} is none of {}",
                words.join(", ")
            );
            text.into()
        }
        Input::Extensions => {
            let mut map = Map::new();
            for pair in text
                .split(',')
                .map(str::trim)
                .filter(|pair| !pair.is_empty())
            {
                let (user, extension) = pair.split_once('=').with_context(|| {
                    format!("{pair:?} is no USER=EXTENSION; write 16=150,17=151")
                })?;
                let extension = check::extension(extension.trim())
                    .map_err(|words| anyhow!("{extension:?}: {words}"))?;
                map.insert(user.trim().into(), extension.into());
            }
            Value::Object(map)
        }
    })
}

/// The connector's own word on the settings.
fn check_with(
    desk: &Desk,
    enterprise: &Enterprise,
    kind: &Kind,
    settings: &Value,
) -> anyhow::Result<()> {
    let place = Place {
        public_url: &desk.settings.server.public_url,
        enterprise,
    };
    match (kind.connect)(&place, settings) {
        Ok(_) => Ok(()),
        Err(fault) => bail!(
            "{} cannot be used so: {} {}\nnothing was saved; see --help for its settings",
            kind.title,
            fault.field,
            fault.words
        ),
    }
}

/// Asks the CRM; its answer in words.
async fn test(
    desk: &Desk,
    enterprise: &Enterprise,
    kind: &'static Kind,
    settings: &Value,
) -> Result<String, String> {
    let title = kind.title;
    let house = crate::house::delivery_settings(&desk.settings);
    match trial::ask(
        (&house, &desk.store),
        enterprise,
        kind,
        settings,
        &Question::Test,
    )
    .await
    {
        Ok(Answer::Works(words)) => Ok(words),
        Ok(_) => Ok("it works".into()),
        Err(Failed::Settings { words } | Failed::Expired { words }) => {
            Err(format!("{title} does not take these settings: {words}"))
        }
        Err(Failed::Refused { words }) => Err(format!("{title} refused: {words}")),
        Err(Failed::Blocked { words }) => Err(format!("{title} has shut us out: {words}")),
        Err(Failed::Later { words, .. }) => Err(format!("{title} could not be asked: {words}")),
        Err(Failed::Throttled { words, .. } | Failed::Postponed { words, .. }) => {
            Err(format!("{title} is asked too much at the moment: {words}"))
        }
    }
}

/// Every field with what is set, secrets masked.
fn show(enterprise: &Enterprise, kind: &Kind) {
    let saved = enterprise.integrations.get(kind.name);
    let state = match saved {
        Some(saved) if saved.enabled => "on",
        Some(_) => "off",
        None => "not set up",
    };
    println!("{} of {}: {state}", kind.title, enterprise.number);
    let settings = saved
        .map(|saved| masked(kind.name, &saved.settings))
        .unwrap_or_default();
    for field in kind.fields {
        let value = settings
            .get(field.name)
            .map(plain)
            .filter(|value| !value.is_empty());
        println!(
            "  {:<18} {:<28} {}",
            field.name,
            value.as_deref().unwrap_or("-"),
            form(field)
        );
    }
}
