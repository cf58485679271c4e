//! What U-ON is told, as a person reads it, what its answers mean, and what is done after a try that was cut off.

use serde_json::json;

use super::*;
use crate::call::record::{Outcome, Record};
use crate::integration::sample;

const USERS: &str = include_str!("fixtures/users.json");
const MANAGERS: &str = include_str!("fixtures/managers.json");
const NOBODY: &str = r#"{"result":404,"message":"Not found"}"#;

fn connector_with(more: Value) -> Uon {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    let mut settings = json!({
        "api_key": "K0000000000000000001", "cabinet": "id12345", "address_key": "addr3ss",
        "user_extensions": {"2": "150", "3": "151"},
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    Uon::new(&place, &settings).unwrap()
}

fn connector() -> Uon {
    connector_with(json!({}))
}

fn ok(body: &str) -> Reply {
    Reply::new(200, body)
}

fn nobody() -> Reply {
    Reply::new(404, NOBODY)
}

fn taken() -> Reply {
    ok(r#"{"result":200,"id":"417"}"#)
}

/// A conversation with these answers, from this memory on: what was sent and kept, and how it ended or what is asked
/// next. Comes with the memory it left.
fn talk(uon: &Uon, notice: &Notice, memory: &Value, answers: &[Reply]) -> (String, Value) {
    let before = memory.get("talk").and_then(Value::as_u64).unwrap_or(0);
    let mut known = Known {
        talk: u32::try_from(before).unwrap() + 1,
        memory: memory.clone(),
        ..Known::default()
    };
    let (mut text, mut heard) = (String::new(), Vec::new());
    let mut answers = answers.iter();
    loop {
        match uon.deliver(notice, &known, &heard) {
            Step::Send(request) => {
                text.push_str(&request.shown());
                text.push('\n');
                match answers.next() {
                    Some(answer) => heard.push(answer.clone()),
                    None => return (text, known.memory),
                }
            }
            Step::Keep(memory) => {
                text.push_str(&format!("keep {memory}\n"));
                known.memory = memory;
                heard.clear();
            }
            end => {
                text.push_str(&format!("{end:?}\n"));
                return (text, known.memory);
            }
        }
    }
}

fn told(uon: &Uon, notice: &Notice, answers: &[Reply]) -> String {
    talk(uon, notice, &Value::Null, answers).0
}

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

fn answers(uon: &Uon, question: &Question, heard: &[Reply]) -> String {
    match uon.ask(question, &Known::default(), heard) {
        Step::Send(request) => request.shown(),
        other => format!("{other:?}"),
    }
}

#[test]
fn questions_are_answered() {
    let uon = connector();
    let phone = || "+375296254070".to_owned();
    let mut text = String::new();
    for (question, heard) in [
        (Question::Customer { phone: phone() }, vec![]),
        (Question::Customer { phone: phone() }, vec![ok(USERS)]),
        (Question::Customer { phone: phone() }, vec![nobody()]),
        (Question::Responsible { phone: phone() }, vec![ok(USERS)]),
        (Question::Managers, vec![ok(MANAGERS)]),
        (Question::Test, vec![ok(MANAGERS)]),
        (Question::Test, vec![ok(MANAGERS), nobody()]),
        (
            Question::Test,
            vec![
                ok(MANAGERS),
                ok(r#"{"webhooks":[{"type_id":47,"url":"https://pbx.example/crm/uon/addr3ss"}]}"#),
            ],
        ),
        (Question::Test, vec![Reply::new(403, "")]),
    ] {
        text.push_str(&answers(&uon, &question, &heard));
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    End(Customer(Some(Customer { name: "Sidorov Ivan P.", link: "https://id12345.u-on.ru/client_edit.php?client_id=5" })))
    End(Customer(None))
    End(Responsible(Some(Manager { id: "2", name: "", extension: None })))
    End(Managers([Manager { id: "2", name: "Smirnova Anna", extension: Some("150") }, Manager { id: "3", name: "Kotov Boris", extension: Some("151") }, Manager { id: "8", name: "New Here", extension: None }]))
    GET https://api.u-on.ru/•••/webhook/1.json
    End(Works("the key works; managers: 3; U-ON has no webhook with our address: clicks on numbers do not reach us"))
    End(Works("the key works; managers: 3; clicks on numbers reach us"))
    Failed(Settings { words: "U-ON answered 403: the key is wrong, or it may not do this (GET and POST are allowed apart)" })
    "#);
    // Who has no extension here may have one in U-ON.
    let bare = connector_with(json!({"user_extensions": {}}));
    let question = Question::Responsible { phone: phone() };
    insta::assert_snapshot!(answers(&bare, &question, &[ok(USERS), ok(MANAGERS)]), @r#"End(Responsible(Some(Manager { id: "2", name: "Smirnova Anna", extension: Some("150") })))"#);
}

fn wish(fields: &[(&str, &str)]) -> Result<Wish, String> {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let incoming = Incoming {
        fields: fields.collect(),
        ..Incoming::default()
    };
    connector().hear(&incoming, &Known::default())
}

#[test]
fn a_click_is_heard() {
    let base = [
        ("uon_subdomain", "id12345"),
        ("type_id", "47"),
        ("method", "call"),
        ("user_id", "2"),
    ];
    for (phone, dialled) in [
        ("79001234567", "+79001234567"),
        (" 375296254070", "+375296254070"),
        ("89001234567", "89001234567"),
        ("2254070", "2254070"),
    ] {
        let mut fields = base.to_vec();
        fields.push(("phone", phone));
        let Ok(Wish::Call { user, phone, .. }) = wish(&fields) else {
            panic!("{phone} was not taken");
        };
        assert_eq!((user.as_deref(), phone.as_str()), (Some("2"), dialled));
    }
    assert!(wish(&base).is_err(), "no number");
    assert!(
        wish(&[("type_id", "47"), ("phone", "79001234567")]).is_err(),
        "nobody clicked"
    );
    assert!(
        wish(&[
            ("uon_subdomain", "id9"),
            ("type_id", "47"),
            ("phone", "79001234567"),
            ("user_id", "2")
        ])
        .is_err()
    );
    assert!(matches!(
        wish(&[("type_id", "44"), ("phone", "79001234567")]),
        Ok(Wish::Nothing(_))
    ));
    // A 5xx would have the click sent once more.
    let spoken = connector().speak(&Incoming::default(), Err((503, "the host is down")));
    assert_eq!(spoken.status, 200);
    assert!(spoken.body.contains("the host is down") && spoken.body.contains("false"));
    assert_eq!(
        connector()
            .speak(&Incoming::default(), Err((400, "no")))
            .status,
        400
    );
}
