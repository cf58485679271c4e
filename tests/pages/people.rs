//! People of an enterprise: added with a password that is shown once, changed, shut out; extensions handed over; nobody's
//! own rights taken away by themselves; every change in the list of changes.

use crate::door::{Answer, Browser, Door};

async fn send(door: &Door, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{path}?lang=en"), &all).await
}

fn shown(page: &Answer) -> String {
    let mark = "<pre class=\"mt-2\" tabindex=\"0\">";
    let at = page.body.find(mark).expect("a password") + mark.len();
    page.body[at..]
        .chars()
        .take_while(|one| *one != '<')
        .collect()
}

const PEOPLE: &str = "/enterprise/0367/people";

#[actix_web::test]
async fn an_administrator_adds_a_person_who_then_logs_in() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let made = send(
        &door,
        &admin,
        &format!("{PEOPLE}/add"),
        &[
            ("login", "vera"),
            ("name", "Vera"),
            ("role", "operator"),
            ("extensions", "161, 162"),
        ],
    )
    .await;
    let password = shown(&made);
    assert!(made.status == 200 && password.len() >= 20, "{made:?}");
    let vera = door.log_in_as("vera", &password).await;
    // The administrator has seen that password.
    assert_eq!(
        door.page(&vera, "/calls").await.header("location"),
        "/account"
    );
    let piece = door.get(&vera, "/calls", &[("HX-Request", "true")]).await;
    assert_eq!(
        (piece.status, piece.header("hx-redirect")),
        (403, "/account")
    );
    let json = door.get(&vera, "/api/calls", &[]).await;
    assert_eq!(
        (json.status, &json.json()["error"]),
        (403, &"password-once".into())
    );
    let same = [
        ("old", password.as_str()),
        ("new", &password),
        ("again", &password),
    ];
    let same = send(&door, &vera, "/account/password", &same).await;
    assert!(
        same.body.contains("the same as the present one"),
        "{same:?}"
    );
    let own = [
        ("old", password.as_str()),
        ("new", "a word of Vera's own"),
        ("again", "a word of Vera's own"),
    ];
    let chosen = send(&door, &vera, "/account/password", &own).await;
    assert_eq!(chosen.header("location"), "/", "{chosen:?}");
    assert_eq!(door.page(&vera, "/calls").await.status, 200);
    assert_eq!(
        door.page(&vera, PEOPLE).await.status,
        403,
        "an operator is no administrator"
    );
    let page = door.page(&admin, &format!("{PEOPLE}?lang=en")).await;
    assert!(
        page.body.contains("161, 162") && !page.body.contains(&password),
        "shown once only"
    );

    // The extension goes over to another; the first keeps the rest.
    let over = [
        ("login", "anna"),
        ("role", "operator"),
        ("extensions", "162"),
    ];
    send(&door, &admin, &format!("{PEOPLE}/add"), &over).await;
    let page = door.page(&admin, &format!("{PEOPLE}?lang=en")).await;
    assert!(
        !page.body.contains("161, 162"),
        "an extension is one person's"
    );

    // Shut out: the open session ends at once.
    let off = [
        ("login", "vera"),
        ("name", "Vera"),
        ("role", "operator"),
        ("extensions", "161"),
    ];
    send(&door, &admin, &format!("{PEOPLE}/save"), &off).await;
    assert_ne!(door.page(&vera, "/calls").await.status, 200);

    let changes = door.page(&admin, "/enterprise/0367/history?lang=en").await;
    for words in ["user.add", "user.save", "yes → no", "vera"] {
        assert!(changes.body.contains(words), "{words}: {}", changes.body);
    }
    assert!(!changes.body.contains(&password));
}

