//! That the card file is complete: the texts a form of it would show are there, in both languages, and no others; and that nothing
//! but what docs/adding-a-crm.md names knows of it. What it is told, and what it does with trouble, is in the table and in
//! `conformance.rs` like any other kind's.

use std::collections::BTreeSet;
use std::path::Path;

use super::KIND;

#[test]
fn its_texts_are_there_in_both_languages() {
    let wanted: BTreeSet<String> = KIND.texts().into_iter().collect();
    for (lang, text) in [
        ("en", include_str!("texts.en.ftl")),
        ("ru", include_str!("texts.ru.ftl")),
    ] {
        let lines = text.lines().filter_map(|line| line.split_once(" = "));
        let told: BTreeSet<String> = lines.map(|(key, _)| key.to_owned()).collect();
        assert_eq!(told, wanted, "{lang}");
    }
}

/// Files under `folder` that have the word in them, from the repository's root on.
fn knowing(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            knowing(root, &path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut words = text.split(|c: char| !c.is_alphanumeric());
        if words.any(|word| word == KIND.name) {
            let place = path.strip_prefix(root).unwrap();
            found.insert(place.to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn nothing_else_knows_of_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = BTreeSet::new();
    for folder in [
        "actors/src",
        "simulators/src",
        "src",
        "templates",
        "locales",
        "static",
    ] {
        knowing(&root, &root.join(folder), &mut found);
    }
    let own = |file: &String| {
        file.starts_with("actors/src/crm/cardfile/") || file.starts_with("simulators/src/cardfile/")
    };
    found.retain(|file| !own(file));
    let table = "actors/src/integration/tests/table";
    let named = [
        // Its line.
        "actors/src/crm/mod.rs".into(),
        // Its place in the table.
        format!("{table}/mod.rs"),
        format!("{table}/cardfile.rs"),
        // The stand-in's module.
        "simulators/src/lib.rs".into(),
    ];
    assert_eq!(found, BTreeSet::from(named));
}
