//! Enterprises, their secrets, keys and migrations, and changes made elsewhere.

use std::time::Duration;

use super::*;
use crate::cache::snapshot::{Line, NumberRule};
use crate::store::enterprises::Key;
use crate::store::listen::Heard;
use crate::store::testing::{Kind, TestDatabase, execute, wait};
use crate::store::users::NewUser;
use crate::store::{Conn, Options, StoreError, Vault, telegram, users, vault::VaultError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

fn write<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
) -> T {
    wait(store.write(work)).unwrap()
}

fn user(enterprise: Option<i64>, login: &str) -> NewUser {
    NewUser {
        enterprise,
        login: login.into(),
        full_name: format!("name of {login}"),
        role: "admin".into(),
        password_hash: "$argon2id$".into(),
        password_once: false,
        language: String::new(),
    }
}

fn an_enterprise_is_read_whole(database: &TestDatabase) {
    let store = database.store();
    let vault = store.vault().clone();
    let new = NewEnterprise {
        number: "0367".into(),
        name: "june".into(),
        token: "host token".into(),
        bot_token: Some("1:bot".into()),
        integrations: json!({
            "smart": {"primary": "retailcrm"},
            "retailcrm": {
                "enabled": true, "api_key": "hidden",
                "user_extensions": {"16": "151", "17": "152", "18": null, "19": "159"},
                "user_names": {"16": "Петрова Анна", "17": "Ильин Борис", "18": "Соколова Вера", "19": "Орлов Глеб"},
            },
            "ms": {"enabled": false},
        }),
        ..NewEnterprise::default()
    };
    let e = write(&store, {
        let vault = vault.clone();
        move |conn| enterprises::add(conn, &vault, &new, noon())
    });
    write(&store, move |conn| {
        let person = users::add(conn, &user(Some(e), "ivan"), noon())?;
        users::assign_extension(conn, e, "150", Some(person), "")?;
        users::assign_extension(conn, e, "151", None, "Склад")?;
        users::assign_extension(conn, e, "152", None, "")?;
        let rules = vec![NumberRule {
            pattern: "^80".into(),
            replacement: "+375".into(),
        }];
        enterprises::save_line(
            conn,
            e,
            "0001367",
            &Line {
                name: "Главная".into(),
                rules,
            },
        )?;
        telegram::subscribe(conn, e, 77, "chat", noon()).map(drop)
    });
    let load = |key: Key| {
        let vault = vault.clone();
        wait(store.read(move |conn| enterprises::load(conn, &vault, &key))).unwrap()
    };
    let found = load(Key::Number("0367".into())).unwrap();
    assert_eq!(
        (found.id, found.name.as_str(), found.token.expose_secret()),
        (e, "june", "host token")
    );
    assert_eq!(
        found.bot_token.as_ref().map(ExposeSecret::expose_secret),
        Some("1:bot")
    );
    assert!(found.secret.is_none() && found.has_telegram_subscribers && found.active);
    assert_eq!(found.extensions["150"].name, "name of ivan");
    assert_eq!(
        (
            found.extensions["151"].name.as_str(),
            found.extensions["151"].user_id
        ),
        ("Склад", None)
    );
    assert_eq!(
        found.extensions["152"].name, "Ильин Борис",
        "whom nobody named here bears the CRM's name"
    );
    assert_eq!(
        found.extensions.len(),
        3,
        "the CRM's word makes no extension"
    );
    assert_eq!(found.lines["0001367"].rules.len(), 1);
    assert_eq!(found.primary.as_deref(), Some("retailcrm"));
    let on: Vec<_> = found
        .integrations
        .iter()
        .map(|(name, one)| (name.as_str(), one.enabled))
        .collect();
    assert_eq!(on, [("ms", false), ("retailcrm", true)]);
    let others = [
        Key::Id(e),
        Key::Name("june".into()),
        Key::Token("host token".into()),
        Key::NumberOrName("june".into()),
        Key::NumberOrName("0367".into()),
    ];
    for key in others {
        assert_eq!(load(key.clone()).map(|found| found.id), Some(e), "{key:?}");
    }
    for key in [
        Key::Id(e + 1),
        Key::Number("1".into()),
        Key::Token("other".into()),
        Key::NumberOrName(String::new()),
    ] {
        assert!(load(key.clone()).is_none(), "{key:?}");
    }
    assert_eq!(
        wait(store.read({
            let vault = vault.clone();
            move |conn| enterprises::load_all(conn, &vault)
        }))
        .unwrap()
        .len(),
        1
    );
    assert!(
        !format!("{found:?}").contains("hidden"),
        "no secret in Debug"
    );
}

