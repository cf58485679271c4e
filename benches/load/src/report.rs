//! The report: a table for the terminal and for RESULTS.md, each figure beside what was asked for. Pure.

use std::fmt::Write;

use super::figures::median;
use super::neighbours::{RATE, Shown, Trouble};
use super::results::{Results, Target};

/// A share of the bare handler's rate that was asked for.
const SHARE: f64 = 0.35;

/// Everything as Markdown.
pub fn text(results: &Results) -> String {
    let mut out = String::from(
        "# Results\n\nWritten by `benches/run`; README.md says what is measured and how.\n\n",
    );
    for line in &results.conditions {
        put(&mut out, format_args!("- {line}"));
    }
    put(
        &mut out,
        format_args!(
            "- medians of {}",
            if results.rounds == 1 {
                "one round (quick)".into()
            } else {
                format!("{} rounds", results.rounds)
            }
        ),
    );
    accepting(&mut out, results);
    delivering(&mut out, results);
    living(&mut out, results);
    fairness(&mut out, results);
    neighbours(&mut out, results);
    out
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(line);
    out.push('\n');
}

fn verdict(good: bool) -> &'static str {
    if good { "yes" } else { "**no**" }
}

fn accepting(out: &mut String, results: &Results) {
    if results.accepting.is_empty() {
        return;
    }
    out.push_str("\n## Accepting events, deliveries off\n\n");
    out.push_str("| | as fast as it answers, 1/s | sustained, 1/s | of (a) | at least 0.35 | at half of it: p50, ms | p99, ms | at most 20 | CPU per event, ms | of the database, ms |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    let bare = results
        .accepting
        .iter()
        .find(|(target, _)| *target == Target::Bare);
    let bare = bare.map_or(f64::NAN, |(_, figures)| median(&figures.sustained));
    for (target, figures) in &results.accepting {
        let (sustained, p99) = (median(&figures.sustained), median(&figures.half_p99));
        let share = sustained / bare;
        let database = if *target == Target::Postgres {
            format!("{:.3}", median(&figures.database_cpu))
        } else {
            "".into()
        };
        put(
            out,
            format_args!(
                "| {} | {:.0} | {sustained:.0} | {share:.2} | {} | {:.2} | {p99:.2} | {} | {:.3} | {database} |",
                target.name(),
                median(&figures.peak),
                if *target == Target::Bare {
                    ""
                } else {
                    verdict(share >= SHARE)
                },
                median(&figures.half_p50),
                verdict(p99 <= 20.0),
                median(&figures.cpu),
            ),
        );
    }
}

fn delivering(out: &mut String, results: &Results) {
    if results.delivering.is_empty() {
        return;
    }
    out.push_str("\n## The whole path, deliveries to the CRM's simulator on\n\n");
    out.push_str("| | offered, 1/s | accepted, 1/s | kept up | answer p50, ms | p99, ms | pop-up p50, ms | p99, ms | at most 50 | without pop-up | CPU per event, ms | at most 0.10 | of the database, ms |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (target, figures) in &results.delivering {
        let (popup, cpu) = (median(&figures.popup_p99), median(&figures.cpu));
        let database = if *target == Target::Postgres {
            format!("{:.3}", median(&figures.database_cpu))
        } else {
            "".into()
        };
        put(
            out,
            format_args!(
                "| {} | {:.0} | {:.0} | {} | {:.2} | {:.2} | {:.1} | {popup:.1} | {} | {} | {cpu:.3} | {} | {database} |",
                target.name(),
                figures.offered,
                median(&figures.accepted),
                verdict(figures.kept_up.iter().all(|kept| *kept)),
                median(&figures.p50),
                median(&figures.p99),
                median(&figures.popup_p50),
                verdict(popup <= 50.0),
                figures.popups_missing,
                verdict(cpu <= 0.10),
            ),
        );
    }
}

fn living(out: &mut String, results: &Results) {
    if results.living.is_empty() {
        return;
    }
    out.push_str("\n## Live calls\n\n| | live calls | memory for each, bytes | at most 2,560 | start after kill -9, s | at most 10 |\n|---|---|---|---|---|---|\n");
    for (target, figures) in &results.living {
        let start = figures.start.as_secs_f64();
        put(
            out,
            format_args!(
                "| {} | {} | {:.0} | {} | {start:.2} | {} |",
                target.name(),
                figures.calls,
                figures.bytes_each,
                verdict(figures.bytes_each <= 2560.0),
                verdict(start <= 10.0),
            ),
        );
    }
}

fn fairness(out: &mut String, results: &Results) {
    if results.fairness.is_empty() {
        return;
    }
    out.push_str("\n## One enterprise floods, the others send 2,000 events a second\n\n");
    out.push_str("| | the others' p99 usually, ms | beside the flood, ms | at most twice | flood sent, 1/s | accepted of it, 1/s |\n|---|---|---|---|---|---|\n");
    for (target, figures) in &results.fairness {
        put(
            out,
            format_args!(
                "| {} | {:.2} | {:.2} | {} | {:.0} | {:.0} |",
                target.name(),
                figures.usual_p99,
                figures.flooded_p99,
                verdict(figures.flooded_p99 <= figures.usual_p99 * 2.0),
                figures.flood,
                figures.flood_accepted,
            ),
        );
    }
}

fn neighbours(out: &mut String, results: &Results) {
    if results.neighbours.is_empty() {
        return;
    }
    put(
        out,
        format_args!(
            "\n## A CRM in trouble and the pop-ups in others, {RATE:.0} events a second\n"
        ),
    );
    out.push_str("| | the trouble | beside it other enterprises': p50, ms | p99, ms | at most twice | the same enterprises', in another CRM: p50, ms | p99, ms | at most twice | without pop-up | requests to those in trouble |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    for (target, all) in &results.neighbours {
        let usual = all.iter().find(|one| one.trouble == Trouble::None);
        for one in all {
            let cells = |shown: &Shown, usual: Option<&Shown>| {
                let p99 = median(&shown.p99);
                let usual = usual.map_or(f64::NAN, |usual| median(&usual.p99));
                let verdict = if one.trouble == Trouble::None {
                    ""
                } else {
                    verdict(p99 <= usual * 2.0)
                };
                format!("{:.1} | {p99:.1} | {verdict}", median(&shown.p50))
            };
            put(
                out,
                format_args!(
                    "| {} | {} | {} | {} | {} | {} |",
                    target.name(),
                    one.trouble.name(),
                    cells(&one.others, usual.map(|usual| &usual.others)),
                    cells(&one.own, usual.map(|usual| &usual.own)),
                    one.others.missing + one.own.missing,
                    one.troubled_requests,
                ),
            );
        }
    }
}
