//! Gathers what stands around the calls when everything is quiet: what the simulators hold, and what the database
//! holds after the server was killed for the last time. Called by `replay::run`.

use std::collections::HashMap;

use actors::call::record::CallId;
use actors::store::{Store, journal, telegram};

use super::capture::Identity;
use super::seen::{Call, History, Message, Surroundings};
use super::world::{CHAT, Outside, Seat};

/// Everything around one scenario's calls.
///
/// # Errors
/// The store's own.
pub async fn gather(
    store: &Store,
    outside: &Outside,
    seat: &Seat,
    calls: &[Call],
) -> anyhow::Result<Surroundings> {
    let mut around = Surroundings::default();
    if let Some(account) = outside.crm.state.account(&seat.account) {
        around.history = account
            .calls()
            .iter()
            .map(|call| History {
                external_id: call.external_id.clone(),
                kind: call.kind.clone(),
                phone: call.phone.clone(),
                result: call.result.clone(),
                talk: call.duration.unwrap_or_default(),
                wait: call.duration_waiting.unwrap_or_default(),
            })
            .collect();
        around.open_cards = account
            .cards()
            .iter()
            .filter(|card| card.closed.is_none())
            .map(|card| {
                let call = card.call.as_deref().unwrap_or("no call");
                let code = card.code.as_deref().unwrap_or("nobody");
                let heard: Vec<&str> = account
                    .events()
                    .iter()
                    .filter(|event| event.call.as_deref() == Some(call))
                    .map(|event| event.kind)
                    .collect();
                format!(
                    "the card of {code} for {call}, which heard {}",
                    heard.join(", ")
                )
            })
            .collect();
        refusals("RetailCRM", account.counts(), &mut around.refusals);
    }
    let enterprise = seat.enterprise;
    let ids: Vec<CallId> = calls
        .iter()
        .filter_map(|call| call.id.parse().ok().map(CallId))
        .collect();
    let (events, owned) = store
        .read(move |conn| {
            let events = journal::of_enterprise(conn, enterprise)?;
            // Absorbed calls have messages too, so the journal's calls are asked for beside the ended ones.
            let mut all: Vec<CallId> = events.iter().filter_map(|event| event.call).collect();
            all.extend(ids);
            all.sort_unstable();
            all.dedup();
            Ok((events, telegram::messages_of(conn, enterprise, &all)?))
        })
        .await?;
    around.journal = events
        .into_iter()
        .map(|event| {
            let identity = Identity::new(
                &event.event_type,
                &event.unique_id,
                &event.host_event_id,
                &event.raw,
            );
            (identity, event.raw)
        })
        .collect();
    if let Some(bot) = outside.telegram.state.bot(&seat.bot) {
        let owner: HashMap<i64, i64> = owned
            .iter()
            .filter_map(|row| Some((row.message?, row.call)))
            .collect();
        around.messages = bot
            .messages(CHAT)
            .iter()
            .filter(|message| message.deleted.is_none())
            .map(|message| Message {
                text: message.text().to_owned(),
                call: owner.get(&message.id).map(i64::to_string),
            })
            .collect();
        refusals("Telegram", bot.counts(), &mut around.refusals);
    }
    Ok(around)
}

fn refusals(who: &str, counts: simulators::tally::Counts, into: &mut Vec<String>) {
    into.extend(counts.refusals.iter().map(|refusal| {
        format!(
            "{who}, {} ({}): {}",
            refusal.endpoint, refusal.status, refusal.reason
        )
    }));
}
