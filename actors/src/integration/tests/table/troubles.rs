//! What can go wrong with a CRM, in every CRM and at every request of a call: an incoming call that rang at two and was
//! answered is told as often as it takes requests, each time with the trouble at another of them. However it went, there is
//! one record of the call in the client's history, no card is left open, and nothing has failed.
//!
//! ```text
//!   request        1      2      3    …       the calm call says how many there are
//!   one call    ✗ trouble ·      ·
//!   another        ·   ✗ trouble ·            all at once, each in an account of its own
//!   another        ·      ·   ✗ trouble
//! ```
//!
//! What a kind's own signals look like is told by its `Stand`.

use std::time::Duration;

use serde_json::json;
use simulators::script::{Behaviour, Fault};

use super::super::world::{World, fast};
use super::{Seen, Stand};
use crate::call::record::NoticeKind::{Dial, Hangup, Upload};
use crate::integration::breaker::Position;
use crate::integration::queue::is_history;
use crate::integration::{Settings, sample};
use crate::store::deliveries::DeliveryState;
use crate::store::logs;
use crate::store::testing::{TestDatabase, wait};

/// Requests that a call takes at most.
const MOST: usize = 12;
/// More than that.
const COUNTED: u64 = 1_000;
/// What hangs so long, in milliseconds, hangs until the process is killed.
const HANGING: u64 = 20_000;

/// A trouble, and whether the CRM had taken the request when it came.
struct Trouble {
    name: &'static str,
    line: fn(&dyn Stand) -> Behaviour,
    /// What was not taken got a yes all the same, though no sensible one.
    false_yes: bool,
}

const fn trouble(name: &'static str, line: fn(&dyn Stand) -> Behaviour) -> Trouble {
    Trouble {
        name,
        line,
        false_yes: false,
    }
}

/// A card is a matter of seconds: what an answer to its commands holds is not looked at where it is not documented.
const ANOTHER: &str = "an answer to another question";

const THROTTLED: &str = "its own \"too many requests\"";

const fn false_yes(name: &'static str, line: fn(&dyn Stand) -> Behaviour) -> Trouble {
    Trouble {
        false_yes: true,
        ..trouble(name, line)
    }
}

const TROUBLES: &[Trouble] = &[
    trouble("slow, but within the time", |_| Behaviour::delay(300)),
    trouble("too slow, not taken", |_| Behaviour::fault(Fault::Hang)),
    trouble("too slow, taken", |_| Behaviour::fault(Fault::Hang).after()),
    trouble("nobody listens", |_| Behaviour::fault(Fault::Down)),
    trouble("reset, not taken", |_| Behaviour::fault(Fault::Drop)),
    trouble("reset after it was taken", |_| {
        Behaviour::fault(Fault::Drop).after()
    }),
    trouble("500", |_| Behaviour::status(500)),
    trouble("500, taken", |_| Behaviour::status(500).after()),
    trouble("502 with a page", |_| Behaviour::status(502).saying(PAGE)),
    false_yes("a page instead of an answer", |_| page()),
    trouble("a page instead of an answer, taken", |_| page().after()),
    false_yes("half an answer", |_| half()),
    trouble("half an answer, taken", |_| half().after()),
    false_yes(ANOTHER, |_| other()),
    trouble("an answer to another question, taken", |_| other().after()),
    false_yes("an empty answer", |_| Behaviour::status(200)),
    trouble("an empty answer, taken", |_| Behaviour::status(200).after()),
    false_yes("an answer that cannot be unpacked", |_| packed()),
    trouble("an answer that cannot be unpacked, taken", |_| {
        packed().after()
    }),
    trouble(THROTTLED, |stand| stand.throttled().0),
];

const PAGE: &str = "<html><body>The gateway is being mended</body></html>";

fn page() -> Behaviour {
    Behaviour::status(200).saying(PAGE)
}

