//! The emulator: an Asterisk host that is none. It makes up the events of calls exactly as a host sends them and posts
//! them over HTTP; the server cannot tell the difference. Used by the page `/test-interface`, by `patchbay emulate` and
//! by the demo; touches no store and no actor.

pub mod busy_hour;
pub mod host;
pub mod patterns;
pub mod player;
