//! The one binary; see `cli` for its subcommands.
fn main() {}
