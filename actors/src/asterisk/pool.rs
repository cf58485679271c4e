//! The SSH sessions of one host: an r2d2 pool of slots, one session one user at a time. A slot is connected by the thread
//! that first uses it, not by the pool's own: so an error is told at once and as what it is, and one host that hangs
//! keeps no other waiting. Everything here blocks; called by the threads of `host.rs` only.

use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use scheduled_thread_pool::ScheduledThreadPool;
use secrecy::{ExposeSecret, SecretString};
use ssh2::{Channel, ErrorCode, ExtendedData, MethodType, Session};

use super::error::HostError;
use super::hostkey::{algorithms, known, written};
use crate::cache::snapshot::Host;

/// Bytes of an answer that are read.
const LONGEST: u64 = 64 << 10;
/// libssh2's numbers for what it calls a timeout.
const TIMED_OUT: [i32; 2] = [-9, -30];

/// How hosts are spoken to.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// For the connection, the key exchange and our key each.
    pub connect: Duration,
    /// For one line and its answer.
    pub command: Duration,
    /// Sessions to one host at most.
    pub sessions: u32,
    /// An unused session is closed after.
    pub idle: Duration,
    /// Commands that may wait for one host; one more is refused.
    pub waiting: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            connect: Duration::from_secs(2),
            command: Duration::from_secs(5),
            sessions: 4,
            idle: Duration::from_secs(600),
            waiting: 200,
        }
    }
}

/// A part of the way to a host that is behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It speaks SSH.
    Host,
    /// It showed a key that was accepted.
    HostKey,
    /// It takes ours.
    OurKey,
}

/// Where and as whom: everything that decides whether a session may be used again. `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct Access {
    address: String,
    port: u16,
    user: String,
    host_key: String,
    key: SecretString,
}

impl PartialEq for Access {
    fn eq(&self, other: &Access) -> bool {
        self.address == other.address
            && self.port == other.port
            && self.user == other.user
            && self.host_key == other.host_key
            && self.key.expose_secret() == other.key.expose_secret()
    }
}

impl Access {
    /// # Errors
    /// `NotSet` with what is missing.
    pub fn of(host: &Host) -> Result<Access, HostError> {
        let missing = |what: &str| HostError::NotSet(format!("the host's {what} is missing"));
        if host.address.is_empty() {
            return Err(missing("address"));
        }
        if host.user.is_empty() {
            return Err(missing("SSH user"));
        }
        let key = host.key.clone().ok_or_else(|| missing("SSH key"))?;
        Ok(Access {
            address: host.address.clone(),
            port: host.port,
            user: host.user.clone(),
            host_key: host.host_key.clone(),
            key,
        })
    }
}

/// Makes slots. r2d2 needs no more of it: a slot looks after its own session.
struct Slots;

/// A place for one session.
#[derive(Default)]
struct Slot(Option<Session>);

impl r2d2::ManageConnection for Slots {
    type Connection = Slot;
    type Error = std::convert::Infallible;

    fn connect(&self) -> Result<Slot, Self::Error> {
        Ok(Slot::default())
    }

    fn is_valid(&self, _: &mut Slot) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Slot) -> bool {
        // What panicked with a session in hand may have left it anywhere.
        std::thread::panicking()
    }
}

/// The sessions of one host.
pub(super) struct Pool {
    access: Access,
    terms: Terms,
    slots: r2d2::Pool<Slots>,
}

impl Pool {
    pub fn new(access: Access, terms: Terms, threads: Arc<ScheduledThreadPool>) -> Pool {
        let slots = r2d2::Pool::builder()
            .max_size(terms.sessions.max(1))
            .min_idle(Some(0))
            .idle_timeout(Some(terms.idle))
            .max_lifetime(None)
            .connection_timeout(terms.connect)
            // A session that died looks well until a real command is tried: `open` does that, and begins anew once.
            .test_on_check_out(false)
            .thread_pool(threads)
            .build_unchecked(Slots);
        Pool {
            access,
            terms,
            slots,
        }
    }

    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Runs each line after the one before it was judged good; gives what the last judgement said.
    pub fn run<T>(
        &self,
        lines: &[(String, T)],
        judge: impl Fn(&T, &str) -> Result<String, HostError>,
    ) -> Result<String, HostError> {
        let mut slot = self.slots.get().map_err(|_| HostError::Busy)?;
        let mut words = String::new();
        for (line, expects) in lines {
            let said = match self.say(&mut slot, line) {
                Ok(said) => said,
                Err(error) => {
                    // Whatever its state is, nobody uses it again.
                    slot.0 = None;
                    return Err(error);
                }
            };
            words = judge(expects, &said)?;
        }
        Ok(words)
    }

