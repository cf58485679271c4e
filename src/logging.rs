//! The general log: one readable line per entry on stderr. Under journald the time is left to the journal and each
//! line carries its priority. Set up once by the subcommands that run for long. What never is logged: tokens, keys,
//! passwords, whole bodies.

use std::io::{IsTerminal, Write};

use log::{Level, LevelFilter};

/// Starts logging with the filter of the settings; `RUST_LOG` wins where it is set.
pub fn start(filter: &str) {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal();
    let mut builder = env_logger::Builder::new();
    builder.filter_level(LevelFilter::Info);
    builder.parse_filters(&std::env::var("RUST_LOG").unwrap_or_else(|_| filter.to_owned()));
    builder.format(move |out, record| {
        // "patchbay::web::events" → "web::events", "actors::call::actor" → "call::actor".
        let target = record.target();
        let target = target
            .strip_prefix("patchbay::")
            .or_else(|| target.strip_prefix("actors::"))
            .unwrap_or(target);
        // A line break in what an outsider sent must not look like an entry of ours.
        let message = record.args().to_string().replace('\n', "\n    ");
        if journal {
            let priority = match record.level() {
                Level::Error => 3,
                Level::Warn => 4,
                Level::Info => 6,
                Level::Debug | Level::Trace => 7,
            };
            writeln!(out, "<{priority}>{target}: {message}")
        } else {
            let level = out.default_level_style(record.level());
            let now = chrono::Local::now().format("%Y-%m-%d %H:%M:%S%.3f");
            writeln!(
                out,
                "{now} {level}{:<5}{level:#} {target:<18} {message}",
                record.level()
            )
        }
    });
    // A second start (tests) keeps the first.
    let _ = builder.try_init();
}
