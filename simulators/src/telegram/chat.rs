//! A chat and its messages, each with every text it ever had. Written by the methods under the bot's lock; it never
//! checks what it is given.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Refuse, Why};
use super::entities::Entity;
use super::limits::{ChatLimits, Limits};
use crate::kept::Kept;

/// What sort of chat it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Telegram's own words")]
pub enum Kind {
    #[default]
    Private,
    Group,
    Supergroup,
    Channel,
}

impl Kind {
    /// What an id of this form stands for.
    pub fn of(id: i64) -> Self {
        match id {
            0.. => Self::Private,
            ..=-1_000_000_000_000 => Self::Supergroup,
            _ => Self::Group,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group => "group",
            Self::Supergroup => "supergroup",
            Self::Channel => "channel",
        }
    }
}

/// A chat a bot can write to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewChat {
    /// Positive for people, negative for groups, `-100…` for supergroups.
    pub id: i64,
    /// The person's or the group's name.
    pub title: String,
    /// Absent: told from the id.
    #[serde(default)]
    pub kind: Option<Kind>,
}

impl NewChat {
    /// A chat whose kind its id tells.
    pub fn new(id: i64, title: &str) -> Self {
        Self {
            id,
            title: title.into(),
            kind: None,
        }
    }
}

/// How everything sent to one chat fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChatFailure {
    /// 403, the person blocked the bot.
    Blocked,
    /// 403, the person's account is gone.
    Deactivated,
    /// 403, the bot was thrown out.
    Kicked,
    /// 403, the bot is not in the chat.
    NotMember,
    /// 400, no such chat.
    NotFound,
    /// 400, no right to write.
    WriteForbidden,
    /// 400 with `migrate_to_chat_id`; the chat of that id is made if it is not there.
    Migrated {
        /// The new id.
        to: i64,
    },
    /// This status; with `stored` the message arrives and only the answer fails.
    Error {
        /// Such as 500 or 502.
        status: u16,
        /// Whether the message was taken.
        #[serde(default)]
        stored: bool,
    },
    /// 429 whatever was sent before.
    TooMany {
        /// Seconds.
        retry_after: u64,
    },
}

/// A text a message has or had.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Version {
    /// Since when, in epoch milliseconds.
    pub at: i64,
    /// Plain text.
    pub text: String,
    /// Its formatting.
    pub entities: Vec<Entity>,
    /// Its keyboard.
    pub markup: Option<Value>,
}

/// A message.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// Its number in the chat.
    pub id: i64,
    /// The message it answers.
    pub reply_to: Option<i64>,
    /// Every text it had, oldest first; the last one is shown. Never empty.
    pub versions: Vec<Version>,
    /// When it was deleted.
    pub deleted: Option<i64>,
    /// Written by a person, not by the bot.
    pub incoming: bool,
    /// Whether it came without a sound.
    pub silent: bool,
}

impl Message {
    /// The text it has now.
    pub fn text(&self) -> &str {
        self.versions
            .last()
            .map(|version| version.text.as_str())
            .unwrap_or_default()
    }

    /// How often it was edited.
    pub fn edits(&self) -> usize {
        self.versions.len() - 1
    }

    /// When it was sent, in epoch milliseconds.
    pub fn sent(&self) -> i64 {
        self.versions
            .first()
            .map(|version| version.at)
            .unwrap_or_default()
    }
}

/// A copy of a chat.
#[derive(Debug, Clone, Serialize)]
pub struct ChatView {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub title: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The failure scripted for it.
    pub failure: Option<ChatFailure>,
    /// How many messages there ever were.
    pub message_count: u64,
    /// The newest of them, oldest first.
    pub messages: Vec<Message>,
}

#[derive(Debug)]
pub(crate) struct Chat {
    pub id: i64,
    pub title: String,
    pub kind: Kind,
    pub failure: Option<(ChatFailure, Option<u64>)>,
    pub messages: Kept<Message>,
    pub limits: ChatLimits,
}

impl Chat {
    pub fn new(new: &NewChat, keep: usize, limits: &Limits, now: Instant) -> Self {
        let kind = new.kind.unwrap_or_else(|| Kind::of(new.id));
        Self {
            id: new.id,
            title: new.title.clone(),
            kind,
            failure: None,
            messages: Kept::new(keep),
            limits: limits.for_chat(kind != Kind::Private, now),
        }
    }

    /// A message that was not deleted.
    pub fn message(&mut self, id: i64) -> Option<&mut Message> {
        let number = u64::try_from(id).ok()?.checked_sub(1)?;
        self.messages
            .get_mut(number)
            .filter(|message| message.deleted.is_none())
    }

    /// Adds a message and returns its number.
    pub fn add(
        &mut self,
        version: Version,
        reply_to: Option<i64>,
        incoming: bool,
        silent: bool,
    ) -> i64 {
        let id = i64::try_from(self.messages.total() + 1).unwrap_or(i64::MAX);
        self.messages.push(Message {
            id,
            reply_to,
            versions: vec![version],
            deleted: None,
            incoming,
            silent,
        });
        id
    }

    /// A copy with the newest `most` messages.
    pub fn view(&self, most: usize) -> ChatView {
        let skipped = self.messages.iter().len().saturating_sub(most);
        ChatView {
            id: self.id,
            title: self.title.clone(),
            kind: self.kind,
            failure: self.failure.as_ref().map(|(failure, _)| failure.clone()),
            message_count: self.messages.total(),
            messages: self.messages.iter().skip(skipped).cloned().collect(),
        }
    }

    pub fn json(&self) -> Value {
        let name = if self.kind == Kind::Private {
            "first_name"
        } else {
            "title"
        };
        json!({"id": self.id, name: self.title, "type": self.kind.word()})
    }

    /// The failure of this request, if one is scripted; uses up one of its times.
    pub fn fail(&mut self) -> Option<ChatFailure> {
        let (failure, times) = self.failure.as_mut()?;
        let failure = failure.clone();
        if let Some(times) = times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.failure = None;
            }
        }
        Some(failure)
    }

    /// The words of a scripted failure.
    pub fn refuse(&self, failure: &ChatFailure) -> Refuse {
        let chat = match self.kind {
            Kind::Private | Kind::Group => "group chat",
            Kind::Supergroup => "supergroup chat",
            Kind::Channel => "channel chat",
        };
        let refuse = match failure {
            ChatFailure::Blocked => Refuse::new(403, "Forbidden: bot was blocked by the user"),
            ChatFailure::Deactivated => Refuse::new(403, "Forbidden: user is deactivated"),
            ChatFailure::Kicked => {
                Refuse::new(403, format!("Forbidden: bot was kicked from the {chat}"))
            }
            ChatFailure::NotMember => {
                Refuse::new(403, format!("Forbidden: bot is not a member of the {chat}"))
            }
            ChatFailure::NotFound => Refuse::bad("chat not found"),
            ChatFailure::WriteForbidden => Refuse::bad("CHAT_WRITE_FORBIDDEN"),
            ChatFailure::Migrated { to } => Refuse {
                parameters: Some(json!({"migrate_to_chat_id": to})),
                ..Refuse::bad("group chat was upgraded to a supergroup chat")
            },
            ChatFailure::Error { status, .. } => Refuse::new(
                *status,
                match status {
                    502 => "Bad Gateway",
                    504 => "Gateway Timeout",
                    _ => "Internal Server Error",
                },
            ),
            ChatFailure::TooMany { retry_after } => Refuse::too_many(*retry_after, Why::Script),
        };
        Refuse {
            why: Why::Script,
            ..refuse
        }
    }
}
