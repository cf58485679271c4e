//! Tokens that end, exchanged for new ones in the middle of a conversation. Called by `attempt.rs`; whose turn it is and
//! where the new ones are kept is `keeper.rs`, what is asked and how the answer reads is the connector's.

use std::time::Instant;

use chrono::{TimeDelta, Utc};

use super::attempt::{Means, broken, caught};
use super::connector::Failed;
use super::exchange::{Exchanges, failure};
use super::http;
use super::keeper::Renewal;
use super::known::{Known, Tokens};
use super::request::Reply;

/// Before tokens whose early renewal came to nothing are tried to be renewed again.
const REST: TimeDelta = TimeDelta::seconds(60);

impl Means {
    /// Renews tokens that are about to end, where the connector wants that. Where it comes to nothing, for the CRM is away
    /// or the pair was used up by a process that died, the access goes on as long as it lasts.
    pub(super) async fn renew_ahead(
        &self,
        known: &mut Known,
        exchanges: &mut Exchanges,
    ) -> Result<(), Failed> {
        let present = known.tokens.clone();
        let ends = present.as_ref().and_then(|tokens| tokens.expires_at);
        let (Some(ahead), Some(ends), now) = (self.connector.renew_ahead(), ends, Utc::now())
        else {
            return Ok(());
        };
        let rests = self.renewal_rests.get().is_some_and(|until| now < until);
        if ends > now + ahead || (rests && ends > now) {
            return Ok(());
        }
        match self.renew(known, exchanges).await {
            Err(failed) if ends > now && !matches!(failed, Failed::Blocked { .. }) => {
                let (kind, id) = (self.keeper.kind.name, self.keeper.enterprise);
                log::warn!(
                    "{kind} of enterprise {id}: the access cannot be renewed and ends at {ends}: {failed}"
                );
                self.renewal_rests.set(Some(now + REST));
                known.tokens = present;
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Exchanges the tokens for new ones, once for all who use them. What the CRM answered to it is not logged: it is
    /// nothing but secrets.
    pub(super) async fn renew(
        &self,
        known: &mut Known,
        exchanges: &mut Exchanges,
    ) -> Result<(), Failed> {
        let not_let_in = || Failed::Settings {
            words: "nobody has let us into the CRM".into(),
        };
        let used = known.tokens.take().ok_or_else(not_let_in)?;
        match self.keeper.renewal(&used).await? {
            Renewal::NoTokens => return Err(not_let_in()),
            Renewal::Done(tokens) => known.tokens = Some(tokens),
            Renewal::Turn => {
                let outcome = self.exchange_tokens(&used, exchanges).await;
                match outcome {
                    Ok(tokens) => {
                        self.keeper.save(&tokens).await;
                        known.tokens = Some(tokens);
                    }
                    Err(failed) => {
                        self.keeper.end_turn().await;
                        return Err(failed);
                    }
                }
            }
        }
        Ok(())
    }

    async fn exchange_tokens(
        &self,
        used: &Tokens,
        exchanges: &mut Exchanges,
    ) -> Result<Tokens, Failed> {
        let Some(request) = caught(|| self.connector.renew(used)).ok().flatten() else {
            return Err(Failed::Settings {
                words: "the CRM's access has ended; somebody has to let us in again".into(),
            });
        };
        let begun = Instant::now();
        let outcome = http::send(&request, &self.terms).await;
        let shown = outcome.clone().map(|reply| Reply {
            body: if reply.status < 300 {
                "(new tokens)".into()
            } else {
                reply.body
            },
            ..reply
        });
        exchanges.add(&request, &shown, begun.elapsed());
        let mut reply = outcome.map_err(failure)?;
        if reply.status >= 300 {
            reply = reply.masked(&request.secrets).masked(&self.secrets);
        }
        match caught(|| self.connector.renewed(used, &reply)) {
            Ok(renewed) => renewed.map_err(|failed| failed.masked(&request.secrets)),
            Err(()) => Err(broken()),
        }
    }
}
