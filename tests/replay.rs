//! The recordings of a real host, played by `patchbay replay` against the program itself: plain on both databases, and
//! once with everything that may go wrong at the same time.

#![expect(clippy::expect_used, reason = "tests may stop at the first surprise")]

use std::process::Command;

fn replay(arguments: &[&str]) {
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");
    let run = Command::new(env!("CARGO_BIN_EXE_patchbay"))
        .args(["replay", captures])
        .args(arguments)
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && told.contains(" passed, 0 failed") && !told.contains("skipped"),
        "{told}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn recordings_come_to_what_they_were_on_sqlite() {
    replay(&[]);
}

#[test]
fn recordings_come_to_what_they_were_on_postgres() {
    replay(&["--database", actors::store::testing::server()]);
}

#[test]
fn shuffled_and_doubled_events_on_a_server_that_is_killed_come_to_the_same() {
    replay(&["--shuffle", "7", "--double", "--kill=4"]);
}
