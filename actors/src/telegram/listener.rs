//! Hears what people write to a bot, while a chat may join by a code: takes the turn to read it, asks Telegram, lets the
//! chat in or says why not. Started and ended by `registry`, one task per bot; it knows nothing of calls.
//!
//! ```text
//!   turn (one process per bot) ──► getUpdates, half a minute ──► update::read ──► code found? ──► subscriber + audit, one commit
//!        ▲                                                                                             │
//!        └───────────────── offset moves on only now ◄── the chat is told, in its language ◄───────────┘
//! ```
//!
//! An update is asked for again until it was answered; killed between commit and answer, the next reader finds the chat
//! in already and says so.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Recipient;
use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::task::JoinHandle;

use super::actor::Surroundings;
use super::answer::Answer;
use super::api::Api;
use super::code::Code;
use super::messages::Joined;
use super::plan::Step;
use super::update::{self, Said, Wish};
use super::{text, words};
use crate::cache::snapshot::Enterprise;
use crate::store::audit::{self, NewEntry};
use crate::store::invitations::{self, Standing};
use crate::store::{Conn, Store, StoreError, telegram};

/// How long a turn is ours beyond one request's wait.
const TURN_BEYOND: TimeDelta = TimeDelta::seconds(20);
/// A chat that says so many wrong codes within this time is not answered any more until it is over.
const WRONG_CODES: usize = 5;
const WRONG_WITHIN: Duration = Duration::from_secs(600);
/// How often an answer is tried.
const TRIES: usize = 4;

/// Telegram's number of a bot, the first part of its token.
pub fn bot_id(token: &SecretString) -> Option<i64> {
    token.expose_secret().split(':').next()?.parse().ok()
}

/// The bots that are listened to.
#[derive(Default)]
pub struct Listeners {
    running: BTreeMap<i64, (String, JoinHandle<()>)>,
}

impl Listeners {
    /// Listens to the bots of these enterprises from now on, and to no others. Several enterprises may share one.
    pub fn attend(&mut self, awaited: impl Iterator<Item = Arc<Enterprise>>, listener: &Listener) {
        let mut wanted: BTreeMap<i64, Arc<Enterprise>> = BTreeMap::new();
        for enterprise in awaited.filter(|enterprise| enterprise.active) {
            if let Some(bot) = enterprise.bot_token.as_ref().and_then(bot_id) {
                wanted.entry(bot).or_insert(enterprise);
            }
        }
        let token = |enterprise: &Enterprise| {
            let token = enterprise.bot_token.as_ref();
            token.map(|token| token.expose_secret().to_owned())
        };
        self.running.retain(|bot, (used, task)| {
            let same = wanted.get(bot).and_then(|one| token(one)).as_ref() == Some(used);
            if !same {
                task.abort();
            }
            same && !task.is_finished()
        });
        for (bot, enterprise) in wanted {
            if self.running.contains_key(&bot) {
                continue;
            }
            let Some(token) = token(&enterprise) else {
                continue;
            };
            let task = actix_rt::spawn(listener.clone().listen(bot, enterprise));
            self.running.insert(bot, (token, task));
        }
    }

