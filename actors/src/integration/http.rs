//! The one place where a request leaves for a CRM. Used by `attempt.rs`, on the arbiter of the link that asks. One
//! awc client a thread, made once: it is not `Send`, and its open connections are its worth. Every body is read, to
//! a bound, because an unread one costs its connection. Never retries and never follows a redirect: a renamed
//! account is for a person to see.

use std::cell::OnceCell;
use std::time::Duration;

use awc::Client;
use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use futures_util::StreamExt;
use secrecy::ExposeSecret;

use super::request::{Body, Header, Method, Reply, Request, Trouble};
use super::settings::Settings;

/// Most of an answer that is kept; what is longer is cut, and its connection given up.
const LONGEST: usize = 1024 * 1024;

thread_local! {
    static CLIENT: OnceCell<Client> = const { OnceCell::new() };
}

/// The times a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub connect: Duration,
    /// From sending to the end of the answer, connecting included.
    pub answer: Duration,
}

impl Timeouts {
    /// As configured.
    pub fn of(settings: &Settings) -> Self {
        Self {
            connect: Duration::from_millis(settings.connect_timeout_ms),
            answer: Duration::from_millis(settings.answer_timeout_ms),
        }
    }
}

/// This thread's client; the first caller's connect timeout holds for all, there being one configuration a process.
fn client(timeouts: Timeouts) -> Client {
    CLIENT.with(|cell| {
        cell.get_or_init(|| {
            // No limit here: concurrency is limited for each link, so that a hanging CRM takes no connection from
            // another. Connections rest a shorter time than servers usually allow.
            let connector = awc::Connector::new()
                .timeout(timeouts.connect)
                .limit(0)
                .conn_keep_alive(Duration::from_secs(20));
            Client::builder()
                .connector(connector)
                .disable_redirects()
                .add_default_header((
                    "User-Agent",
                    concat!("Patchbay/", env!("CARGO_PKG_VERSION")),
                ))
                .finish()
        })
        .clone()
    })
}

/// Sends and gives the whole answer.
///
/// # Errors
/// Why there was no answer; says whether the request can have been taken.
pub async fn send(request: &Request, timeouts: Timeouts) -> Result<Reply, Trouble> {
    match actix_rt::time::timeout(timeouts.answer, exchange(request, timeouts)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Trouble::Timeout(timeouts.answer)),
    }
}

async fn exchange(request: &Request, timeouts: Timeouts) -> Result<Reply, Trouble> {
    let client = client(timeouts);
    let url = request.url.as_str();
    let mut outgoing = match request.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url),
        Method::Put => client.put(url),
        Method::Patch => client.patch(url),
        Method::Delete => client.delete(url),
    }
    .timeout(timeouts.answer);
    for header in &request.headers {
        outgoing = match header {
            Header::Plain(name, value) => outgoing.insert_header((*name, value.as_str())),
            Header::Secret(name, value) => outgoing.insert_header((*name, value.expose_secret())),
        };
    }
    let sent = match &request.body {
        Body::Empty => outgoing.send(),
        Body::Json(text) => outgoing
            .insert_header((CONTENT_TYPE, "application/json"))
            .send_body(text.clone()),
        Body::Form(fields) => outgoing
            .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .send_body(serde_urlencoded::to_string(fields).unwrap_or_default()),
    };
    let mut response = sent.await.map_err(|error| trouble(&error, timeouts))?;
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let retry_after = header(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let location = header(LOCATION).map(str::to_owned);
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|error| Trouble::Cut(error.to_string()))?;
        let room = LONGEST - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Reply {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        location,
        body,
    })
}

fn trouble(error: &SendRequestError, timeouts: Timeouts) -> Trouble {
    match error {
        SendRequestError::Timeout => Trouble::Timeout(timeouts.answer),
        SendRequestError::Connect(ConnectError::Timeout) => {
            Trouble::Connect(format!("no connection within {:?}", timeouts.connect))
        }
        SendRequestError::Connect(error) => Trouble::Connect(error.to_string()),
        SendRequestError::Url(error) => Trouble::Address(error.to_string()),
        SendRequestError::Http(error) => Trouble::Address(error.to_string()),
        other => Trouble::Cut(other.to_string()),
    }
}
