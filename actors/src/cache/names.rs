//! Whose number it is and whose client: what the CRMs say, remembered for a while. Asked by the gateway, by Telegram's
//! messages and by smart redirect; asks through the enterprise's links, primary CRM first, and never longer than the
//! asker can wait.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::time::Instant;

use super::memo::{Memo, Terms};
use super::snapshot::Enterprise;
use crate::crm;
use crate::integration::Integrations;
use crate::integration::connector::{Answer, Customer, Failed, Manager, Question};

/// Who puts questions to CRMs: the integrations in the server, a list in tests.
pub trait Ask: Send + Sync {
    /// One question to one CRM of one enterprise.
    fn ask(
        &self,
        enterprise: i64,
        kind: &str,
        question: Question,
    ) -> LocalBoxFuture<'static, Result<Answer, Failed>>;
}

impl Ask for Integrations {
    fn ask(
        &self,
        enterprise: i64,
        kind: &str,
        question: Question,
    ) -> LocalBoxFuture<'static, Result<Answer, Failed>> {
        let (integrations, kind) = (self.clone(), kind.to_owned());
        Box::pin(async move { Integrations::ask(&integrations, enterprise, &kind, question).await })
    }
}

/// What a CRM said, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<T> {
    /// The integration: "retailcrm".
    pub by: String,
    pub what: T,
}

/// Why nobody could say. `reason` is a word for machines, `words` are for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct NobodySaid {
    /// `no_integrations`, `timeout` or `failed`.
    pub reason: &'static str,
    pub words: String,
}

impl NobodySaid {
    fn no_integrations() -> NobodySaid {
        NobodySaid {
            reason: "no_integrations",
            words: "no CRM is connected".into(),
        }
    }
}

/// Enterprise, integration, number in E.164.
type Key = (i64, String, String);

/// See the module's head. Cheap to clone; clones remember together.
#[derive(Clone)]
pub struct Names {
    ask: Arc<dyn Ask>,
    customers: Memo<Key, Option<Customer>, Failed>,
    responsible: Memo<Key, Option<Manager>, Failed>,
}

impl Names {
    /// Answers are remembered on these terms.
    pub fn new(ask: Arc<dyn Ask>, terms: Terms) -> Names {
        Names {
            ask,
            customers: Memo::new(terms),
            responsible: Memo::new(terms),
        }
    }

    /// The client with this number (E.164), of the first CRM that knows one.
    ///
    /// # Errors
    /// No CRM is on, or none that answered in time knew, and one did not answer.
    pub async fn customer(
        &self,
        enterprise: &Enterprise,
        phone: &str,
        patience: Duration,
    ) -> Result<Option<Said<Customer>>, NobodySaid> {
        let pick = |answer| match answer {
            Answer::Customer(customer) => customer,
            _ => None,
        };
        let question = Question::Customer {
            phone: phone.to_owned(),
        };
        self.first(
            &self.customers,
            enterprise,
            phone,
            &question,
            pick,
            patience,
        )
        .await
    }

    /// What is remembered of the client with this number; asks nobody.
    pub fn known_customer(&self, enterprise: &Enterprise, phone: &str) -> Option<Said<Customer>> {
        order(enterprise).find_map(|kind| {
            let key = (enterprise.id, kind.to_owned(), phone.to_owned());
            let what = self.customers.known(&key)?.ok()??;
            Some(Said {
                by: kind.to_owned(),
                what,
            })
        })
    }

    /// Who is responsible for the client with this number, by the first CRM that says.
    ///
    /// # Errors
    /// As `customer`.
    pub async fn responsible(
        &self,
        enterprise: &Enterprise,
        phone: &str,
        patience: Duration,
    ) -> Result<Option<Said<Manager>>, NobodySaid> {
        let pick = |answer| match answer {
            Answer::Responsible(manager) => manager,
            _ => None,
        };
        let question = Question::Responsible {
            phone: phone.to_owned(),
        };
        self.first(
            &self.responsible,
            enterprise,
            phone,
            &question,
            pick,
            patience,
        )
        .await
    }

