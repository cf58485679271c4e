//! What a CRM in trouble does to pop-ups that have nothing to do with it. Called by the suite.
//!
//! ```text
//!   the first third of the enterprises   RetailCRM, well
//!   the second                           RetailCRM, well, and U-ON.Travel in trouble
//!   the last                             RetailCRM in trouble
//! ```
//!
//! What is counted are the pop-ups in the RetailCRM that is well: of the first third, who have troubled neighbours, and of
//! the second, whose own other CRM is troubled; each beside the same run with nobody in trouble.

use std::ops::Range;
use std::time::{Duration, Instant};

use simulators::retailcrm;
use simulators::script::{Behaviour, Fault};
use simulators::server::Running;
use simulators::uon;

use super::client::Pace;
use super::crm;
use super::drive::{Load, run};
use super::figures::percentile;
use super::setup::{Beside, Destinations, ENTERPRISES};

/// Events a second, all enterprises together: what a CRM with a limit of ten requests a second takes of each.
pub const RATE: f64 = 600.0;
/// Pop-ups that are on their way when the last event was answered have arrived by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is the matter with the CRMs in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    Slow,
    Errors,
    Hangs,
}

impl Trouble {
    pub const ALL: [Trouble; 4] = [
        Trouble::None,
        Trouble::Slow,
        Trouble::Errors,
        Trouble::Hangs,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Trouble::None => "none: all are well",
            Trouble::Slow => "each answer takes 2.5 s",
            Trouble::Errors => "answers 500",
            Trouble::Hangs => "never answers",
        }
    }

    fn behaviour(self) -> Option<Behaviour> {
        Some(match self {
            Trouble::None => return None,
            // Within the time that is waited for an answer: nothing but a full line shows that something is wrong.
            Trouble::Slow => Behaviour::delay(2_500),
            Trouble::Errors => Behaviour::status(500),
            Trouble::Hangs => Behaviour::fault(Fault::Hang),
        })
    }
}

/// The enterprises of a third.
pub fn third(number: u32) -> Range<u32> {
    let at = |number: u32| ENTERPRISES * number / 3;
    at(number)..at(number + 1)
}

/// Pop-ups of one third. Milliseconds, one figure for each round.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub p50: Vec<f64>,
    pub p99: Vec<f64>,
    pub missing: usize,
}

/// Beside one trouble.
#[derive(Clone, Debug)]
pub struct Neighbours {
    pub trouble: Trouble,
    /// Whose neighbours' CRM is in trouble.
    pub others: Shown,
    /// Whose own other CRM is.
    pub own: Shown,
    /// Requests that the CRMs in trouble were sent: they were not left alone.
    pub troubled_requests: u64,
}

impl Neighbours {
    /// Nothing measured yet.
    pub fn of(trouble: Trouble) -> Neighbours {
        Neighbours {
            trouble,
            others: Shown::default(),
            own: Shown::default(),
            troubled_requests: 0,
        }
    }
}

/// The CRMs of one run.
pub struct Crms {
    well: Running<retailcrm::State>,
    troubled: Running<retailcrm::State>,
    other: Running<uon::State>,
}

impl Crms {
    /// Starts them, in threads of this process.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start(trouble: Trouble) -> anyhow::Result<Crms> {
        let other = uon::Settings::default().without_limits();
        let crms = Crms {
            well: crm::start(ENTERPRISES + 1)?,
            troubled: crm::start(ENTERPRISES + 1)?,
            other: uon::start_in_thread("127.0.0.1:0", other)?,
        };
        if let Some(behaviour) = trouble.behaviour() {
            crms.troubled.state.behave(behaviour.clone());
            crms.other.state.behave(behaviour);
        }
        Ok(crms)
    }

    /// Where deliveries go.
    pub fn destinations(&self) -> Destinations {
        Destinations {
            crm: Some(self.well.base_url.clone()),
            telegram: None,
            beside: Some(Beside {
                troubled: self.troubled.base_url.clone(),
                other: self.other.base_url.clone(),
            }),
        }
    }

    fn troubled_requests(&self) -> u64 {
        let of = |requests: std::collections::BTreeMap<&'static str, u64>| -> u64 {
            requests.values().sum()
        };
        crm::requests(&self.troubled) + of(self.other.state.counts().requests)
    }
}

/// One round.
///
/// # Errors
/// As `run`.
pub fn measure(load: &Load, crms: &Crms, figures: &mut Neighbours) -> anyhow::Result<()> {
    let load = Load {
        pace: Pace::Open,
        rate: RATE,
        ..load.clone()
    };
    let run = run(&load)?;
    let until = Instant::now() + PATIENCE;
    for (number, shown) in [(0, &mut figures.others), (1, &mut figures.own)] {
        let mut popups = crm::popups(&crms.well, &load, &run, &third(number));
        while popups.missing > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(200));
            popups = crm::popups(&crms.well, &load, &run, &third(number));
        }
        let mut ms = |share| f64::from(percentile(&mut popups.late, share)) / 1000.0;
        let (p50, p99) = (ms(0.5), ms(0.99));
        shown.p50.push(p50);
        shown.p99.push(p99);
        shown.missing += popups.missing;
    }
    figures.troubled_requests += crms.troubled_requests();
    let last = |shown: &Shown| shown.p99.last().copied().unwrap_or(f64::NAN);
    eprintln!(
        "    {}: pop-ups p99 {:.1} ms beside others' trouble, {:.1} ms beside one's own; {} requests to the CRMs in question",
        figures.trouble.name(),
        last(&figures.others),
        last(&figures.own),
        figures.troubled_requests,
    );
    Ok(())
}
