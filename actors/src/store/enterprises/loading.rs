//! An enterprise read whole: with its people, lines and integrations, as the cache's snapshot. Called by the cache;
//! writes nothing.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Row, integrations_of, opened};
use crate::cache::snapshot::{Enterprise, Host, HostKind, Integration, Line, NumberRule, Person};
use crate::store::conn::on;
use crate::store::schema::{enterprises, lines, telegram_users, user_internal_phones, users};
use crate::store::vault::Vault;
use crate::store::{Conn, StoreError};

/// By what an enterprise is looked for.
#[derive(Clone, Debug)]
pub enum Key {
    Id(i64),
    Number(String),
    Name(String),
    /// The token in the clear, as a host sends it.
    Token(SecretString),
    /// The number, or else the name: as the gateway's URLs allow.
    NumberOrName(String),
}

/// One enterprise with its people, lines and integrations; `None` when there is none.
///
/// # Errors
/// `Sealed` when a secret cannot be opened, `Damaged` when a document is none.
pub fn load(conn: &mut Conn, vault: &Vault, key: &Key) -> Result<Option<Enterprise>, StoreError> {
    use enterprises::dsl as e;
    let row: Option<Row> = on!(conn, c => match key {
        Key::Id(id) => enterprises::table.filter(e::id.eq(id)).first(c).optional()?,
        Key::Number(number) => enterprises::table.filter(e::number.eq(number)).first(c).optional()?,
        Key::Name(name) => enterprises::table.filter(e::name.eq(name)).order(e::id).first(c).optional()?,
        Key::Token(token) => enterprises::table.filter(e::token_hash.eq(vault.fingerprint(token.expose_secret()))).first(c).optional()?,
        Key::NumberOrName(text) => match enterprises::table.filter(e::number.eq(text)).first(c).optional()? {
            Some(row) => Some(row),
            None => enterprises::table.filter(e::name.eq(text)).order(e::id).first(c).optional()?,
        },
    });
    let Some(row) = row else { return Ok(None) };
    Ok(assemble(conn, vault, vec![row])?.pop())
}

/// The enterprises that have any of these tokens (in the clear, as hosts send them): one query for as many unknown
/// tokens as wait.
///
/// # Errors
/// As `load`.
pub fn load_with_tokens(
    conn: &mut Conn,
    vault: &Vault,
    tokens: &[SecretString],
) -> Result<Vec<Enterprise>, StoreError> {
    let mut found = Vec::new();
    // Far below the number of variables SQLite takes in one statement.
    for some in tokens.chunks(1000) {
        let prints: Vec<String> = some
            .iter()
            .map(|token| vault.fingerprint(token.expose_secret()))
            .collect();
        let rows: Vec<Row> = on!(conn, c => enterprises::table.filter(enterprises::token_hash.eq_any(&prints)).load(c)?);
        if !rows.is_empty() {
            found.extend(assemble(conn, vault, rows)?);
        }
    }
    Ok(found)
}

/// Every enterprise, active or not, by number.
///
/// # Errors
/// As `load`; one enterprise that cannot be read is logged and left out, so that it stops no other.
pub fn load_all(conn: &mut Conn, vault: &Vault) -> Result<Vec<Enterprise>, StoreError> {
    let rows: Vec<Row> = on!(conn, c => enterprises::table.order(enterprises::number).load(c)?);
    assemble(conn, vault, rows)
}

/// Enterprise, extension, user, display name, the user's own name.
type Phone = (i64, String, Option<i64>, String, Option<String>);

