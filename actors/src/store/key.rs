//! Knows whether a secret key is the one this database's secrets were sealed with. Called by `Store::open`.

use diesel::prelude::*;

use super::conn::on;
use super::schema::kept;
use super::vault::{Vault, VaultError};
use super::{Conn, StoreError};

/// A word sealed at the first start; a key that cannot open it is not this database's.
const KEY_CHECK: &str = "key_check";

/// Refuses a secret key other than the one this database was first opened with.
///
/// # Errors
/// `Sealed(WrongKey)`.
pub(crate) fn check(conn: &mut Conn, vault: &Vault) -> Result<(), StoreError> {
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
