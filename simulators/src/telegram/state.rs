//! All bots of the simulated Telegram and its settings. Shared by the server's worker and by tests in other threads; a
//! bot is found under a read lock and then locked alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::chat::{Chat, ChatFailure, ChatView, Kind, Message, NewChat, Version};
use super::limits::Limits;
use crate::bucket::Bucket;
use crate::clock::now_ms;
use crate::script::{Behaviour, Script};
use crate::tally::{Counts, Tally};

/// How the simulated Telegram behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How much may be sent.
    pub limits: Limits,
    /// How many messages each chat keeps.
    pub keep: usize,
    /// A chat that was not created comes into being when it is written to; else it is not found.
    pub any_chat: bool,
    /// The bots that exist from the start.
    pub bots: Vec<NewBot>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            keep: 1_000,
            any_chat: false,
            bots: vec![NewBot::demo()],
        }
    }
}

impl Settings {
    /// The same without limits.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.limits = Limits::off();
        self
    }
}

/// What a bot starts with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBot {
    /// `{id}:{secret}`.
    pub token: String,
    /// Its name.
    pub name: String,
    /// The chats it can write to.
    #[serde(default)]
    pub chats: Vec<NewChat>,
}

impl NewBot {
    /// A bot without chats.
    pub fn new(token: &str, name: &str) -> Self {
        Self {
            token: token.into(),
            name: name.into(),
            chats: Vec::new(),
        }
    }

    /// The bot of the demo: two people (501, 502) and a group (-1001234567890).
    pub fn demo() -> Self {
        Self {
            chats: vec![
                NewChat::new(-1_001_234_567_890, "Отдел продаж"),
                NewChat::new(501, "Анна Петрова"),
                NewChat::new(502, "Борис <Ильин>"),
            ],
            ..Self::new("123456:demo-bot-token", "Звонки")
        }
    }
}

/// One bot.
#[derive(Debug)]
pub struct Bot {
    /// Its token.
    pub token: String,
    /// Its name.
    pub name: String,
    /// Its id, the number before the colon of the token.
    pub id: i64,
    pub(crate) news: Notify,
    desk: Mutex<Desk>,
    keep: usize,
    limits: Limits,
    any_chat: bool,
}

#[derive(Debug)]
pub(crate) struct Desk {
    pub chats: BTreeMap<i64, Chat>,
    pub bucket: Option<Bucket>,
    pub tally: Tally,
    pub updates: Vec<Value>,
    /// How many times updates were asked for: the latest one who asks ends the waiting of those before.
    pub readers: u64,
    next_update: i64,
}

impl Bot {
    fn new(new: &NewBot, settings: &Settings) -> Self {
        let now = Instant::now();
        let id = new
            .token
            .split(':')
            .next()
            .and_then(|id| id.parse().ok())
            .unwrap_or_default();
        let desk = Desk {
            chats: BTreeMap::new(),
            bucket: settings.limits.for_bot(now),
            tally: Tally::new(settings.keep),
            updates: Vec::new(),
            readers: 0,
            next_update: 1,
        };
        let bot = Self {
            token: new.token.clone(),
            name: new.name.clone(),
            id,
            news: Notify::new(),
            desk: Mutex::new(desk),
            keep: settings.keep,
            limits: settings.limits,
            any_chat: settings.any_chat,
        };
        for chat in &new.chats {
            bot.add_chat(chat);
        }
        bot
    }

    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bot as the API shows it.
    pub(crate) fn json(&self) -> Value {
        json!({"id": self.id, "is_bot": true, "first_name": self.name, "username": self.username()})
    }

    /// Adds a chat, or replaces the one with the same id.
    pub fn add_chat(&self, new: &NewChat) {
        let chat = Chat::new(new, self.keep, &self.limits, Instant::now());
        self.desk().chats.insert(new.id, chat);
    }

