//! In which order the events of a scenario are sent, and how often; and when the server is killed. Everything drawn
//! is drawn from a seed, so that a run can be repeated. Pure.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::capture::{Event, Scenario};

/// One sending of an event.
#[derive(Clone, Debug)]
pub struct Sending {
    /// Seconds since the scenario's start, at the recorded pace.
    pub at: f64,
    pub event: Event,
}

/// What is sent for a scenario. Moments stay those of the recording; with `shuffle` other events take them. With
/// `double` every event is sent twice: at once again in file order, anywhere later when shuffled.
pub fn sendings(scenario: &Scenario, shuffle: Option<u64>, double: bool) -> Vec<Sending> {
    let times = if double { 2 } else { 1 };
    let moments = scenario
        .events
        .iter()
        .flat_map(|event| std::iter::repeat_n(event.at, times));
    let mut events: Vec<Event> = scenario
        .events
        .iter()
        .flat_map(|event| std::iter::repeat_n(event.clone(), times))
        .collect();
    if let Some(seed) = shuffle {
        // The name is part of the seed: a scenario played alone meets the order it had among the others.
        let mut random = StdRng::seed_from_u64(seed ^ fold(&scenario.name));
        events.shuffle(&mut random);
    }
    moments
        .zip(events)
        .map(|(at, event)| Sending { at, event })
        .collect()
}

/// When the server dies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Death {
    /// As soon as so many events were answered, and so many milliseconds.
    AfterAnswers(usize, u64),
    /// So many milliseconds after all were answered: while CRMs and chats are told.
    AfterTheLast(u64),
}

/// `count` deaths over a run of `answers` events. Every second one comes right after an answer.
pub fn deaths(seed: u64, answers: usize, count: usize) -> Vec<Death> {
    let mut random = StdRng::seed_from_u64(seed ^ fold("deaths"));
    let during = count.saturating_sub(count / 4);
    let mut moments: Vec<usize> = (0..during)
        .map(|_| random.random_range(1..=answers.max(1)))
        .collect();
    moments.sort_unstable();
    moments.dedup();
    let mut deaths: Vec<Death> = moments
        .into_iter()
        .enumerate()
        .map(|(number, answers)| {
            let wait = if number % 2 == 0 {
                0
            } else {
                random.random_range(1..=60)
            };
            Death::AfterAnswers(answers, wait)
        })
        .collect();
    deaths.extend((0..count / 4).map(|_| Death::AfterTheLast(random.random_range(0..=1_500))));
    deaths
}

/// A number out of a name, the same on every machine.
fn fold(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let events = (0..12)
            .map(|index| Event {
                index,
                at: index as f64,
                path: "/start".into(),
                headers: Vec::new(),
                body: Vec::new(),
                hostile: false,
                answered: None,
            })
            .collect();
        Scenario {
            name: "one".into(),
            events,
            token: String::new(),
            expected: None,
        }
    }

    fn order(shuffle: Option<u64>, double: bool) -> Vec<usize> {
        sendings(&scenario(), shuffle, double)
            .iter()
            .map(|sending| sending.event.index)
            .collect()
    }

    #[test]
    fn a_seed_gives_one_order_of_the_same_events() {
        assert_eq!(order(None, false), (0..12).collect::<Vec<_>>());
        assert_eq!(&order(None, true)[..4], [0, 0, 1, 1]);
        assert_eq!(order(Some(1), false), order(Some(1), false));
        assert_ne!(order(Some(1), false), order(Some(2), false));
        let mut doubled = order(Some(3), true);
        doubled.sort_unstable();
        assert_eq!(doubled, order(None, true));
        let moments: Vec<f64> = sendings(&scenario(), Some(1), false)
            .iter()
            .map(|sending| sending.at)
            .collect();
        assert!(moments.is_sorted(), "the pace is the recording's");
    }

    #[test]
    fn deaths_come_while_events_come_and_afterwards() {
        let deaths = deaths(5, 400, 8);
        assert_eq!(deaths, super::deaths(5, 400, 8));
        assert!(
            deaths
                .iter()
                .any(|d| matches!(d, Death::AfterAnswers(_, 0)))
        );
        assert_eq!(
            deaths
                .iter()
                .filter(|d| matches!(d, Death::AfterTheLast(_)))
                .count(),
            2
        );
    }
}
