//! Asks a CRM with settings that are not saved yet: the connection test of the settings form and of the command line, a
//! module's registration. Needs no link; nothing is logged, whoever asked may do it, and of the tables only the tokens are
//! read (and renewed), where the kind has them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::attempt::Means;
use super::connector::{Answer, Failed, Kind, Place, Question};
use super::exchange::Exchanges;
use super::http::Terms;
use super::keeper::Keeper;
use super::limiter::Limiter;
use super::secrets;
use super::settings::Settings;
use crate::cache::Enterprise;
use crate::store::Store;

/// Asks. Runs where it is called, inside an actix system.
///
/// # Errors
/// The field that cannot be used, or how the CRM said no.
pub async fn ask(
    (house, store): (&Settings, &Store),
    enterprise: &Enterprise,
    kind: &'static Kind,
    settings: &Value,
    question: &Question,
) -> Result<Answer, Failed> {
    converse((house, store), enterprise, kind, settings, question)
        .await
        .0
}

/// As `ask`, with what was said and heard (masked), for the log.
pub async fn converse(
    (house, store): (&Settings, &Store),
    enterprise: &Enterprise,
    kind: &'static Kind,
    settings: &Value,
    question: &Question,
) -> (Result<Answer, Failed>, Exchanges) {
    let place = Place {
        public_url: &house.public_url,
        enterprise,
    };
    let connector = match (kind.connect)(&place, settings) {
        Ok(connector) => connector,
        Err(fault) => {
            let words = fault.to_string();
            return (Err(Failed::Settings { words }), Exchanges::default());
        }
    };
    let limiter = Limiter::new(&connector.rates(), Instant::now());
    let means = Means {
        recordings: true,
        connector: Arc::from(connector),
        limiter: Rc::new(RefCell::new(limiter)),
        terms: Terms::of(house),
        renewal_rests: Default::default(),
        keeper: Keeper {
            store: store.clone(),
            enterprise: enterprise.id,
            kind,
        },
        secrets: secrets::of(kind, settings).into(),
    };
    means.ask(question).await
}
