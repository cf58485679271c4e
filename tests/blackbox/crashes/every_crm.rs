//! The server killed again and again while an enterprise is connected to every CRM there is and to a receiver of events:
//! afterwards each of them has each call once, as a person of it would see.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use actors::store::testing::Kind;
use serde_json::json;
use simulators::moysklad::Shown;
use simulators::script::Behaviour;
use simulators::server::Running;
use simulators::{amocrm, bitrix24, moysklad, uon, webhook};

use super::everything_is_as_it_was_promised;
use crate::world::load::{Load, Promise};
use crate::world::{JUNE, World, on_both_databases, until};

on_both_databases!(killed_eight_times_with_every_crm_connected);

const DEATHS: usize = 8;
/// Not many: amoCRM and U-ON take a few requests a second, and a call is several.
const CALLERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(150);
/// So that a death meets requests under way.
const SLOWNESS: u64 = 40;
const PATIENCE: Duration = Duration::from_secs(240);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Crms {
    amocrm: Running<amocrm::State>,
    bitrix24: Running<bitrix24::State>,
    moysklad: Running<moysklad::State>,
    uon: Running<uon::State>,
    receiver: Running<webhook::State>,
}

impl Crms {
    fn start() -> Crms {
        let at = "127.0.0.1:0";
        let portal = bitrix24::Settings {
            fetches: false,
            ..bitrix24::Settings::default().without_limits()
        };
        let (amo, sklad) = (amocrm::Settings::default(), moysklad::Settings::default());
        let cabinet = uon::Settings::default().without_limits();
        let crms = Crms {
            amocrm: amocrm::start_in_thread(at, amo.without_limits()).unwrap(),
            bitrix24: bitrix24::start_in_thread(at, portal).unwrap(),
            moysklad: moysklad::start_in_thread(at, sklad.without_limits()).unwrap(),
            uon: uon::start_in_thread(at, cabinet).unwrap(),
            receiver: webhook::start_in_thread(at, webhook::Settings::default()).unwrap(),
        };
        let slow = || Behaviour::delay(SLOWNESS);
        crms.amocrm.state.behave(slow());
        crms.bitrix24.state.behave(slow());
        crms.moysklad.state.behave(slow());
        crms.uon.state.behave(slow());
        crms.receiver.state.behave(slow());
        crms
    }

    fn world(&self, kind: Kind) -> World {
        let portal = &self.bitrix24;
        let webhook = format!(
            "{}{}",
            portal.base_url,
            portal.state.settings.webhook_path()
        );
        World::on(kind)
            .set("deliveries.private_networks", "127.0.0.0/8")
            .connect(
                "amocrm",
                json!({"subdomain": self.amocrm.base_url, "access_token": "demo-token",
                "user_extensions": {"7654321": "150", "7654322": "151"}}),
            )
            .connect(
                "bitrix24",
                json!({"webhook_url": webhook, "user_extensions": {"34": "150", "35": "151"}}),
            )
            .connect(
                "ms",
                json!({"api_address": self.moysklad.base_url, "token": "demo-phone-key",
                "access_token": "demo-token"}),
            )
            .connect(
                "uon",
                json!({"api_url": self.uon.base_url, "api_key": "K0demo00000000000001",
                "cabinet": "id12345", "user_extensions": {"2": "150", "3": "151"}}),
            )
            .connect(
                "webhook",
                json!({"url": self.receiver.base_url, "secret": SECRET}),
            )
            .start()
    }
}

fn killed_eight_times_with_every_crm_connected(kind: Kind) {
    let crms = Crms::start();
    let mut world = crms.world(kind);
    let load = Load::start(&world.host(&JUNE), "e", CALLERS, PAUSE);
    for death in 0..DEATHS {
        let before = load.taken();
        until("events are taken again", || {
            (load.taken() > before + 6).then_some(())
        });
        std::thread::sleep(Duration::from_millis(rand::random_range(0..300)));
        world.server.kill();
        assert!(!world.server.is_running(), "death {death}");
        world.server.start_again();
    }
    let promises = load.finish();
    world.settle_within(PATIENCE);
    everything_is_as_it_was_promised(&world, &promises);
    each_has_each_call_once(&world, &crms, &promises);
}

