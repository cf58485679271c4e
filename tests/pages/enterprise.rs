//! An enterprise's own pages: made, changed and refused with words; secrets shown once; numbers tried before rules are
//! saved; chats and their test message.

use crate::door::{Answer, Browser, Door};

async fn send(door: &Door, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{path}?lang=en"), &all).await
}

/// A form that is good, with some fields of it changed.
fn form<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("name", "june"),
        ("country", "BY"),
        ("time_zone", "Europe/Minsk"),
        ("language", "ru"),
        ("host_address", "pbx.example"),
        ("ssh_port", "22"),
        ("ssh_user", "patchbay"),
        ("originate_context", "inoffice"),
        ("redirect_context", "web-zapros"),
    ];
    for (name, value) in more {
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    fields
}

/// The secret that a page shows this once.
fn shown(page: &Answer) -> String {
    let mark = "<pre class=\"mt-2\" tabindex=\"0\">";
    let at = page.body.find(mark).expect("a secret") + mark.len();
    let rest = &page.body[at..];
    rest[..rest.find('<').expect("an end")].to_owned()
}

#[actix_web::test]
async fn a_superadmin_makes_an_enterprise_and_its_token_is_shown_once() {
    let door = Door::open("").await;
    let (root, admin) = (
        door.log_in("superadmin").await,
        door.log_in("admin-0367").await,
    );
    let made = send(
        &door,
        &root,
        "/enterprises/new",
        &form(&[("number", "0500"), ("name", "west"), ("active", "1")]),
    )
    .await;
    let token = shown(&made);
    assert!(made.status == 200 && token.len() > 30, "{made:?}");
    let page = door.page(&root, "/enterprise/0500").await;
    assert!(
        page.body.contains("west") && !page.body.contains(&token),
        "shown once only"
    );

    for (fields, words) in [
        (
            form(&[("number", "0500"), ("name", "again")]),
            "There is an enterprise of this number already",
        ),
        (form(&[("number", "05x")]), "digits only"),
        (
            form(&[("number", "0501"), ("time_zone", "Minsk")]),
            "no time zone",
        ),
    ] {
        let refused = send(&door, &root, "/enterprises/new", &fields).await;
        assert!(refused.body.contains(words), "{words}: {refused:?}");
    }
    assert_eq!(
        send(
            &door,
            &admin,
            "/enterprises/new",
            &form(&[("number", "0502")])
        )
        .await
        .status,
        403
    );
    assert_eq!(door.page(&admin, "/enterprise/0500").await.status, 404);
    door.close().await;
}

#[actix_web::test]
async fn settings_are_changed_or_refused_and_a_new_token_holds_at_once() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let saved = send(
        &door,
        &admin,
        "/enterprise/0367",
        &form(&[("name", "june two"), ("debug_log", "1")]),
    )
    .await;
    assert!(
        saved.body.contains("Saved") && saved.body.contains("june two"),
        "{saved:?}"
    );
    for (days, shown) in [("0", "0"), (" 365 ", "365"), ("", "")] {
        let fields = form(&[("events_days", days), ("recording_links", "1")]);
        let saved = send(&door, &admin, "/enterprise/0367", &fields).await;
        let field = format!("name=\"events_days\" value=\"{shown}\"");
        assert!(saved.body.contains(&field), "{days}: {saved:?}");
    }
    let history = door.page(&admin, "/enterprise/0367/history").await;
    assert!(
        history
            .body
            .contains("days events are kept:</span> 0 → 365"),
        "{history:?}"
    );
    // An administrator's form cannot switch the enterprise off: it has no such field.
    let dial =
        serde_json::json!({"UniqueId": "1795194153.9", "Phone": "375291234567", "Token": "x"});
    door.event("0367", "start", dial.clone()).await;
    for (name, value, words) in [
        ("ssh_port", "0", "from 1 to 65535"),
        ("ssh_user", "root; reboot", "The SSH user"),
        ("originate_context", "", "The context for calls"),
        ("country", "ZZ", "no country"),
        ("host_address", "a b", "no address"),
        ("name", " ", "must not be empty"),
        ("events_days", "3", "7 to 3650"),
        ("events_days", "for ever", "7 to 3650"),
        ("events_days", "99999", "7 to 3650"),
    ] {
        let refused = send(&door, &admin, "/enterprise/0367", &form(&[(name, value)])).await;
        assert!(
            refused.body.contains(words) && !refused.body.contains("Saved"),
            "{name}={value}: {refused:?}"
        );
    }
    let rotated = send(&door, &admin, "/enterprise/0367/rotate/token", &[]).await;
    let token = shown(&rotated);
    assert!(
        !door
            .page(&admin, "/enterprise/0367")
            .await
            .body
            .contains(&token)
    );
    let mut body = dial;
    for (token, status) in [("token-of-0367", 403), (token.as_str(), 200)] {
        body["Token"] = token.into();
        let request = crate::door::client().post(format!("{}/start", door.base));
        assert_eq!(
            crate::door::read(request.send_json(&body).await)
                .await
                .status,
            status,
            "{token}"
        );
    }
    let secret = shown(&send(&door, &admin, "/enterprise/0367/rotate/secret", &[]).await);
    assert_ne!(secret, token);
    assert_eq!(
        send(&door, &admin, "/enterprise/0367/rotate/everything", &[])
            .await
            .status,
        404
    );
    door.close().await;
}

