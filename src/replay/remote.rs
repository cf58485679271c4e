//! Plays captures against a server that somebody runs: one enterprise of it, whose token the captures carry or
//! `--token` names. Only calls can be compared there: its CRM and its chats are not ours to look into.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::api::Api;
use super::capture::{Scenario, Told};
use super::compare::{Leeway, compare};
use super::report::{Line, Verdict};
use super::seen::Call;
use super::{Options, Outcome, choose, host, in_system, order};

/// Its calls must be over, and told to whom it tells them, within this time after the last event.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where it is and what opens it.
pub struct Target {
    pub url: String,
    /// The token of the enterprise to play as; `None`: the one in the captures.
    pub token: Option<String>,
    pub pass: Pass,
}

/// How its calls are asked for.
pub enum Pass {
    Key(String),
    Login { name: String, password: String },
}

/// Plays and compares. Blocks.
///
/// # Errors
/// When the server cannot be reached or does not let us in.
pub fn run(options: &Options, target: &Target) -> anyhow::Result<Outcome> {
    let (scenarios, mut lines) = choose(options)?;
    let (lost, scenarios): (Vec<_>, Vec<_>) =
        scenarios.into_iter().partition(Scenario::expects_lost);
    lines.extend(lost.into_iter().map(|scenario| {
        Line {
            name: scenario.name,
            verdict: Verdict::Skipped(
                "a call without a hangup is closed after that server's own time, hours by default"
                    .into(),
            ),
        }
    }));
    in_system(async {
        let (_keep, address) = watch::channel(Some(target.url.trim_end_matches('/').to_owned()));
        let client = host::client();
        let mut api = match &target.pass {
            Pass::Key(key) => Api::with_key(client.clone(), address.clone(), key.clone()),
            Pass::Login { name, password } => {
                Api::with_login(client.clone(), address.clone(), name, password).await?
            }
        };
        api.live().await?;
        let (answers, _counted) = watch::channel(0);
        let hosts = scenarios.iter().map(|scenario| {
            let mut sendings = order::sendings(scenario, options.shuffle, options.double);
            if let Some(token) = &target.token {
                for sending in &mut sendings {
                    sending.event = sending.event.signed(&scenario.token, token);
                }
            }
            host::play(
                sendings,
                options.speed,
                client.clone(),
                address.clone(),
                answers.clone(),
            )
        });
        let sent = futures_util::future::join_all(hosts).await;
        let calls = wait_until_over(&mut api, &scenarios).await?;
        let leeway = Leeway {
            killed: false,
            shuffled: options.shuffle.is_some(),
        };
        for (scenario, sent) in scenarios.iter().zip(&sent) {
            let ids = ids_of(scenario);
            let own: Vec<Call> = calls
                .iter()
                .filter(|call| ids.contains(&call.unique_id) || ids.contains(&call.linked_id))
                .cloned()
                .collect();
            let expected = scenario.expected.as_deref().unwrap_or_default();
            lines.push(Line {
                name: scenario.name.clone(),
                verdict: Verdict::Compared(compare(scenario, expected, &own, None, sent, leeway)),
            });
        }
        lines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Outcome { lines, kills: 0 })
    })
}

/// Every unique and linked id of the file.
fn ids_of(scenario: &Scenario) -> HashSet<String> {
    scenario
        .events
        .iter()
        .flat_map(|event| {
            let told = Told::read(&event.body);
            [told.unique_id, told.linked_id]
        })
        .filter(|id| !id.is_empty())
        .collect()
}

async fn wait_until_over(api: &mut Api, scenarios: &[Scenario]) -> anyhow::Result<Vec<Call>> {
    let ids: HashSet<String> = scenarios.iter().flat_map(ids_of).collect();
    let given_up = Instant::now() + PATIENCE;
    loop {
        let live = api.live().await?;
        let mut calls = api.calls().await?;
        calls.retain(|call| ids.contains(&call.unique_id) || ids.contains(&call.linked_id));
        let going = live
            .iter()
            .any(|call| ids.contains(&call.unique_id) || ids.contains(&call.linked_id));
        let open: i64 = calls.iter().map(|call| call.deliveries.open).sum();
        if (!going && open == 0) || Instant::now() > given_up {
            return Ok(calls);
        }
        sleep(Duration::from_millis(250)).await;
    }
}
