//! A database for one run that leaves nothing behind: a file that is not there yet, a new database on a PostgreSQL
//! server, or an empty one that is emptied again. Made by `patchbay replay`; never touches what is there.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::StoreError;
use super::conn::{Conn, Place, on, with_database};

/// Removed, or emptied, when dropped. Made and dropped outside of async code.
#[derive(Debug)]
pub struct Scratch {
    url: String,
    kind: Kind,
    /// Leave it behind, to be looked into.
    pub keep: bool,
}

#[derive(Debug)]
enum Kind {
    File(String),
    /// A database of our own beside the one of this URL.
    Own {
        server: Place,
        name: String,
    },
    /// The database that was named, empty before.
    Given,
}

impl Scratch {
    /// Makes it out of the URL somebody gave. On PostgreSQL a database of the given name is made on that server; only
    /// where the URL's user may not do that, the URL's own database is used, if it is empty.
    ///
    /// # Errors
    /// `Url` when the file is there, or the database holds something; else the database's own.
    pub fn create(url: &str, name: &str) -> Result<Scratch, StoreError> {
        let place = Place::parse(url)?;
        let kind = match &place {
            Place::Sqlite(path) if std::path::Path::new(path).exists() => {
                return Err(StoreError::Url(format!(
                    "{path} is there already; name a file that is not"
                )));
            }
            Place::Sqlite(path) => Kind::File(path.clone()),
            Place::Postgres(_) => {
                let mut conn = place.connect()?;
                if may_create(&mut conn)? {
                    conn.execute_batch(&format!("CREATE DATABASE \"{name}\""))?;
                    let url = with_database(url, name);
                    return Ok(Scratch {
                        url,
                        kind: Kind::Own {
                            server: place,
                            name: name.to_owned(),
                        },
                        keep: false,
                    });
                }
                if holds(&mut conn)? > 0 {
                    return Err(StoreError::Url(
                        "the database holds something; name an empty one, or a user that may create databases".into(),
                    ));
                }
                Kind::Given
            }
        };
        Ok(Scratch {
            url: url.to_owned(),
            kind,
            keep: false,
        })
    }

    /// Where it is. May hold a password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was made, for people.
    pub fn words(&self) -> String {
        match &self.kind {
            Kind::File(path) => format!("SQLite, {path}"),
            Kind::Own { name, .. } => format!("PostgreSQL, new database {name}"),
            Kind::Given => "PostgreSQL, the given database, which is empty and will be emptied again (its user may not create databases)".into(),
        }
    }

    fn remove(&self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::File(path) => {
                for ending in ["", "-wal", "-shm"] {
                    // Whatever is not there needs no removing.
                    let _ = std::fs::remove_file(format!("{path}{ending}"));
                }
                Ok(())
            }
            Kind::Own { server, name } => server
                .connect()?
                .execute_batch(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")),
            Kind::Given => Place::parse(&self.url)?.connect()?.execute_batch(EMPTY),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // A PostgreSQL connection must not be used where a runtime is.
        let removed = std::thread::scope(|scope| scope.spawn(|| self.remove()).join());
        if let Ok(Err(error)) = removed {
            log::warn!("the database of this run could not be removed: {error}");
        }
    }
}

/// Everything of the schema that connections see first.
const EMPTY: &str = "DO $$ DECLARE it record; BEGIN \
    FOR it IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP \
        EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', it.tablename); END LOOP; \
    FOR it IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace LOOP \
        EXECUTE 'DROP FUNCTION IF EXISTS ' || it.name || ' CASCADE'; END LOOP; END $$";

fn may_create(conn: &mut Conn) -> Result<bool, StoreError> {
    let rights = "SELECT count(*) AS number FROM pg_roles WHERE rolname = current_user AND (rolcreatedb OR rolsuper)";
    Ok(number(conn, rights)? > 0)
}

fn holds(conn: &mut Conn) -> Result<i64, StoreError> {
    number(
        conn,
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace) \
         + (SELECT count(*) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace) AS number",
    )
}

fn number(conn: &mut Conn, sql: &str) -> Result<i64, StoreError> {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let row: Number = on!(conn, c => diesel::sql_query(sql).get_result(c)?);
    Ok(row.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Kind, TestDatabase};

    #[test]
    fn what_is_there_is_left_alone() {
        for kind in [Kind::Sqlite, Kind::Postgres] {
            let used = TestDatabase::new(kind);
            match Scratch::create(&used.url, &format!("scratch_{}", std::process::id())) {
                Err(StoreError::Url(_)) => assert_eq!(kind, Kind::Sqlite),
                Ok(scratch) => {
                    assert_ne!(scratch.url(), used.url);
                    let mut conn = Place::parse(scratch.url()).unwrap().connect().unwrap();
                    assert_eq!(holds(&mut conn).unwrap(), 0);
                    drop(conn);
                    let url = scratch.url().to_owned();
                    drop(scratch);
                    assert!(Place::parse(&url).unwrap().connect().is_err());
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn an_empty_database_is_emptied_again() {
        let database = TestDatabase::new(Kind::Postgres);
        let scratch = Scratch {
            url: database.url.clone(),
            kind: super::Kind::Given,
            keep: false,
        };
        assert!(holds(&mut database.connect()).unwrap() > 0);
        drop(scratch);
        assert_eq!(holds(&mut database.connect()).unwrap(), 0);
    }
}
