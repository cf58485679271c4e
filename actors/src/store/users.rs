//! People who log in, and whose extension is whose. Called by the session pages, the administration and the command
//! line. Hashes nothing: passwords come in as argon2 hashes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::{user_internal_phones, users};
use super::time::Time;
use super::{Conn, StoreError};

/// A person to be added.
#[derive(Clone)]
pub struct NewUser {
    /// `None` for a superadmin.
    pub enterprise: Option<i64>,
    pub login: String,
    pub full_name: String,
    /// superadmin, admin, supervisor or operator.
    pub role: String,
    pub password_hash: String,
    /// Somebody else knows the password: its owner has to choose another before anything else.
    pub password_once: bool,
    /// "ru", "en" or empty for the enterprise's.
    pub language: String,
}

/// A person who logs in.
#[derive(Clone, Queryable)]
pub struct User {
    pub id: i64,
    pub enterprise: Option<i64>,
    pub login: String,
    pub full_name: String,
    pub role: String,
    pub password_hash: String,
    pub language: String,
    pub active: bool,
    #[diesel(deserialize_as = Time)]
    pub created_at: DateTime<Utc>,
    #[diesel(deserialize_as = Time)]
    pub updated_at: DateTime<Utc>,
    /// As in `NewUser`.
    pub password_once: bool,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("login", &self.login)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Adds a person; gives the id.
///
/// # Errors
/// `Taken` when the login is somebody's already.
pub fn add(conn: &mut Conn, new: &NewUser, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let now = Time::from(now);
    Ok(on!(conn, c => {
        diesel::insert_into(users::table)
            .values((
                users::enterprise_id.eq(new.enterprise),
                users::login.eq(&new.login),
                users::full_name.eq(&new.full_name),
                users::role.eq(&new.role),
                users::password_hash.eq(&new.password_hash),
                users::password_once.eq(new.password_once),
                users::language.eq(&new.language),
                users::created_at.eq(now),
                users::updated_at.eq(now),
            ))
            .returning(users::id)
            .get_result(c)?
    }))
}

/// The person of a login, active or not. Not limited to an enterprise: nobody is logged in yet.
///
/// # Errors
/// The database's own.
pub fn by_login(conn: &mut Conn, login: &str) -> Result<Option<User>, StoreError> {
    Ok(on!(conn, c => users::table.filter(users::login.eq(login)).first(c).optional()?))
}

/// A person by id; `enterprise` limits the search where it is given.
///
/// # Errors
/// The database's own.
pub fn by_id(
    conn: &mut Conn,
    enterprise: Option<i64>,
    id: i64,
) -> Result<Option<User>, StoreError> {
    Ok(on!(conn, c => match enterprise {
        Some(enterprise) => users::table.filter(users::id.eq(id)).filter(users::enterprise_id.eq(enterprise)).first(c).optional()?,
        None => users::table.filter(users::id.eq(id)).first(c).optional()?,
    }))
}

/// People of one enterprise, or superadmins and everybody, by login.
///
/// # Errors
/// The database's own.
pub fn list(conn: &mut Conn, enterprise: Option<i64>) -> Result<Vec<User>, StoreError> {
    Ok(on!(conn, c => match enterprise {
        Some(enterprise) => users::table.filter(users::enterprise_id.eq(enterprise)).order(users::login).load(c)?,
        None => users::table.order(users::login).load(c)?,
    }))
}

/// How many people there are: none means a first start.
///
/// # Errors
/// The database's own.
pub fn count(conn: &mut Conn) -> Result<i64, StoreError> {
    Ok(on!(conn, c => users::table.count().get_result(c)?))
}

/// Replaces a person's password, by one that its owner chose or (`once`) by one that somebody else knows.
///
/// # Errors
/// `NotFound`.
pub fn set_password(
    conn: &mut Conn,
    user: i64,
    password_hash: &str,
    once: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = on!(conn, c => {
        diesel::update(users::table.filter(users::id.eq(user)))
            .set((users::password_hash.eq(password_hash), users::password_once.eq(once), users::updated_at.eq(Time::from(now))))
            .execute(c)?
    });
    if changed == 0 {
        Err(StoreError::NotFound)
    } else {
        Ok(())
    }
}

/// Changes a person's name, role and whether the person may log in.
///
/// # Errors
/// `NotFound`.
pub fn update(
    conn: &mut Conn,
    user: i64,
    full_name: &str,
    role: &str,
    active: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed = on!(conn, c => {
        diesel::update(users::table.filter(users::id.eq(user)))
            .set((
                users::full_name.eq(full_name),
                users::role.eq(role),
                users::active.eq(active),
                users::updated_at.eq(Time::from(now)),
            ))
            .execute(c)?
    });
    if changed == 0 {
        Err(StoreError::NotFound)
    } else {
        Ok(())
    }
}

/// Puts an extension into the enterprise's list under a display name; whose it is stays as it was.
///
/// # Errors
/// The database's own.
pub fn name_extension(
    conn: &mut Conn,
    enterprise: i64,
    extension: &str,
    display_name: &str,
) -> Result<(), StoreError> {
    use diesel::upsert::excluded;
    use user_internal_phones as p;
    on!(conn, c => {
        diesel::insert_into(p::table)
            .values((p::enterprise_id.eq(enterprise), p::extension.eq(extension), p::display_name.eq(display_name)))
            .on_conflict((p::enterprise_id, p::extension))
            .do_update()
            .set(p::display_name.eq(excluded(p::display_name)))
            .execute(c)?
    });
    Ok(())
}

/// Extensions of the enterprise that are nobody's, with their display names.
///
/// # Errors
/// The database's own.
pub fn free_extensions(
    conn: &mut Conn,
    enterprise: i64,
) -> Result<Vec<(String, String)>, StoreError> {
    use user_internal_phones as p;
    Ok(on!(conn, c => {
        p::table
            .filter(p::enterprise_id.eq(enterprise))
            .filter(p::user_id.is_null())
            .select((p::extension, p::display_name))
            .order(p::extension)
            .load(c)?
    }))
}

/// Gives an extension of the enterprise to a person (or to nobody) under a display name; an extension is one person's.
///
/// # Errors
/// The database's own.
pub fn assign_extension(
    conn: &mut Conn,
    enterprise: i64,
    extension: &str,
    user: Option<i64>,
    display_name: &str,
) -> Result<(), StoreError> {
    use diesel::upsert::excluded;
    use user_internal_phones as p;
    on!(conn, c => {
        diesel::insert_into(p::table)
            .values((p::enterprise_id.eq(enterprise), p::extension.eq(extension), p::user_id.eq(user), p::display_name.eq(display_name)))
            .on_conflict((p::enterprise_id, p::extension))
            .do_update()
            .set((p::user_id.eq(excluded(p::user_id)), p::display_name.eq(excluded(p::display_name))))
            .execute(c)?
    });
    Ok(())
}

/// Removes an extension from the enterprise's list.
///
/// # Errors
/// The database's own.
pub fn remove_extension(
    conn: &mut Conn,
    enterprise: i64,
    extension: &str,
) -> Result<(), StoreError> {
    use user_internal_phones as p;
    on!(conn, c => {
        diesel::delete(p::table.filter(p::enterprise_id.eq(enterprise)).filter(p::extension.eq(extension))).execute(c)?
    });
    Ok(())
}

/// Extensions of one person of the enterprise.
///
/// # Errors
/// The database's own.
pub fn extensions_of(
    conn: &mut Conn,
    enterprise: i64,
    user: i64,
) -> Result<Vec<String>, StoreError> {
    use user_internal_phones as p;
    Ok(on!(conn, c => {
        p::table.filter(p::enterprise_id.eq(enterprise)).filter(p::user_id.eq(user)).select(p::extension).order(p::extension).load(c)?
    }))
}
