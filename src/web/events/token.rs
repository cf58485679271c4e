//! Takes enterprises' tokens out of what hosts send, before it is kept anywhere: the journal, the refusals. Everything
//! else stays byte for byte. Called for every event, so one walk over the text must do. Pure.

use std::borrow::Cow;
use std::sync::Arc;

use actors::cache::Enterprise;
use secrecy::ExposeSecret;

const MASK: &str = "\"****\"";
/// A shorter token stands in too many texts by chance.
const SHORTEST: usize = 6;

/// The body with the value of every field called `Token` replaced, whatever its case and however badly the rest is formed.
pub fn hide(body: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(name) = find(body, from) {
        let rest = &body[name..];
        let value = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(value) = value.strip_prefix(':') else {
            from = name;
            continue;
        };
        let value = value.trim_start_matches([' ', '\t', '\r', '\n']);
        let start = body.len() - value.len();
        let end = start + length(value);
        out.push_str(&body[done..start]);
        out.push_str(MASK);
        (done, from) = (end, end);
    }
    if done == 0 {
        return Cow::Borrowed(body);
    }
    out.push_str(&body[done..]);
    Cow::Owned(out)
}

/// Where the next `"token"` ends.
fn find(body: &str, from: usize) -> Option<usize> {
    const NAME: &[u8] = b"\"token\"";
    let bytes = body.as_bytes().get(from..)?;
    let at = bytes.windows(NAME.len()).position(|window| {
        window[0] == b'"' && window[1] | 32 == b't' && window.eq_ignore_ascii_case(NAME)
    })?;
    Some(from + at + NAME.len())
}

/// Bytes of the value that begins here.
fn length(value: &str) -> usize {
    let Some(inside) = value.strip_prefix('"') else {
        let end = |c: char| c == ',' || c == '}' || c == ']' || c.is_whitespace();
        return value.find(end).unwrap_or(value.len());
    };
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return at + 2,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    value.len()
}

/// The same for a text that may be anything: also what is written as a form, or in the wrong quotes.
fn hide_anywhere(text: &str) -> String {
    let hidden = hide(text);
    let lower = hidden.to_ascii_lowercase();
    let mut out = String::with_capacity(hidden.len());
    let mut done = 0;
    for (at, name) in lower.match_indices("token") {
        let after = at + name.len();
        let rest = &hidden[after..];
        let value = rest.trim_start_matches(['"', '\'', ' ', '\t', ':', '=', '\\']);
        if after < done || value.len() == rest.len() {
            continue;
        }
        let start = hidden.len() - value.len();
        let end = |c: char| "&,;\"'}]\\".contains(c) || c.is_whitespace();
        let end = start + value.find(end).unwrap_or(value.len());
        out.push_str(&hidden[done..start]);
        out.push_str("****");
        done = end;
    }
    out.push_str(&hidden[done..]);
    out
}

/// The same, and every enterprise's own token wherever else it stands: what is no object has no fields to go by.
pub fn hide_known(text: &str, enterprises: &[Arc<Enterprise>]) -> String {
    let mut hidden = hide_anywhere(text);
    for enterprise in enterprises {
        let token = enterprise.token.expose_secret();
        if token.len() >= SHORTEST && hidden.contains(token) {
            hidden = hidden.replace(token, "****");
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_and_nothing_else_changes() {
        for (body, kept) in [
            (
                r#"{"Token":"375293332255","Phone":"375293332255"}"#,
                r#"{"Token":"****","Phone":"375293332255"}"#,
            ),
            (
                "{ \"Token\" :\r\n 375293332255 , \"é\\u00e9\":1.50 }  ",
                "{ \"Token\" :\r\n \"****\" , \"é\\u00e9\":1.50 }  ",
            ),
            (
                r#"{"token":"a\"b\\","TOKEN":"c","x":["Token"]}"#,
                r#"{"token":"****","TOKEN":"****","x":["Token"]}"#,
            ),
            (r#"{"token":"cut of"#, r#"{"token":"****""#),
            (r#"{"x":"\"token\":1"}"#, r#"{"x":"\"token\":1"}"#),
            ("no t\"oken here ж", "no t\"oken here ж"),
        ] {
            assert_eq!(hide(body), kept);
        }
    }

    #[test]
    fn what_is_no_json_shows_no_token_either() {
        for (body, kept) in [
            ("Token=375293332255&UniqueId=1.1", "Token=****&UniqueId=1.1"),
            (
                "{'Token': '375293332255', 'x': 1}",
                "{'Token': '****', 'x': 1}",
            ),
            (
                r#"{"Token":"375293332255", broken"#,
                r#"{"Token":"****", broken"#,
            ),
            (r#""{\"Token\":\"3752\"}""#, r#""{\"Token\":\"****\"}""#),
            ("a token", "a token"),
        ] {
            assert_eq!(hide_anywhere(body), kept);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives(text in ".{0,60}(\"[tT]oken\"[ :]{0,3}.{0,30}){0,3}") {
            hide(&text);
            hide_anywhere(&text);
        }

        #[test]
        fn any_token_goes(token in "[a-zA-Z0-9+/=_-]{8,40}") {
            let body = serde_json::json!({"UniqueId": "1.1", "Token": token, "x": {"token": token}}).to_string();
            proptest::prop_assert!(!hide(&body).contains(&token));
        }
    }
}
