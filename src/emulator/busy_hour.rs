//! A busy hour in miniature: an endless, plausible stream of calls for the demo. Clients with names call again, groups
//! ring, some calls are missed, some are handed on, agents call back. Pure but for `run`, which plays it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::patterns::{Pattern, Plan, compose};
use super::player::{Player, Target, head_start};

/// A client of the made-up enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// E.164 with `+`.
    pub phone: String,
    /// As the CRM knows it; empty for strangers.
    pub name: String,
}

/// What the hour is played with.
#[derive(Clone, Debug)]
pub struct Hour {
    pub clients: Vec<Client>,
    /// At least two.
    pub extensions: Vec<String>,
    /// At least one.
    pub lines: Vec<String>,
    /// Calls begun in a minute, on average.
    pub calls_per_minute: f64,
    /// How long phones ring and people talk at most.
    pub longest_ring: Duration,
    pub longest_talk: Duration,
    pub zone: Tz,
    pub seed: u64,
}

/// What happens how often, in a hundred calls.
const MIX: [(Pattern, u32); 11] = [
    (Pattern::IncomingAnswered, 30),
    (Pattern::RingGroup, 18),
    (Pattern::IncomingMissed, 11),
    (Pattern::IncomingTransfer, 8),
    (Pattern::OutgoingAnswered, 14),
    (Pattern::OutgoingNotAnswered, 6),
    (Pattern::Internal, 6),
    (Pattern::IncomingBusy, 3),
    (Pattern::HangupWithoutDial, 2),
    (Pattern::OutOfOrder, 1),
    (Pattern::Duplicated, 1),
];

const NAMES: [&str; 24] = [
    "Анна Ковалёва",
    "ООО «Ромашка»",
    "Пётр Иванович Сидоров",
    "Мария Шевчук",
    "ИП Лукашенок",
    "Виктор Цой-Младший",
    "ЗАО «Вектор & Ко»",
    "Ольга Дубровская",
    "Сергей Новик",
    "Екатерина Бондарь",
    "Магазин «Дом <и> сад»",
    "Алексей Гурин",
    "Наталья Кузьмич",
    "Стоматология «Улыбка»",
    "Дмитрий Баран",
    "Юлия Станкевич",
    "Автосервис на Мира",
    "Игорь Ломать",
    "Татьяна Жук",
    "Кафе «У озера»",
    "Максим Савицкий",
    "Ирина Полещук",
    "Школа танцев «Шаг»",
    "Андрей O'Коннор",
];

/// Made-up clients: the first are known by name, every third is a stranger.
pub fn clients(count: usize) -> Vec<Client> {
    let operators = ["29", "33", "44", "25"];
    let client = |number: usize| {
        let operator = operators[number % operators.len()];
        // Spread over the numbers of an operator, the same each time.
        let tail = 1_000_000 + (number * 7_368_787) % 8_999_999;
        let name = if number % 3 == 2 {
            ""
        } else {
            NAMES[(number - number / 3) % NAMES.len()]
        };
        Client {
            phone: format!("+375{operator}{tail}"),
            name: name.to_owned(),
        }
    };
    (0..count).map(client).collect()
}

impl Hour {
    /// The hour of the demo.
    pub fn demo(extensions: Vec<String>, lines: Vec<String>, calls_per_minute: f64) -> Hour {
        Hour {
            clients: clients(36),
            extensions,
            lines,
            calls_per_minute,
            longest_ring: Duration::from_secs(8),
            longest_talk: Duration::from_secs(40),
            zone: chrono_tz::Europe::Minsk,
            seed: rand::rng().random(),
        }
    }
}

/// The endless stream: the pause before each call, and its plan. `began` of a plan is to be set when it is played.
pub struct Stream {
    hour: Hour,
    chance: StdRng,
}

impl Stream {
    pub fn new(hour: Hour) -> Stream {
        let chance = StdRng::seed_from_u64(hour.seed);
        Stream { hour, chance }
    }

