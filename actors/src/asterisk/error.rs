//! How a command to a host can fail, each in words of its own. Made by `pool.rs` and `answer.rs`; turned into an answer
//! by the handlers. Never holds a key.

/// Why a host did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("the enterprise's settings are not complete: {0}")]
    NotSet(String),
    #[error("the host cannot be reached: {0}")]
    Down(String),
    #[error("nobody has accepted this host's key yet: {offered}")]
    HostKeyUnknown { offered: String },
    #[error("the host's key has changed; it may be another host. It shows {offered}")]
    HostKeyChanged { offered: String },
    #[error("the host does not take our key: {0}")]
    KeyRefused(String),
    #[error("Asterisk does not run on the host, or this user may not use its console")]
    AsteriskNotRunning,
    #[error("there is no Asterisk at /usr/sbin/asterisk on the host")]
    AsteriskMissing,
    #[error("the host's dialplan knows no extension {0}")]
    UnknownExtension(String),
    #[error("the host's dialplan has no way to call this number")]
    UnknownNumber,
    #[error("the caller no longer waits")]
    NotWaiting,
    #[error("the caller has gone")]
    CallerGone,
    #[error("the host did not answer in time")]
    Timeout,
    #[error("too many commands wait for this host")]
    Busy,
    #[error("the host said: {0}")]
    Refused(String),
}

impl HostError {
    /// The stable word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            HostError::NotSet(_) => "host_not_set",
            HostError::Down(_) => "host_down",
            HostError::HostKeyUnknown { .. } => "host_key_unknown",
            HostError::HostKeyChanged { .. } => "host_key_changed",
            HostError::KeyRefused(_) => "key_refused",
            HostError::AsteriskNotRunning => "asterisk_not_running",
            HostError::AsteriskMissing => "asterisk_missing",
            HostError::UnknownExtension(_) => "unknown_extension",
            HostError::UnknownNumber => "unknown_number",
            HostError::NotWaiting => "not_waiting",
            HostError::CallerGone => "caller_gone",
            HostError::Timeout => "host_timeout",
            HostError::Busy => "host_busy",
            HostError::Refused(_) => "host_refused",
        }
    }
}
