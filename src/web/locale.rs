//! The texts of pages in Russian and English, from `locales/*.ftl`. Read once at start by `render`; a key that is
//! missing shows itself and is found by a test, never at night.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};

/// The languages of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    Ru,
    En,
}

impl Lang {
    pub const ALL: [Lang; 2] = [Lang::Ru, Lang::En];

    /// The code in `lang` attributes, cookies and `users.language`.
    pub fn as_str(self) -> &'static str {
        match self {
            Lang::Ru => "ru",
            Lang::En => "en",
        }
    }

    /// Reads a code; anything else is `None`.
    pub fn parse(code: &str) -> Option<Lang> {
        Lang::ALL.into_iter().find(|lang| lang.as_str() == code)
    }

    /// The first of ours that a browser's Accept-Language names, in its order of preference.
    pub fn accepted(header: &str) -> Option<Lang> {
        let mut wanted: Vec<(f32, Lang)> = header
            .split(',')
            .filter_map(|part| {
                let mut pieces = part.trim().split(';');
                let code = pieces.next()?.split('-').next()?.to_ascii_lowercase();
                let weight = pieces
                    .find_map(|piece| piece.trim().strip_prefix("q=")?.parse().ok())
                    .unwrap_or(1.0);
                // Belarusian and Ukrainian readers are served better by Russian than by English.
                let lang = if code == "be" || code == "uk" {
                    Some(Lang::Ru)
                } else {
                    Lang::parse(&code)
                };
                Some((weight, lang?))
            })
            .collect();
        wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
        wanted.first().map(|(_, lang)| *lang)
    }
}

/// The texts of one language.
pub struct Texts {
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// Reads `locales/{lang}.ftl`; a mistake in it is an error that names the line.
    pub fn load(folder: &Path, lang: Lang) -> anyhow::Result<Texts> {
        let path = folder.join(format!("{}.ftl", lang.as_str()));
        let source = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let resource = FluentResource::try_new(source)
            .map_err(|(_, errors)| anyhow::anyhow!("{}: {errors:?}", path.display()))?;
        let id: unic_langid::LanguageIdentifier = lang.as_str().parse()?;
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // The isolation marks confuse copying of numbers, and our texts run one way.
        bundle.set_use_isolating(false);
        bundle
            .add_builtins()
            .map_err(|error| anyhow::anyhow!("NUMBER() in texts: {error:?}"))?;
        bundle
            .add_resource(resource)
            .map_err(|errors| anyhow::anyhow!("{}: {errors:?}", path.display()))?;
        Ok(Texts { bundle })
    }

    /// The text of a key with its arguments filled in; the key itself when there is none.
    pub fn text(&self, key: &str, arguments: &HashMap<String, tera::Value>) -> String {
        let Some(pattern) = self
            .bundle
            .get_message(key)
            .and_then(|message| message.value())
        else {
            log::warn!("no text for {key}");
            return key.to_owned();
        };
        let mut filled = FluentArgs::new();
        for (name, value) in arguments {
            match value {
                tera::Value::Number(number) => {
                    filled.set(name.clone(), number.as_f64().unwrap_or_default())
                }
                tera::Value::String(text) => filled.set(name.clone(), text.clone()),
                tera::Value::Null => filled.set(name.clone(), ""),
                other => filled.set(name.clone(), other.to_string()),
            }
        }
        let mut errors = Vec::new();
        let text = self
            .bundle
            .format_pattern(pattern, Some(&filled), &mut errors)
            .into_owned();
        if !errors.is_empty() {
            log::warn!("text {key}: {errors:?}");
        }
        text
    }

    /// A text without arguments, where there is one of this key.
    pub fn known(&self, key: &str) -> Option<String> {
        self.bundle
            .get_message(key)
            .and_then(|message| message.value())
            .map(|_| self.plain(key))
    }

    /// A text without arguments.
    pub fn plain(&self, key: &str) -> String {
        self.text(key, &HashMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_heard() {
        for (header, wanted) in [
            ("ru-RU,ru;q=0.9,en;q=0.8", Some(Lang::Ru)),
            ("en-GB,en;q=0.9,ru;q=0.8", Some(Lang::En)),
            ("de,en;q=0.5", Some(Lang::En)),
            ("be", Some(Lang::Ru)),
            ("de,fr", None),
            ("", None),
            (";;q=,,", None),
        ] {
            assert_eq!(Lang::accepted(header), wanted, "{header}");
        }
    }

    fn keys(lang: Lang) -> std::collections::BTreeSet<String> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("locales/{}.ftl", lang.as_str()));
        std::fs::read_to_string(path)
            .expect("a locale file")
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim().to_owned()))
            .collect()
    }

    #[test]
    fn both_languages_have_the_same_keys() {
        let (ru, en) = (keys(Lang::Ru), keys(Lang::En));
        let odd: Vec<_> = ru.symmetric_difference(&en).collect();
        assert!(odd.is_empty(), "in one file only: {odd:?}");
    }

    #[test]
    fn every_text_can_be_said() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("locales");
        let arguments = HashMap::from_iter(
            ["n", "of"]
                .map(|name| (name.to_owned(), tera::Value::from(3)))
                .into_iter()
                .chain(["a", "b", "c", "d"].map(|name| (name.to_owned(), tera::Value::from("x")))),
        );
        for lang in Lang::ALL {
            let texts = Texts::load(&folder, lang).expect("sound texts");
            for key in keys(lang) {
                let text = texts.text(&key, &arguments);
                assert!(
                    !text.contains('{') && !text.is_empty(),
                    "{lang:?} {key}: {text}"
                );
            }
        }
    }

    #[test]
    fn every_field_of_every_integration_has_its_texts() {
        for lang in Lang::ALL {
            let known = keys(lang);
            for key in actors::crm::KINDS.iter().flat_map(|kind| kind.texts()) {
                assert!(known.contains(&key), "{lang:?}: no text {key}");
            }
        }
    }

    #[test]
    fn every_key_that_templates_name_exists() {
        fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
            for entry in std::fs::read_dir(folder)
                .expect("templates")
                .map(|entry| entry.expect("an entry").path())
            {
                if entry.is_dir() {
                    walk(&entry, found);
                    continue;
                }
                let text = std::fs::read_to_string(&entry).expect("a template");
                for (at, mark) in text.match_indices("t(key=\"") {
                    let rest = &text[at + mark.len()..];
                    let key = &rest[..rest.find('"').expect("a closing quote")];
                    found.push((key.to_owned(), entry.display().to_string()));
                }
            }
        }
        let known = keys(Lang::Ru);
        let mut named = Vec::new();
        walk(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
            &mut named,
        );
        // A key that ends with a dash is completed by a value: some text must begin with it.
        let missing: Vec<_> = named
            .iter()
            .filter(|(key, _)| {
                if key.ends_with('-') {
                    !known.iter().any(|k| k.starts_with(key))
                } else {
                    !known.contains(key)
                }
            })
            .collect();
        assert!(
            !named.is_empty() && missing.is_empty(),
            "no text for: {missing:?}"
        );
    }
}
