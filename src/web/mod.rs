//! Everything that speaks HTTP. `routes` is the one table of URLs; each folder here is one kind of page.

pub mod calls;
pub mod emulator;
pub mod enterprise;
pub mod entry;
pub mod events;
pub mod gate;
pub mod gateway;
pub mod hosts;
pub mod live;
pub mod locale;
pub mod reasons;
pub mod render;
pub mod retailcrm;
pub mod routes;
pub mod serve;
pub mod session;
pub mod statics;
pub mod system;
pub mod visit;
