//! Tells a server that runs on this machine that an enterprise was changed, and says whether it knows. On PostgreSQL the
//! database itself tells every server; on SQLite nobody does, so the server is asked to load the enterprise anew.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use awc::error::SendRequestError;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::config::Settings;

/// A server of this machine that is there answers within.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
struct Answer {
    exists: bool,
}

/// Asks the server at the settings' addresses to load the enterprise anew, and prints what came of it.
pub async fn tell(settings: &Settings, enterprise: &str) {
    println!("{}", told(settings, enterprise).await);
}

async fn told(settings: &Settings, enterprise: &str) -> String {
    if settings.database.url.trim().starts_with("postgres") {
        return "running servers are told by PostgreSQL".into();
    }
    // What is older than its lifetime is found by the next sweep at the latest.
    let cache = &settings.cache;
    let bound = format!(
        "within {} s (`cache.lifetime` and `cache.sweep`)",
        (*cache.lifetime + *cache.sweep).as_secs()
    );
    let mut refused = None;
    let mut asked = Vec::new();
    for address in settings
        .server
        .listen
        .iter()
        .map(reachable)
        .filter(|address| address.port() != 0)
    {
        match ask(settings, address, enterprise).await {
            Ok(Ok(Answer { exists: true })) => {
                return format!("the server at {address} uses it now");
            }
            Ok(Ok(Answer { exists: false })) => {
                return format!(
                    "the server at {address} knows no enterprise {enterprise}: does it run on another database than {}?",
                    crate::config::mask_url(&settings.database.url)
                );
            }
            Ok(Err(status)) => refused = Some((address, status)),
            Err(_) => asked.push(address.to_string()),
        }
    }
    match refused {
        Some((address, status)) => format!(
            "the server at {address} did not let itself be told (HTTP {status}; see `api.loopback` and `api.keys`): it sees the change {bound}"
        ),
        None if asked.is_empty() => format!("a server that runs sees the change {bound}"),
        None => format!(
            "no server answers at {}; one that does run sees the change {bound}",
            asked.join(", ")
        ),
    }
}

/// The answer, or the status where it was not let in.
async fn ask(
    settings: &Settings,
    address: SocketAddr,
    enterprise: &str,
) -> Result<Result<Answer, u16>, SendRequestError> {
    let client = awc::Client::builder()
        .timeout(PATIENCE)
        .disable_redirects()
        .finish();
    let mut request = client.post(format!("http://{address}/cache/invalidate/{enterprise}"));
    // Where the loopback is not trusted, a key of the settings is.
    if let Some(key) = settings.api.keys.first() {
        request = request.insert_header(("X-API-Key", key.expose_secret()));
    }
    let mut response = request.send().await?;
    match response.json::<Answer>().await {
        Ok(answer) if response.status().is_success() => Ok(Ok(answer)),
        _ => Ok(Err(response.status().as_u16())),
    }
}

/// An address of the settings as this machine reaches it.
fn reachable(listen: &SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
