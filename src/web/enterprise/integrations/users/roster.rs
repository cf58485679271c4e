//! The CRM's users and the enterprise's extensions, put together as pages and the API show them. Read by `page` and by
//! RetailCRM's module. Pure.

use std::collections::{BTreeMap, BTreeSet};

use actors::cache::Enterprise;
use actors::integration::connector::Manager;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::extensions::{self, Held};

/// Users whose names are kept; no enterprise has as many extensions.
const MOST_NAMES: usize = 1_000;

/// What the CRM last told of users, and when: user id → word, time.
pub type Statuses = BTreeMap<String, (String, DateTime<Utc>)>;

/// One of the CRM's users.
#[derive(Clone, Debug, Serialize)]
pub struct User {
    pub id: String,
    pub name: String,
    pub extension: Option<String>,
    /// The extension the CRM itself holds for the user, where it is another one than ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<String>,
    /// What the CRM last told of the user: free, busy, dinner or break.
    pub status: Option<String>,
    pub status_at: Option<DateTime<Utc>>,
    /// Has an extension here, but the CRM knows the user no more (or the user is switched off there).
    pub gone: bool,
}

/// One of the enterprise's extensions.
#[derive(Clone, Debug, Serialize)]
pub struct Phone {
    pub extension: String,
    /// Whose it is by the enterprise's own list of people; may be empty.
    pub name: String,
    /// The CRM user who has it.
    pub user: Option<String>,
    /// That user's name, the id where there is none.
    pub user_name: Option<String>,
    /// False: a CRM user has it, but the enterprise does not list it.
    pub listed: bool,
}

/// Known users by name, then those who are gone and still have something.
pub fn users(known: Vec<Manager>, held: &Held, statuses: &Statuses) -> Vec<User> {
    let ids: BTreeSet<String> = known.iter().map(|one| one.id.clone()).collect();
    let of = |id: &str| held.get(id).cloned().flatten();
    let mut users: Vec<User> = known
        .into_iter()
        .map(|one| User {
            extension: of(&one.id),
            theirs: one
                .extension
                .filter(|theirs| of(&one.id).as_ref() != Some(theirs)),
            status: statuses.get(&one.id).map(|(status, _)| status.clone()),
            status_at: statuses.get(&one.id).map(|(_, at)| *at),
            name: one.name,
            id: one.id,
            gone: false,
        })
        .collect();
    users.sort_by(|a, b| (a.name.to_lowercase(), &a.id).cmp(&(b.name.to_lowercase(), &b.id)));
    let gone = extensions::pairs(held)
        .into_iter()
        .filter(|(id, _)| !ids.contains(id));
    users.extend(gone.map(|(id, extension)| User {
        name: String::new(),
        extension: Some(extension),
        theirs: None,
        status: None,
        status_at: None,
        gone: true,
        id,
    }));
    users
}

/// Names by id, kept so that pages and messages can call extensions by them without asking the CRM.
pub fn names(users: &[User]) -> Value {
    let named = users
        .iter()
        .filter(|user| !user.name.is_empty())
        .take(MOST_NAMES);
    named
        .map(|user| {
            (
                user.id.clone(),
                user.name.chars().take(100).collect::<String>().into(),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The enterprise's extensions, and who of the CRM has each.
pub fn phones(enterprise: &Enterprise, held: &Held, users: &[User]) -> Vec<Phone> {
    let holders: BTreeMap<String, String> = extensions::pairs(held)
        .into_iter()
        .map(|(user, extension)| (extension, user))
        .collect();
    let mut all: Vec<&String> = enterprise.extensions.keys().chain(holders.keys()).collect();
    all.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    all.dedup();
    all.into_iter()
        .map(|extension| {
            let user = holders.get(extension).cloned();
            let name = |id: &String| {
                let found = users
                    .iter()
                    .find(|one| one.id == *id)
                    .map(|one| one.name.clone());
                found
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| id.clone())
            };
            Phone {
                name: enterprise
                    .extensions
                    .get(extension)
                    .map(|one| one.name.clone())
                    .unwrap_or_default(),
                user_name: user.as_ref().map(name),
                user,
                listed: enterprise.extensions.contains_key(extension),
                extension: extension.clone(),
            }
        })
        .collect()
}

/// The users as they were kept when the CRM last told them, for when it does not.
pub fn kept(settings: &Value) -> Vec<Manager> {
    let names = settings.get("user_names").and_then(Value::as_object);
    names
        .into_iter()
        .flatten()
        .map(|(id, name)| Manager {
            id: id.clone(),
            name: name.as_str().unwrap_or_default().to_owned(),
            extension: None,
        })
        .collect()
}