#[actix_web::test]
async fn what_cannot_be_is_refused_with_words() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    for (action, fields, words) in [
        (
            "add",
            [("login", "a b"), ("role", "operator"), ("extensions", "")],
            "A login is letters",
        ),
        (
            "add",
            [
                ("login", "admin-0367"),
                ("role", "operator"),
                ("extensions", ""),
            ],
            "This login is taken",
        ),
        (
            "add",
            [("login", "eve"), ("role", "superadmin"), ("extensions", "")],
            "There is no such role",
        ),
        (
            "add",
            [
                ("login", "eve"),
                ("role", "operator"),
                ("extensions", "1;drop"),
            ],
            "An extension is 2 to 5 digits",
        ),
        (
            "save",
            [
                ("login", "admin-0367"),
                ("role", "operator"),
                ("active", "1"),
            ],
            "Nobody takes their own rights away",
        ),
        (
            "save",
            [("login", "admin-0367"), ("role", "admin"), ("active", "")],
            "Nobody takes their own rights away",
        ),
        (
            "extension",
            [("extension", "1"), ("name", ""), ("role", "")],
            "An extension is 2 to 5 digits",
        ),
    ] {
        let refused = send(&door, &admin, &format!("{PEOPLE}/{action}"), &fields).await;
        assert!(refused.body.contains(words), "{words}: {refused:?}");
    }
    let page = door.page(&admin, PEOPLE).await;
    assert!(!page.body.contains("eve"), "nothing of it was kept");
}

#[actix_web::test]
async fn another_enterprises_people_do_not_exist() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    for path in ["/enterprise/0401/people", "/enterprise/0401/history"] {
        assert_eq!(door.page(&admin, path).await.status, 404, "{path}");
    }
    for path in ["/people", "/history"] {
        assert_eq!(door.page(&admin, path).await.status, 403, "{path}");
    }
    // A superadmin is nobody of this enterprise.
    let renew = send(
        &door,
        &admin,
        &format!("{PEOPLE}/password"),
        &[("login", "superadmin")],
    )
    .await;
    assert_eq!(renew.status, 404, "{renew:?}");
}

#[actix_web::test]
async fn a_form_that_is_refused_keeps_what_was_typed_and_its_page_can_be_read_in_the_other_language()
 {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let fields = [
        ("login", "vera"),
        ("name", "Vera"),
        ("role", "supervisor"),
        ("extensions", "1a0"),
    ];
    let refused = send(&door, &admin, &format!("{PEOPLE}/add"), &fields).await;
    for kept in [
        "value=\"vera\"",
        "value=\"Vera\"",
        "value=\"1a0\"",
        "value=\"supervisor\" selected",
        // The answer to a form stands at an address that nobody can open.
        "href=\"/enterprise/0367/people?lang=ru\"",
    ] {
        assert!(refused.body.contains(kept), "{kept}: {refused:?}");
    }
    let number = [("extension", "7"), ("name", "Warehouse")];
    let refused = send(&door, &admin, &format!("{PEOPLE}/extension"), &number).await;
    assert!(refused.body.contains("value=\"Warehouse\""), "{refused:?}");
    for (form, field) in [("bot", ("token", "typed")), ("add", ("chat", "typed"))] {
        let at = format!("/enterprise/0367/telegram/{form}");
        let refused = send(&door, &admin, &at, &[field]).await;
        assert!(
            refused.body.contains("value=\"typed\""),
            "{form}: {refused:?}"
        );
    }
    door.close().await;
}

#[actix_web::test]
async fn a_person_without_a_name_leaves_the_extension_its_own() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let named = [("extension", "161"), ("name", "Warehouse")];
    send(&door, &admin, &format!("{PEOPLE}/extension"), &named).await;
    let person = [
        ("login", "vera"),
        ("name", ""),
        ("role", "operator"),
        ("extensions", "161"),
        ("active", "1"),
    ];
    let root = door.log_in("superadmin").await;
    for act in ["add", "save"] {
        let answer = send(&door, &admin, &format!("{PEOPLE}/{act}"), &person).await;
        assert_eq!(answer.status, 200, "{act}: {answer:?}");
        let shown = door.page(&root, "/metadata/0367/manager/161").await;
        assert!(shown.body.contains("Warehouse"), "{act}: {shown:?}");
    }
    door.close().await;
}
