//! The history's row: told once, looked for after a try that was cut off, and whom a stranger becomes.

use super::*;

#[test]
fn a_row_of_the_history() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    insta::assert_snapshot!(told(&connector(), &notice, &[ok(USERS), taken()]), @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    keep {"talk":1,"telling":{"manager":3}}
    POST https://api.u-on.ru/•••/call_history/create.json
    phone=375296254070
    start=2026-03-01 14:05:09
    direction=2
    duration=62
    manager_id=3
    record_link=https://pbx.example/recordings/file/01935d00-0000-7000-8000-000000000001
    note=Разговор · 151 · +375 17 200-00-00 · 1772363109.1
    End(Taken("call 417"))
    "#);
    let out = sample::notice(
        NoticeKind::Upload,
        sample::outgoing(sample::unanswered(2, Outcome::Busy)),
    );
    let other = connector_with(json!({"user_extensions": {"9": "159"}}));
    insta::assert_snapshot!(told(&other, &out, &[ok(USERS)]), @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    keep {"talk":1,"telling":{"manager":null}}
    POST https://api.u-on.ru/•••/call_history/create.json
    phone=375296254070
    start=2026-03-01 14:05:09
    direction=1
    duration=0
    note=Занято · 150 · +375 17 200-00-00 · 1772363109.2
    "#);
}

#[test]
fn a_row_begins_by_the_clock_that_was_chosen() {
    let mut enterprise = sample::enterprise(&[]);
    enterprise.time_zone = chrono_tz::Asia::Tashkent;
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    for (chosen, start) in [
        ("", "start=2026-03-01 16:05:09\n"),
        ("enterprise", "start=2026-03-01 16:05:09\n"),
        ("moscow", "start=2026-03-01 14:05:09\n"),
    ] {
        let settings =
            json!({"api_key": "K1", "time_zone": chosen, "user_extensions": {"2": "150"}});
        let uon = Uon::new(&place, &settings).unwrap();
        let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
        let text = told(&uon, &notice, &[ok(USERS)]);
        assert!(text.contains(start), "{chosen}: {text}");
    }
}

#[test]
fn a_row_that_may_be_there_is_looked_for_before_it_is_told_again() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let uon = connector();
    let (_, memory) = talk(&uon, &notice, &Value::Null, &[ok(USERS)]);
    insta::assert_snapshot!(talk(&uon, &notice, &memory, &[ok(USERS), nobody(), taken()]).0, @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    GET https://api.u-on.ru/•••/call_history_by_user/5/1.json
    keep {"doubtful":true,"talk":2,"telling":{"manager":3}}
    POST https://api.u-on.ru/•••/call_history/create.json
    phone=375296254070
    start=2026-03-01 14:05:09
    direction=2
    duration=62
    manager_id=3
    record_link=https://pbx.example/recordings/file/01935d00-0000-7000-8000-000000000001
    note=Разговор · 151 · +375 17 200-00-00 · 1772363109.1
    End(Taken("call 417; a try before this was cut off; U-ON's history did not hold the call, so it was told again"))
    "#);
    let row = |value: &str| {
        ok(&format!(
            r#"{{"any":[{{"id":1,{value}}}],"pages_all":1,"result":200}}"#
        ))
    };
    for (value, there) in [
        (r#""notes":"Разговор · 151 · 1772363109.1""#, true),
        (
            r#""notes":"Разговор · 151 · 1772363109.12","phone":"375296254070","start":"2026-03-01 14:05:09""#,
            false,
        ),
        (
            r#""phone":"375296254070","start":"2026-03-01 14:05:09""#,
            true,
        ),
        (
            r#""phone":375296254070,"begun":"2026-03-01 14:05:09""#,
            true,
        ),
        (
            r#""phone":"375296254070","start":"2026-03-01 14:05:10""#,
            false,
        ),
        (
            r#""phone":"375291112233","start":"2026-03-01 14:05:09""#,
            false,
        ),
    ] {
        let (text, _) = talk(&uon, &notice, &memory, &[ok(USERS), row(value)]);
        assert_eq!(text.ends_with("End(Duplicate)\n"), there, "{value}: {text}");
    }
    // The newest may stand at the end.
    let many = ok(r#"{"any":[{"id":1,"notes":"x · 1.1"}],"pages_all":"3","result":200}"#);
    let (text, _) = talk(&uon, &notice, &memory, &[ok(USERS), many]);
    assert!(
        text.ends_with("GET https://api.u-on.ru/•••/call_history_by_user/5/3.json\n"),
        "{text}"
    );
}

#[test]
fn a_plain_no_leaves_no_doubt() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    for (answer, is_plain, end) in [
        (Reply::new(429, ""), true, "Failed(Throttled"),
        (Reply::new(403, ""), true, "Failed(Settings"),
        (
            Reply::new(
                404,
                r#"{"result":404,"message":"Parameter start is wrong"}"#,
            ),
            true,
            "Failed(Refused",
        ),
        (
            ok(r#"{"result":404,"message":"Parameter start is wrong"}"#),
            true,
            "Failed(Refused",
        ),
        (Reply::new(500, ""), false, "Failed(Later"),
        (ok("<html>"), false, "Failed(Later"),
    ] {
        let uon = connector();
        let (text, memory) = talk(&uon, &notice, &Value::Null, &[ok(USERS), answer]);
        assert!(text.lines().last().unwrap().starts_with(end), "{text}");
        let (again, _) = talk(&uon, &notice, &memory, &[ok(USERS)]);
        assert_eq!(again.contains("call_history_by_user"), !is_plain, "{again}");
    }
}

#[test]
fn an_unknown_caller_becomes_what_the_settings_say() {
    let missed = || sample::unanswered(1, Outcome::Missed);
    let notice = sample::notice(NoticeKind::Upload, missed());
    let what = |unknown: &str, notice: &Notice, answers: &[Reply]| {
        told(
            &connector_with(json!({"unknown": unknown})),
            notice,
            answers,
        )
    };
    insta::assert_snapshot!(what("nothing", &notice, &[nobody()]), @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    Nothing("the CRM knows nobody with this number")
    "#);
    insta::assert_snapshot!(what("contact", &notice, &[nobody(), taken(), nobody(), taken()]), @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    POST https://api.u-on.ru/•••/user/create.json
    u_phone=375296254070
    u_name=+375296254070
    u_manager_id=2
    keep {"made":true,"talk":1}
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    keep {"made":true,"talk":1,"telling":{"manager":2}}
    POST https://api.u-on.ru/•••/call_history/create.json
    phone=375296254070
    start=2026-03-01 14:05:09
    direction=2
    duration=0
    manager_id=2
    note=Не отвечен · 150, 151 · +375 17 200-00-00 · 1772363109.1
    End(Taken("call 417"))
    "#);
    insta::assert_snapshot!(what("lead", &notice, &[nobody(), taken(), nobody(), taken()]), @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    POST https://api.u-on.ru/•••/lead/create.json
    u_phone=375296254070
    u_name=+375296254070
    source=Звонок
    note=Не отвечен · 150, 151 · +375 17 200-00-00 · 1772363109.1
    r_u_id=2
    keep {"made":true,"talk":1}
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    keep {"made":true,"talk":1,"telling":{"manager":2}}
    POST https://api.u-on.ru/•••/call_history/create.json
    phone=375296254070
    start=2026-03-01 14:05:09
    direction=2
    duration=0
    manager_id=2
    note=Не отвечен · 150, 151 · +375 17 200-00-00 · 1772363109.1
    End(Taken("call 417"))
    "#);
    let unsorted = what("unsorted", &notice, &[nobody()]);
    assert!(unsorted.contains("call_history/create"), "{unsorted}");
    // Who was called is no inquiry.
    let out = sample::notice(NoticeKind::Upload, sample::outgoing(missed()));
    let out = what("lead", &out, &[nobody()]);
    assert!(
        !out.contains("lead/create") && out.contains("call_history/create"),
        "{out}"
    );
    // One of the enterprise's own numbers is nobody's client.
    let own = Record {
        phone: Some("+375172000000".into()),
        ..missed()
    };
    let own = sample::notice(NoticeKind::Upload, own);
    for unknown in UNKNOWN {
        let said = what(unknown, &own, &[nobody()]);
        assert!(said.contains("Nothing("), "{unknown}: {said}");
    }
}

#[test]
fn somebody_made_is_not_made_again_when_the_row_is_told_again() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let uon = connector_with(json!({"unknown": "contact"}));
    let (_, memory) = talk(&uon, &notice, &Value::Null, &[nobody(), taken(), nobody()]);
    // Not found yet: they are found after a second.
    let (again, _) = talk(&uon, &notice, &memory, &[nobody(), nobody(), taken()]);
    assert!(!again.contains("user/create"), "{again}");
    assert!(again.contains("/call_history/1.json"), "{again}");
}

#[test]
fn each_no_has_its_own_consequence() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let hear = |status, body: &str| told(&connector(), &notice, &[Reply::new(status, body)]);
    for (status, body, consequence) in [
        (404, NOBODY, "GET"),
        (200, r#"{"users":[],"result":200}"#, "GET"),
        (
            404,
            r#"{"result":404,"message":"No route found"}"#,
            "Settings",
        ),
        (404, "<html>", "Settings"),
        (403, r#"{"result":403}"#, "Settings"),
        (301, "", "Settings"),
        (429, "", "Throttled"),
        (502, "<html>", "Later"),
        (200, "<html>", "Later"),
        (200, r#"{"result":500}"#, "Later"),
    ] {
        let text = hear(status, body);
        assert!(!text.contains("K000"), "the key: {text}");
        let said = text.lines().nth(1).unwrap_or_default();
        let expected = if consequence == "GET" {
            "keep".to_owned()
        } else {
            format!("Failed({consequence}")
        };
        assert!(said.starts_with(&expected), "{status} {body}: {text}");
    }
}