    /// Makes sure the chat is there, if unknown chats come into being by themselves.
    pub(crate) fn welcome<'a>(&self, desk: &'a mut Desk, id: i64) -> Option<&'a mut Chat> {
        if self.any_chat && !desk.chats.contains_key(&id) {
            let new = NewChat::new(id, &format!("Чат {id}"));
            desk.chats
                .insert(id, Chat::new(&new, self.keep, &self.limits, Instant::now()));
        }
        desk.chats.get_mut(&id)
    }

    /// Everything sent to this chat fails in this way, so many times or until changed; `None` heals it. False when
    /// there is no such chat.
    pub fn fail_chat(&self, id: i64, failure: Option<ChatFailure>, times: Option<u64>) -> bool {
        if let Some(ChatFailure::Migrated { to }) = failure
            && !self.desk().chats.contains_key(&to)
        {
            let title = self.chat(id).map(|chat| chat.title).unwrap_or_default();
            self.add_chat(&NewChat::new(to, &title));
        }
        let mut desk = self.desk();
        let Some(chat) = desk.chats.get_mut(&id) else {
            return false;
        };
        chat.failure = failure.map(|failure| (failure, times));
        true
    }

    /// A copy of a chat.
    pub fn chat(&self, id: i64) -> Option<ChatView> {
        self.desk().chats.get(&id).map(|chat| chat.view(usize::MAX))
    }

    /// Copies of all chats.
    pub fn chats(&self) -> Vec<ChatView> {
        self.chats_shown(usize::MAX)
    }

    /// The same with the newest `most` messages of each.
    pub(crate) fn chats_shown(&self, most: usize) -> Vec<ChatView> {
        self.desk()
            .chats
            .values()
            .map(|chat| chat.view(most))
            .collect()
    }

    /// The messages of a chat, oldest first; none when there is no such chat.
    pub fn messages(&self, id: i64) -> Vec<Message> {
        self.chat(id).map(|chat| chat.messages).unwrap_or_default()
    }

    /// How many messages all chats ever held.
    pub fn message_count(&self) -> u64 {
        self.desk()
            .chats
            .values()
            .map(|chat| chat.messages.total())
            .sum()
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.desk().tally.counts()
    }

    /// Somebody writes in a chat: it appears there and, where Telegram shows it to bots, in getUpdates. In groups a bot
    /// sees only what begins with `/`, as its privacy mode has it. False when there is no such chat.
    pub fn receive(&self, chat_id: i64, text: &str) -> bool {
        let mut desk = self.desk();
        let at = now_ms();
        let Some(chat) = desk.chats.get_mut(&chat_id) else {
            return false;
        };
        let version = Version {
            at,
            text: text.into(),
            entities: Vec::new(),
            markup: None,
        };
        let id = chat.add(version, None, true, false);
        let mut message =
            json!({"message_id": id, "chat": chat.json(), "date": at / 1000, "text": text});
        let about = match chat.kind {
            Kind::Channel => "channel_post",
            _ => "message",
        };
        if chat.kind != Kind::Channel {
            message["from"] =
                json!({"id": chat_id.abs(), "is_bot": false, "first_name": chat.title});
        }
        let private = matches!(chat.kind, Kind::Group | Kind::Supergroup);
        if !private || text.starts_with('/') {
            let number = desk.next_update;
            desk.next_update += 1;
            desk.updates
                .push(json!({"update_id": number, about: message}));
        }
        drop(desk);
        self.news.notify_waiters();
        true
    }

    /// The bot's username, by which links lead to it.
    pub fn username(&self) -> String {
        format!("bot{}_bot", self.id)
    }

    /// Makes a message look older, for the rule of 48 hours.
    pub fn backdate(&self, chat_id: i64, message_id: i64, ms: i64) {
        if let Some(message) = self
            .desk()
            .chats
            .get_mut(&chat_id)
            .and_then(|chat| chat.message(message_id))
        {
            for version in &mut message.versions {
                version.at -= ms;
            }
        }
    }
}

/// What the simulated Telegram remembers.
#[derive(Debug)]
pub struct State {
    /// How it behaves.
    pub settings: Settings,
    /// Misbehaviour on request; the target is a bot's token.
    pub script: Script,
    /// Counts of requests that belong to no bot.
    pub(crate) strangers: Mutex<Tally>,
    bots: RwLock<BTreeMap<String, Arc<Bot>>>,
}

impl State {
    /// A Telegram with the bots of the settings.
    pub fn new(settings: Settings) -> Self {
        let strangers = Mutex::new(Tally::new(settings.keep));
        let state = Self {
            settings,
            script: Script::default(),
            strangers,
            bots: RwLock::default(),
        };
        state.fill();
        state
    }

    fn fill(&self) {
        for bot in &self.settings.bots {
            self.add_bot(bot);
        }
    }

    /// Adds a bot, or replaces the one with the same token.
    pub fn add_bot(&self, new: &NewBot) -> Arc<Bot> {
        let bot = Arc::new(Bot::new(new, &self.settings));
        self.bots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(new.token.clone(), bot.clone());
        bot
    }

    /// Makes a token invalid.
    pub fn revoke(&self, token: &str) {
        self.bots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(token);
    }

    /// The bot of this token.
    pub fn bot(&self, token: &str) -> Option<Arc<Bot>> {
        self.bots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .cloned()
    }

    /// All bots, by token.
    pub fn bots(&self) -> Vec<Arc<Bot>> {
        self.bots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Adds a line to the script.
    pub fn behave(&self, behaviour: Behaviour) {
        self.script.set(behaviour);
    }

    /// How many requests broke a rule, of all bots and of strangers.
    pub fn refused(&self) -> u64 {
        let strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .refused();
        strangers
            + self
                .bots()
                .iter()
                .map(|bot| bot.desk().tally.refused())
                .sum::<u64>()
    }

    /// Requests that belonged to no bot.
    pub fn stranger_counts(&self) -> Counts {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .counts()
    }

    /// Forgets everything and starts again with the bots of the settings.
    pub fn reset(&self) {
        self.script.clear();
        *self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Tally::new(self.settings.keep);
        self.bots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.fill();
    }
}
