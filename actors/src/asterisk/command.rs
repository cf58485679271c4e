//! What a host can be asked, as the lines its shell or our gate is given. Pure. Every part of a line is a typed word of
//! `words.rs` or written here; see shared facts on safety in `asterisk/README.md`.

use super::error::HostError;
use super::words::{Context, Extension, Number, RequestId, UniqueId};
use crate::cache::snapshot::{Host, HostKind};

/// Where a plain host's callers wait; the kit's gate knows its own.
const WAITING: &str = "waitredirect";

/// What is asked of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ring the extension, then call the number.
    Originate {
        extension: Extension,
        number: Number,
        request: RequestId,
    },
    /// Send a caller who still waits to the extension.
    Redirect {
        unique_id: UniqueId,
        extension: Extension,
    },
    /// Does anybody answer there, and is it Asterisk?
    Look,
}

/// One line for the host, and how its answer is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub expects: Expects,
}

/// How an answer's text is read: Asterisk's exit status is 0 whatever happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expects {
    /// `ok …` or `error CODE: words`.
    Gate,
    /// The dialplan has this extension.
    Dialplan { extension: String },
    /// Nothing: `channel originate` says something only when it is displeased.
    Silence,
    /// A channel that stands in this context.
    Waiting { context: &'static str },
    /// "successfully redirected".
    Redirected,
    /// Asterisk's version.
    Version,
}

impl Command {
    /// The lines for this host, to be run one after the other for as long as each is answered well.
    ///
    /// # Errors
    /// `NotSet` when a context of the enterprise's settings is no context's name.
    pub fn lines(&self, host: &Host) -> Result<Vec<Line>, HostError> {
        match host.kind {
            HostKind::Kit => Ok(vec![self.gate_line()]),
            HostKind::Plain => self.plain_lines(host),
        }
    }

    fn gate_line(&self) -> Line {
        let text = match self {
            Command::Originate {
                extension,
                number,
                request,
            } => {
                format!("originate {extension} {number} {request}")
            }
            Command::Redirect {
                unique_id,
                extension,
            } => format!("redirect {unique_id} {extension}"),
            Command::Look => "waiting".to_owned(),
        };
        Line {
            text,
            expects: Expects::Gate,
        }
    }

    fn plain_lines(&self, host: &Host) -> Result<Vec<Line>, HostError> {
        let context = |text: &str| {
            Context::parse(text).map_err(|malformed| HostError::NotSet(malformed.to_string()))
        };
        Ok(match self {
            Command::Originate {
                extension, number, ..
            } => {
                let context = context(&host.originate_context)?;
                vec![
                    console(
                        &format!("dialplan show {extension}@{context}"),
                        Expects::Dialplan {
                            extension: extension.to_string(),
                        },
                    ),
                    // Without /n the hangups come when the client answers, and the talk's end is never told.
                    console(
                        &format!(
                            "channel originate LOCAL/{extension}@{context}/n application Dial LOCAL/{number}@{context}/n"
                        ),
                        Expects::Silence,
                    ),
                ]
            }
            Command::Redirect {
                unique_id,
                extension,
            } => {
                let context = context(&host.redirect_context)?;
                vec![
                    // A redirect that comes too late tears the talk that has begun.
                    console(
                        &format!("core show channel {unique_id}"),
                        Expects::Waiting { context: WAITING },
                    ),
                    console(
                        &format!("channel redirect {unique_id} {context},{extension},1"),
                        Expects::Redirected,
                    ),
                ]
            }
            Command::Look => vec![console("core show version", Expects::Version)],
        })
    }
}

