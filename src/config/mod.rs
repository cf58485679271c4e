//! The settings: `config.default.toml` (embedded), then a file, then the environment; checked before anything
//! starts. Called by the command line; never by the house, which is handed plain values.

mod check;
mod print;
mod sections;
mod span;

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};

pub use print::mask;
pub use sections::*;
pub use span::{Size, Span};

/// Every setting with its default and description.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Why the settings cannot be used: one line per finding, each naming the key, what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("the settings cannot be used:\n{}", .0.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError(pub Vec<String>);

/// Where the settings were taken from, kept beside them for `patchbay config`.
pub struct Loaded {
    pub settings: Settings,
    figment: Figment,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

impl Loaded {
    /// The default file's text with the values in effect, secrets masked.
    pub fn print(&self) -> String {
        print::effective(&self.figment)
    }
}

/// Reads and checks the settings.
///
/// `file` is what `--config` or `PATCHBAY_CONFIG` named, and must then exist; without it `patchbay.toml` of the working
/// directory is read when it is there.
pub fn load(file: Option<&Path>) -> Result<Loaded, SettingsError> {
    let file = match file {
        Some(path) if path.is_file() => Some(path.to_owned()),
        Some(path) => {
            return Err(SettingsError(vec![format!(
                "{}: no such file; name an existing one with --config or PATCHBAY_CONFIG, or leave both out",
                path.display()
            )]));
        }
        None => Some(PathBuf::from("patchbay.toml")).filter(|path| path.is_file()),
    };
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    if let Some(path) = &file {
        figment = figment.merge(Toml::file_exact(path));
    }
    // Only names with a section: PATCHBAY_CONFIG and the like are not settings.
    let environment = Env::prefixed("PATCHBAY_")
        .filter(|key| key.as_str().contains("__"))
        .split("__");
    from_figment(figment.merge(environment), file)
}

/// The defaults alone, with TOML text over them; for tests and the demo.
pub fn with(overrides: &str) -> Result<Loaded, SettingsError> {
    from_figment(
        Figment::from(Toml::string(DEFAULTS)).merge(Toml::string(overrides)),
        None,
    )
}

fn from_figment(figment: Figment, file: Option<PathBuf>) -> Result<Loaded, SettingsError> {
    let unknown = unknown_keys(&figment);
    if !unknown.is_empty() {
        return Err(SettingsError(unknown));
    }
    let settings: Settings = figment
        .extract()
        .map_err(|error| SettingsError(error.into_iter().map(describe).collect()))?;
    let findings = check::findings(&settings);
    if findings.is_empty() {
        Ok(Loaded {
            settings,
            figment,
            file,
        })
    } else {
        Err(SettingsError(findings))
    }
}

/// Keys that the default file does not have, each with its place and the nearest known one.
fn unknown_keys(figment: &Figment) -> Vec<String> {
    use figment::value::{Dict, Value};
    let (Ok(known), Ok(given)) = (
        Figment::from(Toml::string(DEFAULTS)).extract::<Dict>(),
        figment.extract::<Dict>(),
    ) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut say = |path: &str, name: &str, near: Option<&str>| {
        let near = near.map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
        let place = place(figment.find_metadata(path));
        let section = path.strip_suffix(name).unwrap_or_default();
        found.push(format!("`{section}{name}`{place}: there is no such setting{near}; `patchbay config` lists all of them"));
    };
    for (section, value) in &given {
        match (known.get(section), value) {
            (Some(Value::Dict(_, known)), Value::Dict(_, given)) => {
                for name in given.keys().filter(|name| !known.contains_key(*name)) {
                    say(
                        &format!("{section}.{name}"),
                        name,
                        nearest(name, known.keys()),
                    );
                }
            }
            (Some(_), _) => say(section, section, None),
            (None, _) => say(section, section, nearest(section, known.keys())),
        }
    }
    found
}

/// One finding of figment in our words: key, source, what is wrong.
fn describe(error: figment::Error) -> String {
    use figment::error::Kind;
    let key = if error.path.is_empty() {
        "settings".to_owned()
    } else {
        error.path.join(".")
    };
    let place = place(error.metadata.as_ref());
    match &error.kind {
        Kind::MissingField(name) => format!("`{key}.{name}`: missing"),
        Kind::InvalidType(got, wanted) | Kind::InvalidValue(got, wanted) => {
            format!("`{key}`{place}: {got} is not {wanted}")
        }
        other => format!("`{key}`{place}: {other}"),
    }
}

/// " (from …)" for what does not come from the defaults.
fn place(metadata: Option<&figment::Metadata>) -> String {
    match metadata {
        Some(metadata) if metadata.name.contains("environment") => {
            " (from the environment)".to_owned()
        }
        Some(metadata) => metadata
            .source
            .as_ref()
            .map_or(String::new(), |source| format!(" (from {source})")),
        None => String::new(),
    }
}

/// The known name that is few changes away, if there is one.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let distance = |other: &str| {
        let other: Vec<char> = other.chars().collect();
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (i, letter) in name.chars().enumerate() {
            let mut corner = std::mem::replace(&mut row[0], i + 1);
            for (j, theirs) in other.iter().enumerate() {
                let changed = corner + usize::from(letter != *theirs);
                corner = row[j + 1];
                row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
            }
        }
        row[other.len()]
    };
    known
        .map(|other| (distance(other), other.as_str()))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, other)| other)
}

/// A database URL with its password replaced.
pub fn mask_url(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => match url[scheme + 3..at].find(':') {
            Some(colon) => format!("{}:***{}", &url[..scheme + 3 + colon], &url[at..]),
            None => url.to_owned(),
        },
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
