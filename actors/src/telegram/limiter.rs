//! How fast one bot may speak: so much per chat, per group and altogether, and not at all where Telegram asked to
//! wait. Asked by the actor before each request with the present time; pure, it never waits and reads no clock.
//!
//! The windows slide, which is the strictest reading of "20 per minute": no minute, wherever it begins, holds more.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// What Telegram allows (its bots FAQ; edits count like new messages).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// One chat's pace in the long run: a request per this time.
    pub chat_pace: Duration,
    /// How many a chat may get at once after a silence.
    pub chat_burst: u32,
    /// A group's requests within any minute. Groups have negative ids.
    pub group_per_minute: usize,
    /// The bot's requests within any second. Telegram speaks of 30; a little less forgives the network's jitter.
    pub bot_per_second: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chat_pace: Duration::from_secs(1),
            chat_burst: 3,
            group_per_minute: 20,
            bot_per_second: 28,
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// One bot's past, as far as it matters. Owned by its actor.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    bot: Window,
    held_until: Option<Instant>,
    chats: HashMap<i64, Chat>,
}

#[derive(Debug)]
struct Chat {
    /// When the chat's burst is whole again (the "theoretical arrival time" of GCRA).
    whole_at: Instant,
    minute: Option<Window>,
    held_until: Option<Instant>,
}

impl Limiter {
    pub fn new(limits: Limits) -> Self {
        let bot = Window::new(limits.bot_per_second, SECOND);
        Self {
            limits,
            bot,
            held_until: None,
            chats: HashMap::new(),
        }
    }

    /// When a request to this chat may go; not before `now`.
    pub fn opens(&self, chat: i64, now: Instant) -> Instant {
        let bot = self.bot.opens(now).max(self.held_until.unwrap_or(now));
        let Some(chat) = self.chats.get(&chat) else {
            return bot.max(now);
        };
        // The burst lets a request go this much before the chat's own time.
        let credit = self.limits.chat_pace * self.limits.chat_burst.max(1).saturating_sub(1);
        let paced = chat.whole_at.checked_sub(credit).unwrap_or(now);
        let minute = chat.minute.as_ref().map_or(now, |window| window.opens(now));
        [bot, paced, minute, chat.held_until.unwrap_or(now)]
            .into_iter()
            .fold(now, Instant::max)
    }

    /// Whether a request to this chat may go now; if so it counts as gone.
    pub fn take(&mut self, chat: i64, now: Instant) -> bool {
        if self.opens(chat, now) > now {
            return false;
        }
        let limits = self.limits;
        let minute = (chat < 0).then(|| Window::new(limits.group_per_minute, MINUTE));
        let chat = self.chats.entry(chat).or_insert(Chat {
            whole_at: now,
            minute,
            held_until: None,
        });
        chat.whole_at = chat.whole_at.max(now) + limits.chat_pace;
        if let Some(minute) = &mut chat.minute {
            minute.note(now);
        }
        self.bot.note(now);
        true
    }

    /// Telegram said "retry after" about this chat.
    pub fn hold(&mut self, chat: i64, until: Instant) {
        let minute = (chat < 0).then(|| Window::new(self.limits.group_per_minute, MINUTE));
        let chat = self.chats.entry(chat).or_insert(Chat {
            whole_at: until,
            minute,
            held_until: None,
        });
        chat.held_until = chat.held_until.max(Some(until));
    }

    /// Nothing at all goes before this time: the server is in trouble.
    pub fn hold_all(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
    }

    /// Forgets what no longer limits anything; called now and then so that memory follows the active chats.
    pub fn forget(&mut self, now: Instant) {
        self.chats.retain(|_, chat| {
            let busy = chat
                .minute
                .as_mut()
                .is_some_and(|window| !window.empty(now));
            busy || chat.whole_at > now || chat.held_until.is_some_and(|until| until > now)
        });
    }
}

/// At most `count` in any stretch of `length`.
#[derive(Debug)]
struct Window {
    count: usize,
    length: Duration,
    gone: VecDeque<Instant>,
}

impl Window {
    fn new(count: usize, length: Duration) -> Self {
        Self {
            count: count.max(1),
            length,
            gone: VecDeque::new(),
        }
    }

    fn opens(&self, now: Instant) -> Instant {
        match self
            .gone
            .len()
            .checked_sub(self.count)
            .and_then(|index| self.gone.get(index))
        {
            Some(&at) => now.max(at + self.length),
            None => now,
        }
    }

    fn note(&mut self, now: Instant) {
        self.gone.push_back(now);
        if self.gone.len() > self.count {
            self.gone.pop_front();
        }
    }

    fn empty(&mut self, now: Instant) -> bool {
        while self.gone.front().is_some_and(|&at| at + self.length <= now) {
            self.gone.pop_front();
        }
        self.gone.is_empty()
    }
}

#[cfg(test)]
mod tests {
    //! The limiter against a model that remembers everything that ever went.

    use super::*;
    use proptest::prelude::*;

    /// Every request that went, and the law read literally.
    #[derive(Default)]
    struct Model {
        gone: Vec<(i64, Duration)>,
        chat_held: HashMap<i64, Duration>,
        all_held: Duration,
    }

