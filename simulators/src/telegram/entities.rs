//! Formatted text: entities with their offsets in UTF-16 units, checked, trimmed and drawn as HTML for the page.
//! Called by the methods and the page; the drawing never lets a letter of the text through unescaped.

use serde::{Deserialize, Serialize};

use super::answer::Refuse;
use crate::page::escape;

/// A formatted stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// `bold`, `italic`, `text_link`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it begins, in UTF-16 units.
    pub offset: usize,
    /// How long it is, in UTF-16 units.
    pub length: usize,
    /// Where a `text_link` leads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// The language of a `pre`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<String>,
    /// The id of a `custom_emoji`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub custom_emoji_id: Option<String>,
}

impl Entity {
    /// An entity without an argument.
    pub fn new(kind: &str, offset: usize, length: usize) -> Self {
        Self {
            kind: kind.into(),
            offset,
            length,
            url: None,
            language: None,
            custom_emoji_id: None,
        }
    }
}

const KINDS: [&str; 19] = [
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
    "custom_emoji",
];

/// The most entities that take effect.
const MOST: usize = 100;

/// The length of a text in UTF-16 units.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Entities given as JSON beside the text.
pub(crate) fn given(json: &str, text: &str) -> Result<Vec<Entity>, Refuse> {
    let entities: Vec<Entity> = serde_json::from_str(json)
        .map_err(|_| Refuse::bad("can't parse entities: Expected an Array of entities"))?;
    let total = units(text);
    for entity in &entities {
        if !KINDS.contains(&entity.kind.as_str()) {
            return Err(Refuse::bad(
                "can't parse entities: Unsupported type specified",
            ));
        }
        if entity.length == 0 || entity.offset + entity.length > total {
            return Err(Refuse::bad(
                "can't parse entities: entity is out of the text",
            ));
        }
    }
    Ok(entities)
}

/// Takes white space off both ends, moves the entities with the text, and orders them as answers have them.
pub(crate) fn trim(text: &str, mut entities: Vec<Entity>) -> (String, Vec<Entity>) {
    let kept = text.trim();
    let before = units(
        text.get(..text.len() - text.trim_start().len())
            .unwrap_or_default(),
    );
    let total = units(kept);
    for entity in &mut entities {
        let end = (entity.offset + entity.length)
            .saturating_sub(before)
            .min(total);
        entity.offset = entity.offset.saturating_sub(before).min(total);
        entity.length = end.saturating_sub(entity.offset);
    }
    entities.retain(|entity| entity.length > 0);
    entities.sort_by_key(|entity| (entity.offset, usize::MAX - entity.length));
    entities.truncate(MOST);
    (kept.to_owned(), entities)
}

/// The text as HTML. Entities may overlap in any way: at each border all are closed and those that go on are opened
/// again.
pub(crate) fn draw(text: &str, entities: &[Entity]) -> String {
    let mut borders: Vec<usize> = entities
        .iter()
        .flat_map(|entity| [entity.offset, entity.offset + entity.length])
        .collect();
    borders.sort_unstable();
    borders.dedup();
    let mut borders = borders.into_iter().peekable();
    let mut html = String::with_capacity(text.len() + 32);
    let mut open: Vec<&'static str> = Vec::new();
    let mut at = 0;
    let mut piece = String::new();
    for letter in text.chars() {
        if borders.next_if(|border| *border <= at).is_some() {
            html.push_str(&escape(&piece));
            piece.clear();
            close(&mut html, &mut open);
            for entity in entities
                .iter()
                .filter(|entity| entity.offset <= at && at < entity.offset + entity.length)
            {
                open.extend(start(&mut html, entity));
            }
        }
        piece.push(letter);
        at += letter.len_utf16();
    }
    html.push_str(&escape(&piece));
    close(&mut html, &mut open);
    html
}

fn close(html: &mut String, open: &mut Vec<&'static str>) {
    while let Some(tag) = open.pop() {
        html.push_str("</");
        html.push_str(tag);
        html.push('>');
    }
}

fn start(html: &mut String, entity: &Entity) -> Option<&'static str> {
    let tag = match entity.kind.as_str() {
        "bold" => "b",
        "italic" => "i",
        "underline" => "u",
        "strikethrough" => "s",
        "code" | "pre" => "code",
        "spoiler" => {
            html.push_str("<span class=\"spoiler\">");
            return Some("span");
        }
        "blockquote" | "expandable_blockquote" => {
            html.push_str("<span class=\"quoted\">");
            return Some("span");
        }
        "text_link" => {
            let url = entity.url.as_deref().unwrap_or_default();
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                return None;
            }
            html.push_str("<a target=\"_blank\" rel=\"noopener noreferrer\" href=\"");
            html.push_str(&escape(url));
            html.push_str("\">");
            return Some("a");
        }
        _ => return None,
    };
    html.push('<');
    html.push_str(tag);
    html.push('>');
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_escapes_and_survives_overlaps() {
        let link = Entity {
            url: Some("https://a.b/?x=\"><script>".into()),
            ..Entity::new("text_link", 3, 4)
        };
        let html = draw("😀a<b>&c", &[Entity::new("bold", 0, 5), link]);
        assert_eq!(
            html,
            "<b>😀a</b><b><a target=\"_blank\" rel=\"noopener noreferrer\" \
             href=\"https://a.b/?x=&quot;&gt;&lt;script&gt;\">&lt;b</a></b>\
             <a target=\"_blank\" rel=\"noopener noreferrer\" \
             href=\"https://a.b/?x=&quot;&gt;&lt;script&gt;\">&gt;&amp;</a>c"
        );
        let evil = Entity {
            url: Some("javascript:alert(1)".into()),
            ..Entity::new("text_link", 0, 1)
        };
        assert_eq!(draw("x", &[evil]), "x");
    }

    #[test]
    fn trimming_moves_entities() {
        let (text, entities) = trim(
            " \n😀 ab \n",
            vec![Entity::new("bold", 0, 9), Entity::new("code", 5, 2)],
        );
        assert_eq!(text, "😀 ab");
        assert_eq!(
            entities,
            [Entity::new("bold", 0, 5), Entity::new("code", 3, 2)]
        );
    }
}
