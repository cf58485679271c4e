//! The HTML parse mode: reads a text with tags into plain text and entities, or refuses it with the real words and
//! byte offsets. Called by the methods; it never guesses what was meant.

use super::entities::{Entity, units};

/// Reads a text in the HTML parse mode.
///
/// # Errors
/// With the words that follow `can't parse entities: `.
pub(crate) fn parse(source: &str) -> Result<(String, Vec<Entity>), String> {
    let mut reader = Reader {
        source: source.as_bytes(),
        at: 0,
    };
    let mut text: Vec<u8> = Vec::with_capacity(source.len());
    let mut entities = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    while let Some(byte) = reader.peek() {
        match byte {
            b'&' => match reader.reference() {
                Some(letter) => text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                None => text.push(reader.next()),
            },
            b'<' if reader.peek_at(1) == Some(b'/') => {
                let begin = reader.at;
                let Some(last) = open.pop() else {
                    return Err(format!("Unexpected end tag at byte offset {begin}"));
                };
                reader.end_tag(&last.tag)?;
                end(last, &text, &mut entities);
            }
            b'<' => {
                let (tag, argument) = reader.start_tag()?;
                open.push(Open {
                    tag,
                    argument,
                    offset: length(&text),
                    begin: text.len(),
                });
            }
            _ => text.push(reader.next()),
        }
    }
    if let Some(last) = open.last() {
        return Err(format!(
            "Can't find end tag corresponding to start tag \"{}\"",
            last.tag
        ));
    }
    for entity in &mut entities {
        // A language counts only inside a `pre`.
        if entity.kind == "code" {
            entity.language = None;
        }
    }
    Ok((String::from_utf8_lossy(&text).into_owned(), entities))
}

struct Open {
    tag: String,
    argument: String,
    offset: usize,
    begin: usize,
}

fn length(text: &[u8]) -> usize {
    std::str::from_utf8(text).map_or(0, units)
}

fn end(open: Open, text: &[u8], entities: &mut Vec<Entity>) {
    let long = length(text) - open.offset;
    if long == 0 {
        return;
    }
    let plain = |kind: &str| Entity::new(kind, open.offset, long);
    let same = |entity: &Entity, kind: &str| {
        entity.kind == kind && entity.offset == open.offset && entity.length == long
    };
    match open.tag.as_str() {
        "b" | "strong" => entities.push(plain("bold")),
        "i" | "em" => entities.push(plain("italic")),
        "u" | "ins" => entities.push(plain("underline")),
        "s" | "strike" | "del" => entities.push(plain("strikethrough")),
        "tg-spoiler" | "span" => entities.push(plain("spoiler")),
        "blockquote" if open.argument == "1" => entities.push(plain("expandable_blockquote")),
        "blockquote" => entities.push(plain("blockquote")),
        "tg-emoji" => {
            entities.push(Entity {
                custom_emoji_id: Some(open.argument),
                ..plain("custom_emoji")
            });
        }
        "pre" => match entities.last_mut() {
            Some(inner) if same(inner, "code") && inner.language.is_some() => {
                inner.kind = "pre".into()
            }
            _ => entities.push(plain("pre")),
        },
        "code" => {
            let language = Some(open.argument).filter(|language| !language.is_empty());
            match entities.last_mut() {
                Some(inner) if same(inner, "pre") && language.is_some() => {
                    inner.language = language
                }
                _ => entities.push(Entity {
                    language,
                    ..Entity::new("code", open.offset, long)
                }),
            }
        }
        "a" => {
            let inner =
                || String::from_utf8_lossy(text.get(open.begin..).unwrap_or_default()).into_owned();
            let url = if open.argument.is_empty() {
                inner()
            } else {
                open.argument.clone()
            };
            // A link the real one does not like is no error: it vanishes, its text stays.
            if let Some(url) = check_link(&url) {
                entities.push(Entity {
                    url: Some(url),
                    ..plain("text_link")
                });
            }
        }
        _ => {}
    }
}

/// The link as it is kept: http(s) or tg, with a host that has a dot.
pub(crate) fn check_link(url: &str) -> Option<String> {
    let url = url.trim();
    let lower = url.to_ascii_lowercase();
    if lower.starts_with("tg://") || lower.starts_with("ton://") {
        return Some(url.to_owned());
    }
    let rest = match lower.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return None,
        None => lower.as_str(),
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let name = host.split(':').next()?;
    let port_is_number = host
        .split_once(':')
        .is_none_or(|(_, port)| port.parse::<u16>().is_ok());
    if !name.contains('.')
        || name.starts_with('.')
        || name.contains(char::is_whitespace)
        || !port_is_number
    {
        return None;
    }
    let bare_path = !rest.contains('/') && !rest.contains('?');
    let full = if lower.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    Some(if bare_path { format!("{full}/") } else { full })
}

