//! What a pop-up may hold: text, bold, line breaks and links, as they are known to be drawn. Called when one is made
//! and by the page; anything else in angle brackets is a client who forgot to escape.

/// A piece of a pop-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text, entities resolved.
    Text(String),
    Bold(bool),
    Break,
    Link(String),
    LinkEnd,
}

/// The pieces of a text; `None` when it holds what is not known to be drawn.
pub(crate) fn read(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(tag) = rest.strip_prefix('<') {
            let (tag, after) = tag.split_once('>')?;
            pieces.push(piece(tag)?);
            rest = after;
            continue;
        }
        let end = rest.find('<').unwrap_or(rest.len());
        let (plain, after) = rest.split_at(end);
        pieces.push(Piece::Text(resolved(plain)?));
        rest = after;
    }
    Some(pieces)
}

fn piece(tag: &str) -> Option<Piece> {
    Some(match tag {
        "b" => Piece::Bold(true),
        "/b" => Piece::Bold(false),
        "br" | "br/" | "br /" => Piece::Break,
        "/a" => Piece::LinkEnd,
        _ => {
            let to = tag.strip_prefix("a href=\"")?;
            let (to, more) = to.split_once('"')?;
            let to = resolved(to)?;
            let web = to.starts_with("https://") || to.starts_with("http://");
            (web && matches!(more, "" | " target=\"_blank\"")).then_some(Piece::Link(to))?
        }
    })
}

/// A bare ampersand or an unknown entity is a client who forgot to escape.
fn resolved(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut read = parts.next()?.to_owned();
    for part in parts {
        let (name, after) = part.split_once(';')?;
        read.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            _ => return None,
        });
        read.push_str(after);
    }
    Some(read)
}