#[actix_web::test]
async fn a_number_is_tried_before_rules_are_saved() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let at = "/enterprise/0367/lines";
    let rules = "^9(\\d{9})$ => +375$1\n^00 => +";
    let tried = send(
        &door,
        &admin,
        &format!("{at}/try"),
        &[("rules", rules), ("phone", "9291234567")],
    )
    .await;
    assert!(
        tried.body.contains("+375291234567") && tried.body.contains("unchanged by"),
        "{tried:?}"
    );
    let wrong = send(
        &door,
        &admin,
        &format!("{at}/try"),
        &[("rules", "( => x"), ("phone", "1")],
    )
    .await;
    assert!(wrong.body.contains("no regular expression"), "{wrong:?}");

    let fields = [("line", "0001367"), ("name", "Sales"), ("rules", rules)];
    assert_eq!(send(&door, &admin, at, &fields).await.status, 303);
    let page = door.page(&admin, at).await;
    assert!(
        page.body.contains("Sales") && page.body.contains("^00 =&gt; +"),
        "{page:?}"
    );
    let refused = send(
        &door,
        &admin,
        at,
        &[("line", "0001367"), ("rules", "^8(\\d+) => $1375")],
    )
    .await;
    assert!(refused.body.contains("names the group 1375"), "{refused:?}");
    assert_eq!(
        send(&door, &admin, at, &[("line", " ")]).await.status,
        200,
        "refused on the page"
    );
    assert_eq!(
        send(
            &door,
            &admin,
            &format!("{at}/remove"),
            &[("line", "no such")]
        )
        .await
        .status,
        404
    );
    assert_eq!(
        send(
            &door,
            &admin,
            &format!("{at}/remove"),
            &[("line", "0001367")]
        )
        .await
        .status,
        303
    );
    assert!(!door.page(&admin, at).await.body.contains("Sales"));
    door.close().await;
}

#[actix_web::test]
async fn a_bot_is_saved_masked_and_tried_with_words() {
    let bots = simulators::telegram::start(
        "127.0.0.1:0",
        simulators::telegram::Settings {
            any_chat: true,
            ..Default::default()
        },
    )
    .await
    .expect("a simulator");
    let token = simulators::telegram::NewBot::demo().token;
    let door = Door::open(&format!("[telegram]\nbase_url = \"{}\"", bots.base_url)).await;
    let admin = door.log_in("admin-0367").await;
    let at = "/enterprise/0367/telegram";
    let go = async |what: &str, fields: &[(&str, &str)]| {
        send(&door, &admin, &format!("{at}/{what}"), fields)
            .await
            .body
    };
    assert!(
        go("add", &[("chat", "42"), ("name", "Anna")])
            .await
            .contains("Anna")
    );
    assert!(
        go("test", &[("chat", "42")])
            .await
            .contains("There is no bot")
    );
    assert!(
        go("bot", &[("token", "not a token")])
            .await
            .contains("does not have the form")
    );
    let saved = go("bot", &[("token", &token)]).await;
    assert!(
        saved.contains("Saved") && !saved.contains(&token),
        "{saved}"
    );
    assert!(go("add", &[("chat", "x")]).await.contains("whole number"));
    let sent = go("test", &[("chat", "42")]).await;
    assert!(sent.contains("The message was sent"), "{sent}");
    assert!(!go("remove", &[("chat", "42")]).await.contains("Anna"));
    door.close().await;
    bots.stop().await;
}

