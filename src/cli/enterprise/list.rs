//! `patchbay enterprise list`: who is served. Opens no secret.

use actors::store::enterprises;

use super::desk::Desk;

pub async fn run(desk: &Desk) -> anyhow::Result<()> {
    for (_, number, name, active) in desk.store.read(enterprises::list).await? {
        let state = if active { "active" } else { "off" };
        println!("{number:<8} {name:<24} {state}");
    }
    Ok(())
}
