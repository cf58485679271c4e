//! Which CRM is asked, in which order, for how long, and whose word counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use super::enterprise;
use crate::cache::memo::Terms;
use crate::cache::names::{Ask, Names};
use crate::cache::snapshot::Integration;
use crate::integration::connector::{Answer, Customer, Failed, Manager, Question};

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
