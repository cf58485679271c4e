//! `patchbay enterprise extension`: which extensions there are, and whose they are.

use actors::store::users;
use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use super::desk::Desk;
use crate::cli::check;

#[derive(clap::Args)]
pub struct Args {
    /// The enterprise's number.
    #[arg(value_parser = check::enterprise)]
    number: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Add an extension, or replace the name and the user of one that there is.
    Add {
        /// The extension.
        #[arg(value_parser = check::extension)]
        extension: String,
        /// What pages and messages call it; without it the user's own name.
        #[arg(long, default_value = "")]
        name: String,
        /// Login of the person whose it is: that person's pages show its calls.
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
    },
    /// Remove an extension from the list; its calls stay.
    Remove {
        /// The extension.
        #[arg(value_parser = check::extension)]
        extension: String,
    },
}

pub async fn run(desk: &Desk, args: Args) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(&args.number).await?;
    let id = enterprise.id;
    match args.action {
        Action::Add {
            extension,
            name,
            user,
        } => {
            let name = name.trim().to_owned();
            let person = match &user {
                Some(login) => {
                    let asked = login.clone();
                    let found = desk
                        .store
                        .read(move |conn| users::by_login(conn, &asked))
                        .await?;
                    let found = found.filter(|found| found.enterprise == Some(id));
                    Some(found.with_context(|| {
                        format!(
                            "nobody of {} is called {login}; see `patchbay user add`",
                            args.number
                        )
                    })?)
                }
                None => None,
            };
            let known = enterprise.extensions.contains_key(&extension);
            let what = json!({"extension": extension, "name": name, "user": user});
            let (number, shown) = (extension.clone(), name.clone());
            let user = person.as_ref().map(|person| person.id);
            desk.change(&enterprise, "extension.save", what, move |conn, _, _| {
                users::assign_extension(conn, id, &number, user, &shown)
            })
            .await?;
            let done = if known { "changed" } else { "added" };
            let whose = person.map_or(String::new(), |person| format!(" ({})", person.login));
            println!(
                "{}",
                format!("{done} extension {extension} {name}{whose}").trim_end()
            );
        }
        Action::Remove { extension } => {
            if !enterprise.extensions.contains_key(&extension) {
                let mut known: Vec<&str> =
                    enterprise.extensions.keys().map(String::as_str).collect();
                ensure!(!known.is_empty(), "{} has no extensions", args.number);
                known.sort_unstable();
                bail!(
                    "{} has no extension {extension}; it has {}",
                    args.number,
                    known.join(", ")
                );
            }
            let (what, number) = (json!({"extension": extension}), extension.clone());
            desk.change(&enterprise, "extension.remove", what, move |conn, _, _| {
                users::remove_extension(conn, id, &number)
            })
            .await?;
            println!("removed extension {extension}");
        }
    }
    desk.tell(&args.number).await;
    Ok(())
}
