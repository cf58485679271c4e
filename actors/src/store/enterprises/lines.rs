//! Lines of an enterprise: name and normalisation rules. Called by the administration pages and the command line.

use diesel::prelude::*;

use crate::cache::snapshot::Line;
use crate::store::conn::on;
use crate::store::schema::lines;
use crate::store::{Conn, StoreError};

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