    fn pattern(&mut self) -> Pattern {
        let total = MIX.iter().map(|(_, share)| share).sum();
        let mut drawn: u32 = self.chance.random_range(0..total);
        for (pattern, share) in MIX {
            match drawn.checked_sub(share) {
                Some(rest) => drawn = rest,
                None => return pattern,
            }
        }
        Pattern::IncomingAnswered
    }

    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let from = from.min(to);
        self.chance.random_range(from..=to)
    }

    /// The next call.
    pub fn draw(&mut self) -> (Duration, Plan) {
        let pattern = self.pattern();
        // Calls come as they come: pauses between them are exponential.
        let uniform: f64 = self.chance.random_range(f64::EPSILON..1.0);
        let mean = 60.0 / self.hour.calls_per_minute.max(0.1);
        let pause = Duration::from_secs_f64((-uniform.ln() * mean).min(60.0));
        // A few clients call again and again.
        let few = self.hour.clients.len().min(6);
        let pool = if self.chance.random_bool(0.3) {
            &self.hour.clients[..few]
        } else {
            &self.hour.clients[..]
        };
        let phone = pool
            .choose(&mut self.chance)
            .map(|c| c.phone.clone())
            .unwrap_or_else(|| "+375291112233".into());
        // Hosts give incoming numbers without a plus.
        let phone = match pattern {
            Pattern::OutgoingAnswered | Pattern::OutgoingNotAnswered => phone,
            _ => phone.trim_start_matches('+').to_owned(),
        };
        let rung = match pattern {
            Pattern::RingGroup => self
                .chance
                .random_range(2..=self.hour.extensions.len().clamp(2, 4)),
            Pattern::IncomingMissed => self
                .chance
                .random_range(1..=self.hour.extensions.len().clamp(1, 3)),
            Pattern::IncomingTransfer | Pattern::Internal => 2,
            _ => 1,
        };
        let extensions: Vec<String> = self
            .hour
            .extensions
            .sample(&mut self.chance, rung)
            .cloned()
            .collect();
        let line = self
            .hour
            .lines
            .choose(&mut self.chance)
            .cloned()
            .unwrap_or_default();
        let ring = self.between(Duration::from_secs(1), self.hour.longest_ring);
        let talk = self.between(Duration::from_secs(3), self.hour.longest_talk);
        let (began, zone, seed) = (DateTime::UNIX_EPOCH, self.hour.zone, self.chance.random());
        (
            pause,
            Plan {
                pattern,
                phone,
                extensions,
                line,
                ring,
                talk,
                began,
                zone,
                seed,
            },
        )
    }
}

/// Plays the hour until it is dropped: calls overlap, each in a task of its own on this arbiter. `most`: calls at once.
pub async fn run(player: Player, target: Target, hour: Hour, speed: f64, most: usize) {
    let mut stream = Stream::new(hour);
    let going = std::rc::Rc::new(std::cell::Cell::new(0usize));
    loop {
        let (pause, plan) = stream.draw();
        tokio::time::sleep(pause).await;
        if going.get() >= most {
            continue;
        }
        let (player, target, going) = (player.clone(), target.clone(), going.clone());
        going.set(going.get() + 1);
        actix_web::rt::spawn(async move {
            play(&player, &target, plan, speed).await;
            going.set(going.get() - 1);
        });
    }
}

async fn play(player: &Player, target: &Target, mut plan: Plan, speed: f64) {
    let Ok((_, draft)) = compose(&plan) else {
        return;
    };
    plan.began = Utc::now() - head_start(&draft, speed);
    let Ok((_, events)) = compose(&plan) else {
        return;
    };
    let mut lost = 0;
    player
        .play(target, &events, speed, |sent| {
            lost += usize::from(!sent.is_taken())
        })
        .await;
    if lost > 0 {
        log::warn!(
            "emulator: {lost} of {} events of a call were not taken",
            events.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn hour() -> Hour {
        let extensions = ["150", "151", "152", "153"].map(str::to_owned).to_vec();
        Hour {
            seed: 7,
            ..Hour::demo(extensions, vec!["0001367".into(), "0001368".into()], 30.0)
        }
    }

    #[test]
    fn an_hour_is_like_an_hour() {
        let mut stream = Stream::new(hour());
        let calls: Vec<(Duration, Plan)> = (0..1000).map(|_| stream.draw()).collect();
        let minutes = calls
            .iter()
            .map(|(pause, _)| pause.as_secs_f64())
            .sum::<f64>()
            / 60.0;
        assert!(
            (900.0..1100.0).contains(&(30.0 * minutes)),
            "the rate is kept: {minutes} minutes"
        );
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        let mut phones = BTreeSet::new();
        for (_, plan) in &calls {
            *seen.entry(plan.pattern.as_str()).or_default() += 1;
            phones.insert(plan.phone.trim_start_matches('+').to_owned());
            assert!(compose(plan).is_ok(), "{plan:?}");
        }
        assert_eq!(seen.len(), MIX.len(), "{seen:?}");
        assert!(
            phones.len() > 30 && seen["incoming-answered"] > 250,
            "{} {seen:?}",
            phones.len()
        );
    }

    #[test]
    fn no_two_calls_have_one_unique_id() {
        let mut stream = Stream::new(hour());
        let ids: BTreeSet<String> = (0..1000)
            .map(|_| compose(&stream.draw().1).unwrap().0)
            .collect();
        assert!(
            ids.len() > 990,
            "within one second only a handful could meet: {}",
            ids.len()
        );
    }

    #[test]
    fn clients_have_different_numbers_and_some_have_names() {
        let clients = clients(36);
        let phones: BTreeSet<&str> = clients.iter().map(|c| c.phone.as_str()).collect();
        assert_eq!(phones.len(), 36);
        assert!(phones.iter().all(|phone| phone.len() == 13));
        let named: BTreeSet<&str> = clients
            .iter()
            .map(|c| c.name.as_str())
            .filter(|n| !n.is_empty())
            .collect();
        assert_eq!(named.len(), 24);
    }
}