    impl Model {
        fn within(&self, chat: Option<i64>, from: Duration, to: Duration) -> usize {
            self.gone
                .iter()
                .filter(|(c, at)| chat.is_none_or(|x| x == *c) && *at > from && *at <= to)
                .count()
        }

        /// Would one more now break a law? Any stretch that ends now is looked at.
        fn allows(&self, limits: Limits, chat: i64, now: Duration) -> bool {
            let ago = |length: Duration| now.checked_sub(length);
            let recent = |chat, length| match ago(length) {
                Some(from) => self.within(chat, from, now),
                None => self
                    .gone
                    .iter()
                    .filter(|(c, _)| chat.is_none_or(|x| x == *c))
                    .count(),
            };
            let second = recent(None, SECOND) < limits.bot_per_second;
            let minute = chat >= 0 || recent(Some(chat), MINUTE) < limits.group_per_minute;
            // A bucket of `burst` that refills one per pace, replayed from the beginning.
            let mut tokens = f64::from(limits.chat_burst);
            let mut last = Duration::ZERO;
            for at in self
                .gone
                .iter()
                .filter(|(c, _)| *c == chat)
                .map(|(_, at)| *at)
                .chain([now])
            {
                let refill = (at - last).as_secs_f64() / limits.chat_pace.as_secs_f64();
                tokens = (tokens + refill).min(f64::from(limits.chat_burst)) - 1.0;
                last = at;
            }
            let held =
                self.chat_held.get(&chat).is_none_or(|until| now >= *until) && now >= self.all_held;
            second && minute && held && tokens > -1e-6
        }
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Take(i64),
        Hold(i64, u64),
        HoldAll(u64),
        Forget,
    }

    fn deeds() -> impl Strategy<Value = Vec<(u64, Deed)>> {
        let chat = prop_oneof![Just(1), Just(2), Just(-1), Just(-2)];
        let deed = prop_oneof![
            20 => chat.clone().prop_map(Deed::Take),
            1 => (chat, 0u64..40_000).prop_map(|(c, ms)| Deed::Hold(c, ms)),
            1 => (0u64..3_000).prop_map(Deed::HoldAll),
            1 => Just(Deed::Forget),
        ];
        prop::collection::vec((prop_oneof![0u64..30, 0u64..3_000], deed), 1..300)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        (1u64..2_000, 1u32..5, 1usize..25, 1usize..31).prop_map(|(pace, burst, minute, second)| {
            Limits {
                chat_pace: Duration::from_millis(pace),
                chat_burst: burst,
                group_per_minute: minute,
                bot_per_second: second,
            }
        })
    }

    proptest! {
        /// It lets through exactly what the laws allow, and the time it names is the first that is allowed.
        #[test]
        fn allows_what_the_laws_allow_and_no_more(limits in limits(), deeds in deeds()) {
            let zero = Instant::now();
            let mut limiter = Limiter::new(limits);
            let mut model = Model::default();
            let mut now = Duration::ZERO;
            for (pause, deed) in deeds {
                now += Duration::from_millis(pause);
                let at = zero + now;
                match deed {
                    Deed::Take(chat) => {
                        let opens = limiter.opens(chat, at) - zero;
                        prop_assert!(model.allows(limits, chat, opens), "named a time that is too early");
                        if opens > now {
                            let before = opens.checked_sub(Duration::from_millis(1)).unwrap_or_default().max(now);
                            prop_assert!(!model.allows(limits, chat, before), "named a time that is too late");
                        }
                        prop_assert_eq!(limiter.take(chat, at), opens <= now);
                        if opens <= now {
                            model.gone.push((chat, now));
                        }
                    }
                    Deed::Hold(chat, ms) => {
                        let until = now + Duration::from_millis(ms);
                        limiter.hold(chat, zero + until);
                        let kept = model.chat_held.entry(chat).or_default();
                        *kept = until.max(*kept);
                    }
                    Deed::HoldAll(ms) => {
                        let until = now + Duration::from_millis(ms);
                        limiter.hold_all(zero + until);
                        model.all_held = model.all_held.max(until);
                    }
                    Deed::Forget => limiter.forget(at),
                }
            }
        }
    }

    #[test]
    fn a_group_gets_twenty_a_minute_and_a_person_one_a_second() {
        let zero = Instant::now();
        let (mut group, mut person) = (0, 0);
        let mut limiter = Limiter::new(Limits::default());
        for tenth in 0..600 {
            let now = zero + Duration::from_millis(tenth * 100);
            group += u32::from(limiter.take(-100, now));
            person += u32::from(limiter.take(100, now));
        }
        assert_eq!((group, person), (20, 62));
    }

    #[test]
    fn a_quiet_chat_is_forgotten() {
        let zero = Instant::now();
        let mut limiter = Limiter::new(Limits::default());
        for chat in [-1, 1] {
            limiter.take(chat, zero);
        }
        limiter.forget(zero + Duration::from_secs(30));
        assert_eq!(limiter.chats.len(), 1, "the group's minute is not over");
        limiter.forget(zero + Duration::from_secs(61));
        assert!(limiter.chats.is_empty());
    }
}
