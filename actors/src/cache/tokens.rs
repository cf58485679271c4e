//! Tokens nobody knows yet: all that wait are looked up with one question, one question at a time, so that a flood of
//! guessed tokens is a few questions a second. Part of `cache::actor`.

use std::collections::HashMap;
use std::time::Duration;

use actix::prelude::*;
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::actor::{CacheActor, interrupted, ready};
use super::handle::Unavailable;
use super::messages::Found;
use super::shared::UnknownKey;
use super::source::Which;
use super::table::TokenKey;

/// Tokens nobody knows yet: looked up together, one question at a time.
#[derive(Default)]
pub(super) struct Tokens {
    gathered: HashMap<TokenKey, (SecretString, Vec<oneshot::Sender<Found>>)>,
    /// Those of the question under way.
    asked: HashMap<TokenKey, Vec<oneshot::Sender<Found>>>,
    scheduled: bool,
    last: Option<Instant>,
}

/// More tokens than this waiting for one answer is an attack: the rest is told to come again.
const GATHER_LIMIT: usize = 10_000;

impl CacheActor {
    /// The enterprise of a token, asked for with the next question unless it is known by now.
    pub(super) fn find_token(
        &mut self,
        key: TokenKey,
        token: SecretString,
        ctx: &mut Context<Self>,
    ) -> ResponseFuture<Found> {
        // It may have been loaded while this message waited.
        if let Some(entry) = self.shared.table.load().by_token(&key) {
            return ready(Ok(Some(entry.enterprise.clone())));
        }
        let (tell, told) = oneshot::channel();
        let Tokens {
            gathered, asked, ..
        } = &mut self.tokens;
        if let Some(waiting) = asked.get_mut(&key) {
            waiting.push(tell);
        } else if let Some((_, waiting)) = gathered.get_mut(&key) {
            waiting.push(tell);
        } else if gathered.len() < GATHER_LIMIT {
            gathered.insert(key, (token, vec![tell]));
        } else {
            return ready(Err(Unavailable(
                "too many unknown tokens at once".to_owned(),
            )));
        }
        self.schedule_tokens(ctx);
        Box::pin(async move { told.await.unwrap_or_else(|_dropped| Err(interrupted())) })
    }

    /// Asks for the gathered tokens now, or as soon as the pause since the last question is over.
    fn schedule_tokens(&mut self, ctx: &mut Context<Self>) {
        if self.tokens.scheduled || self.tokens.gathered.is_empty() {
            return;
        }
        self.tokens.scheduled = true;
        let gather = Duration::from_millis(self.shared.times.token_gather_ms);
        let pause = self
            .tokens
            .last
            .map_or(Duration::ZERO, |last| gather.saturating_sub(last.elapsed()));
        if pause.is_zero() {
            self.ask_tokens(ctx);
        } else {
            ctx.run_later(pause, |actor, ctx| actor.ask_tokens(ctx));
        }
    }

    fn ask_tokens(&mut self, ctx: &mut Context<Self>) {
        let gathered = std::mem::take(&mut self.tokens.gathered);
        let (tokens, asked): (Vec<_>, HashMap<_, _>) = gathered
            .into_iter()
            .map(|(key, (token, waiting))| (token, (key, waiting)))
            .unzip();
        self.tokens.asked = asked;
        let (load, order) = self.load(Which::Tokens(tokens));
        ctx.spawn(
            load.into_actor(self)
                .map(move |(loaded, took), actor, ctx| {
                    let loaded = actor.tally(loaded, took, ctx);
                    let landing = loaded.map(|loaded| actor.install(loaded, Vec::new(), order));
                    let asked = std::mem::take(&mut actor.tokens.asked);
                    let table = actor.shared.table.load_full();
                    if landing.is_ok() {
                        let unknown = asked.keys().filter(|key| table.by_token(key).is_none());
                        actor
                            .shared
                            .remember_unknown(unknown.map(|key| UnknownKey::Token(*key)));
                    }
                    for (key, waiting) in asked {
                        let found = table.by_token(&key).map(|entry| entry.enterprise.clone());
                        let answer = landing.clone().map(|()| found);
                        for waiter in waiting {
                            let _gone = waiter.send(answer.clone());
                        }
                    }
                    actor.tokens.last = Some(Instant::now());
                    actor.tokens.scheduled = false;
                    actor.schedule_tokens(ctx);
                }),
        );
    }
}