    fn say(&self, slot: &mut Slot, line: &str) -> Result<String, HostError> {
        let mut channel = self.open(slot)?;
        if let Some(session) = &slot.0 {
            session.set_timeout(millis(self.terms.command));
        }
        channel
            .handle_extended_data(ExtendedData::Merge)
            .and_then(|()| channel.exec(line))
            .map_err(|error| fault(&error))?;
        let mut said = Vec::new();
        channel
            .by_ref()
            .take(LONGEST)
            .read_to_end(&mut said)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::TimedOut => HostError::Timeout,
                _ => HostError::Down(error.to_string()),
            })?;
        channel.close().map_err(|error| fault(&error))?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// A channel to speak over. A session that was used before may have died meanwhile; nothing was said over it yet, so
    /// beginning anew repeats nothing.
    fn open(&self, slot: &mut Slot) -> Result<Channel, HostError> {
        if let Some(session) = &slot.0 {
            session.set_timeout(millis(self.terms.connect));
            match session.channel_session() {
                Ok(channel) => return Ok(channel),
                Err(error) => {
                    log::debug!("a session to {} had ended: {error}", self.access.address)
                }
            }
            slot.0 = None;
        }
        let session = self.connect(&|_| ())?;
        let channel = session.channel_session().map_err(|error| fault(&error))?;
        slot.0 = Some(session);
        Ok(channel)
    }

    /// Runs the lines over a session of its own and tells each part of the way as it is behind us: a session that is kept
    /// would show nothing of it.
    pub fn try_out<T>(
        &self,
        lines: &[(String, T)],
        judge: impl Fn(&T, &str) -> Result<String, HostError>,
        tell: &dyn Fn(Reached),
    ) -> Result<String, HostError> {
        let mut slot = Slot(Some(self.connect(tell)?));
        let mut words = String::new();
        for (line, expects) in lines {
            words = judge(expects, &self.say(&mut slot, line)?)?;
        }
        Ok(words)
    }

    fn connect(&self, tell: &dyn Fn(Reached)) -> Result<Session, HostError> {
        let access = &self.access;
        let known: Vec<(&str, Vec<u8>)> = known(&access.host_key);
        let wanted: Vec<&str> = known
            .iter()
            .flat_map(|(kind, _)| algorithms(kind))
            .copied()
            .collect();
        let session = match self.greet(&wanted) {
            Ok(session) => session,
            // It has no key of the kinds we know: let it show what it has.
            Err(HostError::Down(_)) if !wanted.is_empty() => self.greet(&[])?,
            Err(error) => return Err(error),
        };
        tell(Reached::Host);
        let shown = session
            .host_key()
            .map(|(key, _)| key.to_vec())
            .unwrap_or_default();
        if !known.iter().any(|(_, key)| *key == shown) {
            let offered = written(&shown);
            return Err(if known.is_empty() {
                HostError::HostKeyUnknown { offered }
            } else {
                HostError::HostKeyChanged { offered }
            });
        }
        tell(Reached::HostKey);
        session
            .userauth_pubkey_memory(&access.user, None, access.key.expose_secret(), None)
            .map_err(|error| match fault(&error) {
                HostError::Timeout => HostError::Timeout,
                _ => HostError::KeyRefused(error.message().to_owned()),
            })?;
        tell(Reached::OurKey);
        Ok(session)
    }

    /// TCP and the key exchange, with these kinds of host keys.
    fn greet(&self, algorithms: &[&str]) -> Result<Session, HostError> {
        let access = &self.access;
        let down = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::TimedOut => HostError::Timeout,
            _ => HostError::Down(error.to_string()),
        };
        let mut tried = HostError::Down("its name leads nowhere".into());
        let mut stream = None;
        let places = (access.address.as_str(), access.port)
            .to_socket_addrs()
            .map_err(down)?;
        for place in places {
            match TcpStream::connect_timeout(&place, self.terms.connect) {
                Ok(open) => {
                    stream = Some(open);
                    break;
                }
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                    tried = HostError::Down("no answer".into());
                }
                Err(error) => tried = down(error),
            }
        }
        let stream = stream.ok_or(tried)?;
        stream.set_nodelay(true).map_err(down)?;
        let mut session = Session::new().map_err(|error| fault(&error))?;
        session.set_timeout(millis(self.terms.connect));
        session.set_tcp_stream(stream);
        if !algorithms.is_empty() {
            session
                .method_pref(MethodType::HostKey, &algorithms.join(","))
                .map_err(|error| fault(&error))?;
        }
        session.handshake().map_err(|error| fault(&error))?;
        Ok(session)
    }
}

fn fault(error: &ssh2::Error) -> HostError {
    match error.code() {
        ErrorCode::Session(code) if TIMED_OUT.contains(&code) => HostError::Timeout,
        _ => HostError::Down(error.message().to_owned()),
    }
}

fn millis(time: Duration) -> u32 {
    // 0 would mean: wait for ever.
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_tells_what_is_missing_and_never_the_key() {
        let mut host = Host::default();
        for (what, fill) in [
            (
                "address",
                (|host: &mut Host| host.address = "pbx".into()) as fn(&mut Host),
            ),
            ("SSH user", |host| host.user = "patchbay".into()),
            ("SSH key", |host| host.key = Some("a private key".into())),
        ] {
            let Err(HostError::NotSet(words)) = Access::of(&host) else {
                panic!("{what} is missing")
            };
            assert!(words.contains(what), "{words}");
            fill(&mut host);
        }
        let access = Access::of(&host).unwrap();
        assert!(!format!("{access:?}").contains("private"));
    }
}