fn half() -> Behaviour {
    let text = "{\"result\": {\"id\": \"12\", \"call";
    Behaviour::status(200)
        .saying(text)
        .header("Content-Type", "application/json")
}

fn other() -> Behaviour {
    Behaviour::status(200).saying(json!({"status": "ok", "data": []}))
}

fn packed() -> Behaviour {
    Behaviour::status(200)
        .saying("this was never packed")
        .header("Content-Encoding", "gzip")
}

/// A world with an account for each request that a call takes.
struct Table {
    world: World,
    stands: Vec<Box<dyn Stand>>,
    calm: Seen,
    /// Of the calm call: requests until its card is up, and in all.
    ringing: usize,
    requests: usize,
    rounds: usize,
    /// Cards that came up in each account, and those that were left open.
    cards: Vec<usize>,
    left: Vec<usize>,
    /// How long an answer is waited for, milliseconds.
    wait: u64,
}

fn settings(answer_timeout_ms: u64) -> Settings {
    Settings {
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        // Nothing is of no use here because the machine was slow.
        popup_life_ms: 60_000,
        hangup_life_ms: 60_000,
        answer_timeout_ms,
        ..fast()
    }
}

impl Table {
    /// Tells a calm call, and opens as many accounts as it took requests.
    fn open(database: &TestDatabase, kind: &str, open: fn() -> Box<dyn Stand>, wait: u64) -> Table {
        let crm = simulators::retailcrm::Settings::default();
        let mut world = World::with(database, MOST, settings(wait), crm);
        let first = open();
        world.connect(0, kind, first.settings());
        let mut table = Table {
            world,
            stands: vec![first],
            calm: Seen::default(),
            ringing: 0,
            requests: 0,
            rounds: 0,
            cards: Vec::new(),
            left: vec![0; MOST],
            wait,
        };
        // A line that changes nothing counts the requests.
        let script = table.stands[0].script();
        script.set(Behaviour::default().times(COUNTED));
        let asked = || {
            let left = script.lines().first().and_then(|line| line.times);
            usize::try_from(COUNTED - left.unwrap_or_default()).unwrap()
        };
        table.ring(0);
        table.world.settled(0, table.call(0));
        let ringing = asked();
        table.end(0);
        table.world.settled(0, table.call(0));
        (table.ringing, table.requests) = (ringing, asked());
        table.stands[0].script().clear();
        table.calm = table.stands[0].seen();
        assert!(
            table.calm.history.len() == 1 && table.requests <= MOST,
            "{:?}: {} requests",
            table.calm,
            table.requests
        );
        // Each of the accounts has the calm call.
        for number in 1..table.requests {
            table.stands.push(open());
            let settings = table.stands[number].settings();
            table.world.connect(number, kind, settings);
            table.ring(number);
            table.world.settled(number, table.call(number));
            table.end(number);
            table.world.settled(number, table.call(number));
        }
        table.cards = vec![table.calm.cards.len(); MOST];
        table.rounds = 1;
        table
    }

    /// The call of this round in this account.
    fn call(&self, number: usize) -> i64 {
        i64::try_from(self.rounds * MOST + number + 1).unwrap()
    }

    fn ring(&self, number: usize) {
        let call = self.call(number);
        self.world.tell(number, sample::ringing(call), &[Dial]);
    }

    fn end(&self, number: usize) {
        let record = sample::answered(self.call(number));
        self.world.tell(number, record, &[Hangup, Upload]);
    }

    /// Has this happen in each account, at another request in each.
    fn misbehave(&self, line: impl Fn(&dyn Stand) -> Behaviour) {
        for (number, stand) in self.stands.iter().enumerate() {
            if self.is_too_long(number, &line(&**stand)) {
                continue;
            }
            let script = stand.script();
            script.set(line(&**stand).times(1));
            if number > 0 {
                // The newest line decides: those before are served.
                let calm = Behaviour::default().times(u64::try_from(number).unwrap());
                script.set(calm);
            }
        }
    }