/// The full path: `/usr/sbin` is not in the PATH that a plain user has over SSH.
fn console(command: &str, expects: Expects) -> Line {
    Line {
        text: format!("/usr/sbin/asterisk -rx \"{command}\""),
        expects,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(kind: HostKind) -> Host {
        Host {
            kind,
            ..Host::default()
        }
    }

    fn texts(command: &Command, kind: HostKind) -> Vec<String> {
        let lines = command.lines(&host(kind)).unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }

    fn click(extension: &str, number: &str) -> Command {
        Command::Originate {
            extension: Extension::parse(extension).unwrap(),
            number: Number::parse(number).unwrap(),
            request: RequestId::parse("r1").unwrap(),
        }
    }

    #[test]
    fn a_click_as_each_kind_of_host_is_told() {
        let click = click("150", "+375296254070");
        assert_eq!(
            texts(&click, HostKind::Kit),
            ["originate 150 +375296254070 r1"]
        );
        assert_eq!(
            texts(&click, HostKind::Plain),
            [
                r#"/usr/sbin/asterisk -rx "dialplan show 150@inoffice""#,
                r#"/usr/sbin/asterisk -rx "channel originate LOCAL/150@inoffice/n application Dial LOCAL/+375296254070@inoffice/n""#,
            ]
        );
    }

    #[test]
    fn a_redirect_as_each_kind_of_host_is_told() {
        let redirect = Command::Redirect {
            unique_id: UniqueId::parse("office1-1795190808.0").unwrap(),
            extension: Extension::parse("152").unwrap(),
        };
        assert_eq!(
            texts(&redirect, HostKind::Kit),
            ["redirect office1-1795190808.0 152"]
        );
        assert_eq!(
            texts(&redirect, HostKind::Plain),
            [
                r#"/usr/sbin/asterisk -rx "core show channel office1-1795190808.0""#,
                r#"/usr/sbin/asterisk -rx "channel redirect office1-1795190808.0 web-zapros,152,1""#,
            ]
        );
    }

    #[test]
    fn a_context_that_is_none_is_refused() {
        for context in ["", "a b", "x\" ; id", "$(id)", "a,b"] {
            let host = Host {
                kind: HostKind::Plain,
                originate_context: context.into(),
                ..Host::default()
            };
            let refused = click("150", "+375296254070").lines(&host);
            assert!(matches!(refused, Err(HostError::NotSet(_))), "{context:?}");
        }
    }

    /// Shell, console and dialplan metacharacters, newlines, and what looks almost right.
    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            "[\\PC\\n\\r\\x00]{0,40}",
            "(\\+?[0-9]{2,15})?[;&|`$()\"'\\\\\\n\\r ,@/*!<>{}\\[\\]#~%^]{1,4}(id|reboot)?[0-9]{0,5}",
            "[0-9]{16,1000}",
            "\\+?[0-9]{0,16}",
        ]
    }

    proptest! {
        /// Whatever arrives: either it is refused, or each line is made of harmless characters only, the shell's quotes
        /// being our own two.
        #[test]
        fn no_hostile_text_reaches_a_command_line(
            extension in hostile(), number in hostile(), id in hostile(), context in hostile(), plain: bool,
        ) {
            let host = Host {
                kind: if plain { HostKind::Plain } else { HostKind::Kit },
                originate_context: context.clone(),
                redirect_context: context,
                ..Host::default()
            };
            let extension = Extension::parse(&extension);
            let mut commands = Vec::new();
            if let (Ok(extension), Ok(number)) = (&extension, Number::read(&number)) {
                commands.push(Command::Originate { extension: extension.clone(), number, request: RequestId::new() });
            }
            if let (Ok(extension), Ok(unique_id)) = (&extension, UniqueId::parse(&id)) {
                commands.push(Command::Redirect { unique_id, extension: extension.clone() });
            }
            for line in commands.iter().filter_map(|command| command.lines(&host).ok()).flatten() {
                let bare = if plain {
                    line.text.strip_prefix("/usr/sbin/asterisk -rx \"").and_then(|rest| rest.strip_suffix('"')).unwrap()
                } else {
                    line.text.as_str()
                };
                prop_assert!(bare.len() < 350);
                prop_assert!(
                    bare.bytes().all(|c| c.is_ascii_alphanumeric() || b" +._-@/,".contains(&c)),
                    "{}", line.text
                );
            }
        }
    }
}
