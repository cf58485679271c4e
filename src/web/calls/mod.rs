//! The journal of calls and one call's own page.

pub mod call;
pub mod list;
mod mask;
pub mod popup;
pub mod row;

use actors::call::record::Record;

use super::session::policy::Role;
use super::visit::Viewer;
use crate::error::AppError;
use crate::state::App;

/// The extensions whose calls an operator may see; `None`: every call of the scope.
pub(super) async fn own_extensions(
    app: &App,
    viewer: Option<&Viewer>,
) -> Result<Option<Vec<String>>, AppError> {
    let Some((viewer, enterprise)) = viewer
        .filter(|viewer| viewer.role == Role::Operator)
        .and_then(|viewer| Some((viewer, viewer.enterprise?)))
    else {
        return Ok(None);
    };
    let user = viewer.user;
    Ok(Some(
        app.store
            .read(move |conn| actors::store::users::extensions_of(conn, enterprise, user))
            .await?,
    ))
}

/// Whether any of these extensions had a part in the call.
fn took_part(record: &Record, extensions: &[String]) -> bool {
    extensions.iter().any(|own| {
        record.rung.contains(own)
            || record.talked.contains(own)
            || record.made_by.as_ref() == Some(own)
    })
}