    /// As `responsible`, with all CRMs asked at once, for a caller who waits: a slow one costs the others no time. The
    /// primary's word counts first, if it comes in time.
    ///
    /// # Errors
    /// As `customer`.
    pub async fn responsible_beside(
        &self,
        enterprise: &Enterprise,
        phone: &str,
        patience: Duration,
    ) -> Result<Option<Said<Manager>>, NobodySaid> {
        let question = Question::Responsible {
            phone: phone.to_owned(),
        };
        let pick = |answer| match answer {
            Answer::Responsible(manager) => manager,
            _ => None,
        };
        // All are under way at once; they are heard in order.
        let mut asked: FuturesOrdered<_> = order(enterprise)
            .map(|kind| {
                let only = std::iter::once(kind);
                self.first_of(
                    only,
                    &self.responsible,
                    enterprise,
                    phone,
                    &question,
                    pick,
                    patience,
                )
            })
            .collect();
        if asked.is_empty() {
            return Err(NobodySaid::no_integrations());
        }
        let mut trouble = None;
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(Some(said)) => return Ok(Some(said)),
                Ok(None) => {}
                Err(nobody) => {
                    trouble.get_or_insert(nobody);
                }
            }
        }
        trouble.map_or(Ok(None), Err)
    }

    /// Forgets what the CRMs of an enterprise said: its settings changed.
    pub fn forget(&self, enterprise: i64) {
        self.customers.forget(|(id, _, _)| *id == enterprise);
        self.responsible.forget(|(id, _, _)| *id == enterprise);
    }

    /// Asks the CRMs in order until one knows. All of them share the asker's patience.
    async fn first<T: Clone + 'static>(
        &self,
        memo: &Memo<Key, Option<T>, Failed>,
        enterprise: &Enterprise,
        phone: &str,
        question: &Question,
        pick: impl Fn(Answer) -> Option<T> + Copy + 'static,
        patience: Duration,
    ) -> Result<Option<Said<T>>, NobodySaid> {
        let kinds = order(enterprise);
        self.first_of(kinds, memo, enterprise, phone, question, pick, patience)
            .await
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one question with everything it needs"
    )]
    async fn first_of<'k, T: Clone + 'static>(
        &self,
        kinds: impl Iterator<Item = &'k str>,
        memo: &Memo<Key, Option<T>, Failed>,
        enterprise: &Enterprise,
        phone: &str,
        question: &Question,
        pick: impl Fn(Answer) -> Option<T> + Copy + 'static,
        patience: Duration,
    ) -> Result<Option<Said<T>>, NobodySaid> {
        let until = Instant::now() + patience;
        let mut trouble = None;
        let mut asked = false;
        for kind in kinds {
            asked = true;
            let key = (enterprise.id, kind.to_owned(), phone.to_owned());
            let left = until.saturating_duration_since(Instant::now());
            let answer = memo.find(key, left, || {
                let answer = self.ask.ask(enterprise.id, kind, question.clone());
                async move { answer.await.map(pick) }
            });
            match answer.await {
                Ok(Ok(Some(what))) => {
                    return Ok(Some(Said {
                        by: kind.to_owned(),
                        what,
                    }));
                }
                Ok(Ok(None)) => {}
                Ok(Err(failed)) => {
                    trouble.get_or_insert(NobodySaid {
                        reason: "failed",
                        words: format!("{kind}: {failed}"),
                    });
                }
                Err(too_slow) => {
                    trouble.get_or_insert(NobodySaid {
                        reason: "timeout",
                        words: format!("{kind}: {too_slow}"),
                    });
                }
            }
        }
        match trouble {
            Some(trouble) => Err(trouble),
            None if asked => Ok(None),
            None => Err(NobodySaid::no_integrations()),
        }
    }
}

/// The enabled CRMs, the primary one first.
fn order(enterprise: &Enterprise) -> impl Iterator<Item = &str> {
    let enabled = |kind: &&str| {
        enterprise
            .integrations
            .get(*kind)
            .is_some_and(|one| one.enabled)
            && !crm::is_only_told(kind)
    };
    let primary = enterprise.primary.as_deref().filter(enabled);
    let others = enterprise
        .integrations
        .keys()
        .map(String::as_str)
        .filter(enabled);
    primary
        .into_iter()
        .chain(others.filter(move |kind| Some(*kind) != primary))
}
