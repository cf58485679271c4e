//! Templates to pages: tera with our texts, times and asset addresses. One set of templates per language, so that a
//! template writes `t(key="…")` and nothing about languages. Called by handlers through `Visit::page`; reads no data.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tera::{Tera, Value};

use super::locale::{Lang, Texts};
use super::reasons;

/// All templates in both languages, and where the static files lie.
pub struct Pages {
    ru: Tera,
    en: Tera,
    texts: HashMap<Lang, Arc<Texts>>,
    /// The folder that holds templates/, static/ and locales/.
    pub assets: PathBuf,
}

impl Pages {
    /// Reads everything below `assets`; any mistake in a template or a text file is told here, at start.
    pub fn load(assets: &Path) -> anyhow::Result<Pages> {
        let glob = assets.join("templates/**/*.html");
        let base = Tera::new(&glob.to_string_lossy()).context("the templates have a mistake")?;
        anyhow::ensure!(
            base.get_template_names().next().is_some(),
            "no templates in {}",
            assets.display()
        );
        let hashes = Arc::new(hash_files(&assets.join("static"))?);
        let mut texts = HashMap::new();
        let mut build = |lang: Lang| -> anyhow::Result<Tera> {
            let spoken = Arc::new(Texts::load(&assets.join("locales"), lang)?);
            texts.insert(lang, spoken.clone());
            let mut tera = base.clone();
            tera.set_escape_fn(escape);
            tera.register_function("t", translate(spoken.clone()));
            tera.register_function("asset", address(hashes.clone()));
            tera.register_filter("when", when);
            tera.register_filter("clock", clock);
            tera.register_filter("told", tell(spoken.clone()));
            tera.register_filter("span", spell(spoken));
            tera.register_filter("pretty", pretty);
            tera.register_filter("crm", title);
            tera.register_filter("worded", word(texts[&lang].clone()));
            Ok(tera)
        };
        let (ru, en) = (build(Lang::Ru)?, build(Lang::En)?);
        Ok(Pages {
            ru,
            en,
            texts,
            assets: assets.to_owned(),
        })
    }

    /// One template filled in.
    pub fn render(
        &self,
        lang: Lang,
        template: &str,
        context: &tera::Context,
    ) -> Result<String, tera::Error> {
        match lang {
            Lang::Ru => self.ru.render(template, context),
            Lang::En => self.en.render(template, context),
        }
    }

    /// One of our sentences in this language, outside a template.
    pub fn told(&self, lang: Lang, text: &str) -> String {
        self.texts
            .get(&lang)
            .map_or_else(|| text.to_owned(), |texts| reasons::tell(texts, text))
    }

    /// A text outside a template, where there is one of this key.
    pub fn known(&self, lang: Lang, key: &str) -> Option<String> {
        self.texts.get(&lang)?.known(key)
    }

    /// A text outside a template: error pages, words in JSON for our own scripts.
    pub fn text(&self, lang: Lang, key: &str) -> String {
        self.texts
            .get(&lang)
            .map_or_else(|| key.to_owned(), |texts| texts.plain(key))
    }
}

/// What HTML needs inside texts and quoted attributes; tera's own also spoils every slash of an address.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Finds the folder of templates: the setting, else the places where an installation or a checkout has it.
pub fn find_assets(setting: &str) -> anyhow::Result<PathBuf> {
    let good = |path: &Path| path.join("templates/base.html").is_file();
    if !setting.is_empty() {
        let path = PathBuf::from(setting);
        anyhow::ensure!(
            good(&path),
            "`server.assets`: {setting} has no templates/base.html; name the folder that holds templates/, static/ and locales/"
        );
        return Ok(path);
    }
    let program = std::env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned))
        .unwrap_or_default();
    [PathBuf::from("."), program.clone(), program.join("../share/patchbay"), PathBuf::from(env!("CARGO_MANIFEST_DIR"))]
        .into_iter()
        .find(|path| good(path))
        .context("templates/, static/ and locales/ were not found; name the folder that holds them in `server.assets`")
}

/// `t(key="…", name=value …)`: a text of the page's language.
fn translate(texts: Arc<Texts>) -> impl tera::Function {
    move |arguments: &HashMap<String, Value>| -> tera::Result<Value> {
        let key = arguments
            .get("key")
            .and_then(Value::as_str)
            .ok_or_else(|| tera::Error::msg("t() needs a key"))?;
        Ok(Value::String(texts.text(key, arguments)))
    }
}

/// `asset(path="app.css")`: the file's address with its content's hash, so that it may be cached for ever.
fn address(hashes: Arc<HashMap<String, String>>) -> impl tera::Function {
    move |arguments: &HashMap<String, Value>| -> tera::Result<Value> {
        let path = arguments
            .get("path")
            .and_then(Value::as_str)
            .ok_or_else(|| tera::Error::msg("asset() needs a path"))?;
        let hash = hashes
            .get(path)
            .ok_or_else(|| tera::Error::msg(format!("no static file {path}")))?;
        Ok(Value::String(format!("/static/{path}?v={hash}")))
    }
}

/// `time | when(zone="Europe/Minsk", form="time"|"date"|"full"|"millis")`: an instant on that zone's clock.
fn when(value: &Value, arguments: &HashMap<String, Value>) -> tera::Result<Value> {
    let Some(text) = value.as_str() else {
        return Ok(Value::String(String::new()));
    };
    let instant: DateTime<Utc> = text
        .parse()
        .map_err(|error| tera::Error::msg(format!("{text} is no time: {error}")))?;
    let zone: chrono_tz::Tz = arguments
        .get("zone")
        .and_then(Value::as_str)
        .and_then(|zone| zone.parse().ok())
        .unwrap_or(chrono_tz::UTC);
    let form = match arguments.get("form").and_then(Value::as_str) {
        Some("time") => "%H:%M:%S",
        Some("date") => "%d.%m.%Y",
        Some("short") => "%d.%m %H:%M",
        Some("millis") => "%H:%M:%S%.3f",
        _ => "%d.%m.%Y %H:%M:%S",
    };
    Ok(Value::String(
        instant.with_timezone(&zone).format(form).to_string(),
    ))
}

