//! What is done with people: added, changed, given a password, logged out, and extensions named or dropped. Called by the page
//! beside it. A password is invented here and shown once. Nobody can take their own rights away, so that no enterprise and
//! no installation is left without its administrator.

use std::collections::BTreeSet;

use actix_web::web;
use actors::asterisk::words::Extension;
use actors::store::users::{self, NewUser, User};
use actors::store::{Conn, StoreError, audit, sessions};
use chrono::Utc;
use serde_json::{Value, json};

use super::{Form, Told, Whose};
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::note;
use crate::web::session::password;
use crate::web::session::policy::Role;
use crate::web::visit::Visit;

/// Does it, and says what there is to say of it.
///
/// # Errors
/// There is no such action, nobody of that name, or the database is away.
pub(super) async fn serve(
    app: &App,
    visit: &Visit,
    whose: &Whose,
    action: &str,
    form: Form,
) -> Result<Told, AppError> {
    let typed = Box::new((action.to_owned(), form.clone()));
    let told = match action {
        "add" => add(app, visit, whose, form).await,
        "save" => save(app, visit, whose, form).await,
        "password" => renew(app, visit, whose, form).await,
        "end" => end(app, visit, whose, form).await,
        "extension" | "drop" => extension(app, visit, whose, action, form).await,
        _ => Err(AppError::NotFound),
    }?;
    let (refused, quiet) = (!told.problem.is_empty(), told.password.is_empty());
    Ok(Told {
        typed: Some(typed).filter(|_| refused),
        done: if refused || !quiet { "" } else { "people-done" },
        ..told
    })
}

async fn add(app: &App, visit: &Visit, whose: &Whose, form: Form) -> Result<Told, AppError> {
    let login = form.login.trim().to_owned();
    let well = |one: char| one.is_alphanumeric() || "._-@".contains(one);
    if login.is_empty() || login.chars().count() > 60 || !login.chars().all(well) {
        return Ok(Told::problem("people-bad-login", login));
    }
    let Some(role) = role(&form.role, whose) else {
        return Ok(Told::problem("people-bad-role", form.role));
    };
    let extensions = match extensions(&form.extensions) {
        Ok(extensions) => extensions,
        Err(told) => return Ok(told),
    };
    let word = password::invent();
    let hash = hashed(word.clone()).await?;
    let new = NewUser {
        enterprise: whose.id(),
        login: login.clone(),
        full_name: form.name.trim().to_owned(),
        role: role.as_str().to_owned(),
        password_hash: hash,
        password_once: true,
        language: String::new(),
    };
    let what =
        json!({"login": login, "name": new.full_name, "role": new.role, "extensions": extensions});
    let made = write(app, visit, whose, ("user.add", what), move |conn| {
        let user = users::add(conn, &new, Utc::now())?;
        give(conn, new.enterprise, user, &new.full_name, &extensions)
    })
    .await;
    match made {
        Ok(()) => Ok(Told {
            about: login,
            password: word,
            ..Told::default()
        }),
        Err(StoreError::Taken(_)) => Ok(Told::problem("people-taken", login)),
        Err(other) => Err(other.into()),
    }
}

async fn save(app: &App, visit: &Visit, whose: &Whose, form: Form) -> Result<Told, AppError> {
    let user = person(app, whose, &form.login).await?;
    let Some(role) = role(&form.role, whose) else {
        return Ok(Told::problem("people-bad-role", form.role));
    };
    let active = !form.active.is_empty();
    if user.id == visit.viewer()?.user && (!active || role.as_str() != user.role) {
        return Ok(Told::problem("people-not-yourself", user.login));
    }
    let extensions = match extensions(&form.extensions) {
        Ok(extensions) => extensions,
        Err(told) => return Ok(told),
    };
    let name = form.name.trim().to_owned();
    let what = json!({
        "login": user.login, "name": [user.full_name, name], "role": [user.role, role.as_str()],
        "active": [user.active, active], "extensions": extensions,
    });
    let (id, enterprise) = (user.id, whose.id());
    write(app, visit, whose, ("user.save", what), move |conn| {
        users::update(conn, id, &name, role.as_str(), active, Utc::now())?;
        if !active || role.as_str() != user.role {
            // Other rights begin with a new log-in, none at once.
            sessions::delete_all(conn, id)?;
        }
        give(conn, enterprise, id, &name, &extensions)
    })
    .await?;
    Ok(Told::default())
}

async fn renew(app: &App, visit: &Visit, whose: &Whose, form: Form) -> Result<Told, AppError> {
    let user = person(app, whose, &form.login).await?;
    let word = password::invent();
    let hash = hashed(word.clone()).await?;
    let (id, what) = (user.id, json!({"login": user.login}));
    write(app, visit, whose, ("user.password", what), move |conn| {
        users::set_password(conn, id, &hash, true, Utc::now())?;
        sessions::delete_all(conn, id).map(drop)
    })
    .await?;
    Ok(Told {
        about: user.login,
        password: word,
        ..Told::default()
    })
}