    /// Nobody waits for a minute in a test.
    fn is_too_long(&self, number: usize, line: &Behaviour) -> bool {
        let fetches = self.stands[number].fetches_from();
        let is_long = fetches.is_some_and(|from| number + 1 >= from);
        self.wait < HANGING && line.fault == Fault::Hang && is_long
    }

    fn numbers(&self) -> std::ops::Range<usize> {
        0..self.stands.len()
    }

    /// One more record in each account, the same as of a calm call; no card is open, nothing has failed.
    fn assert_told_once(&mut self, what: &str) {
        for number in self.numbers() {
            let (stand, call) = (&self.stands[number], self.call(number));
            let seen = stand.seen();
            let rows = self.world.rows(number, call);
            let told: Vec<String> = rows
                .iter()
                .map(|row| format!("{} {}: {}", row.kind, row.state.as_str(), row.outcome))
                .collect();
            let what = format!("{what}, at request {} of {}", number + 1, self.requests);
            assert!(
                stand.script().lines().is_empty(),
                "{what}: it never came to that: {told:?}"
            );
            let once = vec![self.calm.history[0].clone(); self.rounds + 1];
            assert_eq!(seen.history, once, "{what}: {told:#?}");
            if what.contains(ANOTHER) {
                self.left[number] = seen.open;
            }
            assert_eq!(seen.open, self.left[number], "{what}: {seen:#?}");
            // Who is shown a pop-up twice can only be told so afterwards.
            let cards = seen.cards.len() - self.cards[number];
            if what.starts_with("uon") && cards > self.calm.cards.len() {
                assert!(
                    told.iter().any(|row| row.contains("shown twice")),
                    "{what}: {told:#?}"
                );
            }
            self.cards[number] = seen.cards.len();
            let good = |state| matches!(state, DeliveryState::Done | DeliveryState::Withdrawn);
            assert!(rows.iter().all(|row| good(row.state)), "{what}: {told:#?}");
            assert_eq!(stand.refused(), 0, "{what}: {told:#?}");
            if std::env::var_os("PATCHBAY_SHOW").is_some() {
                println!("{what}: {told:?}");
            }
        }
        self.rounds += 1;
    }
}

/// Every trouble at every request.
pub fn meet(database: &TestDatabase, kind: &str, open: fn() -> Box<dyn Stand>) {
    let mut table = Table::open(database, kind, open, 1_000);
    for trouble in TROUBLES {
        if trouble.false_yes && table.stands[0].says_a_bare_yes() {
            continue;
        }
        table.misbehave(trouble.line);
        for begins in [true, false] {
            for number in table.numbers() {
                match begins {
                    true => table.ring(number),
                    false => table.end(number),
                }
            }
            for number in table.numbers() {
                let call = table.call(number);
                table
                    .world
                    .until(&format!("{} is over", trouble.name), |world| {
                        is_settled(world, number, call)
                    });
            }
        }
        let what = format!("{kind}: {}", trouble.name);
        if trouble.name == THROTTLED {
            let patience = table.stands[0].throttled().1;
            for number in table.numbers() {
                let rested = rested(&table.world, number, table.call(number));
                let enough = rested.is_some_and(|rested| rested >= patience);
                assert!(enough, "{what}, at request {}: {rested:?}", number + 1);
            }
            let observed = table.world.integrations().observe();
            let opened: u64 = observed.iter().map(|seen| seen.openings).sum();
            assert_eq!(opened, 0, "{what}: to be throttled once is no failure");
        }
        table.assert_told_once(&what);
    }
}

/// From the end of the try that failed to the end of the next one of the same delivery.
fn rested(world: &World, number: usize, call: i64) -> Option<Duration> {
    let rows = world.rows(number, call);
    let id = world.enterprise(number).id;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let read = world
        .store
        .read(move |conn| logs::of_deliveries(conn, id, &ids));
    let mut tries = wait(read).unwrap();
    tries.sort_by_key(|one| one.id);
    let failed = tries.iter().find(|one| one.status == "error")?;
    let next = tries
        .iter()
        .find(|one| one.id > failed.id && one.delivery == failed.delivery)?;
    (next.created_at - failed.created_at).to_std().ok()
}

