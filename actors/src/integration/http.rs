//! The one place where a request leaves for a CRM. Used by `attempt.rs`, on the arbiter of the link that asks. One
//! awc client a thread, made once: it is not `Send`, and its open connections are its worth. Every body is read, to
//! a bound, because an unread one costs its connection. Never retries and never follows a redirect: a renamed
//! account is for a person to see.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use awc::Client;
use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use futures_util::StreamExt;
use secrecy::ExposeSecret;

use super::guard::{self, Guard};
use super::network::Network;
use super::request::{Body, Header, Method, Reply, Request, Trouble};
use super::settings::Settings;

/// Most of an answer that is kept; what is longer is cut, and its connection given up.
const LONGEST: usize = 1024 * 1024;
/// `Retry-After` as MoySklad says it: in milliseconds.
const LOGNEX_RETRY_AFTER: HeaderName = HeaderName::from_static("x-lognex-retry-after");

thread_local! {
    static CLIENT: OnceCell<Client> = const { OnceCell::new() };
    /// The one that looks where a connection leads; its connections are not shared with the other.
    static GUARDED: OnceCell<Client> = const { OnceCell::new() };
}

/// The times a request may take, and where a guarded one may go beside the internet.
#[derive(Clone, Debug)]
pub struct Terms {
    pub connect: Duration,
    /// From sending to the end of the answer, connecting included.
    pub answer: Duration,
    pub networks: Arc<[Network]>,
}

impl Terms {
    /// As configured.
    pub fn of(settings: &Settings) -> Self {
        Self {
            connect: Duration::from_millis(settings.connect_timeout_ms),
            answer: Duration::from_millis(settings.answer_timeout_ms),
            networks: settings.private_networks.clone().into(),
        }
    }
}

/// This thread's clients; the first caller's terms hold for all, there being one configuration a process.
fn client(terms: &Terms, guarded: bool) -> Client {
    let agent = (
        "User-Agent",
        concat!("Patchbay/", env!("CARGO_PKG_VERSION")),
    );
    // No limit here: concurrency is limited for each link, so that a hanging CRM takes no connection from another.
    // Connections rest a shorter time than servers usually allow.
    let rest = Duration::from_secs(20);
    let open = || {
        let connector = awc::Connector::new()
            .timeout(terms.connect)
            .limit(0)
            .conn_keep_alive(rest);
        Client::builder()
            .connector(connector)
            .disable_redirects()
            .add_default_header(agent)
            .finish()
    };
    let watched = || {
        let connector = awc::Connector::new()
            .connector(Guard::new(terms.networks.clone()))
            .timeout(terms.connect)
            .limit(0)
            .conn_keep_alive(rest);
        Client::builder()
            .connector(connector)
            .disable_redirects()
            .add_default_header(agent)
            .finish()
    };
    if guarded {
        GUARDED.with(|cell| cell.get_or_init(watched).clone())
    } else {
        CLIENT.with(|cell| cell.get_or_init(open).clone())
    }
}

/// Sends and gives the whole answer.
///
/// # Errors
/// Why there was no answer; says whether the request can have been taken.
pub async fn send(request: &Request, terms: &Terms) -> Result<Reply, Trouble> {
    let terms = &Terms {
        answer: request
            .patience
            .map_or(terms.answer, |longer| longer.max(terms.answer)),
        ..terms.clone()
    };
    match actix_rt::time::timeout(terms.answer, exchange(request, terms)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Trouble::Timeout(terms.answer)),
    }
}

async fn exchange(request: &Request, terms: &Terms) -> Result<Reply, Trouble> {
    let client = client(terms, request.guarded);
    let url = request.url.as_str();
    let mut outgoing = match request.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url),
        Method::Put => client.put(url),
        Method::Patch => client.patch(url),
        Method::Delete => client.delete(url),
    }
    .timeout(terms.answer);
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
    let mut response = sent.await.map_err(|error| trouble(&error, terms))?;
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let seconds = header(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let milliseconds = || header(LOGNEX_RETRY_AFTER)?.trim().parse().ok();
    let retry_after = seconds
        .map(Duration::from_secs)
        .or_else(|| milliseconds().map(Duration::from_millis));
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
        retry_after,
        location,
        body,
    })
}

fn trouble(error: &SendRequestError, terms: &Terms) -> Trouble {
    match error {
        SendRequestError::Timeout => Trouble::Timeout(terms.answer),
        SendRequestError::Connect(ConnectError::Timeout) => {
            Trouble::Connect(format!("no connection within {:?}", terms.connect))
        }
        SendRequestError::Connect(ConnectError::Io(error)) => match guard::refused(error) {
            Some(refused) => Trouble::Address(refused.to_string()),
            None => Trouble::Connect(error.to_string()),
        },
        SendRequestError::Connect(error) => Trouble::Connect(error.to_string()),
        SendRequestError::Url(error) => Trouble::Address(error.to_string()),
        SendRequestError::Http(error) => Trouble::Address(error.to_string()),
        other => Trouble::Cut(other.to_string()),
    }
}
