//! The account link: one page of one enterprise, until it is revoked.

use super::*;

/// The path of the link that the CRM holds.
fn link(scene: &Scene) -> String {
    let url = scene.account().modules()[0].body["accountUrl"]
        .as_str()
        .expect("a link")
        .to_owned();
    url.replace("http://patchbay.example", "")
}

#[actix_web::test]
async fn the_account_link_opens_one_page_of_one_enterprise_until_it_is_revoked() {
    let scene = Scene::new().await;
    scene.registered().await;
    let (first, nobody) = (link(&scene), Browser::default());
    for method in [Method::GET, Method::POST] {
        let fields = [("clientId", "whatever")];
        let opened = scene.door.send(&nobody, &method, &first, &fields).await;
        assert_eq!(opened.status, 303, "{opened:?}");
        assert_eq!(opened.header("location"), PAGE);
        let cookie = opened.header("set-cookie");
        assert!(
            cookie.contains("Path=/retailcrm-admin") && cookie.contains("HttpOnly"),
            "{cookie}"
        );
    }
    let opened = scene.door.get(&nobody, &first, &[]).await;
    let cookie = opened
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut guest = Browser {
        cookie,
        csrf: String::new(),
    };
    let page = scene.door.page(&guest, PAGE).await;
    assert!(
        page.status == 200 && page.body.contains("june") && !page.body.contains("/logout"),
        "{page:?}"
    );
    let mark = "X-CSRF-Token\": \"";
    let at = page.body.find(mark).expect("a token") + mark.len();
    guest.csrf = page.body[at..]
        .split('"')
        .next()
        .unwrap_or_default()
        .to_owned();

    // This page, this enterprise, nothing else.
    for (path, status) in [
        ("/retailcrm-admin/?enterprise_number=0401", 404),
        ("/retailcrm-admin/api/config/0401", 404),
        ("/retailcrm-admin/api/config/0367", 200),
        ("/live", 303),
        ("/calls", 303),
        ("/enterprise/0367/integrations", 303),
        ("/enterprise/0367/integrations/config", 303),
        ("/account", 303),
        ("/system", 303),
    ] {
        let answer = scene.door.page(&guest, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(!answer.body.contains("north"), "{path}");
    }
    for entry in routes::table() {
        if entry.area == Area::Module || !entry.area.needs_session() || entry.area == Area::Machine
        {
            continue;
        }
        let path = entry
            .path
            .replace("{number}", "0367")
            .replace("{kind}", "retailcrm")
            .replace("{id}", "1");
        let answer = scene
            .door
            .send(
                &guest,
                &entry.method,
                &path,
                &[("csrf", guest.csrf.as_str())],
            )
            .await;
        assert!(
            [303, 401].contains(&answer.status),
            "{} {path}: {answer:?}",
            entry.method
        );
    }
    let save = format!("{MODULE}/managers/save");
    let fields = [("user", "16"), ("extension", "150")];
    assert_eq!(
        scene.door.post(&guest, &save, &fields).await.status,
        403,
        "without the form's token"
    );
    let fields = [
        ("user", "16"),
        ("extension", "150"),
        ("csrf", guest.csrf.as_str()),
    ];
    assert_eq!(scene.door.post(&guest, &save, &fields).await.status, 200);
    let rows = scene
        .door
        .store
        .read(|conn| audit::page(conn, None, 0, 20))
        .await
        .expect("the audit");
    assert!(rows.iter().any(|row| row.who == "retailcrm@0367"
        && row.action == "retailcrm.extensions"
        && row.user.is_none()));

    // A guest who registers again stays in; the old link and the old cookie are no good any more.
    let again = [("csrf", guest.csrf.as_str())];
    let registered = scene
        .door
        .post(&guest, &format!("{MODULE}/register?lang=en"), &again)
        .await;
    assert!(
        registered.body.contains("Registered in RetailCRM"),
        "{registered:?}"
    );
    let renewed = Browser {
        cookie: registered
            .header("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned(),
        csrf: guest.csrf.clone(),
    };
    assert_eq!(scene.door.page(&renewed, PAGE).await.status, 200);
    assert_eq!(
        scene
            .door
            .post(&renewed, &format!("{MODULE}/managers"), &again)
            .await
            .status,
        200
    );
    assert_eq!(
        scene.door.page(&guest, PAGE).await.status,
        303,
        "the old cookie"
    );
    let old = scene.door.page(&nobody, &first).await;
    assert!(
        old.status == 401 && old.body.contains("This link is not good"),
        "{old:?}"
    );
    for bad in [
        "/retailcrm-admin/account",
        "/retailcrm-admin/account?token=a.b.c",
    ] {
        assert_eq!(scene.door.get(&nobody, bad, &[]).await.status, 401, "{bad}");
    }

    // Removing ends the new one, too.
    let last = link(&scene);
    assert_eq!(scene.door.get(&nobody, &last, &[]).await.status, 303);
    let removed = scene.post("remove", &[]).await;
    assert!(
        removed.body.contains("The integration is removed"),
        "{removed:?}"
    );
    assert_eq!(scene.door.get(&nobody, &last, &[]).await.status, 401);
    assert_eq!(scene.door.page(&renewed, PAGE).await.status, 303);
    assert!(
        !scene.account().modules()[0].active,
        "the CRM's module is switched off"
    );
    assert_eq!(
        scene.last_line().await,
        line("remove_module", "success", "")
    );
    scene.close().await;
}
