//! Our own sentences about deliveries, links, settings and hosts, as codes with what was filled in. They are said and stored
//! as English sentences, which logs, the command line and machines read; a page that is read in another language takes
//! them apart here and words them anew. What a CRM, a host or Telegram said is no sentence of ours and stays as it is. Pure.
//!
//! ```text
//!   "given up, another try would come too late: no answer within 5s"
//!        └─► given-up [ "no answer within 5s" ]  └─► no-answer [ "5s" ]
//! ```

mod door;
mod table;

use door::DOOR;
use table::{BESIDE, COMMON, KINDS};

/// A sentence of ours, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The locale files have its words under `said-CODE`.
    pub code: &'static str,
    /// What was filled in, in the order of the sentence; may be a sentence of ours itself.
    pub parts: Vec<String>,
}

/// Every sentence: its code, and its English words with `{}` where something is filled in.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    [COMMON, KINDS, BESIDE, DOOR].into_iter().flatten().copied()
}

/// The sentence that this text is; the most telling one where it could be several. `None`: it is not ours, or several of
/// ours in a row.
pub fn read(text: &str) -> Option<Reason> {
    let told = |sentence: &str| sentence.len() - 2 * sentence.matches("{}").count();
    all()
        .filter_map(|(code, sentence)| {
            let parts = fill(sentence, text)?;
            Some((told(sentence), Reason { code, parts }))
        })
        .max_by_key(|(weight, _)| *weight)
        .map(|(_, reason)| reason)
}

/// What has to be put into the sentence to get the text.
fn fill(sentence: &str, text: &str) -> Option<Vec<String>> {
    let mut pieces = sentence.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut parts = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        let at = match (last, piece) {
            (true, "") => rest.len(),
            (true, piece) => rest
                .len()
                .checked_sub(piece.len())
                .filter(|_| rest.ends_with(piece))?,
            (false, piece) => rest.find(piece)?,
        };
        if at == 0 {
            return None;
        }
        parts.push(rest[..at].to_owned());
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::connector::KNOWS_NO_USER;
    use crate::integration::dispatch::forbidden;
    use crate::integration::request::Trouble;
    use crate::integration::sample;

    #[test]
    fn a_sentence_is_taken_apart_and_what_is_not_ours_is_not() {
        let code = |text: &str| read(text).map(|reason| (reason.code, reason.parts.join("|")));
        let table: [(&str, Option<(&str, &str)>); 11] = [
            ("the CRM had it already", Some(("had-it", ""))),
            ("no answer within 5s", Some(("no-answer", "5s"))),
            (
                "given up, another try would come too late: no answer within 5s",
                Some(("given-up", "no answer within 5s")),
            ),
            (
                "amoCRM answered 401: the token is wrong, expired or revoked",
                Some(("amo-token", "amoCRM answered 401")),
            ),
            ("shown in 2 of 3 chats", Some(("tg-some-of", "2|3"))),
            ("the CRM answered 500", Some(("crm-answered", "500"))),
            (
                "the CRM answered 502 and no JSON",
                Some(("crm-no-json", "502")),
            ),
            ("the host's address is missing", Some(("host-address", ""))),
            ("Wrong \"apiKey\" value.", None),
            ("no answer within ", None),
            ("", None),
        ];
        for (text, is) in table {
            let is = is.map(|(code, parts)| (code, parts.to_owned()));
            assert_eq!(code(text), is, "{text}");
        }
    }

    #[test]
    fn every_sentence_reads_back_as_itself() {
        for (code, sentence) in all() {
            let text = sentence.replace("{}", "Xy 7");
            assert_eq!(read(&text).map(|reason| reason.code), Some(code), "{text}");
        }
    }

    #[test]
    fn what_the_house_says_is_in_the_table() {
        let internal = crate::call::record::Record {
            direction: crate::call::record::Direction::Internal,
            ..sample::ringing(1)
        };
        let withheld = crate::call::record::Record {
            phone: None,
            ..sample::ringing(1)
        };
        let notice = |record| sample::notice(crate::call::record::NoticeKind::Dial, record);
        let mut said: Vec<String> = [internal, withheld]
            .into_iter()
            .filter_map(|record| forbidden(&notice(record)).map(str::to_owned))
            .collect();
        let why = || "Connection refused (os error 111)".to_owned();
        said.extend(
            [
                Trouble::Connect(why()),
                Trouble::Timeout(std::time::Duration::from_secs(5)),
                Trouble::Cut(why()),
                Trouble::Address(why()),
            ]
            .map(|trouble| trouble.to_string()),
        );
        use crate::asterisk::HostError as H;
        said.extend(
            [
                H::NotSet(why()),
                H::Down(why()),
                H::HostKeyUnknown { offered: why() },
                H::HostKeyChanged { offered: why() },
                H::KeyRefused(why()),
                H::AsteriskNotRunning,
                H::AsteriskMissing,
                H::UnknownExtension(why()),
                H::UnknownNumber,
                H::NotWaiting,
                H::CallerGone,
                H::Timeout,
                H::Busy,
                H::Refused(why()),
            ]
            .map(|error| error.to_string()),
        );
        said.push(format!("{KNOWS_NO_USER}150, 151"));
        assert_eq!(said.len(), 21);
        for text in said {
            assert!(read(&text).is_some(), "{text}");
        }
    }
}