fn is_settled(world: &World, number: usize, call: i64) -> bool {
    let rows = world.rows(number, call);
    let open = |state| matches!(state, DeliveryState::Due | DeliveryState::Leased);
    !rows.is_empty() && !rows.iter().any(|row| open(row.state))
}

/// Killed while each of the requests of a call is under way: before it was taken, and after.
pub fn die(database: &TestDatabase, kind: &str, open: fn() -> Box<dyn Stand>) {
    let wait = HANGING;
    let mut table = Table::open(database, kind, open, wait);
    for taken in [false, true] {
        let before: Vec<u64> = table.stands.iter().map(|stand| stand.scripted()).collect();
        table.misbehave(|_| Behaviour {
            after: taken,
            ..Behaviour::fault(Fault::Hang)
        });
        let hangs = |number: usize| table.stands[number].scripted() > before[number];
        for number in table.numbers() {
            table.ring(number);
        }
        for number in table.numbers() {
            let call = table.call(number);
            table.world.until("its ring was told, or hangs", |world| {
                hangs(number) || is_settled(world, number, call)
            });
        }
        let (rang, rings): (Vec<usize>, Vec<usize>) =
            table.numbers().partition(|number| !hangs(*number));
        assert_eq!(
            rings.len(),
            table.ringing,
            "{kind}: each request of the ring hangs once"
        );
        for number in &rang {
            table.end(*number);
        }
        for number in &rang {
            table.world.until("the rest hangs", |_| hangs(*number));
        }
        table.world.kill();
        table.world.start(settings(wait));
        for number in &rings {
            table.end(*number);
        }
        for number in table.numbers() {
            let call = table.call(number);
            table.world.settled(number, call);
        }
        let word = if taken { "taken" } else { "not taken" };
        table.assert_told_once(&format!("{kind}: killed, {word}"));
    }
}

/// The access is taken away: history waits, whether it was the first to find that out or not, and goes out once the access
/// is given again. A pop-up may be lost.
pub fn lose_access(database: &TestDatabase, kind: &str, open: fn() -> Box<dyn Stand>) {
    let crm = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, settings(1_000), crm);
    let stand = open();
    world.connect(0, kind, stand.settings());
    stand.script().set(stand.revoked());
    world.tell(0, sample::answered(1), &[Upload]);
    world.until("the link waits and says why", |world| {
        let seen = &world.integrations().observe()[0];
        seen.breaker != Position::Closed && !world.rows(0, 1)[0].outcome.is_empty()
    });
    for call in 2..=4 {
        world.tell(0, sample::ringing(call), &[Dial]);
        world.tell(0, sample::answered(call), &[Hangup, Upload]);
    }
    world.until("it is tried now and then", |world| {
        world.integrations().observe()[0].openings >= 3
    });
    for call in 1..=4 {
        for row in world.rows(0, call) {
            let waits = matches!(row.state, DeliveryState::Due | DeliveryState::Leased);
            assert!(waits || !is_history(&row.kind), "{kind}: {row:?}");
        }
    }
    stand.script().clear();
    for call in 1..=4 {
        world.settled(0, call);
        for row in world.rows(0, call) {
            let told = row.state == DeliveryState::Done || row.state == DeliveryState::Withdrawn;
            assert!(told || !is_history(&row.kind), "{kind}: {row:?}");
        }
    }
    let seen = stand.seen();
    assert_eq!(seen.history.len(), 4, "{kind}: {seen:#?}");
    assert_eq!(seen.open, 0, "{kind}: {seen:#?}");
    assert_eq!(stand.refused(), 0, "{kind}");
}
