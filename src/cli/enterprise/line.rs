//! `patchbay enterprise line`: names of external lines and the rules by which numbers that come over them are read; and a
//! number taken through them step by step.

use actors::cache::Enterprise;
use actors::cache::snapshot::{Line, NumberRule};
use actors::call::number;
use actors::store::enterprises;
use anyhow::{anyhow, bail, ensure};
use serde_json::json;

use super::desk::Desk;
use crate::cli::check;

#[derive(clap::Args)]
pub struct Args {
    /// The enterprise's number.
    #[arg(value_parser = check::enterprise)]
    number: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Add a line or change it; what is not named stays.
    Set(Set),
    /// Remove a line: its numbers are read by the country's rules alone; its calls stay.
    Remove {
        /// The line, as the host names its trunk.
        #[arg(value_parser = check::filled)]
        line: String,
    },
    /// Take a number through the line's rules and show what becomes of it.
    Try {
        /// The line, as the host names its trunk.
        #[arg(value_parser = check::filled)]
        line: String,
        /// The number as it comes over the line.
        phone: String,
    },
}

#[derive(clap::Args)]
struct Set {
    /// The line, as the host names its trunk ("0001367").
    #[arg(value_parser = check::filled)]
    line: String,
    /// What pages and messages call it.
    #[arg(long)]
    name: Option<String>,
    /// A step from the number as it comes to the number that is meant: a regular expression and what replaces its match,
    /// $1 being its first group. '^80(\d{9})$=+375$1' reads 80291234567 as +375291234567. May be given several times:
    /// one works on what the one before it made. All rules of the line are replaced. The last = divides.
    #[arg(long = "rule", value_name = "PATTERN=REPLACEMENT", value_parser = rule)]
    rules: Vec<NumberRule>,
    /// Take the line's rules away.
    #[arg(long, conflicts_with = "rules")]
    no_rules: bool,
}

fn rule(text: &str) -> Result<NumberRule, String> {
    let (pattern, replacement) = text
        .rsplit_once('=')
        .filter(|(pattern, _)| !pattern.is_empty())
        .ok_or(r"a rule is written PATTERN=REPLACEMENT, as ^80(\d{9})$=+375$1")?;
    let rule = NumberRule {
        pattern: pattern.into(),
        replacement: replacement.into(),
    };
    number::check_rule(&rule).map(|()| rule)
}

pub async fn run(desk: &Desk, args: Args) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(&args.number).await?;
    match args.action {
        Action::Set(wanted) => set(desk, &enterprise, wanted).await?,
        Action::Remove { line } => remove(desk, &enterprise, line).await?,
        Action::Try { line, phone } => {
            println!("{}", steps(&enterprise, &line, &phone)?);
            return Ok(());
        }
    }
    desk.tell(&args.number).await;
    Ok(())
}

async fn set(desk: &Desk, enterprise: &Enterprise, wanted: Set) -> anyhow::Result<()> {
    let known = enterprise.lines.get(&wanted.line);
    ensure!(
        known.is_none() || wanted.name.is_some() || wanted.no_rules || !wanted.rules.is_empty(),
        "nothing to change: give --name, --rule or --no-rules"
    );
    let mut line = known.cloned().unwrap_or_default();
    if let Some(name) = wanted.name {
        line.name = name.trim().to_owned();
    }
    if wanted.no_rules || !wanted.rules.is_empty() {
        line.rules = wanted.rules;
    }
    let done = if known.is_some() { "changed" } else { "added" };
    let told = format!(
        "{done} line {} {}\n{}",
        wanted.line,
        line.name,
        rules(&line)
    );
    let (id, place) = (enterprise.id, wanted.line);
    let what = json!({"line": place, "name": line.name, "rules": line.rules});
    desk.change(enterprise, "line.save", what, move |conn, _, _| {
        enterprises::save_line(conn, id, &place, &line)
    })
    .await?;
    println!("{told}");
    Ok(())
}

async fn remove(desk: &Desk, enterprise: &Enterprise, line: String) -> anyhow::Result<()> {
    if !enterprise.lines.contains_key(&line) {
        return Err(unknown(enterprise, &line));
    }
    let (id, place) = (enterprise.id, line.clone());
    desk.change(
        enterprise,
        "line.remove",
        json!({"line": line}),
        move |conn, _, _| enterprises::remove_line(conn, id, &place),
    )
    .await?;
    println!("removed line {line}");
    Ok(())
}

fn unknown(enterprise: &Enterprise, line: &str) -> anyhow::Error {
    let mut known: Vec<&str> = enterprise.lines.keys().map(String::as_str).collect();
    known.sort_unstable();
    match known.as_slice() {
        [] => anyhow!("{} has no lines", enterprise.number),
        known => anyhow!(
            "{} has no line {line}; it has {}",
            enterprise.number,
            known.join(", ")
        ),
    }
}

/// The rules of a line, one below the other.
pub fn rules(line: &Line) -> String {
    if line.rules.is_empty() {
        return "    no rules: the country's formats alone".into();
    }
    let rules: Vec<String> = line
        .rules
        .iter()
        .map(|rule| {
            let replacement = match rule.replacement.as_str() {
                "" => "nothing",
                text => text,
            };
            format!("    {}  ->  {replacement}", rule.pattern)
        })
        .collect();
    rules.join("\n")
}

/// What becomes of a number that comes over the line.
fn steps(enterprise: &Enterprise, line: &str, phone: &str) -> anyhow::Result<String> {
    let Some(known) = enterprise.lines.get(line) else {
        return Err(unknown(enterprise, line));
    };
    let mut said = vec![format!("{phone}  as it comes over {line}")];
    let mut last = phone.to_owned();
    for (pattern, text) in number::apply_rules(phone, &known.rules) {
        let mark = if text == last { "  (no match)" } else { "" };
        said.push(format!("{text}  after {pattern}{mark}"));
        last = text;
    }
    if number::is_internal(phone, enterprise) {
        said.push(format!("{phone}  is an extension: it stays as it is"));
        return Ok(said.join("\n"));
    }
    match number::normalise(phone, line, enterprise) {
        Some(e164) => said.push(format!("{e164}  in E.164, country {}", enterprise.country)),
        None => {
            println!("{}", said.join("\n"));
            bail!("{last} is no number that can be called; calls from it are shown as withheld")
        }
    }
    Ok(said.join("\n"))
}