    /// Listens to nobody any more.
    pub fn end(&mut self) {
        for (_, task) in std::mem::take(&mut self.running).into_values() {
            task.abort();
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a task that listens needs.
#[derive(Clone)]
pub struct Listener {
    store: Store,
    world: Surroundings,
    client: awc::Client,
    registry: Recipient<Joined>,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Joined {
        enterprise: i64,
    },
    /// It had joined before; the code is left as it was.
    Follows {
        enterprise: i64,
    },
    Unknown,
    Over(Standing),
}

/// One task's own.
struct Ears {
    bot: i64,
    enterprise: Arc<Enterprise>,
    api: Api,
    username: Option<String>,
    offset: i64,
    wrong: HashMap<i64, Vec<Instant>>,
}

/// Why nothing was heard, and for how long not to ask again.
struct Pause(Duration, String);

impl Listener {
    pub fn new(
        store: Store,
        world: Surroundings,
        client: awc::Client,
        registry: Recipient<Joined>,
    ) -> Self {
        Self {
            store,
            world,
            client,
            registry,
        }
    }

    /// Listens until it is ended from outside.
    async fn listen(self, bot: i64, enterprise: Arc<Enterprise>) {
        let Some(token) = enterprise.bot_token.clone() else {
            return;
        };
        let settings = Arc::clone(&self.world.settings);
        let mut ears = Ears {
            bot,
            api: Api::new(
                self.client.clone(),
                &settings.base_url,
                token,
                settings.timeout,
            ),
            enterprise,
            username: None,
            offset: 0,
            wrong: HashMap::new(),
        };
        loop {
            let pause = match self.take_turn(bot).await {
                Ok(true) => match self.round(&mut ears).await {
                    Ok(()) => {
                        self.note(bot, "").await;
                        continue;
                    }
                    Err(Pause(pause, trouble)) => {
                        log::info!("telegram bot {bot} is not heard: {trouble}");
                        self.note(bot, &trouble).await;
                        pause
                    }
                },
                Ok(false) => settings.look_every,
                Err(error) => {
                    log::warn!("telegram bot {bot} is not heard: {error}");
                    settings.look_every
                }
            };
            actix_rt::time::sleep(pause).await;
        }
    }

    async fn take_turn(&self, bot: i64) -> Result<bool, StoreError> {
        let owner = self.store.options().owner.clone();
        let now = Utc::now();
        let wait =
            TimeDelta::from_std(self.world.settings.listen_for + self.world.settings.timeout);
        let until = now + wait.unwrap_or(TimeDelta::minutes(1)) + TURN_BEYOND;
        self.store
            .write(move |conn| invitations::listen(conn, bot, &owner, (now, until)))
            .await
    }

    async fn note(&self, bot: i64, trouble: &str) {
        let words = trouble.to_owned();
        let noted = self
            .store
            .write(move |conn| invitations::note(conn, bot, &words, Utc::now()))
            .await;
        if let Err(error) = noted {
            log::warn!("telegram bot {bot}: {error}");
        }
    }

    /// Asks once and answers whatever came.
    async fn round(&self, ears: &mut Ears) -> Result<(), Pause> {
        let settings = &self.world.settings;
        let away = |answer| match answer {
            Answer::Revoked { reason } => Pause(settings.ask_again, reason),
            Answer::TooMany { pause } => Pause(pause, "too many requests".into()),
            Answer::Trouble { reason } | Answer::Refused { reason } | Answer::Closed { reason } => {
                Pause(settings.look_every, reason)
            }
            other => Pause(settings.look_every, format!("{other:?}")),
        };
        let username = match &ears.username {
            Some(known) => known.clone(),
            None => {
                let told = ears.api.username().await.map_err(away)?;
                ears.username.insert(told).clone()
            }
        };
        let news = ears
            .api
            .updates(ears.offset, settings.listen_for)
            .await
            .map_err(away)?;
        for one in &news {
            let update = update::read(one, &username);
            if let Some(said) = update.said {
                let reply = self.hear(ears, &said).await.map_err(|error| {
                    Pause(Duration::from_secs(1), format!("our own database: {error}"))
                })?;
                if let Some(reply) = reply {
                    self.say(ears, said.chat, reply).await;
                }
            }
            ears.offset = ears.offset.max(update.number + 1);
        }
        Ok(())
    }

    /// Does what was asked for; gives what is to be said, unless the chat guesses codes.
    async fn hear(&self, ears: &mut Ears, said: &Said) -> Result<Option<String>, StoreError> {
        let words = words::words(&ears.enterprise.language);
        if ears.guesses(said.chat) {
            return Ok(None);
        }
        let code = match &said.wish {
            Wish::Ask => return Ok(Some(words.how_to_join.to_owned())),
            Wish::Unreadable => {
                ears.count(said.chat);
                return Ok(Some(words.code_unknown.to_owned()));
            }
            Wish::Join(code) => code.clone(),
        };
        let (chat, name, bot) = (said.chat, said.name.clone(), ears.bot);
        let (hash, cache) = (
            code.fingerprint(self.store.vault()),
            self.world.cache.clone(),
        );
        let of_this_bot = move |enterprise: i64| {
            let known = cache.by_id(enterprise);
            known.is_some_and(|one| one.bot_token.as_ref().and_then(bot_id) == Some(bot))
        };
        let outcome = self
            .store
            .write(move |conn| join(conn, (&code, &hash), chat, &name, of_this_bot))
            .await?;
        let told = |id: i64, before| {
            let enterprise = self.world.cache.by_id(id);
            let enterprise = enterprise.as_ref().unwrap_or(&ears.enterprise);
            text::joined(&enterprise.language, &enterprise.name, before)
        };
        Ok(Some(match outcome {
            Outcome::Joined { enterprise } => {
                self.registry.do_send(Joined(enterprise));
                told(enterprise, false)
            }
            Outcome::Follows { enterprise } => told(enterprise, true),
            Outcome::Unknown => {
                ears.count(chat);
                words.code_unknown.to_owned()
            }
            Outcome::Over(Standing::Expired) => words.code_expired.to_owned(),
            Outcome::Over(Standing::Ended) => words.code_ended.to_owned(),
            Outcome::Over(Standing::Used | Standing::Open) => words.code_used.to_owned(),
        }))
    }

    async fn say(&self, ears: &Ears, chat: i64, text: String) {
        let step = Step::Send {
            text,
            plain: false,
            reply_to: None,
            last: true,
        };
        let settings = &self.world.settings;
        for _ in 0..TRIES {
            let pause = match ears.api.carry_out(chat, &step).await {
                Answer::TooMany { pause } => pause.min(settings.longest_pause),
                Answer::Trouble { .. } => settings.pause(Duration::from_secs(1)),
                Answer::Done { .. } => return,
                other => return log::info!("telegram bot {}: {chat}: {other:?}", ears.bot),
            };
            actix_rt::time::sleep(pause).await;
        }
    }
}

impl Ears {
    /// Whether the chat said too many wrong codes of late.
    fn guesses(&mut self, chat: i64) -> bool {
        self.wrong.retain(|_, times| {
            times.retain(|at| at.elapsed() < WRONG_WITHIN);
            !times.is_empty()
        });
        self.wrong
            .get(&chat)
            .is_some_and(|times| times.len() >= WRONG_CODES)
    }

    fn count(&mut self, chat: i64) {
        self.wrong.entry(chat).or_default().push(Instant::now());
    }
}

/// Lets a chat in by a code, with the audit row, or finds why not. A code of an enterprise with another bot is unknown.
fn join(
    conn: &mut Conn,
    (code, hash): (&Code, &str),
    chat: i64,
    name: &str,
    of_this_bot: impl Fn(i64) -> bool,
) -> Result<Outcome, StoreError> {
    let now = Utc::now();
    let found = invitations::find(conn, hash)?;
    let Some(found) = found.filter(|found| of_this_bot(found.enterprise)) else {
        return Ok(Outcome::Unknown);
    };
    let enterprise = found.enterprise;
    let follows = telegram::subscribers(conn, enterprise)?
        .iter()
        .any(|one| one.chat == chat && one.active);
    if follows {
        return Ok(Outcome::Follows { enterprise });
    }
    let standing = found.standing(now);
    if standing != Standing::Open {
        return Ok(Outcome::Over(standing));
    }
    if !invitations::take(conn, found.id, chat, name, now)? {
        return Ok(Outcome::Over(Standing::Used));
    }
    telegram::subscribe(conn, enterprise, chat, name, now)?;
    let entry = NewEntry {
        enterprise: Some(enterprise),
        user: None,
        who: "telegram".into(),
        action: "telegram.join".into(),
        what: json!({"chat": chat, "name": name, "code": format!("…{}", code.hint()), "code_of": found.made_by}),
    };
    audit::add(conn, &entry, now)?;
    Ok(Outcome::Joined { enterprise })
}