fn assemble(conn: &mut Conn, vault: &Vault, rows: Vec<Row>) -> Result<Vec<Enterprise>, StoreError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let (phones, line_rows, subscribed) = on!(conn, c => {
        let phones: Vec<Phone> = user_internal_phones::table
            .left_join(users::table.on(users::id.nullable().eq(user_internal_phones::user_id)))
            .filter(user_internal_phones::enterprise_id.eq_any(&ids))
            .select((
                user_internal_phones::enterprise_id,
                user_internal_phones::extension,
                user_internal_phones::user_id,
                user_internal_phones::display_name,
                users::full_name.nullable(),
            ))
            .load(c)?;
        let line_rows: Vec<(i64, String, String, String)> = lines::table
            .filter(lines::enterprise_id.eq_any(&ids))
            .select((lines::enterprise_id, lines::line, lines::name, lines::rules))
            .load(c)?;
        let subscribed: Vec<i64> = telegram_users::table
            .filter(telegram_users::enterprise_id.eq_any(&ids))
            .filter(telegram_users::active.eq(true))
            .select(telegram_users::enterprise_id)
            .distinct()
            .load(c)?;
        (phones, line_rows, subscribed)
    });
    let mut people: HashMap<i64, HashMap<String, Person>> = HashMap::new();
    for (enterprise, extension, user_id, display_name, full_name) in phones {
        let name = if display_name.is_empty() {
            full_name.unwrap_or_default()
        } else {
            display_name
        };
        people
            .entry(enterprise)
            .or_default()
            .insert(extension, Person { user_id, name });
    }
    let mut all_lines: HashMap<i64, HashMap<String, Line>> = HashMap::new();
    for (enterprise, line, name, rules) in line_rows {
        // A rule that cannot be read must not take the enterprise's events with it.
        let rules: Vec<NumberRule> = serde_json::from_str(&rules).unwrap_or_else(|error| {
            log::error!("rules of line {line} of enterprise {enterprise} cannot be read: {error}");
            Vec::new()
        });
        all_lines
            .entry(enterprise)
            .or_default()
            .insert(line, Line { name, rules });
    }
    let alone = rows.len() == 1;
    let mut whole = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.id;
        let extensions = people.remove(&id).unwrap_or_default();
        let lines = all_lines.remove(&id).unwrap_or_default();
        match snapshot(vault, row, extensions, lines, subscribed.contains(&id)) {
            Ok(enterprise) => whole.push(enterprise),
            Err(error) if alone => return Err(error),
            Err(error) => log::error!("enterprise {id} cannot be read and is left out: {error}"),
        }
    }
    Ok(whole)
}

fn snapshot(
    vault: &Vault,
    row: Row,
    mut extensions: HashMap<String, Person>,
    lines: HashMap<String, Line>,
    has_telegram_subscribers: bool,
) -> Result<Enterprise, StoreError> {
    let document = integrations_of(vault, &row.integrations_config)?;
    let primary = document
        .pointer("/smart/primary")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let integrations: BTreeMap<String, Integration> = document
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, part)| *name != "smart" && part.is_object())
        .map(|(name, part)| {
            let enabled = part
                .get("enabled")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            (
                name.clone(),
                Integration {
                    enabled,
                    settings: part.clone(),
                },
            )
        })
        .collect();
    name_by_crm(&mut extensions, &integrations);
    Ok(Enterprise {
        id: row.id,
        number: row.number,
        name: row.name,
        token: SecretString::from(vault.open(&row.token)?),
        active: row.active,
        country: row.country,
        time_zone: row.time_zone.parse().unwrap_or(chrono_tz::Europe::Minsk),
        language: row.language,
        bot_token: opened(vault, &row.bot_token)?,
        secret: opened(vault, &row.secret)?,
        debug_log: row.debug_log,
        settings: serde_json::from_str(&row.settings)
            .unwrap_or_else(|_| Value::Object(serde_json::Map::new())),
        extensions,
        lines,
        primary,
        integrations,
        has_telegram_subscribers,
        host: Host {
            address: row.host_address,
            port: u16::try_from(row.ssh_port).unwrap_or(22),
            user: row.ssh_user,
            host_key: row.host_key,
            key: opened(vault, &row.ssh_key)?,
            kind: HostKind::parse(&row.host_kind).unwrap_or_default(),
            originate_context: row.originate_context,
            redirect_context: row.redirect_context,
        },
    })
}

/// Extensions that nobody named here bear the name of the CRM's user who has them (`user_extensions`, `user_names` of an
/// integration's settings), so that pages and messages show people and not numbers.
fn name_by_crm(
    extensions: &mut HashMap<String, Person>,
    integrations: &BTreeMap<String, Integration>,
) {
    for part in integrations.values().filter(|part| part.enabled) {
        let map = |name: &str| part.settings.get(name).and_then(Value::as_object);
        let (Some(held), Some(names)) = (map("user_extensions"), map("user_names")) else {
            continue;
        };
        for (user, extension) in held {
            let person = extension
                .as_str()
                .and_then(|extension| extensions.get_mut(extension));
            let name = names.get(user).and_then(Value::as_str);
            if let (Some(person), Some(name)) = (person, name)
                && person.name.is_empty()
            {
                person.name = name.to_owned();
            }
        }
    }
}
