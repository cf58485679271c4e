//! `patchbay enterprise rotate-token`: a new token for the host, when the old one got known or lost.

use actors::store::StoreError;
use actors::store::enterprises;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::desk::Desk;
use crate::config::mask;

pub async fn run(desk: &Desk, number: &str) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(number).await?;
    let token = crate::web::session::new_token();
    let what = json!({"was": mask(enterprise.token.expose_secret()), "is": mask(&token)});
    let (id, new) = (enterprise.id, SecretString::from(token.clone()));
    desk.change(
        &enterprise,
        "enterprise.rotate-token",
        what,
        move |conn, vault, now| {
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            row.token = new;
            enterprises::update(conn, vault, id, &row, now)
        },
    )
    .await?;
    println!(
        "{number} has a new token; its host is refused until it sends this one\ntoken: {token}   (shown this once)"
    );
    desk.tell(number).await;
    Ok(())
}
