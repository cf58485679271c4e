//! Values of options that may be secret: the text itself, `-` for a line of standard input, `env:NAME` for an environment
//! variable. The last two keep a secret out of the list of processes and the shell's history.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context as _, ensure};

/// The value that was meant; `what` names it where a person is asked for it.
pub fn read(given: &str, what: &str) -> anyhow::Result<String> {
    if given == "-" {
        let input = std::io::stdin();
        if input.is_terminal() {
            eprint!("{what}: ");
        }
        let mut line = String::new();
        let count = input
            .lock()
            .read_line(&mut line)
            .with_context(|| format!("{what} cannot be read from standard input"))?;
        ensure!(
            count > 0,
            "{what} was to come from standard input, which has ended"
        );
        return Ok(line.trim().to_owned());
    }
    match given.strip_prefix("env:") {
        Some(name) => std::env::var(name)
            .map(|value| value.trim().to_owned())
            .with_context(|| format!("{what} was to come from the environment variable {name}")),
        None => Ok(given.trim().to_owned()),
    }
}
