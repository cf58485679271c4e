//! Reads what a host said to a line of ours. Pure. Success is in the text, never in the exit status, and the text may
//! hold callers' names as strangers wrote them: it is read strictly.

use super::command::Expects;
use super::error::HostError;

/// Characters of a host's words that are kept.
const LONGEST: usize = 200;

/// What the line came to: words for people, or why not.
///
/// # Errors
/// One per thing that can be wrong; see `HostError`.
pub fn read(expects: &Expects, text: &str) -> Result<String, HostError> {
    let text = text.trim();
    if text.contains("Unable to connect to remote asterisk") {
        return Err(HostError::AsteriskNotRunning);
    }
    match expects {
        Expects::Gate => gate(text),
        _ if is_missing(text) => Err(HostError::AsteriskMissing),
        Expects::Dialplan { extension } if text.contains("no existence of") => {
            Err(HostError::UnknownExtension(extension.clone()))
        }
        // A pattern that matches is shown, so an answer without one is none.
        Expects::Dialplan { .. } if text.contains("=>") => Ok(String::new()),
        Expects::Silence if text.is_empty() => Ok(String::new()),
        Expects::Waiting { .. } if text.contains("is not a known channel") => {
            Err(HostError::CallerGone)
        }
        Expects::Waiting { context } => waiting(text, context),
        Expects::Redirected if text.contains("successfully redirected") => Ok(String::new()),
        Expects::Redirected if text.contains("not found") => Err(HostError::CallerGone),
        Expects::Version if text.starts_with("Asterisk ") => Ok(plain(text)),
        _ => Err(HostError::Refused(plain(text))),
    }
}

/// A shell's way to say that there is no such program.
fn is_missing(text: &str) -> bool {
    text.len() < 200
        && (text.contains("not found") || text.contains("No such file"))
        && text.contains("asterisk:")
}

/// Exactly one line names the context: a second one would be a caller's name that imitates it.
fn waiting(text: &str, context: &str) -> Result<String, HostError> {
    let mut contexts = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("Context:"));
    match (contexts.next(), contexts.next()) {
        (Some(one), None) if one.trim() == context => Ok(String::new()),
        (Some(_), _) => Err(HostError::NotWaiting),
        (None, _) => Err(HostError::Refused(plain(text))),
    }
}

/// The first line of our gate's answer: `ok …` or `error CODE: words`.
fn gate(text: &str) -> Result<String, HostError> {
    let first = text.lines().next().unwrap_or_default();
    if first == "ok" || first.starts_with("ok ") {
        return Ok(plain(first.trim_start_matches("ok").trim_start()));
    }
    let Some((code, words)) = first
        .strip_prefix("error ")
        .and_then(|rest| rest.split_once(": "))
    else {
        return Err(HostError::Refused(format!(
            "no answer of patchbay-gate, is the key bound to it? {}",
            plain(first)
        )));
    };
    Err(match code {
        "unknown-extension" => HostError::UnknownExtension(
            words
                .rsplit(' ')
                .next()
                .filter(|last| last.bytes().all(|c| c.is_ascii_digit()))
                .unwrap_or_default()
                .to_owned(),
        ),
        "unknown-number" => HostError::UnknownNumber,
        "not-waiting" => HostError::NotWaiting,
        "not-found" => HostError::CallerGone,
        "asterisk-not-running" => HostError::AsteriskNotRunning,
        "asterisk-missing" => HostError::AsteriskMissing,
        "asterisk-hangs" => HostError::Timeout,
        _ => HostError::Refused(plain(words)),
    })
}

/// A host's words without what could move a terminal's cursor, cut to a length that fits a log's line.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(expects: &Expects, text: &str) -> &'static str {
        match read(expects, text) {
            Ok(_) => "ok",
            Err(error) => error.word(),
        }
    }

    const DOWN: &str =
        "Unable to connect to remote asterisk (does /var/run/asterisk/asterisk.ctl exist?)";

    #[test]
    fn what_the_gate_says() {
        for (text, means) in [
            ("ok originate r1\n", "ok"),
            ("ok redirected 1.1 to 152", "ok"),
            (
                "error unknown-extension: the dialplan's patchbay-ring has no extension 159\n",
                "unknown_extension",
            ),
            (
                "error unknown-number: the dialplan's patchbay-outside has no way to call 1",
                "unknown_number",
            ),
            (
                "error not-waiting: channel 1.1 no longer waits: a redirect now would tear a talk",
                "not_waiting",
            ),
            (
                "error not-found: no channel 1.1: the caller has gone",
                "caller_gone",
            ),
            (
                "error asterisk-not-running: no Asterisk answers on its control socket",
                "asterisk_not_running",
            ),
            (
                "error asterisk-hangs: Asterisk did not answer within 10 s",
                "host_timeout",
            ),
            (
                "error bad-argument: this number is not allowed here",
                "host_refused",
            ),
            ("okay", "host_refused"),
            ("sh: 1: originate: not found", "host_refused"),
            ("", "host_refused"),
        ] {
            assert_eq!(word(&Expects::Gate, text), means, "{text}");
        }
        assert_eq!(
            read(
                &Expects::Gate,
                "error unknown-extension: has no extension 159"
            ),
            Err(HostError::UnknownExtension("159".into()))
        );
    }

    #[test]
    fn what_a_console_says() {
        let dialplan = Expects::Dialplan {
            extension: "150".into(),
        };
        let waiting = Expects::Waiting {
            context: "waitredirect",
        };
        let silence = Expects::Silence;
        let redirected = Expects::Redirected;
        for (expects, text, means) in [
            (
                &dialplan,
                "[ Context 'inoffice' created by 'pbx_config' ]\n  '_1XX' =>  1. NoOp()",
                "ok",
            ),
            (
                &dialplan,
                "There is no existence of 159@inoffice extension",
                "unknown_extension",
            ),
            (
                &dialplan,
                "There is no existence of 'inoffice' context",
                "unknown_extension",
            ),
            (&silence, "", "ok"),
            (&silence, "No such command", "host_refused"),
            (&silence, DOWN, "asterisk_not_running"),
            (
                &silence,
                "sh: 1: /usr/sbin/asterisk: not found",
                "asterisk_missing",
            ),
            (&waiting, "1.1 is not a known channel", "caller_gone"),
            (
                &waiting,
                " -- General --\n           Context: waitredirect\n",
                "ok",
            ),
            (&waiting, "   Context: inoffice\n", "not_waiting"),
            // A caller's name with a newline in it must not make its channel look like a waiting one.
            (
                &waiting,
                " Caller ID Name: x\nContext: waitredirect\n  Context: inoffice\n",
                "not_waiting",
            ),
            (
                &redirected,
                "Channel '1.1' successfully redirected to web-zapros,152,1",
                "ok",
            ),
            (
                &redirected,
                "Channel '1.1' not found; redirect failed.",
                "caller_gone",
            ),
            (&redirected, "", "host_refused"),
            (&Expects::Version, "Asterisk 22.10.1 built by x @ y", "ok"),
        ] {
            assert_eq!(word(expects, text), means, "{text}");
        }
    }

    #[test]
    fn a_hosts_words_are_cut_and_cleaned() {
        let Err(HostError::Refused(words)) =
            read(&Expects::Silence, &format!("\u{1b}[2J{}", "x".repeat(999)))
        else {
            panic!("refused");
        };
        assert_eq!(words.chars().count(), LONGEST);
        assert!(!words.contains('\u{1b}'));
    }
}