async fn end(app: &App, visit: &Visit, whose: &Whose, form: Form) -> Result<Told, AppError> {
    let user = person(app, whose, &form.login).await?;
    let (id, session) = (user.id, form.session);
    let what = json!({"login": user.login, "session": session});
    write(app, visit, whose, ("session.end", what), move |conn| {
        // Somebody else's session is not there for this person.
        if !sessions::delete(conn, id, session)? {
            return Err(StoreError::NotFound);
        }
        Ok(())
    })
    .await?;
    Ok(Told::default())
}

async fn extension(
    app: &App,
    visit: &Visit,
    whose: &Whose,
    action: &str,
    form: Form,
) -> Result<Told, AppError> {
    let Some(enterprise) = whose.id() else {
        return Err(AppError::NotFound);
    };
    let drop = action == "drop";
    let one = match extensions(&form.extension) {
        Ok(list) if list.len() == 1 => list.into_iter().next().unwrap_or_default(),
        Ok(_) => return Ok(Told::problem("people-bad-extension", form.extension)),
        Err(told) => return Ok(told),
    };
    let name = form.name.trim().to_owned();
    let what = json!({"extension": one, "name": name});
    let word = if drop {
        "extension.drop"
    } else {
        "extension.save"
    };
    write(app, visit, whose, (word, what), move |conn| {
        if drop {
            users::remove_extension(conn, enterprise, &one)
        } else {
            users::name_extension(conn, enterprise, &one, &name)
        }
    })
    .await?;
    Ok(Told::default())
}

/// One change with its audit row, both or neither.
async fn write(
    app: &App,
    visit: &Visit,
    whose: &Whose,
    (action, what): (&str, Value),
    work: impl FnOnce(&mut Conn) -> Result<(), StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    let entry = match note(visit, whose.id().unwrap_or_default(), action, what) {
        Ok(entry) => audit::NewEntry {
            enterprise: whose.id(),
            ..entry
        },
        // The gate lets nobody in without a session.
        Err(_) => return Err(StoreError::NotFound),
    };
    app.store
        .write(move |conn| {
            work(conn)?;
            audit::add(conn, &entry, Utc::now())
        })
        .await
}

/// The person of this login among these people; another enterprise's do not exist.
async fn person(app: &App, whose: &Whose, login: &str) -> Result<User, AppError> {
    let (login, enterprise) = (login.to_owned(), whose.id());
    let found = app
        .store
        .read(move |conn| users::by_login(conn, &login))
        .await?;
    found
        .filter(|user| user.enterprise == enterprise)
        .ok_or(AppError::NotFound)
}

/// The role a form names, if it is one these people can have.
fn role(word: &str, whose: &Whose) -> Option<Role> {
    match whose {
        Whose::Installation => Some(Role::Superadmin),
        Whose::Enterprise(_) => Role::parse(word).filter(|role| *role != Role::Superadmin),
    }
}

/// Extensions as a person writes them; each 2 to 5 digits.
fn extensions(text: &str) -> Result<BTreeSet<String>, Told> {
    let mut list = BTreeSet::new();
    for one in text
        .split([',', ';', ' '])
        .map(str::trim)
        .filter(|one| !one.is_empty())
    {
        if Extension::parse(one).is_err() {
            return Err(Told::problem("people-bad-extension", one));
        }
        list.insert(one.to_owned());
    }
    Ok(list)
}

/// Makes exactly these extensions the person's; those taken away stay in the list, free and without the person's name.
fn give(
    conn: &mut Conn,
    enterprise: Option<i64>,
    user: i64,
    name: &str,
    extensions: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let Some(enterprise) = enterprise else {
        return Ok(());
    };
    let had = users::extensions_of(conn, enterprise, user)?;
    for former in had.iter().filter(|one| !extensions.contains(*one)) {
        users::assign_extension(conn, enterprise, former, None, "")?;
    }
    let free = users::free_extensions(conn, enterprise)?;
    for extension in extensions {
        // Who has no name leaves the extension the one it is shown by.
        let shown = match free.iter().find(|(one, _)| one == extension) {
            _ if !name.is_empty() => name,
            Some((_, known)) => known,
            None if had.contains(extension) => continue,
            None => name,
        };
        users::assign_extension(conn, enterprise, extension, Some(user), shown)?;
    }
    Ok(())
}

/// Hashing is slow on purpose, so it is done beside.
async fn hashed(word: String) -> Result<String, AppError> {
    web::block(move || password::hash(&word))
        .await?
        .map_err(AppError::Unknown)
}