/// `seconds | clock`: "0:42", "61:05", "1:02:03" from an hour on.
fn clock(value: &Value, _: &HashMap<String, Value>) -> tera::Result<Value> {
    let seconds = value.as_i64().unwrap_or_default().max(0);
    Ok(Value::String(clock_text(seconds)))
}

/// Seconds as a clock shows them.
fn clock_text(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `seconds | span`: "12 s", "3 min", "2 h 5 min", "4 d" in the page's language.
fn spell(texts: Arc<Texts>) -> impl tera::Filter {
    move |value: &Value, _: &HashMap<String, Value>| -> tera::Result<Value> {
        let seconds = value.as_f64().unwrap_or_default().max(0.0) as i64;
        let say =
            |key: &str, n: i64| texts.text(key, &HashMap::from([("n".to_owned(), Value::from(n))]));
        Ok(Value::String(match seconds {
            0..60 => say("span-seconds", seconds),
            60..3600 => say("span-minutes", seconds / 60),
            3600..86_400 => format!(
                "{} {}",
                say("span-hours", seconds / 3600),
                say("span-minutes", seconds / 60 % 60)
            ),
            _ => say("span-days", seconds / 86_400),
        }))
    }
}

/// `text | told`: our own sentences in the page's language, anything else as it was said.
fn tell(texts: Arc<Texts>) -> impl tera::Filter {
    move |value: &Value, _: &HashMap<String, Value>| -> tera::Result<Value> {
        let text = value.as_str().unwrap_or_default();
        Ok(Value::String(reasons::tell(&texts, text)))
    }
}

/// `name | crm`: a kind's name as people know it; another word as it is.
fn title(value: &Value, _: &HashMap<String, Value>) -> tera::Result<Value> {
    let name = value.as_str().unwrap_or_default();
    Ok(Value::from(match (actors::crm::find(name), name) {
        (Some(kind), _) => kind.title,
        // Deliveries to chats stand beside those to CRMs.
        (None, "telegram") => "Telegram",
        (None, name) => name,
    }))
}

/// `word | worded(prefix="did")`: the text `did-WORD`; a word that has none, as it is.
fn word(texts: Arc<Texts>) -> impl tera::Filter {
    move |value: &Value, arguments: &HashMap<String, Value>| -> tera::Result<Value> {
        let word = match value {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        let prefix = arguments
            .get("prefix")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let key = format!("{prefix}-{}", key_part(&word));
        Ok(Value::from(texts.known(&key).unwrap_or(word)))
    }
}

/// A name as it stands inside a text's key.
pub fn key_part(name: &str) -> String {
    name.replace(['.', '_', ' '], "-")
}

/// `text | pretty`: JSON on lines of its own, in the order and spelling in which it came; any other text as it is.
fn pretty(value: &Value, _: &HashMap<String, Value>) -> tera::Result<Value> {
    let text = value.as_str().unwrap_or_default();
    let json =
        text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    Ok(Value::String(if json {
        spread(text)
    } else {
        text.to_owned()
    }))
}

/// Breaks sound JSON into indented lines without touching anything inside a string.
fn spread(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        // Deep nesting is shown, but does not move out of sight.
        out.push_str(&"  ".repeat(depth.min(20)));
    };
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if quoted {
            out.push(letter);
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            '"' => {
                quoted = true;
                out.push(letter);
            }
            '{' | '[' => {
                out.push(letter);
                while letters.peek().is_some_and(|next| next.is_whitespace()) {
                    letters.next();
                }
                if letters.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    out.extend(letters.next());
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other if other.is_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

/// Path below `static/` → the first sixteen digits of its content's hash.
fn hash_files(folder: &Path) -> anyhow::Result<HashMap<String, String>> {
    let mut found = HashMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in
            std::fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(name) = path.strip_prefix(folder) {
                let digest = Sha256::digest(std::fs::read(&path)?);
                let hash = digest
                    .iter()
                    .take(8)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                found.insert(name.to_string_lossy().into_owned(), hash);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_read_like_clocks() {
        for (seconds, shown) in [
            (0, "0:00"),
            (42, "0:42"),
            (3599, "59:59"),
            (3723, "1:02:03"),
        ] {
            assert_eq!(clock_text(seconds), shown);
        }
    }

    #[test]
    fn times_are_shown_on_the_zones_clock() {
        let arguments = HashMap::from([
            ("zone".to_owned(), Value::from("Europe/Minsk")),
            ("form".to_owned(), Value::from("time")),
        ]);
        let shown = when(&Value::from("2026-11-20T21:30:05.123Z"), &arguments).expect("a time");
        assert_eq!(shown, "00:30:05");
    }

    #[test]
    fn json_is_spread_without_touching_its_strings() {
        let told = r#"{"b":"x, {y}: \"z\\","a":[1,{}], "c":[]}"#;
        assert_eq!(
            spread(told),
            "{\n  \"b\": \"x, {y}: \\\"z\\\\\",\n  \"a\": [\n    1,\n    {}\n  ],\n  \"c\": []\n}"
        );
    }

    #[test]
    fn every_template_and_text_loads() {
        Pages::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("sound templates");
    }
}
