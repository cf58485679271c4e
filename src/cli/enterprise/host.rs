//! `patchbay enterprise host`: how an enterprise's Asterisk takes commands over SSH, the same settings as the page of the
//! host has; without an option, what is set and our public key. A private key comes from a file and is never printed.

use std::path::PathBuf;

use actors::asterisk::{Command, HostError, Hosts};
use actors::cache::snapshot::HostKind;
use actors::store::StoreError;
use actors::store::enterprises::{self, NewEnterprise};
use anyhow::{Context as _, bail, ensure};
use clap::builder::PossibleValuesParser;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::desk::Desk;
use crate::cli::check;
use crate::host_keys;
use crate::house;

#[derive(clap::Args)]
pub struct Args {
    /// The enterprise's number.
    #[arg(value_parser = check::enterprise)]
    number: String,
    /// Name or address of its Asterisk host.
    #[arg(long, value_parser = check::host)]
    address: Option<String>,
    /// Port of its sshd.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Whom to log in as.
    #[arg(long, value_parser = check::ssh_user)]
    user: Option<String>,
    /// kit: our key runs the kit's gate only; plain: it runs asterisk -rx.
    #[arg(long, value_parser = PossibleValuesParser::new(["kit", "plain"]))]
    kind: Option<String>,
    /// Make a new key for the host; its public half is printed, the private one never.
    #[arg(long, conflicts_with = "key_file")]
    make_key: bool,
    /// A private key without a passphrase, as ssh-keygen writes it.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Accept this public key as the host's own ('ssh-ed25519 AAAA…', as /etc/ssh/ssh_host_ed25519_key.pub has it); ''
    /// takes back what was accepted.
    #[arg(long, value_name = "KEY")]
    accept: Option<String>,
    /// Try the whole way: connect, the host's key, our key, Asterisk.
    #[arg(long)]
    test: bool,
}

/// What is to become of the row.
#[derive(Clone, Default)]
struct Changes {
    address: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    kind: Option<HostKind>,
    key: Option<SecretString>,
    host_key: Option<String>,
}

pub async fn run(desk: &Desk, args: Args) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(&args.number).await?;
    let changes = changes(&args)?;
    let what = said(&args, &changes);
    if !what.is_empty() {
        let (id, changes) = (enterprise.id, changes.clone());
        desk.change(
            &enterprise,
            "enterprise.host",
            Value::Object(what),
            move |conn, vault, now| {
                let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
                apply(&mut row, changes);
                enterprises::update(conn, vault, id, &row, now)
            },
        )
        .await?;
        desk.tell(&args.number).await;
    }
    let enterprise = desk.enterprise(&args.number).await?;
    let host = &enterprise.host;
    let line = |name: &str, value: &str| {
        println!(
            "  {name:<10} {}",
            if value.is_empty() { "-" } else { value }
        );
    };
    println!("{}: the host", args.number);
    line("address", &host.address);
    line("ssh", &format!("{} port {}", host.user, host.port));
    line("kind", host.kind.as_str());
    line("accepted", &host_keys::accepted(&host.host_key).join(", "));
    let ours = host.key.as_ref().map(|key| {
        host_keys::public_half(key, host.kind)
            .unwrap_or_else(|| "set; its public half cannot be told from it".into())
    });
    line("our key", ours.as_deref().unwrap_or_default());
    if !args.test {
        return Ok(());
    }
    let began = std::time::Instant::now();
    let hosts = Hosts::new(house::host_terms(&desk.settings));
    match hosts.run(&enterprise, &Command::Look).await {
        Ok(words) => {
            println!(
                "it works, answered within {} ms: {}",
                began.elapsed().as_millis(),
                words.trim()
            );
            Ok(())
        }
        Err(error @ (HostError::HostKeyUnknown { .. } | HostError::HostKeyChanged { .. })) => {
            let (HostError::HostKeyUnknown { offered } | HostError::HostKeyChanged { offered }) =
                &error
            else {
                bail!(error)
            };
            bail!(
                "{error}\nits fingerprint is {}; compare it with `ssh-keygen -lf` on the host itself, then give it with --accept",
                host_keys::fingerprint(offered)
            )
        }
        Err(error) => bail!("{error}"),
    }
}

fn changes(args: &Args) -> anyhow::Result<Changes> {
    let key = match &args.key_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let key = host_keys::brought(&text);
            Some(key.with_context(|| {
                format!(
                    "{} is no private key: one begins with -----BEGIN … PRIVATE KEY-----",
                    path.display()
                )
            })?)
        }
        None if args.make_key => Some(host_keys::make()?),
        None => None,
    };
    let host_key = match args.accept.as_deref().map(str::trim) {
        None => None,
        Some("") => Some(String::new()),
        Some(text) => {
            let line = host_keys::public(text);
            ensure!(
                line.is_some(),
                "--accept takes a public key, as ssh-ed25519 AAAA…"
            );
            line
        }
    };
    Ok(Changes {
        address: args.address.clone(),
        port: args.port,
        user: args.user.clone(),
        kind: args.kind.as_deref().and_then(HostKind::parse),
        key,
        host_key,
    })
}

/// What is changed, for the audit: of a key its fingerprint only.
fn said(args: &Args, changes: &Changes) -> Map<String, Value> {
    let public = |key: &SecretString| {
        host_keys::public_half(key, HostKind::Plain).map(|line| host_keys::fingerprint(&line))
    };
    [
        ("address", changes.address.clone().map(Value::from)),
        ("port", changes.port.map(Value::from)),
        ("user", changes.user.clone().map(Value::from)),
        ("kind", changes.kind.map(|kind| kind.as_str().into())),
        (
            "key",
            changes.key.as_ref().map(|key| {
                json!({"key": if args.make_key { "made" } else { "brought" }, "fingerprint": public(key)})
            }),
        ),
        (
            "host key",
            changes
                .host_key
                .as_deref()
                .map(|line| host_keys::accepted(line).join(", ").into()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

fn apply(row: &mut NewEnterprise, changes: Changes) {
    if let Some(address) = changes.address {
        row.host_address = address;
    }
    if let Some(port) = changes.port {
        row.ssh_port = port.into();
    }
    if let Some(user) = changes.user {
        row.ssh_user = user;
    }
    if let Some(kind) = changes.kind {
        row.host_kind = kind;
    }
    if let Some(key) = changes.key {
        row.ssh_key = Some(key);
    }
    if let Some(line) = changes.host_key {
        row.host_key = line;
    }
}
