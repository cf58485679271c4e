//! Enterprises: kept with their secrets sealed, read whole as the cache's snapshot. Called by the cache, the
//! administration pages and the command line. Secrets leave only inside `SecretString`.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::conn::on;
use super::schema::{enterprises, kept, lines, telegram_users, user_internal_phones, users};
use super::time::Time;
use super::vault::{Vault, VaultError};
use super::{Conn, StoreError};
use crate::cache::snapshot::{Enterprise, Host, HostKind, Integration, Line, NumberRule, Person};

/// An enterprise to be made. `Default` gives everything but number, name and token what the table's defaults say.
#[derive(Clone, Debug)]
pub struct NewEnterprise {
    pub number: String,
    pub name: String,
    pub token: SecretString,
    pub active: bool,
    pub host_address: String,
    pub ssh_port: i32,
    pub ssh_user: String,
    pub host_key: String,
    pub host_kind: HostKind,
    /// Our private key for the host.
    pub ssh_key: Option<SecretString>,
    pub originate_context: String,
    pub redirect_context: String,
    pub secret: Option<SecretString>,
    pub bot_token: Option<SecretString>,
    pub country: String,
    pub time_zone: String,
    pub language: String,
    pub debug_log: bool,
    pub settings: Value,
    /// The whole integrations document; `Value::Null` for none.
    pub integrations: Value,
}

impl Default for NewEnterprise {
    fn default() -> Self {
        NewEnterprise {
            number: String::new(),
            name: String::new(),
            token: SecretString::from(""),
            active: true,
            host_address: String::new(),
            ssh_port: 22,
            ssh_user: String::new(),
            host_key: String::new(),
            host_kind: HostKind::Kit,
            ssh_key: None,
            originate_context: "inoffice".into(),
            redirect_context: "web-zapros".into(),
            secret: None,
            bot_token: None,
            country: "BY".into(),
            time_zone: "Europe/Minsk".into(),
            language: "ru".into(),
            debug_log: false,
            settings: Value::Object(serde_json::Map::new()),
            integrations: Value::Null,
        }
    }
}

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

#[derive(Queryable)]
struct Row {
    id: i64,
    number: String,
    name: String,
    token: String,
    _token_hash: String,
    active: bool,
    host_address: String,
    ssh_port: i32,
    ssh_user: String,
    host_key: String,
    originate_context: String,
    redirect_context: String,
    secret: String,
    bot_token: String,
    country: String,
    time_zone: String,
    language: String,
    integrations_config: String,
    settings: String,
    debug_log: bool,
    _created_at: Time,
    _updated_at: Time,
    host_kind: String,
    ssh_key: String,
}

fn sealed(vault: &Vault, secret: Option<&SecretString>) -> String {
    secret
        .map(|secret| vault.seal(secret.expose_secret()))
        .unwrap_or_default()
}

fn opened(vault: &Vault, sealed: &str) -> Result<Option<SecretString>, StoreError> {
    Ok(Some(vault.open(sealed)?)
        .filter(|secret| !secret.is_empty())
        .map(SecretString::from))
}

fn document(vault: &Vault, document: &Value) -> String {
    if document.is_null() {
        String::new()
    } else {
        vault.seal(&document.to_string())
    }
}

