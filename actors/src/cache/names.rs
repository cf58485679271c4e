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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::cache::snapshot::Integration;
    use crate::cache::tests::enterprise;

    type Crm = (
        &'static str,
        u64,
        Result<Option<&'static str>, &'static str>,
    );

    /// What each CRM answers, and after how many seconds.
    struct Crms(Vec<Crm>, Mutex<Vec<String>>);

    impl Ask for Crms {
        fn ask(
            &self,
            _: i64,
            kind: &str,
            _: Question,
        ) -> LocalBoxFuture<'static, Result<Answer, Failed>> {
            self.1.lock().unwrap().push(kind.to_owned());
            let (_, wait, answer) = *self.0.iter().find(|one| one.0 == kind).unwrap();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(wait)).await;
                match answer {
                    Ok(name) => Ok(Answer::Customer(name.map(|name| Customer {
                        name: name.into(),
                        link: String::new(),
                    }))),
                    Err(words) => Err(Failed::Later {
                        words: words.into(),
                        after: None,
                    }),
                }
            })
        }
    }

    /// The same, of managers.
    struct Managers(Vec<Crm>);

    impl Ask for Managers {
        fn ask(
            &self,
            _: i64,
            kind: &str,
            _: Question,
        ) -> LocalBoxFuture<'static, Result<Answer, Failed>> {
            let (_, wait, answer) = *self.0.iter().find(|one| one.0 == kind).unwrap();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(wait)).await;
                match answer {
                    Ok(name) => Ok(Answer::Responsible(name.map(|name| Manager {
                        id: "16".into(),
                        name: name.into(),
                        extension: None,
                    }))),
                    Err(words) => Err(Failed::Later {
                        words: words.into(),
                        after: None,
                    }),
                }
            })
        }
    }

    const TERMS: Terms = Terms {
        lifetime: Duration::from_secs(600),
        failure: Duration::from_secs(10),
        most: 1000,
    };
    const PATIENCE: Duration = Duration::from_secs(3);

    async fn asked(
        crms: Vec<Crm>,
        primary: Option<&str>,
    ) -> (Result<Option<String>, &'static str>, Vec<String>) {
        let mut june = enterprise(1, "0367", "june");
        for (kind, _, _) in &crms {
            let one = Integration {
                enabled: true,
                settings: serde_json::Value::Null,
            };
            june.integrations.insert((*kind).to_owned(), one);
        }
        june.primary = primary.map(str::to_owned);
        let crms = Arc::new(Crms(crms, Mutex::default()));
        let names = Names::new(crms.clone(), TERMS);
        let said = names.customer(&june, "+375291234567", PATIENCE).await;
        let known = names.known_customer(&june, "+375291234567");
        if let Ok(said) = &said {
            assert_eq!(said, &known);
        }
        let order = crms.1.lock().unwrap().clone();
        (
            said.map(|said| said.map(|said| format!("{} says {}", said.by, said.what.name)))
                .map_err(|e| e.reason),
            order,
        )
    }

    #[actix_rt::test]
    async fn the_primary_is_asked_first_and_the_first_who_knows_decides() {
        tokio::time::pause();
        let (said, order) = asked(
            vec![("amocrm", 0, Ok(Some("А"))), ("uon", 0, Ok(Some("У")))],
            Some("uon"),
        )
        .await;
        assert_eq!(
            (said, order),
            (Ok(Some("uon says У".into())), vec!["uon".into()])
        );
        let (said, order) = asked(
            vec![("amocrm", 0, Ok(Some("А"))), ("uon", 0, Ok(None))],
            Some("uon"),
        )
        .await;
        assert_eq!(
            (said, order),
            (
                Ok(Some("amocrm says А".into())),
                vec!["uon".into(), "amocrm".into()]
            )
        );
    }

    #[actix_rt::test]
    async fn a_receiver_of_events_is_not_asked() {
        tokio::time::pause();
        let both = vec![("retailcrm", 0, Ok(None)), ("webhook", 0, Err("not asked"))];
        let (said, order) = asked(both, Some("webhook")).await;
        assert_eq!((said, order), (Ok(None), vec!["retailcrm".into()]));
        let alone = asked(vec![("webhook", 0, Err("not asked"))], None).await;
        assert_eq!(alone, (Err("no_integrations"), vec![]));
    }

    #[actix_rt::test]
    async fn nobody_knows_nobody_answers_nobody_is_connected() {
        tokio::time::pause();
        assert_eq!(asked(vec![("uon", 0, Ok(None))], None).await.0, Ok(None));
        assert_eq!(
            asked(vec![("uon", 0, Err("down"))], None).await.0,
            Err("failed")
        );
        assert_eq!(
            asked(vec![("uon", 9, Ok(Some("У")))], None).await.0,
            Err("timeout")
        );
        assert_eq!(asked(vec![], None).await.0, Err("no_integrations"));
    }

    #[actix_rt::test]
    async fn a_waiting_callers_crms_are_asked_at_once_and_the_primary_is_heard_first() {
        tokio::time::pause();
        type Heard = Result<Option<String>, &'static str>;
        async fn heard(crms: Vec<Crm>) -> (Heard, u64) {
            let mut june = enterprise(1, "0367", "june");
            for (kind, _, _) in &crms {
                let one = Integration {
                    enabled: true,
                    settings: serde_json::Value::Null,
                };
                june.integrations.insert((*kind).to_owned(), one);
            }
            june.primary = Some("uon".into());
            let names = Names::new(Arc::new(Managers(crms)), TERMS);
            let began = Instant::now();
            let said = names
                .responsible_beside(&june, "+375291234567", PATIENCE)
                .await;
            let said = said.map(|said| said.map(|said| said.what.name));
            (
                said.map_err(|nobody| nobody.reason),
                began.elapsed().as_secs(),
            )
        }
        let (a, u) = ("amocrm", "uon");
        for (crms, said, seconds) in [
            (
                vec![(a, 0, Ok(Some("А"))), (u, 1, Ok(Some("У")))],
                Ok(Some("У".to_owned())),
                1,
            ),
            (
                vec![(a, 2, Ok(Some("А"))), (u, 2, Ok(None))],
                Ok(Some("А".to_owned())),
                2,
            ),
            (
                vec![(a, 1, Ok(Some("А"))), (u, 9, Ok(Some("У")))],
                Ok(Some("А".to_owned())),
                3,
            ),
            (
                vec![(a, 9, Ok(Some("А"))), (u, 0, Ok(Some("У")))],
                Ok(Some("У".to_owned())),
                0,
            ),
            (
                vec![(a, 1, Ok(None)), (u, 1, Err("down"))],
                Err("failed"),
                1,
            ),
            (vec![(a, 1, Ok(None)), (u, 1, Ok(None))], Ok(None), 1),
            (vec![(a, 9, Ok(None)), (u, 9, Ok(None))], Err("timeout"), 3),
            (vec![], Err("no_integrations"), 0),
        ] {
            assert_eq!(heard(crms.clone()).await, (said, seconds), "{crms:?}");
        }
    }

    #[actix_rt::test]
    async fn one_failing_crm_does_not_hide_what_another_knows() {
        tokio::time::pause();
        let (said, _) = asked(
            vec![("amocrm", 0, Err("down")), ("uon", 0, Ok(Some("У")))],
            None,
        )
        .await;
        assert_eq!(said, Ok(Some("uon says У".into())));
    }
}
