//! Commands to Asterisk hosts over SSH: click-to-call and smart redirect. Called by the handlers of `src/web/hosts`; knows
//! no URL. Text from outside becomes a typed value first, and only typed values become a command line:
//!
//! ```text
//!   text ──▶ words (Extension, Number …) ──▶ command (a line) ──▶ host ──▶ pool (one session, one user) ──▶ answer (read)
//! ```

pub mod answer;
mod book;
pub mod command;
pub mod error;
pub mod host;
mod hostkey;
pub mod pool;
pub mod redirect;
pub mod requests;
pub mod words;

pub use command::Command;
pub use error::HostError;
pub use host::Hosts;
pub use pool::{Access, Reached, Terms};
pub use redirect::Redirects;
pub use requests::Requests;
pub use words::{Extension, Number, RequestId, UniqueId};
