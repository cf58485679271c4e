//! Tells what came out: a line per scenario and the counts, or the same as JSON. Called by `replay::run`; decides
//! nothing.

use serde_json::{Value, json};

use super::compare::Finding;

/// What became of one scenario.
pub enum Verdict {
    Compared(Finding),
    /// Not played or not comparable, with the reason.
    Skipped(String),
}

/// One scenario's line.
pub struct Line {
    pub name: String,
    pub verdict: Verdict,
}

impl Line {
    fn word(&self) -> &'static str {
        match &self.verdict {
            Verdict::Compared(finding) if finding.differences.is_empty() => "ok",
            Verdict::Compared(_) => "differs",
            Verdict::Skipped(_) => "skipped",
        }
    }
}

/// The counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

/// Counts the lines.
pub fn counts(lines: &[Line]) -> Counts {
    let of = |word: &str| lines.iter().filter(|line| line.word() == word).count();
    Counts {
        passed: of("ok"),
        failed: of("differs"),
        skipped: of("skipped"),
    }
}

/// Lines for people, the counts last.
pub fn text(lines: &[Line]) -> String {
    let width = lines
        .iter()
        .map(|line| line.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let words = match &line.verdict {
            Verdict::Compared(finding) => finding
                .differences
                .iter()
                .cloned()
                .chain(finding.notes.iter().map(|note| format!("({note})")))
                .collect::<Vec<_>>()
                .join("; "),
            Verdict::Skipped(reason) => reason.clone(),
        };
        let row = format!("{:<8} {:<width$}  {words}", line.word(), line.name);
        text.push_str(row.trim_end());
        text.push('\n');
    }
    let Counts {
        passed,
        failed,
        skipped,
    } = counts(lines);
    text.push_str(&format!("{passed} passed, {failed} failed"));
    if skipped > 0 {
        text.push_str(&format!(", {skipped} skipped"));
    }
    text
}

/// The same for programs.
pub fn json(lines: &[Line], seed: Option<u64>, kills: usize) -> Value {
    let Counts {
        passed,
        failed,
        skipped,
    } = counts(lines);
    let scenarios: Vec<Value> = lines
        .iter()
        .map(|line| match &line.verdict {
            Verdict::Compared(finding) => json!({
                "name": line.name, "outcome": line.word(),
                "differences": finding.differences, "notes": finding.notes,
            }),
            Verdict::Skipped(reason) => {
                json!({"name": line.name, "outcome": "skipped", "reason": reason})
            }
        })
        .collect();
    json!({
        "seed": seed, "kills": kills, "scenarios": scenarios,
        "passed": passed, "failed": failed, "skipped": skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_and_a_skipped_scenario_are_seen() {
        let line = |name: &str, verdict| Line {
            name: name.into(),
            verdict,
        };
        let lines = [
            line("hold", Verdict::Compared(Finding::default())),
            line(
                "inbound-missed",
                Verdict::Compared(Finding {
                    differences: vec!["result busy, expected missed".into()],
                    notes: vec!["2 events sent again".into()],
                }),
            ),
            line("killed", Verdict::Skipped("no time".into())),
        ];
        insta::assert_snapshot!(text(&lines), @r"
        ok       hold
        differs  inbound-missed  result busy, expected missed; (2 events sent again)
        skipped  killed          no time
        1 passed, 1 failed, 1 skipped
        ");
        assert_eq!(json(&lines, Some(3), 0)["failed"], 1);
    }
}
