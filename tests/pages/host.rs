//! The host's page: a key is made and its public half shown, the host's own key accepted or refused, and a trial that
//! tells how far it came.

use crate::door::{Answer, Browser, Door};

const HOST: &str = "/enterprise/0367/host";
const SHOWN: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJ0dLHsBYQnyWkPP2FP2cT1xvAdxBHs9vLhfxK7gG0V";

async fn send(door: &Door, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{path}?lang=en"), &all).await
}

#[actix_web::test]
async fn a_key_is_made_here_and_only_its_public_half_is_shown() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let blank = door.page(&admin, &format!("{HOST}?lang=en")).await;
    assert!(blank.body.contains("There is no key yet"), "{blank:?}");
    let made = send(&door, &admin, &format!("{HOST}/make"), &[]).await;
    assert!(
        made.body.contains("ssh-ed25519 AAAA") && made.body.contains("restrict"),
        "{made:?}"
    );
    assert!(!made.body.contains("PRIVATE KEY"));
    send(&door, &admin, &format!("{HOST}/kind"), &[("kind", "plain")]).await;
    let plain = door.page(&admin, &format!("{HOST}?lang=en")).await;
    assert!(!plain.body.contains("restrict"), "a plain host has no gate");
    let refused = send(
        &door,
        &admin,
        &format!("{HOST}/bring"),
        &[("key", "hunter2")],
    )
    .await;
    assert!(
        refused.body.contains("This is no private key"),
        "{refused:?}"
    );
}

#[actix_web::test]
async fn the_hosts_key_is_accepted_or_refused_by_a_person() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let refused = send(
        &door,
        &admin,
        &format!("{HOST}/refuse"),
        &[("offered", SHOWN)],
    )
    .await;
    assert!(
        refused.body.contains("is not accepted") && !refused.body.contains("SHA256:"),
        "{refused:?}"
    );
    let accepted = send(
        &door,
        &admin,
        &format!("{HOST}/accept"),
        &[("offered", SHOWN)],
    )
    .await;
    assert!(accepted.body.contains("SHA256:"), "{accepted:?}");
    let nonsense = send(
        &door,
        &admin,
        &format!("{HOST}/accept"),
        &[("offered", "ssh-rsa §")],
    )
    .await;
    assert!(
        nonsense.body.contains("no public key of a host"),
        "{nonsense:?}"
    );
    let changes = door.page(&admin, "/enterprise/0367/history?lang=en").await;
    for action in ["host.accept", "host.refuse"] {
        assert!(changes.body.contains(action), "{action}: {changes:?}");
    }
}

#[actix_web::test]
async fn a_trial_tells_at_which_step_it_ended() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let tried = send(&door, &admin, &format!("{HOST}/test"), &[]).await;
    assert!(
        tried.body.contains("The settings are not complete"),
        "{tried:?}"
    );
    let other = send(&door, &admin, "/enterprise/0401/host/test", &[]).await;
    assert_eq!(other.status, 404);
    let operator = door.log_in("operator-0367").await;
    assert_eq!(door.page(&operator, HOST).await.status, 403);
}

#[actix_web::test]
async fn a_trial_shows_how_far_it_is_while_it_goes_on() {
    // It takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its address").port().to_string();
    let door = Door::open("[hosts]\nconnect_timeout = \"700ms\"").await;
    let admin = door.log_in("admin-0367").await;
    let fields = [
        ("name", "june"),
        ("country", "BY"),
        ("time_zone", "Europe/Minsk"),
        ("language", "ru"),
        ("host_address", "127.0.0.1"),
        ("ssh_port", port.as_str()),
        ("ssh_user", "patchbay"),
        ("originate_context", "inoffice"),
        ("redirect_context", "web-zapros"),
    ];
    send(&door, &admin, "/enterprise/0367", &fields).await;
    send(&door, &admin, &format!("{HOST}/make"), &[]).await;
    let begun = send(&door, &admin, &format!("{HOST}/test"), &[]).await.body;
    let settings = begun.find("check-yes").expect("the settings are complete");
    let reach = begun.find("check-waiting").expect("the host is waited for");
    assert!(settings < reach && begun.contains("every 300ms"), "{begun}");
    assert!(!begun.contains("role=\"alert\"") && !begun.contains("role=\"status\""));
    let again = send(&door, &admin, &format!("{HOST}/test"), &[]).await.body;
    assert!(
        again.contains("every 300ms"),
        "the same one goes on: {again}"
    );
    let ended = loop {
        let page = door
            .page(&admin, &format!("{HOST}/test?lang=ru"))
            .await
            .body;
        if !page.contains("every 300ms") {
            break page;
        }
    };
    assert!(
        ended.contains("Хост не ответил вовремя") && ended.contains("check-no"),
        "{ended}"
    );
    let other = door.log_in("admin-0401").await;
    let nothing = door
        .page(&other, "/enterprise/0401/host/test?lang=en")
        .await;
    assert!(nothing.body.contains("Nothing is known of the trial"));
}
