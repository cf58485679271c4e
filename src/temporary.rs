//! Folders for one run that leave nothing behind. Made by the demo and by replays.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use anyhow::Context as _;

/// A folder that is removed when dropped, unless it is to be kept.
pub struct Folder {
    pub path: PathBuf,
    pub keep: bool,
}

impl Folder {
    /// Makes one in the system's place for temporary things, for this user's eyes only.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("patchbay_{name}"));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder { path, keep: false })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // A folder that is left behind harms nobody.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
