//! What hosts send: whole calls, told by four events each, spread evenly with a little chance over the time. Pure: the
//! same numbers give the same events. Rendered by `client`, scheduled by `drive`.

use std::io::Write;

/// Events of one call.
pub const STEPS: usize = 4;

/// When each event of a call comes, as a share of the call's length.
const MOMENTS: [f64; STEPS] = [0.0, 0.1, 0.3, 1.0];

/// One event of one call of one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Seconds after the run's start.
    pub at: f64,
    pub call: u32,
    pub step: u8,
}

/// The events of one connection in order of time.
pub struct Stream {
    connection: u32,
    period: f64,
    length: f64,
    calls: u32,
    next: [u32; STEPS],
    steps: usize,
}

impl Stream {
    /// Calls that begin `per_second` times a second, each `length` seconds long, `calls` of them. Only the first
    /// `steps` events of each are sent.
    pub fn new(connection: u32, per_second: f64, length: f64, calls: u32, steps: usize) -> Stream {
        Stream {
            connection,
            period: 1.0 / per_second,
            length,
            calls,
            next: [0; STEPS],
            steps,
        }
    }

    /// When an event is due: calls begin at a random moment of their own share of the time.
    pub fn due(&self, call: u32, step: usize) -> f64 {
        let chance = chance(self.connection, call) as f64 / f64::from(u32::MAX);
        (f64::from(call) + chance) * self.period
            + self.length * MOMENTS.get(step).copied().unwrap_or(1.0)
    }
}

impl Iterator for Stream {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut first: Option<(usize, f64)> = None;
        for (step, call) in self.next.iter().enumerate().take(self.steps) {
            let due = self.due(*call, step);
            if *call < self.calls && first.is_none_or(|(_, at)| due < at) {
                first = Some((step, due));
            }
        }
        let (step, at) = first?;
        let call = self.next.get_mut(step)?;
        let event = Event {
            at,
            call: *call,
            step: step as u8,
        };
        *call += 1;
        Some(event)
    }
}

/// A number that looks random and is always the same.
fn chance(connection: u32, call: u32) -> u32 {
    let mut x = (u64::from(connection) << 32 | u64::from(call)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as u32
}

/// The token of an enterprise of the benchmark.
pub fn token(enterprise: u32) -> String {
    format!("375290{enterprise:06}")
}

/// The unique id of a call: Asterisk's form, and told back by the CRM so that the call is found again.
pub fn unique_id(run: i64, connection: u32, call: u32) -> String {
    format!(
        "{run}.{}",
        u64::from(connection) * 10_000_000 + u64::from(call)
    )
}

/// The connection and call of a unique id of this run.
pub fn parse_unique_id(run: i64, id: &str) -> Option<(u32, u32)> {
    let (base, number) = id.split_once('.')?;
    let number: u64 = number.parse().ok().filter(|_| base.parse() == Ok(run))?;
    Some(((number / 10_000_000) as u32, (number % 10_000_000) as u32))
}

/// What a connection needs to know to write its events.
pub struct Host {
    /// Seconds since the epoch that mark this run.
    pub run: i64,
    pub connection: u32,
    pub enterprise: u32,
    body: Vec<u8>,
}

impl Host {
    pub fn new(run: i64, connection: u32, enterprise: u32) -> Host {
        Host {
            run,
            connection,
            enterprise,
            body: Vec::with_capacity(1024),
        }
    }

    /// Writes the whole HTTP request of an event. `now` is the host's wall clock as it writes it.
    pub fn render(&mut self, event: Event, now: &str, out: &mut Vec<u8>) {
        let Host {
            run,
            connection,
            enterprise,
            ..
        } = *self;
        let (call, step) = (event.call, usize::from(event.step));
        let dice = chance(connection, call);
        let outgoing = dice % 5 == 4;
        let answered = dice % 5 != 3;
        let path = match (step, answered) {
            (0, _) => "start",
            (1, _) | (2, false) => "dial",
            (2, true) => "bridge",
            _ => "hangup",
        };
        let unique = unique_id(run, connection, call);
        let phone = 290_000_000 + u64::from(dice >> 3) % 2_000 * 1_009 + u64::from(enterprise);
        let (kind, extension) = (u8::from(outgoing), 150 + dice % 3);
        let token = token(enterprise);
        let body = &mut self.body;
        body.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(
            body,
            "{{\"Token\": \"{token}\", \"UniqueId\": \"{unique}\", \"Phone\": \"375{phone}\", \
             \"CallerIDNum\": \"375{phone}\", \"ConnectedLineNum\": \"1000{extension}\", \"CallType\": {kind}, \
             \"Trunk\": \"0001367\", \"ExternalInitiated\": true, \"StartTime\": \"{now}\", \
             \"DateReceived\": \"{now}\", \"EventId\": \"{unique}-{step}\", \"LinkedId\": \"{unique}\", \
             \"Channel\": \"PJSIP/trunk-{call:08x}\", \"ChannelUniqueId\": \"{unique}\""
        );
        if step > 0 {
            let rung = if step == 2 && !answered {
                150 + (dice + 1) % 3
            } else {
                extension
            };
            let _ = write!(body, ", \"Extensions\": [\"{rung}\"]");
        }
        if step == 3 || (step == 2 && answered) {
            let _ = write!(
                body,
                ", \"CallStatus\": \"{}\"",
                if answered { 2 } else { 0 }
            );
        }
        if step == 3 {
            let _ = write!(body, ", \"EndTime\": \"{now}\"");
        }
        body.push(b'}');
        let _ = write!(
            out,
            "POST /{path} HTTP/1.1\r\nHost: patchbay\r\nContent-Type: application/json\r\nToken: {token}\r\n\
             X-Event-Id: {unique}-{step}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        out.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_of_the_call() {
        let events: Vec<Event> = Stream::new(3, 10.0, 2.0, 100, STEPS).collect();
        assert_eq!(events.len(), 400);
        assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at));
        for call in 0..100 {
            let steps: Vec<u8> = events
                .iter()
                .filter(|event| event.call == call)
                .map(|event| event.step)
                .collect();
            assert_eq!(steps, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn a_request_is_whole_and_of_a_usual_size() {
        let mut host = Host::new(1_795_194_153, 7, 42);
        for step in 0..4 {
            let mut out = Vec::new();
            host.render(
                Event {
                    at: 0.0,
                    call: 5,
                    step,
                },
                "2026-11-20 17:02:33",
                &mut out,
            );
            let text = String::from_utf8(out).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())));
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["Token"], token(42));
            assert!((380..600).contains(&text.split_once("\r\n\r\n").unwrap().1.len()));
        }
    }

    #[test]
    fn a_unique_id_finds_its_call_again() {
        assert_eq!(
            parse_unique_id(5, &unique_id(5, 399, 12_345)),
            Some((399, 12_345))
        );
        assert_eq!(parse_unique_id(6, &unique_id(5, 399, 12_345)), None);
    }
}
