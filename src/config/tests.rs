//! What an operator may write, and the words met when it is wrong.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn the_defaults_are_complete_and_sound() {
    let loaded = with("").expect("the defaults pass their own check");
    assert_eq!(loaded.settings.calls.lost_after.as_secs(), 4 * 3600);
    assert_eq!(loaded.settings.deliveries.popup_retry[0].as_millis(), 300);
}

#[test]
fn printing_the_defaults_gives_the_default_file() {
    assert_eq!(with("").expect("defaults").print(), DEFAULTS);
}

#[test]
fn secrets_are_masked_when_printed() {
    let key = "ab".repeat(32);
    let loaded = with(&format!(
        "[secrets]\nkey = \"{key}\"\n[api]\nkeys = [\"0123456789abcdefWXYZ\"]\n[database]\nurl = \"postgres://p:hunter2@db/x\""
    ))
    .expect("good settings");
    let printed = loaded.print();
    assert!(
        !printed.contains(&key) && !printed.contains("0123456789") && !printed.contains("hunter2"),
        "{printed}"
    );
    assert!(
        printed.contains("****WXYZ") && printed.contains("postgres://p:***@db/x"),
        "{printed}"
    );
    assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
    assert_eq!(loaded.settings.secrets.key.expose_secret(), key);
}

#[test]
fn wrong_settings_are_told_in_words() {
    let table = [
        (
            "[server]\nlisen = []",
            "`server.lisen`: there is no such setting (did you mean `listen`?)",
        ),
        (
            "[sever]\nx = 1",
            "`sever`: there is no such setting (did you mean `server`?)",
        ),
        ("[server]\nlisten = []", "`server.listen` is empty"),
        ("[server]\nlisten = [\"here\"]", "`server.listen`"),
        (
            "[server]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:1\"]",
            "names one address twice",
        ),
        (
            "[server]\npublic_url = \"patchbay.example\"",
            "must begin with http:// or https://",
        ),
        ("[server]\nworkers = \"many\"", "`server.workers`"),
        (
            "[database]\nurl = \"mysql://x\"",
            "`database.url` must be sqlite:FILE or postgres://",
        ),
        ("[calls]\nlost_after = 4", "4 has no unit"),
        ("[calls]\nlost_after = \"4 parsecs\"", "is not a duration"),
        ("[calls]\nlost_after = \"400ms\"", "under a second"),
        (
            "[secrets]\nkey = \"short\"",
            "`secrets.key` must be 32 bytes",
        ),
        (
            "[deliveries]\npopup_retry = []",
            "`deliveries.popup_retry` is empty",
        ),
        (
            "[deliveries]\nconcurrency = 0",
            "`deliveries.concurrency` must be at least 1",
        ),
        (
            "[deliveries]\nlease = \"1s\"",
            "`deliveries.lease` must be longer",
        ),
        ("[api]\nkeys = [\"tiny\"]", "under 16 characters"),
        ("[events]\nmax_body = \"lots\"", "is not a size"),
    ];
    for (written, words) in table {
        let error = with(written)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(
            error.contains(words),
            "{written}\n gave: {error}\n wanted: {words}"
        );
    }
}

#[test]
#[expect(
    clippy::result_large_err,
    reason = "figment's error is what its jail wants"
)]
fn a_file_lies_over_the_defaults_and_the_environment_over_both() {
    figment::Jail::expect_with(|jail| {
        jail.create_file(
            "patchbay.toml",
            "[server]\nworkers = 3\npublic_url = \"https://pb.example\"",
        )?;
        jail.set_env("PATCHBAY_SERVER__WORKERS", "5");
        jail.set_env("PATCHBAY_SERVER__LISTEN", "127.0.0.1:9001, 127.0.0.1:9002");
        jail.set_env("PATCHBAY_API__KEYS", "12345678901234567890");
        jail.set_env("PATCHBAY_CONFIG_NOTE", "not a setting");
        let loaded = load(None).map_err(|error| error.to_string())?;
        assert_eq!(loaded.settings.server.workers, 5);
        assert_eq!(loaded.settings.server.listen.len(), 2);
        assert!(loaded.settings.server.is_https());
        assert_eq!(
            loaded.settings.api.keys[0].expose_secret(),
            "12345678901234567890"
        );
        let printed = loaded.print();
        assert!(
            printed.contains("workers = 5    # from the environment"),
            "{printed}"
        );
        assert!(
            printed.contains("public_url = \"https://pb.example\"    # from"),
            "{printed}"
        );
        assert!(load(Some(Path::new("missing.toml"))).is_err());
        Ok(())
    });
}