/// Makes an enterprise; gives its id.
///
/// # Errors
/// `Taken` when the number or the token is another's already.
pub fn add(
    conn: &mut Conn,
    vault: &Vault,
    new: &NewEnterprise,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    use enterprises::dsl as e;
    let now = Time::from(now);
    Ok(on!(conn, c => {
        diesel::insert_into(enterprises::table)
            .values((
                (
                    e::number.eq(&new.number),
                    e::name.eq(&new.name),
                    e::token.eq(vault.seal(new.token.expose_secret())),
                    e::token_hash.eq(vault.fingerprint(new.token.expose_secret())),
                    e::active.eq(new.active),
                    e::host_address.eq(&new.host_address),
                    e::ssh_port.eq(new.ssh_port),
                    e::ssh_user.eq(&new.ssh_user),
                    e::host_key.eq(&new.host_key),
                    e::originate_context.eq(&new.originate_context),
                    e::redirect_context.eq(&new.redirect_context),
                    e::host_kind.eq(new.host_kind.as_str()),
                    e::ssh_key.eq(sealed(vault, new.ssh_key.as_ref())),
                ),
                (
                    e::secret.eq(sealed(vault, new.secret.as_ref())),
                    e::bot_token.eq(sealed(vault, new.bot_token.as_ref())),
                    e::country.eq(&new.country),
                    e::time_zone.eq(&new.time_zone),
                    e::language.eq(&new.language),
                    e::integrations_config.eq(document(vault, &new.integrations)),
                    e::settings.eq(new.settings.to_string()),
                    e::debug_log.eq(new.debug_log),
                    e::created_at.eq(now),
                    e::updated_at.eq(now),
                ),
            ))
            .returning(e::id)
            .get_result(c)?
    }))
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
    extensions: HashMap<String, Person>,
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

fn integrations_of(vault: &Vault, sealed: &str) -> Result<Value, StoreError> {
    if sealed.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    // The error names a place in the document, never its text.
    serde_json::from_str(&vault.open(sealed)?).map_err(|e| {
        StoreError::Damaged(format!(
            "integrations_config, line {} column {}",
            e.line(),
            e.column()
        ))
    })
}

/// Everything that is set of one enterprise, as an administrator sees and changes it; `None` when there is none.
///
/// # Errors
/// `Sealed` when a secret cannot be opened, `Damaged` when a document is none.
pub fn details(
    conn: &mut Conn,
    vault: &Vault,
    enterprise: i64,
) -> Result<Option<NewEnterprise>, StoreError> {
    let row: Option<Row> = on!(conn, c => enterprises::table.filter(enterprises::id.eq(enterprise)).first(c).optional()?);
    let Some(row) = row else { return Ok(None) };
    Ok(Some(NewEnterprise {
        token: SecretString::from(vault.open(&row.token)?),
        secret: opened(vault, &row.secret)?,
        bot_token: opened(vault, &row.bot_token)?,
        integrations: integrations_of(vault, &row.integrations_config)?,
        settings: serde_json::from_str(&row.settings)?,
        number: row.number,
        name: row.name,
        active: row.active,
        host_address: row.host_address,
        ssh_port: row.ssh_port,
        ssh_user: row.ssh_user,
        host_key: row.host_key,
        host_kind: HostKind::parse(&row.host_kind).unwrap_or_default(),
        ssh_key: opened(vault, &row.ssh_key)?,
        originate_context: row.originate_context,
        redirect_context: row.redirect_context,
        country: row.country,
        time_zone: row.time_zone,
        language: row.language,
        debug_log: row.debug_log,
    }))
}

/// Writes everything that is set of an enterprise but its integrations document, which has a function of its own. For
/// one field: `details`, change it, `update`, in one `Store::write`.
///
/// # Errors
/// `NotFound`; `Taken` when the number or the token is another's.
pub fn update(
    conn: &mut Conn,
    vault: &Vault,
    enterprise: i64,
    new: &NewEnterprise,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use enterprises::dsl as e;
    let changed = on!(conn, c => {
        diesel::update(enterprises::table.filter(e::id.eq(enterprise)))
            .set((
                (
                    e::number.eq(&new.number),
                    e::name.eq(&new.name),
                    e::token.eq(vault.seal(new.token.expose_secret())),
                    e::token_hash.eq(vault.fingerprint(new.token.expose_secret())),
                    e::active.eq(new.active),
                    e::host_address.eq(&new.host_address),
                    e::ssh_port.eq(new.ssh_port),
                    e::ssh_user.eq(&new.ssh_user),
                    e::host_key.eq(&new.host_key),
                    e::originate_context.eq(&new.originate_context),
                    e::host_kind.eq(new.host_kind.as_str()),
                    e::ssh_key.eq(sealed(vault, new.ssh_key.as_ref())),
                ),
                (
                    e::redirect_context.eq(&new.redirect_context),
                    e::secret.eq(sealed(vault, new.secret.as_ref())),
                    e::bot_token.eq(sealed(vault, new.bot_token.as_ref())),
                    e::country.eq(&new.country),
                    e::time_zone.eq(&new.time_zone),
                    e::language.eq(&new.language),
                    e::settings.eq(new.settings.to_string()),
                    e::debug_log.eq(new.debug_log),
                    e::updated_at.eq(Time::from(now)),
                ),
            ))
            .execute(c)?
    });
    if changed == 0 {
        Err(StoreError::NotFound)
    } else {
        Ok(())
    }
}

/// (id, number, name, active) of every enterprise, by number: what lists and selects need, nothing sealed.
///
/// # Errors
/// The database's own.
pub fn list(conn: &mut Conn) -> Result<Vec<(i64, String, String, bool)>, StoreError> {
    use enterprises::dsl as e;
    Ok(on!(conn, c => {
        enterprises::table.select((e::id, e::number, e::name, e::active)).order(e::number).load(c)?
    }))
}

/// Removes a line of the enterprise.
///
/// # Errors
/// The database's own.
pub fn remove_line(conn: &mut Conn, enterprise: i64, line: &str) -> Result<(), StoreError> {
    on!(conn, c => {
        diesel::delete(lines::table.filter(lines::enterprise_id.eq(enterprise)).filter(lines::line.eq(line))).execute(c)?
    });
    Ok(())
}

/// The whole integrations document of one enterprise, secrets in the clear; an empty object when there is none.
///
/// # Errors
/// `NotFound`, `Sealed`, `Damaged`.
pub fn integrations(conn: &mut Conn, vault: &Vault, enterprise: i64) -> Result<Value, StoreError> {
    let sealed: String = on!(conn, c => {
        enterprises::table.filter(enterprises::id.eq(enterprise)).select(enterprises::integrations_config).first(c)?
    });
    integrations_of(vault, &sealed)
}

/// Replaces the integrations document. Call it inside `Store::write`, with `integrations` before it in the same
/// closure where the new document is made from the old one.
///
/// # Errors
/// `NotFound`.
pub fn save_integrations(
    conn: &mut Conn,
    vault: &Vault,
    enterprise: i64,
    new: &Value,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = on!(conn, c => {
        diesel::update(enterprises::table.filter(enterprises::id.eq(enterprise)))
            .set((enterprises::integrations_config.eq(document(vault, new)), enterprises::updated_at.eq(Time::from(now))))
            .execute(c)?
    });
    if changed == 0 {
        Err(StoreError::NotFound)
    } else {
        Ok(())
    }
}

/// Adds a line, or changes its name and rules.
///
/// # Errors
/// The database's own.
pub fn save_line(
    conn: &mut Conn,
    enterprise: i64,
    line: &str,
    value: &Line,
) -> Result<(), StoreError> {
    use diesel::upsert::excluded;
    let rules = serde_json::to_string(&value.rules)?;
    on!(conn, c => {
        diesel::insert_into(lines::table)
            .values((lines::enterprise_id.eq(enterprise), lines::line.eq(line), lines::name.eq(&value.name), lines::rules.eq(rules)))
            .on_conflict((lines::enterprise_id, lines::line))
            .do_update()
            .set((lines::name.eq(excluded(lines::name)), lines::rules.eq(excluded(lines::rules))))
            .execute(c)?
    });
    Ok(())
}

/// A word sealed at the first start; a key that cannot open it is not this database's.
const KEY_CHECK: &str = "key_check";

/// Refuses a secret key other than the one this database was first opened with.
///
/// # Errors
/// `Sealed(WrongKey)`.
pub(crate) fn check_key(conn: &mut Conn, vault: &Vault) -> Result<(), StoreError> {
    conn.transaction(|conn| {
        let word: Option<String> = on!(conn, c => kept::table.filter(kept::name.eq(KEY_CHECK)).select(kept::value).first(c).optional()?);
        match word {
            Some(sealed) if vault.open(&sealed)? == KEY_CHECK => Ok(()),
            Some(_) => Err(StoreError::Sealed(VaultError::WrongKey)),
            None => {
                on!(conn, c => {
                    diesel::insert_into(kept::table)
                        .values((kept::name.eq(KEY_CHECK), kept::value.eq(vault.seal(KEY_CHECK))))
                        .on_conflict(kept::name)
                        .do_nothing()
                        .execute(c)?
                });
                Ok(())
            }
        }
    })
}
