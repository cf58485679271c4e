//! The commands as an operator types them: the built program on a database of its own, its words and its exit code. What
//! is typed here is what `docs/operations.md` tells people to type.

#![expect(clippy::expect_used, reason = "tests may stop at the first surprise")]

mod first_start;
mod refusals;
mod running_server;
mod setting_up;
mod terminal;
