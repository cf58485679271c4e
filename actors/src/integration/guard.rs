//! How a guarded request connects: the name is resolved, addresses that may not be reached are left out, and the one
//! that was connected to is looked at again. A name that changes its mind between the two therefore gains nothing, and
//! a redirect neither, for none is followed. Used by `http.rs` under its second client; sends nothing itself.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::tcp::{TcpConnector, TcpConnectorService};
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Resolver, ResolverService};
use awc::http::Uri;
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::network::{Network, may_reach};

/// An address that may not be reached. Travels inside the connection's `io::Error`, where `refused` finds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is at {address}, a private or reserved address; only the operator can allow that (deliveries.private_networks)"
)]
pub struct Refused {
    host: String,
    address: IpAddr,
}

/// See the head of the file.
#[derive(Clone)]
pub struct Guard {
    resolver: ResolverService,
    connector: TcpConnectorService,
    allowed: Arc<[Network]>,
}

impl Guard {
    /// Lets through to public addresses and to these networks.
    pub fn new(allowed: Arc<[Network]>) -> Self {
        Self {
            resolver: Resolver::default().service(),
            connector: TcpConnector::default().service(),
            allowed,
        }
    }
}

impl Service<ConnectInfo<Uri>> for Guard {
    type Response = Connection<Uri, TcpStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    actix_service::always_ready!();

    fn call(&self, wanted: ConnectInfo<Uri>) -> Self::Future {
        let Guard {
            resolver,
            connector,
            allowed,
        } = self.clone();
        async move {
            let found = resolver.call(wanted).await?;
            let (may, not): (Vec<_>, Vec<_>) =
                found.addrs().partition(|one| may_reach(one.ip(), &allowed));
            if let (true, Some(one)) = (may.is_empty(), not.first()) {
                return Err(refusal(found.hostname(), one.ip()));
            }
            let connection = connector.call(found.set_addrs(may)).await?;
            let peer = connection.io_ref().peer_addr().map_err(ConnectError::Io)?;
            if may_reach(peer.ip(), &allowed) {
                Ok(connection)
            } else {
                Err(refusal(connection.hostname(), peer.ip()))
            }
        }
        .boxed_local()
    }
}

fn refusal(host: &str, address: IpAddr) -> ConnectError {
    let refused = Refused {
        host: host.to_owned(),
        address,
    };
    ConnectError::Io(io::Error::new(io::ErrorKind::PermissionDenied, refused))
}

/// The refusal in a connection's error, if that is what it was.
pub fn refused(error: &io::Error) -> Option<&Refused> {
    error.get_ref()?.downcast_ref()
}
