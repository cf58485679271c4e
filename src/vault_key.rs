//! The key that seals secrets at rest: from the settings, or from a file that the first start makes. Called before
//! the store is opened; never prints what it reads.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use actors::store::Vault;
use anyhow::Context as _;
use secrecy::ExposeSecret;

use crate::config::Settings;

/// The vault of these settings.
pub fn open(settings: &Settings) -> anyhow::Result<Vault> {
    let given = settings.secrets.key.expose_secret();
    if !given.is_empty() {
        return Vault::from_text(given).context("`secrets.key`");
    }
    let path = key_file(settings);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => {
            let mode = std::fs::metadata(&path)?.permissions().mode();
            if mode & 0o007 != 0 {
                log::warn!(
                    "{} can be read by everybody on this machine; it should be with mode 0600",
                    path.display()
                );
            }
            text
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(&path)?,
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot read the key file {}", path.display()));
        }
    };
    Vault::from_text(&text).with_context(|| format!("the key file {}", path.display()))
}

fn key_file(settings: &Settings) -> PathBuf {
    if !settings.secrets.key_file.is_empty() {
        return PathBuf::from(&settings.secrets.key_file);
    }
    let url = &settings.database.url;
    let database = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))
        .map(Path::new);
    database
        .and_then(Path::parent)
        .unwrap_or(Path::new(""))
        .join("patchbay.key")
}

/// Makes the file, readable by its owner only. Whoever loses it loses the secrets in the database.
fn make(path: &Path) -> anyhow::Result<String> {
    let key = Vault::new_key();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| {
            format!(
                "cannot make the key file {} (`secrets.key_file`)",
                path.display()
            )
        })?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    log::info!(
        "made the key file {}; keep a copy of it apart from the database's backups",
        path.display()
    );
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_makes_a_key_that_later_starts_find() {
        let folder = std::env::temp_dir().join(format!("patchbay_key_{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let url = format!("[database]\nurl = \"sqlite:{}/x.db\"", folder.display());
        let settings = crate::config::with(&url).expect("settings").settings;
        let sealed = open(&settings).expect("made").seal("a token");
        assert_eq!(
            open(&settings)
                .expect("found")
                .open(&sealed)
                .expect("the same key"),
            "a token"
        );
        let mode = std::fs::metadata(folder.join("patchbay.key"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