#[actix_web::test]
async fn a_code_is_made_a_chat_joins_by_its_link_and_the_open_page_says_so() {
    let bots =
        simulators::telegram::start("127.0.0.1:0", simulators::telegram::Settings::default())
            .await
            .expect("a simulator");
    let demo = simulators::telegram::NewBot::demo();
    let bot = bots.state.bot(&demo.token).expect("its bot");
    let settings = "[telegram]\nbase_url = \"{}\"\nlink_url = \"https://t.me/\"";
    let door = Door::open(&settings.replace("{}", &bots.base_url)).await;
    let (admin, other) = (
        door.log_in("admin-0367").await,
        door.log_in("admin-0401").await,
    );
    let at = "/enterprise/0367/telegram";
    let go = async |what: &str, fields: &[(&str, &str)]| {
        send(&door, &admin, &format!("{at}/{what}"), fields)
            .await
            .body
    };
    let wanted = [("single", "1"), ("hours", "24")];
    assert!(go("invite", &wanted).await.contains("There is no bot"));
    go("bot", &[("token", &demo.token)]).await;
    assert!(
        go("invite", &[("hours", "9999")])
            .await
            .contains("an hour, a day or a week")
    );
    let made = go("invite", &wanted).await;
    let mark = "https://t.me/bot123456_bot?start=";
    let from = made.find(mark).expect("a link") + mark.len();
    let code = &made[from..from + 14];
    assert!(
        made.contains(&format!("?startgroup={code}")) && made.contains(&format!("/join {code}"))
    );
    let piece = format!("{at}/chats?lang=en");
    let open = door.page(&admin, &piece).await.body;
    assert!(
        open.contains("nobody yet") && open.contains("every 3s"),
        "{open}"
    );
    assert!(!open.contains(code), "shown once only");
    assert_eq!(door.page(&other, &piece).await.status, 404);

    bot.receive(501, &format!("/start {code}"));
    let joined = loop {
        let page = door.page(&admin, &piece).await.body;
        if page.contains("Анна Петрова") {
            break page;
        }
    };
    assert!(
        joined.contains("Used") && !joined.contains("every 3s"),
        "{joined}"
    );
    let history = door.page(&admin, "/enterprise/0367/history").await.body;
    for what in [
        "telegram.invite",
        "telegram.join",
        "Анна Петрова",
        &code[10..],
    ] {
        assert!(history.contains(what), "{what}");
    }
    assert!(!history.contains(code));

    let taken_back = go("invite", &wanted).await;
    let mark = "name=\"code\" value=\"";
    let from = taken_back.find(mark).expect("a code's number") + mark.len();
    let number = taken_back[from..].split('"').next().unwrap_or_default();
    assert!(
        go("uninvite", &[("code", number)])
            .await
            .contains("Taken back")
    );
    let theirs = send(
        &door,
        &other,
        "/enterprise/0401/telegram/uninvite",
        &[("code", number)],
    )
    .await;
    assert_eq!(theirs.status, 404, "another enterprise's code");
    door.close().await;
    bots.stop().await;
}

#[actix_web::test]
async fn the_list_tells_when_each_host_was_last_heard() {
    let door = Door::open("").await;
    let root = door.log_in("superadmin").await;
    let silent = door.page(&root, "/enterprises?lang=en").await;
    assert_eq!(silent.body.matches("none yet").count(), 2, "{silent:?}");
    let start = serde_json::json!({"UniqueId": "1.1", "Phone": "375291234567", "CallType": 0});
    assert_eq!(door.event("0367", "start", start).await.status, 200);
    let heard = door.page(&root, "/enterprises?lang=en").await;
    assert_eq!(heard.body.matches("none yet").count(), 1, "{heard:?}");
    assert!(heard.body.contains("0.0 s"), "in time: {heard:?}");
}
