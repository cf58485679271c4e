//! The table that every connector is run through, on both databases: calls as real hosts send them, each plain, doubled and
//! out of order, and what a person then sees in the CRM. A kind in `crm::KINDS` that is not in `stands!` fails here.
//!
//! To add one: a file beside this one with `pub fn open() -> Box<dyn Stand>`, which starts the kind's strict stand-in with
//! the client +375 29 123-45-67 in it (and +375 29 625-40-70, whom 150 calls), and says what stands there afterwards, a
//! line for each card and each record; its name in `stands!`; then `INSTA_UPDATE=always cargo test -p actors --lib table`,
//! and the snapshot `table__NAME.snap` is read by a person before it is kept.
//!
//! Beside it `troubles.rs` runs each of them through what can go wrong, at every request of a call.
//!
//! What holds for each of them is asserted here, not in the snapshots: one record of a client's call and none of others,
//! nothing refused, no card left open, and the same history whatever order the events had.

mod amocrm;
mod bitrix24;
mod cardfile;
mod ms;
mod retailcrm;
mod troubles;
mod uon;
mod webhook;

use std::time::Duration;

use serde_json::Value;
use simulators::script::{Behaviour, Script};

use super::world::{World, fast};
use crate::call::event::{Event, EventKind};
use crate::call::stories::forwarded;
use crate::call::tests::{notices, read, read_with, shuffle};
use crate::crm::KINDS;
use crate::integration::Settings;
use crate::store::deliveries::DeliveryState;
use crate::store::testing::TestDatabase;

/// A CRM's stand-in with one account in it.
pub trait Stand {
    /// What an enterprise connects with; 150, 151 and 152 have a user each where the CRM knows users.
    fn settings(&self) -> Value;

    /// What is in the account now.
    fn seen(&self) -> Seen;

    /// Requests that broke one of the CRM's rules.
    fn refused(&self) -> u64;

    /// How it misbehaves.
    fn script(&self) -> &Script;

    /// Requests that failed because the script said so.
    fn scripted(&self) -> u64;

    /// "Too many requests" in its own words, and for how long it then wants to be left alone.
    fn throttled(&self) -> (Behaviour, Duration);

    /// What it says to who bears a key or a token that was taken away.
    fn revoked(&self) -> Behaviour;

    /// A calm call's request from which on it is given a minute, for it fetches a recording then.
    fn fetches_from(&self) -> Option<usize> {
        None
    }

    /// Any yes is a yes, whatever stands in it: it cannot be told from a page of some proxy's.
    fn says_a_bare_yes(&self) -> bool {
        false
    }
}

/// What a person sees.
#[derive(Debug, Default)]
pub struct Seen {
    /// Cards as they came up, and what became of them.
    pub cards: Vec<String>,
    /// Cards that nobody closed, in a CRM whose cards can be closed.
    pub open: usize,
    /// Calls in the clients' history.
    pub history: Vec<String>,
}

/// One story.
struct Row {
    name: &'static str,
    events: fn() -> Vec<Event>,
    /// History records it must come to.
    records: usize,
    /// What is told is settled before more comes; nothing is doubled or shuffled.
    slow: bool,
}

const fn row(name: &'static str, records: usize, events: fn() -> Vec<Event>) -> Row {
    Row {
        name,
        events,
        records,
        slow: false,
    }
}

const ROWS: &[Row] = &[
    row("incoming, answered", 1, || read("inbound-answered")),
    row("incoming, missed", 1, || read("inbound-missed")),
    row("incoming, busy", 1, || read("inbound-busy")),
    row("incoming, to a group", 1, || read("inbound-group-answered")),
    row("incoming, forwarded to a mobile", 1, forwarded),
    row("incoming, from a number nobody knows", 1, || {
        read_with("inbound-answered", |line| {
            line.replace("375291234567", "375291111111")
        })
    }),
    row("blind transfer", 1, || read("blind-transfer")),
    row("attended transfer", 1, || read("attended-transfer-dtmf")),
    row("outgoing", 1, || read("outgoing-answered")),
    row("click-to-call", 1, || read("click-to-call")),
    row("internal", 0, || read("internal-answered")),
    row("a hangup and nothing before it", 1, || {
        let mut events = read("inbound-answered");
        events.retain(|event| event.kind == EventKind::Hangup);
        events
    }),
    row("number withheld", 0, || read("inbound-anonymous")),
    Row {
        slow: true,
        ..row("recording later than the hangup", 1, || {
            let again = |line: &str| line.replace("-hangup", "-again").replace("-6641", "-6642");
            let without = |line: &str| {
                line.replace(
                    "\"RecordFile\": \"1795194153.0.wav\"",
                    "\"RecordFile\": \"\"",
                )
            };
            let mut events = read_with("inbound-answered", without);
            let mut later = read_with("inbound-answered", again);
            later.retain(|event| event.kind == EventKind::Hangup);
            events.extend(later);
            events
        })
    },
];

