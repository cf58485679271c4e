//! `patchbay enterprise telegram`: the chats that follow an enterprise's calls, and a message that tries the way there.

use actors::cache::Enterprise;
use actors::store::telegram as chats;
use actors::telegram::answer::Answer;
use actors::telegram::trial;
use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use super::desk::Desk;
use super::show::chat as shown;
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
    /// Add a chat, or switch one on again under this name. Somebody of it must have written to the bot before, or the
    /// bot be a member of the group.
    Add {
        /// The chat's id; a group's is below zero.
        #[arg(value_parser = check::chat, allow_negative_numbers = true)]
        chat_id: i64,
        /// Whose chat it is.
        #[arg(long, value_parser = check::filled)]
        name: String,
    },
    /// Remove a chat; the messages in it stay.
    Remove {
        /// The chat's id.
        #[arg(value_parser = check::chat, allow_negative_numbers = true)]
        chat_id: i64,
    },
    /// List the chats, those that were switched off too, with the reason.
    List,
    /// Send a message to every chat that is on, or to one.
    Test {
        /// The chat's id; any chat, added or not.
        #[arg(value_parser = check::chat, allow_negative_numbers = true)]
        chat_id: Option<i64>,
    },
}

pub async fn run(desk: &Desk, args: Args) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(&args.number).await?;
    let id = enterprise.id;
    let known = desk
        .store
        .read(move |conn| chats::subscribers(conn, id))
        .await?;
    match args.action {
        Action::Add { chat_id, name } => {
            let what = json!({"chat": chat_id, "name": name});
            let title = name.clone();
            desk.change(&enterprise, "telegram.add", what, move |conn, _, now| {
                chats::subscribe(conn, id, chat_id, &title, now)
            })
            .await?;
            println!("added chat {chat_id} {name}");
            if enterprise.bot_token.is_none() {
                println!("{}", no_bot(&args.number));
            }
        }
        Action::Remove { chat_id } => {
            ensure!(
                known.iter().any(|one| one.chat == chat_id),
                "{} has no chat {chat_id}; see `patchbay enterprise telegram {} list`",
                args.number,
                args.number
            );
            desk.change(
                &enterprise,
                "telegram.remove",
                json!({"chat": chat_id}),
                move |conn, _, _| chats::unsubscribe(conn, id, chat_id).map(drop),
            )
            .await?;
            println!("removed chat {chat_id}");
        }
        Action::List => {
            for subscriber in &known {
                println!("{}", shown(subscriber));
            }
            return Ok(());
        }
        Action::Test { chat_id } => {
            let to = match chat_id {
                Some(chat) => vec![chat],
                None => known
                    .iter()
                    .filter(|one| one.active)
                    .map(|one| one.chat)
                    .collect(),
            };
            return test(desk, &enterprise, &to).await;
        }
    }
    desk.tell(&args.number).await;
    Ok(())
}

fn no_bot(number: &str) -> String {
    format!(
        "{number} has no bot: make one at @BotFather, then `patchbay enterprise set {number} --bot-token -`"
    )
}

async fn test(desk: &Desk, enterprise: &Enterprise, to: &[i64]) -> anyhow::Result<()> {
    let token = enterprise
        .bot_token
        .as_ref()
        .with_context(|| no_bot(&enterprise.number))?;
    ensure!(
        !to.is_empty(),
        "no chat of {} is on; add one with `patchbay enterprise telegram {} add CHAT_ID --name NAME`",
        enterprise.number,
        enterprise.number
    );
    let settings = crate::house::telegram_settings(&desk.settings);
    let mut failed = 0;
    for chat in to {
        let answer = trial::send(
            &settings,
            token.clone(),
            *chat,
            &enterprise.language,
            &enterprise.name,
        )
        .await;
        if !matches!(answer, Answer::Done { .. }) {
            failed += 1;
        }
        println!("{chat:<16} {}", words(answer));
    }
    if failed > 0 {
        bail!("{failed} of {} chats got no message", to.len());
    }
    Ok(())
}

/// What Telegram said, for whoever sets the bot up.
fn words(answer: Answer) -> String {
    match answer {
        Answer::Done { .. } | Answer::NotModified => "sent".into(),
        Answer::Closed { reason } => {
            format!(
                "the chat is closed to the bot ({reason}): write to the bot first, or add it to the group"
            )
        }
        Answer::Revoked { reason } => format!("the bot's token is not accepted ({reason})"),
        Answer::Moved { chat_id } => format!("the group has another id now: {chat_id}"),
        Answer::TooMany { pause } => format!(
            "too many messages; Telegram takes the next in {} s",
            pause.as_secs()
        ),
        Answer::Trouble { reason } => format!("Telegram could not be asked ({reason})"),
        Answer::Refused { reason } => format!("refused ({reason})"),
        Answer::Gone => "refused (there is no such message)".into(),
        Answer::Unreadable => "refused (the markup could not be read)".into(),
    }
}
