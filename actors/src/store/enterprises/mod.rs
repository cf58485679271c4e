//! Enterprises: kept with their secrets sealed. Called by the administration pages, the command line and (whole, as the
//! cache's snapshot: `loading.rs`) by the cache. Secrets leave only inside `SecretString`.

mod lines;
mod loading;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::cache::snapshot::HostKind;
pub use lines::{remove_line, save_line};
pub use loading::{Key, load, load_all, load_with_tokens};

use super::conn::on;
use super::schema::enterprises;
use super::time::Time;
use super::vault::Vault;
use super::{Conn, StoreError};

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
