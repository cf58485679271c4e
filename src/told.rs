//! Whom a committed change of a call is told to, and what that takes: the links to CRMs, the bot, the board. Made by
//! `house`, called by call actors after their commit; never waits for anybody.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use actors::asterisk::Requests;
use actors::cache::names::{Names, Said};
use actors::cache::snapshot::Enterprise;
use actors::call::effect::Planned;
use actors::call::intake::{Dispatch, Outlets};
use actors::call::record::{Direction, Phase, Record};
use actors::integration::Integrations;
use actors::integration::connector::Customer;
use actors::live::Board;
use actors::store::deliveries::{Delivery, NewDelivery};
use actors::store::{Store, customers};
use actors::telegram::{self, Telegram};
use chrono::{DateTime, Utc};

/// How long a CRM may take to tell a client's name; the message and the page show the number meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// Letters of a client's name that are kept; the CRM's word is not trusted.
const LONGEST_NAME: usize = 200;

/// See the module's head.
pub struct Told {
    pub integrations: Integrations,
    pub telegram: Telegram,
    pub board: Board,
    /// Clicks that wait for their call.
    pub requests: Requests,
    pub names: Names,
    /// Names are kept for lists of calls that were.
    pub store: Store,
    /// Where CRMs are asked for names: an arbiter of its own, so that no call waits for it.
    pub asking: ArbiterHandle,
}

impl Told {
    /// The client's name where it is known; else asks for it, if there is anyone to show it to.
    fn client(&self, enterprise: &Arc<Enterprise>, record: &Arc<Record>) -> Option<Arc<str>> {
        let phone = record
            .phone
            .as_deref()
            .filter(|_| record.direction != Direction::Internal)?;
        if let Some(said) = self.names.known_customer(enterprise, phone) {
            return Some(said.what.name.into());
        }
        let watched = has_chats(enterprise) || self.board.is_watched();
        let asks = watched
            && record.phase != Phase::Ended
            && enterprise
                .integrations
                .iter()
                .any(|(name, link)| link.enabled && !actors::crm::is_only_told(name));
        if asks {
            self.ask(enterprise.clone(), record.clone(), phone.to_owned());
        }
        None
    }

    /// Asks the CRMs whose number this is. One question per number goes out however many calls ask.
    fn ask(&self, enterprise: Arc<Enterprise>, record: Arc<Record>, phone: String) {
        let (names, store) = (self.names.clone(), self.store.clone());
        let (board, telegram) = (self.board.clone(), self.telegram.clone());
        self.asking.spawn_fn(move || {
            actix_rt::spawn(async move {
                // A CRM that cannot say costs a name, nothing else: the gateway's log has why.
                let Ok(Some(said)) = names.customer(&enterprise, &phone, PATIENCE).await else {
                    return;
                };
                board.name_client(enterprise.id, &phone, &said.what.name);
                keep_name(&store, enterprise.id, phone, said.clone()).await;
                // A call that ended meanwhile has had its last word.
                if has_chats(&enterprise)
                    && let Some(view) = board.view(record.call)
                {
                    telegram.nudge(view.record.clone(), Some(said.what.name.into()));
                }
            });
        });
    }
}

/// Keeps what a CRM told of a number, so that calls that were have their client's name without asking again.
pub async fn keep_name(store: &Store, enterprise: i64, phone: String, said: Said<Customer>) {
    let kept = store
        .write(move |conn| {
            let name: String = said.what.name.chars().take(LONGEST_NAME).collect();
            customers::set_name(conn, enterprise, &phone, &name, &said.by, Utc::now())
        })
        .await;
    if let Err(error) = kept {
        log::warn!("a client's name is not kept: {error}");
    }
}

impl Outlets for Told {
    fn changed(
        &self,
        enterprise: &Arc<Enterprise>,
        record: Arc<Record>,
        deliveries: Vec<Delivery>,
        absorbed: Option<Arc<Record>>,
    ) {
        if let Some(absorbed) = &absorbed {
            self.requests.absorbed(absorbed.call, record.call);
        }
        self.requests.heard(&record);
        let client = self.client(enterprise, &record);
        if let (Some(name), Some(phone)) = (&client, &record.phone) {
            self.board.name_client(enterprise.id, phone, name);
        }
        if has_chats(enterprise) {
            if let Some(absorbed) = absorbed {
                self.telegram.absorb(absorbed);
            }
            self.telegram.nudge(record, client);
        }
        if !deliveries.is_empty() {
            self.integrations.nudge(deliveries);
        }
    }
}

impl Dispatch for Told {
    fn deliveries(
        &self,
        notices: &[Planned],
        _: &Record,
        enterprise: &Enterprise,
        now: DateTime<Utc>,
    ) -> Vec<NewDelivery> {
        self.integrations.deliveries(notices, enterprise, now)
    }

    fn message(
        &self,
        reopened: u16,
        record: &Record,
        enterprise: &Enterprise,
        now: DateTime<Utc>,
    ) -> Option<NewDelivery> {
        has_chats(enterprise).then(|| NewDelivery {
            enterprise: enterprise.id,
            integration: telegram::INTEGRATION.to_owned(),
            call: record.call,
            unique_id: record.unique_id.clone(),
            // A call that is opened again owes its chats another last word.
            kind: match reopened {
                0 => telegram::KIND.to_owned(),
                times => format!("{}:{}", telegram::KIND, times + 1),
            },
            position: i32::from(reopened) + 1,
            payload: "{}".to_owned(),
            not_before: now,
            expires_at: None,
            lease: false,
        })
    }
}

fn has_chats(enterprise: &Enterprise) -> bool {
    enterprise.bot_token.is_some() && enterprise.has_telegram_subscribers
}
