//! Who calls, shown to each manager whose phone rings.

use super::*;

#[test]
fn each_manager_whose_phone_rings_is_shown_who_calls() {
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    insta::assert_snapshot!(told(&connector(), &notice, &[ok(USERS), taken(), taken()]), @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    keep {"caller":{"id":5,"manager":2,"name":"Sidorov Ivan P."},"showing":2,"talk":1}
    POST https://api.u-on.ru/•••/notification/create.json
    manager_id=2
    text=<b>Входящий звонок</b><br/>+375296254070<br/><a href="https://id12345.u-on.ru/client_edit.php?client_id=5" target="_blank">Sidorov Ivan P.</a><br/>На линию: +375 17 200-00-00
    keep {"caller":{"id":5,"manager":2,"name":"Sidorov Ivan P."},"showing":3,"shown":[2],"talk":1}
    POST https://api.u-on.ru/•••/notification/create.json
    manager_id=3
    text=<b>Входящий звонок</b><br/>+375296254070<br/><a href="https://id12345.u-on.ru/client_edit.php?client_id=5" target="_blank">Sidorov Ivan P.</a><br/>На линию: +375 17 200-00-00
    keep {"caller":{"id":5,"manager":2,"name":"Sidorov Ivan P."},"shown":[2,3],"talk":1}
    End(Taken(""))
    "#);
}

#[test]
fn a_stranger_is_shown_by_his_number_and_names_are_escaped() {
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let shown = told(&connector(), &notice, &[nobody()]);
    assert!(shown.contains("Номера нет в U-ON"), "{shown}");
    let mallory = r#"{"users":[{"u_id":9,"u_name":"<img src=x>\"'&","u_phone":"375296254070"}],"result":200}"#;
    let shown = told(
        &connector_with(json!({"cabinet": ""})),
        &notice,
        &[ok(mallory)],
    );
    assert!(
        shown.contains("<br/>&lt;img src=x&gt;&quot;&#39;&amp;<br/>"),
        "{shown}"
    );
}

#[test]
fn nobody_in_u_on_has_the_phone() {
    let mut notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    notice.extensions = vec!["152".into()];
    insta::assert_snapshot!(told(&connector(), &notice, &[]), @r#"Nothing("no manager of U-ON has 152")"#);
    // Some have it, some have not.
    notice.extensions = vec!["152".into(), "150".into()];
    let shown = told(&connector(), &notice, &[ok(USERS), taken()]);
    assert!(
        shown.ends_with("End(Taken(\"taken, but the CRM knows no user with 152\"))\n"),
        "{shown}"
    );
    // Where no extension was given here, those that U-ON keeps hold.
    let bare = connector_with(json!({"user_extensions": {}}));
    let asked = told(&bare, &notice, &[ok(MANAGERS), ok(USERS)]);
    assert!(
        asked.contains("/manager.json") && asked.contains("manager_id=2\n"),
        "{asked}"
    );
    assert!(!asked.contains("manager_id=7"), "dismissed: {asked}");
}

#[test]
fn a_pop_up_that_was_cut_off_is_shown_again_to_whom_it_may_concern() {
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let uon = connector();
    // The second one's answer never came. Who calls is known by then.
    let (_, memory) = talk(&uon, &notice, &Value::Null, &[ok(USERS), taken()]);
    let (again, memory) = talk(&uon, &notice, &memory, &[taken()]);
    assert!(!again.contains("manager_id=2\n"), "{again}");
    assert!(again.contains("manager_id=3\n"), "{again}");
    insta::assert_snapshot!(again.lines().last().unwrap(), @r#"End(Taken("a try before this was cut off: may have been shown twice to 3"))"#);
    // And no more, however often it is asked.
    insta::assert_snapshot!(talk(&uon, &notice, &memory, &[]).0, @"End(Duplicate)");
}

#[test]
fn what_u_on_refuses_for_one_does_not_keep_the_others_from_it() {
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let wrong = Reply::new(
        404,
        r#"{"result":404,"message":"Parameter manager_id is wrong"}"#,
    );
    let end = |answers: &[Reply]| {
        let text = told(&connector(), &notice, answers);
        text.lines().last().unwrap().to_owned()
    };
    insta::assert_snapshot!(end(&[ok(USERS), wrong.clone(), taken()]), @r#"End(Taken("U-ON did not take it for 2"))"#);
    insta::assert_snapshot!(end(&[ok(USERS), wrong.clone(), wrong]), @r#"Failed(Refused { words: "U-ON did not take it for 2, 3" })"#);
    // Too many requests: nothing was taken, so nothing is doubtful later.
    let (_, memory) = talk(
        &connector(),
        &notice,
        &Value::Null,
        &[ok(USERS), taken(), Reply::new(429, "")],
    );
    let (again, _) = talk(&connector(), &notice, &memory, &[taken()]);
    assert!(
        again.contains("manager_id=3") && again.ends_with("End(Taken(\"\"))\n"),
        "{again}"
    );
}
