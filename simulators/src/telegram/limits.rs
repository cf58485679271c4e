//! The limits on sending: about one message a second in a chat, twenty a minute in a group, thirty a second in all.
//! Asked before a message is stored; what is refused is not counted.

use std::time::{Duration, Instant};

use crate::bucket::{Bucket, Window};

/// How much a bot may send; `None`: as much as it likes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages a second in one chat.
    pub chat_per_second: Option<f64>,
    /// How many may come at once in one chat.
    pub chat_burst: u32,
    /// Messages a minute in one group.
    pub group_per_minute: Option<usize>,
    /// Messages a second in all chats.
    pub all_per_second: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chat_per_second: Some(1.0),
            chat_burst: 3,
            group_per_minute: Some(20),
            all_per_second: Some(30.0),
        }
    }
}

impl Limits {
    /// None at all.
    pub fn off() -> Self {
        Self {
            chat_per_second: None,
            chat_burst: 0,
            group_per_minute: None,
            all_per_second: None,
        }
    }

    pub(crate) fn for_bot(&self, now: Instant) -> Option<Bucket> {
        self.all_per_second
            .map(|rate| Bucket::new(rate, rate.max(1.0), now))
    }

    pub(crate) fn for_chat(&self, group: bool, now: Instant) -> ChatLimits {
        ChatLimits {
            bucket: self
                .chat_per_second
                .map(|rate| Bucket::new(rate, f64::from(self.chat_burst.max(1)), now)),
            window: self
                .group_per_minute
                .filter(|_| group)
                .map(|count| Window::new(count, Duration::from_mins(1))),
        }
    }
}

#[derive(Debug)]
pub(crate) struct ChatLimits {
    bucket: Option<Bucket>,
    window: Option<Window>,
}

/// Lets one more message through, or says after how many whole seconds to come again.
pub(crate) fn admit(
    bot: &mut Option<Bucket>,
    chat: &mut ChatLimits,
    now: Instant,
) -> Result<(), u64> {
    let waits = [
        bot.as_mut().and_then(|bucket| bucket.wait(now)),
        chat.bucket.as_mut().and_then(|bucket| bucket.wait(now)),
        chat.window.as_mut().and_then(|window| window.wait(now)),
    ];
    if let Some(longest) = waits.into_iter().flatten().reduce(f64::max) {
        return Err(Duration::from_secs_f64(longest)
            .as_millis()
            .div_ceil(1000)
            .max(1)
            .try_into()
            .unwrap_or(60));
    }
    for bucket in [bot.as_mut(), chat.bucket.as_mut()].into_iter().flatten() {
        bucket.spend();
    }
    if let Some(window) = &mut chat.window {
        window.spend(now);
    }
    Ok(())
}
