//! Asks the server under test for its calls, over the JSON of its pages. Called by `replay::run` while the server
//! runs; changes nothing there but opening a session where it is given a login.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context as _;
use awc::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::seen::Call;
use super::server::Address;

/// Calls in one answer, and how many answers are read at most.
const PAGE: usize = 500;
const PAGES: usize = 40;
/// A server that is being restarted answers again within.
const PATIENCE: Duration = Duration::from_secs(60);

/// The way to the server's JSON.
pub struct Api {
    pub client: Client,
    pub address: Address,
    pass: Pass,
}

/// What opens it.
enum Pass {
    Key(String),
    Cookie(String),
}

#[derive(Deserialize)]
struct Page {
    calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Live {
    live: Vec<LiveCall>,
}

/// A call in progress.
#[derive(Debug, Deserialize)]
pub struct LiveCall {
    pub unique_id: String,
    pub linked_id: String,
}

impl Api {
    /// With one of the server's API keys.
    pub fn with_key(client: Client, address: Address, key: String) -> Api {
        Api {
            client,
            address,
            pass: Pass::Key(key),
        }
    }

    /// With a login.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub async fn with_login(
        client: Client,
        address: Address,
        login: &str,
        password: &str,
    ) -> anyhow::Result<Api> {
        let base = address.borrow().clone().unwrap_or_default();
        let answer = client
            .post(format!("{base}/login"))
            .send_form(&[("login", login), ("password", password), ("next", "/")])
            .await
            .map_err(|error| anyhow::anyhow!("{base} cannot be reached: {error}"))?;
        let cookie = answer
            .headers()
            .get_all("set-cookie")
            .filter_map(|value| value.to_str().ok())
            .find_map(|value| {
                value
                    .split(';')
                    .next()
                    .filter(|pair| pair.starts_with("patchbay="))
            })
            .map(str::to_owned)
            .with_context(|| format!("{base} does not let {login} in ({})", answer.status()))?;
        Ok(Api {
            client,
            address,
            pass: Pass::Cookie(cookie),
        })
    }

    /// Ended calls, the latest first: all that the pass may see, or as many as are read at most.
    ///
    /// # Errors
    /// When the server does not answer, or answers something else.
    pub async fn calls(&mut self) -> anyhow::Result<Vec<Call>> {
        let mut calls = Vec::new();
        for page in 0..PAGES {
            let Page { calls: more } = self
                .get(&format!("/api/calls?size={PAGE}&page={page}"))
                .await?;
            let last = more.len() < PAGE;
            calls.extend(more);
            if last {
                break;
            }
        }
        // A call that ended between two pages may be on both.
        let mut seen = HashSet::new();
        calls.retain(|call: &Call| seen.insert(call.id.clone()));
        Ok(calls)
    }

    /// Calls in progress.
    ///
    /// # Errors
    /// As `calls`.
    pub async fn live(&mut self) -> anyhow::Result<Vec<LiveCall>> {
        Ok(self.get::<Live>("/api/live").await?.live)
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<T> {
        let given_up = Instant::now() + PATIENCE;
        loop {
            match self.try_get(path).await {
                Ok(Some(bytes)) => {
                    return serde_json::from_slice(&bytes)
                        .with_context(|| format!("{path} gave something else than expected"));
                }
                Ok(None) if Instant::now() < given_up => sleep(Duration::from_millis(200)).await,
                Ok(None) => anyhow::bail!("{path} gave no answer"),
                Err(error) => return Err(error),
            }
        }
    }

    /// `None` when the server is away.
    async fn try_get(&mut self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Ok(Ok(base)) = timeout(PATIENCE, self.address.wait_for(Option::is_some)).await else {
            return Ok(None);
        };
        let url = format!("{}{path}", base.as_deref().unwrap_or_default());
        drop(base);
        let request = self.client.get(url);
        let request = match &self.pass {
            Pass::Key(key) => request.insert_header(("X-Api-Key", key.as_str())),
            Pass::Cookie(cookie) => request.insert_header(("Cookie", cookie.as_str())),
        };
        let Ok(mut response) = request.send().await else {
            return Ok(None);
        };
        let status = response.status();
        let Ok(body) = response.body().limit(64 << 20).await else {
            return Ok(None);
        };
        match status.as_u16() {
            200 => Ok(Some(body.to_vec())),
            500.. => Ok(None),
            _ => anyhow::bail!("{path} answered {status}"),
        }
    }
}