struct Reader<'a> {
    source: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> u8 {
        let byte = self.peek().unwrap_or_default();
        self.at += 1;
        byte
    }

    fn since(&self, begin: usize) -> String {
        String::from_utf8_lossy(self.source.get(begin..self.at).unwrap_or_default()).into_owned()
    }

    fn skip(&mut self, while_true: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&while_true) {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        self.skip(is_space);
    }

    /// A character reference; when it is none, nothing is read.
    fn reference(&mut self) -> Option<char> {
        let begin = self.at;
        let letter = self.read_reference();
        if letter.is_none() {
            self.at = begin;
        }
        letter
    }

    fn read_reference(&mut self) -> Option<char> {
        self.at += 1;
        let letter = if self.peek() == Some(b'#') {
            self.at += 1;
            let radix = if self.peek() == Some(b'x') {
                self.at += 1;
                16
            } else {
                10
            };
            let begin = self.at;
            self.skip(|byte| char::from(byte).is_digit(radix));
            let number = u32::from_str_radix(&self.since(begin), radix).ok()?;
            char::from_u32(number).filter(|letter| *letter != '\0')?
        } else {
            let begin = self.at;
            self.skip(|byte| byte.is_ascii_alphabetic());
            match self.since(begin).as_str() {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                _ => return None,
            }
        };
        if self.peek() == Some(b';') {
            self.at += 1;
        }
        Some(letter)
    }

    fn end_tag(&mut self, expected: &str) -> Result<(), String> {
        let begin = self.at;
        self.at += 2;
        let name = self.at;
        self.skip(|byte| !is_space(byte) && byte != b'>');
        let found = self.since(name).to_ascii_lowercase();
        self.skip_space();
        if self.peek() != Some(b'>') {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        self.at += 1;
        if !found.is_empty() && found != expected {
            return Err(format!(
                "Unmatched end tag at byte offset {begin}, expected \"</{expected}>\", found \"</{found}>\""
            ));
        }
        Ok(())
    }

    fn start_tag(&mut self) -> Result<(String, String), String> {
        let begin = self.at;
        let unclosed = || format!("Unclosed start tag at byte offset {begin}");
        self.at += 1;
        self.skip(|byte| !is_space(byte) && byte != b'>');
        if self.peek().is_none() {
            return Err(unclosed());
        }
        let tag = self.since(begin + 1).to_ascii_lowercase();
        if !TAGS.contains(&tag.as_str()) {
            return Err(format!(
                "Unsupported start tag \"{tag}\" at byte offset {begin}"
            ));
        }
        let mut argument = String::new();
        loop {
            self.skip_space();
            if self.peek() == Some(b'>') {
                self.at += 1;
                break;
            }
            let name_begin = self.at;
            self.skip(|byte| !is_space(byte) && !b"=>/\"'".contains(&byte));
            let name = self.since(name_begin);
            if self.peek().is_none() {
                return Err(unclosed());
            }
            if name.is_empty() {
                return Err(format!(
                    "Empty attribute name in the tag \"{tag}\" at byte offset {begin}"
                ));
            }
            self.skip_space();
            if self.peek() != Some(b'=') {
                if self.peek().is_none() {
                    return Err(unclosed());
                }
                if tag == "blockquote" && name == "expandable" {
                    argument = "1".into();
                    continue;
                }
                return Err(format!(
                    "Expected equal sign in declaration of an attribute of the tag \"{tag}\" at byte offset {begin}"
                ));
            }
            self.at += 1;
            let value = self.attribute_value(begin)?;
            match (tag.as_str(), name.to_ascii_lowercase().as_str()) {
                ("a", "href") | ("tg-emoji", "emoji-id") => argument = value,
                ("code", "class") => {
                    argument = value
                        .strip_prefix("language-")
                        .unwrap_or_default()
                        .to_owned();
                }
                ("span", "class") => {
                    argument = value.strip_prefix("tg-").unwrap_or_default().to_owned()
                }
                ("blockquote", "expandable") => argument = "1".into(),
                _ => {}
            }
        }
        if tag == "span" && argument != "spoiler" {
            return Err(format!(
                "Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}"
            ));
        }
        Ok((tag, argument))
    }

    fn attribute_value(&mut self, begin: usize) -> Result<String, String> {
        let unclosed = || format!("Unclosed start tag at byte offset {begin}");
        self.skip_space();
        let quote = self.peek().ok_or_else(unclosed)?;
        if quote != b'"' && quote != b'\'' {
            let token = self.at;
            self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
            let end = self.peek().ok_or_else(unclosed)?;
            if !is_space(end) && end != b'>' {
                return Err(format!(
                    "Unexpected end of name token at byte offset {token}"
                ));
            }
            return Ok(self.since(token).to_ascii_lowercase());
        }
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let byte = self.peek().ok_or_else(unclosed)?;
            if byte == quote {
                self.at += 1;
                break;
            }
            match (byte == b'&').then(|| self.reference()).flatten() {
                Some(letter) => value.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                None => value.push(self.next()),
            }
        }
        if self.peek().is_none() {
            return Err(unclosed());
        }
        Ok(String::from_utf8_lossy(&value).into_owned())
    }
}

const TAGS: [&str; 16] = [
    "a",
    "b",
    "strong",
    "i",
    "em",
    "s",
    "strike",
    "del",
    "u",
    "ins",
    "tg-spoiler",
    "tg-emoji",
    "span",
    "pre",
    "code",
    "blockquote",
];

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 11)
}