fn each_has_each_call_once(world: &World, crms: &Crms, promises: &[Promise]) {
    let calls: HashSet<&str> = promises
        .iter()
        .map(|promise| promise.unique_id.as_str())
        .collect();
    let once: BTreeMap<String, usize> = calls.iter().map(|call| ((*call).to_owned(), 1)).collect();

    let notes = crms.amocrm.state.notes().into_iter().map(|note| note.call);
    let waiting = crms.amocrm.state.unsorted().into_iter();
    let waiting = waiting.map(|one| one.item["metadata"].clone());
    let uniqs = notes
        .chain(waiting)
        .map(|call| call["uniq"].as_str().unwrap_or_default().to_owned());
    assert_eq!(count(uniqs), once, "amoCRM");

    let portal = &crms.bitrix24.state;
    let filed = portal
        .finished()
        .into_iter()
        .map(|one| one.call.external_id);
    assert_eq!(count(filed), once, "Bitrix24");
    let left: Vec<String> = portal
        .live()
        .into_iter()
        .map(|call| call.external_id)
        .collect();
    assert!(left.is_empty(), "Bitrix24 shows cards of {left:?} still");

    let sklad = crms.moysklad.state.calls();
    assert_eq!(
        count(sklad.iter().map(|call| call.external_id.clone())),
        once,
        "MoySklad"
    );
    for call in &sklad {
        assert!(
            call.end.is_some(),
            "MoySklad does not know how {} ended",
            call.external_id
        );
        let open = call.cards.values().any(|card| card.shown != Shown::Closed);
        assert!(!open, "MoySklad shows a card of {} still", call.external_id);
    }

    // U-ON has no key of ours: it is asked whether it holds the call before it is told again.
    let rows = crms.uon.state.calls().into_iter();
    let told = rows.filter_map(|row| row.note.rsplit(" · ").next().map(str::to_owned));
    let told = count(told);
    let doubtful = world.number(
        "SELECT COUNT(*) FROM deliveries WHERE integration = 'uon' AND outcome LIKE '%it was told again%'",
    );
    let twice: usize = told.values().map(|times| times - 1).sum();
    assert_eq!(
        told.keys().collect::<Vec<_>>(),
        once.keys().collect::<Vec<_>>(),
        "U-ON"
    );
    assert!(
        twice as i64 <= doubtful,
        "U-ON has {told:?}, and {doubtful} deliveries say so"
    );

    // Whatever came twice came under the same id.
    let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in crms.receiver.state.events() {
        let kinds = heard.entry(event.text("unique_id").to_owned()).or_default();
        kinds.push(event.kind().to_owned());
    }
    assert_eq!(heard.len(), calls.len(), "the receiver of events");
    for (call, kinds) in &heard {
        let whole = [
            "call.started",
            "call.ringing",
            "call.answered",
            "call.ended",
        ];
        assert_eq!(kinds, &whole, "what was heard of {call}");
    }

    let shown = world.account(&JUNE).cards();
    let open: Vec<_> = shown.iter().filter(|card| card.closed.is_none()).collect();
    assert!(open.is_empty(), "RetailCRM shows cards still: {open:?}");
    for (what, refused) in [
        ("amoCRM", crms.amocrm.state.refused()),
        ("Bitrix24", portal.refused()),
        ("MoySklad", crms.moysklad.state.refused()),
        ("U-ON", crms.uon.state.refused()),
        ("the receiver", crms.receiver.state.refused()),
    ] {
        assert_eq!(refused, 0, "nothing was sent that {what} refuses");
    }
    let again = crms
        .receiver
        .state
        .messages()
        .iter()
        .filter(|one| one.again)
        .count();
    let outcomes =
        world.number("SELECT COUNT(*) FROM deliveries WHERE outcome = 'the CRM had it already'");
    let missed = world.number("SELECT COUNT(*) FROM deliveries WHERE state = 'missed'");
    eprintln!(
        "{} calls; {again} events came twice, {outcomes} were there already, U-ON has {twice} twice, {missed} pop-ups missed",
        calls.len()
    );
}

fn count(ids: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for id in ids {
        *all.entry(id).or_default() += 1;
    }
    all
}
