//! `patchbay user`: people who log in.

use std::io::{BufRead, IsTerminal};

use actors::store::audit;
use actors::store::enterprises::{self, Key};
use actors::store::sessions;
use actors::store::users::{self, NewUser};
use actors::store::{Store, StoreError};
use anyhow::Context as _;
use chrono::Utc;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use super::{check, entry, server};
use crate::config::{Loaded, Settings};
use crate::web::session::password;
use crate::web::session::policy::Role;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add a person. The password is read from standard input where that is not a terminal, else one is invented and
    /// told once.
    Add(Add),
    /// Give a person a new password, and end the person's sessions.
    Password(Password),
}

#[derive(clap::Args)]
pub struct Add {
    /// Name to log in with.
    #[arg(value_parser = check::filled)]
    pub login: String,
    /// superadmin, admin, supervisor or operator.
    #[arg(long, default_value = "operator")]
    pub role: String,
    /// The enterprise's number; everybody but superadmins belongs to one.
    #[arg(long, value_parser = check::enterprise)]
    pub enterprise: Option<String>,
    /// Full name.
    #[arg(long, default_value = "")]
    pub name: String,
    /// Language of the pages: ru or en; empty leaves it to the browser.
    #[arg(long, default_value = "", hide_default_value = true, value_parser = PossibleValuesParser::new(["ru", "en", ""]), hide_possible_values = true)]
    pub language: String,
    /// Extensions that are this person's, comma-separated.
    #[arg(long, value_delimiter = ',', value_parser = check::extension)]
    pub extensions: Vec<String>,
}

#[derive(clap::Args)]
pub struct Password {
    /// Name to log in with.
    pub login: String,
}

pub fn run(command: Command, loaded: Loaded) -> anyhow::Result<()> {
    let store = crate::startup::open_store(&loaded.settings)?;
    actix_web::rt::System::new().block_on(async move {
        match command {
            Command::Add(add) => add_user(&store, &loaded.settings, add).await,
            Command::Password(Password { login }) => renew(&store, login).await,
        }
    })
}

async fn add_user(store: &Store, settings: &Settings, add: Add) -> anyhow::Result<()> {
    let role = Role::parse(&add.role).with_context(|| {
        format!(
            "{} is no role; there are superadmin, admin, supervisor and operator",
            add.role
        )
    })?;
    anyhow::ensure!(
        (role == Role::Superadmin) == add.enterprise.is_none(),
        "a superadmin belongs to no enterprise, everybody else to one: name it with --enterprise NUMBER"
    );
    let (word, told) = read_password()?;
    let new = NewUser {
        enterprise: None,
        login: add.login.trim().to_owned(),
        full_name: add.name,
        role: role.as_str().into(),
        password_hash: password::hash(&word)?,
        password_once: told,
        language: add.language,
    };
    let login = new.login.clone();
    let what = json!({"login": login, "role": new.role, "extensions": add.extensions});
    // Pages and messages call extensions by their people's names.
    let changed = add
        .enterprise
        .clone()
        .filter(|_| !add.extensions.is_empty());
    let vault = store.vault().clone();
    let made = store
        .write(move |conn| {
            let enterprise = match add.enterprise {
                Some(number) => {
                    let found = enterprises::load(conn, &vault, &Key::Number(number))?;
                    Some(found.ok_or(StoreError::NotFound)?.id)
                }
                None => None,
            };
            let now = Utc::now();
            let user = users::add(
                conn,
                &NewUser {
                    enterprise,
                    ..new.clone()
                },
                now,
            )?;
            for extension in &add.extensions {
                if let Some(enterprise) = enterprise {
                    users::assign_extension(
                        conn,
                        enterprise,
                        extension,
                        Some(user),
                        &new.full_name,
                    )?;
                }
            }
            audit::add(conn, &entry(enterprise, "user.add", what), now)
        })
        .await;
    match made {
        Ok(()) => {}
        Err(StoreError::NotFound) => {
            anyhow::bail!("there is no enterprise of that number; see `patchbay enterprise list`")
        }
        Err(StoreError::Taken(_)) => anyhow::bail!("somebody is called {login} already"),
        Err(other) => return Err(other.into()),
    }
    println!("added {login} ({})", role.as_str());
    if told {
        println!("password: {word}   (shown this once)");
    }
    if let Some(enterprise) = changed {
        server::tell(settings, &enterprise).await;
    }
    Ok(())
}

async fn renew(store: &Store, login: String) -> anyhow::Result<()> {
    let (word, told) = read_password()?;
    let hash = password::hash(&word)?;
    let name = login.clone();
    let done = store
        .write(move |conn| {
            let user = users::by_login(conn, &name)?.ok_or(StoreError::NotFound)?;
            let now = Utc::now();
            users::set_password(conn, user.id, &hash, told, now)?;
            sessions::delete_all(conn, user.id)?;
            let what = json!({"login": name});
            audit::add(conn, &entry(user.enterprise, "user.password", what), now)
        })
        .await;
    match done {
        Ok(()) => {}
        Err(StoreError::NotFound) => anyhow::bail!("nobody is called {login}"),
        Err(other) => return Err(other.into()),
    }
    println!("{login} has a new password and is logged out everywhere");
    if told {
        println!("password: {word}   (shown this once)");
    }
    Ok(())
}

/// The password, and whether it was invented and must be told.
fn read_password() -> anyhow::Result<(String, bool)> {
    let input = std::io::stdin();
    let mut line = String::new();
    if !input.is_terminal() {
        input.lock().read_line(&mut line)?;
    }
    let given = line.trim_end_matches(['\r', '\n']).to_owned();
    if given.is_empty() {
        return Ok((password::invent(), true));
    }
    anyhow::ensure!(
        given.chars().count() >= password::SHORTEST,
        "a password has at least {} characters",
        password::SHORTEST
    );
    Ok((given, false))
}