/// How the events of a row come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Plain,
    Doubled,
    Shuffled(u64),
}

const ORDERS: [Order; 4] = [
    Order::Plain,
    Order::Doubled,
    Order::Shuffled(0x5eed),
    Order::Shuffled(0xcafe_f00d),
];

impl Order {
    fn of(self, mut events: Vec<Event>) -> Vec<Event> {
        match self {
            Order::Plain => {}
            Order::Doubled => {
                events = events
                    .into_iter()
                    .flat_map(|event| [event.clone(), event])
                    .collect();
            }
            Order::Shuffled(seed) => shuffle(&mut events, seed),
        }
        events
    }
}

/// The kinds, each with a test of its own on each database and a snapshot.
macro_rules! stands {
    ($($kind:ident),+ $(,)?) => {
        const STANDS: &[&str] = &[$(stringify!($kind)),+];
        mod each {
            use super::{TestDatabase, run};
            crate::for_each_database!($($kind),+);
            $(fn $kind(database: &TestDatabase) {
                run(database, stringify!($kind), super::$kind::open);
            })+
        }
        mod in_trouble {
            use super::{TestDatabase, troubles};
            crate::for_each_database!($($kind),+);
            $(fn $kind(database: &TestDatabase) {
                troubles::meet(database, stringify!($kind), super::$kind::open);
            })+
        }
        mod killed {
            use super::{TestDatabase, troubles};
            crate::for_each_database!($($kind),+);
            $(fn $kind(database: &TestDatabase) {
                troubles::die(database, stringify!($kind), super::$kind::open);
            })+
        }
        mod shut_out {
            use super::{TestDatabase, troubles};
            crate::for_each_database!($($kind),+);
            $(fn $kind(database: &TestDatabase) {
                troubles::lose_access(database, stringify!($kind), super::$kind::open);
            })+
        }
    };
}

stands! {
    retailcrm,
    bitrix24,
    amocrm,
    ms,
    uon,
    webhook,
    cardfile,
}

#[test]
fn every_kind_has_its_place_in_the_table() {
    let mut kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let mut stands = STANDS.to_vec();
    kinds.sort_unstable();
    stands.sort_unstable();
    assert_eq!(kinds, stands);
}

fn run(database: &TestDatabase, kind: &str, open: fn() -> Box<dyn Stand>) {
    let settings = Settings {
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        // Nothing is of no use here because the machine was slow.
        popup_life_ms: 60_000,
        ..fast()
    };
    // An enterprise for each run: what is kept about a call goes by its unique id, and that is the same in all of them.
    let count = ROWS.len() * ORDERS.len();
    let crm = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, count, settings, crm);
    let mut text = String::new();
    for (index, row) in ROWS.iter().enumerate() {
        let mut plain = Vec::new();
        for (turn, order) in ORDERS.into_iter().enumerate() {
            if row.slow && order != Order::Plain {
                continue;
            }
            let stand = open();
            let number = index * ORDERS.len() + turn;
            world.connect(number, kind, stand.settings());
            let told = tell(&world, number, order.of((row.events)()), row.slow);
            let what = format!("{kind}: {}, {order:?}", row.name);
            let seen = stand.seen();
            assert_eq!(stand.refused(), 0, "{what}: {seen:#?}");
            assert_eq!(seen.history.len(), row.records, "{what}: {seen:#?}");
            assert_eq!(seen.open, 0, "{what}: {seen:#?}");
            match order {
                Order::Plain => {
                    text.push_str(&format!("{}\n", row.name));
                    let lines = [&seen.cards, &told, &seen.history];
                    for line in lines.into_iter().flatten() {
                        text.push_str(&format!("  {line}\n"));
                    }
                    if seen.cards.is_empty() && seen.history.is_empty() {
                        text.push_str("  nothing\n");
                    }
                    plain.clone_from(&seen.history);
                    if row.records == 0 {
                        assert!(
                            seen.cards.is_empty() && told.is_empty(),
                            "{what}: {seen:#?}"
                        );
                    }
                }
                Order::Doubled | Order::Shuffled(_) => assert_eq!(seen.history, plain, "{what}"),
            }
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(format!("table__{kind}"), text));
}

/// Tells what the events call for; gives what the CRM was not told of, and why.
fn tell(world: &World, number: usize, events: Vec<Event>, slow: bool) -> Vec<String> {
    let from = i64::try_from(number).unwrap() * 100 + 1;
    let mut calls = Vec::new();
    for planned in notices(&events, from, slow) {
        calls.push(planned.notice.record.call.0);
        world.tell_planned(number, planned);
        world.idle();
    }
    calls.sort_unstable();
    calls.dedup();
    let rows = calls.iter().flat_map(|call| world.rows(number, *call));
    rows.filter(|row| row.state != DeliveryState::Done)
        .map(|row| format!("({}: {})", row.kind, row.outcome))
        .collect()
}
