//! One host's keep-alive connection: sends an event when it is due, one at a time, and takes down how long the answer
//! took. Hand-written HTTP/1.1, because the client shares the processor with what it measures.

use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::figures::Sample;
use super::traffic::{Host, Stream};

/// When events are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// At their moment, whether or not earlier ones were answered.
    Open,
    /// As fast as the answers come.
    Closed,
}

/// One connection's share of a run.
pub struct Job {
    pub address: std::net::SocketAddr,
    pub host: Host,
    pub stream: Stream,
    pub pace: Pace,
    pub start: Instant,
    /// Answers count from here …
    pub count_from: Duration,
    /// … to here; events due later are sent but not counted.
    pub count_to: Duration,
    /// A connection this late gives up: the server is overloaded.
    pub patience: Duration,
    /// Stop at this moment whatever is left (closed pace).
    pub stop_at: Option<Duration>,
}

/// The wall clock of a host in Minsk, formatted once a second.
struct Clock {
    second: i64,
    text: String,
}

impl Clock {
    fn text(&mut self) -> &str {
        let now: DateTime<Utc> = Utc::now();
        if now.timestamp() != self.second {
            self.second = now.timestamp();
            if let Some(zone) = FixedOffset::east_opt(3 * 3600) {
                self.text = now
                    .with_timezone(&zone)
                    .format("%Y-%m-%d %H:%M:%S")
                    .to_string();
            }
        }
        &self.text
    }
}

/// Sends everything of a job.
pub async fn work(mut job: Job) -> Sample {
    let mut sample = Sample::default();
    let mut connection: Option<TcpStream> = None;
    let (mut request, mut answer) = (Vec::with_capacity(2048), Vec::with_capacity(1024));
    let mut clock = Clock {
        second: 0,
        text: String::new(),
    };
    for event in job.stream.by_ref() {
        let due = Duration::from_secs_f64(event.at);
        let mut begin = job.start.elapsed();
        if job.pace == Pace::Open {
            if begin < due {
                tokio::time::sleep_until((job.start + due).into()).await;
                begin = job.start.elapsed();
            } else if begin - due > job.patience {
                sample.gave_up = true;
                break;
            }
        }
        if job.stop_at.is_some_and(|stop| begin > stop) {
            break;
        }
        request.clear();
        job.host.render(event, clock.text(), &mut request);
        let status = match exchange(&mut connection, job.address, &request, &mut answer).await {
            Ok(status) => status,
            Err(_broken) => {
                connection = None;
                0
            }
        };
        let end = job.start.elapsed();
        let moment = if job.pace == Pace::Open { due } else { begin };
        if (job.count_from..job.count_to).contains(&moment) {
            sample.add(status, end.saturating_sub(moment), end - begin);
        }
        sample.sent += 1;
        if status != 200 {
            sample.note(status, &answer);
        }
    }
    sample
}

/// One request and its answer; the status.
async fn exchange(
    connection: &mut Option<TcpStream>,
    address: std::net::SocketAddr,
    request: &[u8],
    answer: &mut Vec<u8>,
) -> std::io::Result<u16> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            connection.insert(stream)
        }
    };
    stream.write_all(request).await?;
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let (status, length) = read_head(answer.get(..head).unwrap_or_default());
            while answer.len() < head + 4 + length {
                if stream.read_buf(answer).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(status);
        }
    }
}

/// Status and content length.
fn read_head(head: &[u8]) -> (u16, usize) {
    let text = std::str::from_utf8(head).unwrap_or_default();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or_default();
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    (status, length.unwrap_or_default())
}