fn secrets_are_sealed_in_the_table(database: &TestDatabase) {
    use diesel::prelude::*;
    let store = database.store();
    let e = enterprise(&store, "0367");
    let vault = store.vault().clone();
    let document = json!({"retailcrm": {"api_key": "plainly"}});
    write(&store, {
        let vault = vault.clone();
        let document = document.clone();
        move |conn| enterprises::save_integrations(conn, &vault, e, &document, noon())
    });
    let kept: (String, String, String) = wait(store.read(move |conn| {
        use crate::store::schema::enterprises::dsl::*;
        Ok(crate::store::conn::on!(conn, c => enterprises.select((token, token_hash, integrations_config)).first(c)?))
    }))
    .unwrap();
    for text in [&kept.0, &kept.1, &kept.2] {
        assert!(
            !text.contains("t0367") && !text.contains("plainly"),
            "{text}"
        );
    }
    let read = wait(store.read(move |conn| enterprises::integrations(conn, &vault, e))).unwrap();
    assert_eq!(read, document);
}

fn an_enterprise_is_changed(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    let vault = store.vault().clone();
    let change = |id: i64, change: fn(&mut NewEnterprise)| {
        let vault = vault.clone();
        wait(store.write(move |conn| {
            let mut whole = enterprises::details(conn, &vault, id)?.ok_or(StoreError::NotFound)?;
            change(&mut whole);
            enterprises::update(conn, &vault, id, &whole, noon())
        }))
    };
    change(e, |whole| {
        whole.token = SecretString::from("rotated");
        whole.host_address = "10.0.0.5".into();
    })
    .unwrap();
    assert!(matches!(
        change(other, |whole| whole.number = "0367".into()),
        Err(StoreError::Taken(_))
    ));
    assert!(matches!(change(99, |_| ()), Err(StoreError::NotFound)));
    let found = wait(store.read({
        let vault = vault.clone();
        move |conn| enterprises::load(conn, &vault, &Key::Token("rotated".into()))
    }));
    assert_eq!(found.unwrap().map(|found| found.id), Some(e));
    let whole = wait(store.read({
        let vault = vault.clone();
        move |conn| enterprises::details(conn, &vault, e)
    }))
    .unwrap()
    .unwrap();
    assert_eq!(
        (
            whole.host_address.as_str(),
            whole.ssh_port,
            whole.time_zone.as_str()
        ),
        ("10.0.0.5", 22, "Europe/Minsk")
    );
    let list = wait(store.read(enterprises::list)).unwrap();
    assert_eq!(
        list,
        [
            (e, "0367".into(), "e0367".into(), true),
            (other, "0368".into(), "e0368".into(), true)
        ]
    );
}

fn another_key_is_refused_at_opening(database: &TestDatabase) {
    drop(database.store());
    let url = database.url.clone();
    let other =
        std::thread::spawn(move || Store::open(&url, Vault::new(&[8; 32]), Options::default()))
            .join()
            .unwrap();
    assert_eq!(other.err(), Some(StoreError::Sealed(VaultError::WrongKey)));
    drop(database.store());
}

fn migrations_run_once(database: &TestDatabase) {
    let mut conn = database.connect();
    assert!(
        crate::store::migrations::pending(&mut conn)
            .unwrap()
            .is_empty()
    );
    assert!(crate::store::migrations::run(&mut conn).unwrap().is_empty());
}

fn a_change_elsewhere_is_heard(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let (tell, told) = std::sync::mpsc::channel();
    let listener = store
        .listen(move |heard| {
            let _ = tell.send(heard);
        })
        .unwrap();
    if database.kind == Kind::Sqlite {
        assert!(listener.is_none(), "SQLite has one process");
        return;
    }
    let patience = Duration::from_secs(20);
    assert_eq!(told.recv_timeout(patience).unwrap(), Heard::Listening);
    let changes = [
        format!("UPDATE enterprises SET name = 'x' WHERE id = {e}"),
        format!("INSERT INTO lines (enterprise_id, line) VALUES ({e}, '1')"),
        format!("INSERT INTO user_internal_phones (enterprise_id, extension) VALUES ({e}, '150')"),
        format!(
            "INSERT INTO telegram_users (enterprise_id, chat_id, created_at) VALUES ({e}, 1, '2026-01-01')"
        ),
        format!("DELETE FROM lines WHERE enterprise_id = {e}"),
    ];
    for sql in changes {
        execute(&mut database.connect(), &sql);
        assert_eq!(
            told.recv_timeout(patience).unwrap(),
            Heard::Changed(e),
            "{sql}"
        );
    }
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    execute(&mut database.connect(), cut);
    assert_eq!(
        told.recv_timeout(patience).unwrap(),
        Heard::Listening,
        "it listens again"
    );
    execute(
        &mut database.connect(),
        &format!("UPDATE enterprises SET name = 'y' WHERE id = {e}"),
    );
    assert_eq!(told.recv_timeout(patience).unwrap(), Heard::Changed(e));
}

crate::for_each_database!(
    an_enterprise_is_read_whole,
    secrets_are_sealed_in_the_table,
    an_enterprise_is_changed,
    another_key_is_refused_at_opening,
    migrations_run_once,
    a_change_elsewhere_is_heard,
);
