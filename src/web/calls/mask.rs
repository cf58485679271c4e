//! Takes tokens out of event bodies before anybody sees them; everything else stays byte for byte. Pure.

/// The body with the value of every `Token` field, and every occurrence of the enterprise's token, replaced.
pub fn mask_body(raw: &str, token: &str) -> String {
    let mut out = if token.len() >= 4 {
        raw.replace(token, "****")
    } else {
        raw.to_owned()
    };
    let mut from = 0;
    // ASCII lower case keeps every byte's place.
    while let Some(at) = out
        .to_ascii_lowercase()
        .get(from..)
        .and_then(|rest| rest.find("\"token\""))
    {
        from += at + "\"token\"".len();
        let rest = &out[from..];
        let Some(value) = rest.trim_start().strip_prefix(':').map(str::trim_start) else {
            continue;
        };
        let start = out.len() - value.len();
        let length = match value.strip_prefix('"') {
            Some(inside) => end_of_string(inside) + 2,
            None => value.find([',', '}', ']']).unwrap_or(value.len()),
        };
        let end = (start + length).min(out.len());
        out.replace_range(start..end, "\"****\"");
        from = start;
    }
    out
}

/// Where the string ends whose opening quote is behind us.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return at,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::mask_body;

    #[test]
    fn no_token_is_shown_and_nothing_else_changes() {
        for (raw, shown) in [
            (
                r#"{"Token":"secret1","Phone":"375"}"#,
                r#"{"Token":"****","Phone":"375"}"#,
            ),
            (
                r#"{"token" : "a\"b", "x":1}"#,
                r#"{"token" : "****", "x":1}"#,
            ),
            (r#"{"TOKEN":12345,"x":1}"#, r#"{"TOKEN":"****","x":1}"#),
            (r#"{"Phone":"the-real-token"}"#, r#"{"Phone":"****"}"#),
            (
                r#"{"Имя":"Token","Token":""}"#,
                r#"{"Имя":"Token","Token":"****"}"#,
            ),
            (r#"{"Token""#, r#"{"Token""#),
            (r#"{"Token":"x"#, r#"{"Token":"****""#),
            ("", ""),
        ] {
            assert_eq!(mask_body(raw, "the-real-token"), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn anything_can_be_masked(raw in ".{0,60}", token in "[a-z]{0,8}") {
            mask_body(&raw, &token);
            let told = format!("{{\"Token\":\"{token}\",{raw}");
            mask_body(&told, "");
        }
    }
}
