//! What RetailCRM is told of each kind of call, as a person reads it, and what its answers mean.

use serde_json::json;

use super::*;
use crate::call::record::{Outcome, Record};
use crate::integration::connector::{Customer, Manager};
use crate::integration::known::Known;
use crate::integration::sample;

const MANAGER: &str = include_str!("fixtures/manager.json");
const USERS: &str = include_str!("fixtures/users_page.json");

fn settings() -> Value {
    json!({
        "domain": "demo-shop.retailcrm.ru", "api_key": "k000000001", "client_id": "c1-7f3a",
        "user_extensions": {"16": "150", "17": "151"},
    })
}

fn connected(settings: &Value) -> RetailCrm {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example/",
        enterprise: &enterprise,
    };
    RetailCrm::new(&place, settings).unwrap()
}

fn told(kind: NoticeKind, record: Record) -> String {
    match connected(&settings()).deliver(&sample::notice(kind, record), &Known::default(), &[]) {
        Step::Send(request) => request.shown(),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_incoming_call_that_is_answered() {
    insta::assert_snapshot!(told(NoticeKind::Dial, sample::ringing(1)));
    insta::assert_snapshot!(told(NoticeKind::Hangup, sample::answered(1)));
    insta::assert_snapshot!(told(NoticeKind::Upload, sample::answered(1)));
}

#[test]
fn calls_that_nobody_answered() {
    for outcome in [
        Outcome::Missed,
        Outcome::Busy,
        Outcome::Failed,
        Outcome::Lost,
    ] {
        insta::assert_snapshot!(
            format!("{}_hangup", outcome.as_str()),
            told(NoticeKind::Hangup, sample::unanswered(1, outcome))
        );
        insta::assert_snapshot!(
            format!("{}_upload", outcome.as_str()),
            told(NoticeKind::Upload, sample::unanswered(1, outcome))
        );
    }
}

#[test]
fn an_outgoing_call() {
    insta::assert_snapshot!(told(NoticeKind::Dial, sample::outgoing(sample::ringing(1))));
    insta::assert_snapshot!(told(
        NoticeKind::Upload,
        sample::outgoing(sample::answered(1))
    ));
}

#[test]
fn a_transferred_call_belongs_to_who_answered_first() {
    let record = Record {
        talked: vec!["150".into(), "152".into()],
        ..sample::answered(1)
    };
    let upload = told(NoticeKind::Upload, record);
    assert!(
        upload.contains(r#""userId":16,"code":"150""#) || upload.contains(r#""code":"150""#),
        "{upload}"
    );
}

#[test]
fn there_is_no_link_to_a_recording_that_does_not_exist() {
    let none = Record {
        recording: String::new(),
        ..sample::answered(1)
    };
    assert!(!told(NoticeKind::Upload, none).contains("recordUrl"));
    assert!(
        !told(NoticeKind::Upload, sample::unanswered(1, Outcome::Missed)).contains("recordUrl")
    );
}

#[test]
fn a_line_without_a_number_of_its_own_is_left_out() {
    let sales = Record {
        line: "0001368".into(),
        ..sample::ringing(1)
    };
    assert!(!told(NoticeKind::Dial, sales).contains("externalPhone"));
}

#[test]
fn nothing_is_sent_that_nobody_wants() {
    let quiet = json!({"domain": "x.example", "api_key": "k000000001", "send_dial": false, "send_upload": "off"});
    let connector = connected(&quiet);
    let deliver =
        |kind, record| connector.deliver(&sample::notice(kind, record), &Known::default(), &[]);
    assert!(matches!(
        deliver(NoticeKind::Dial, sample::ringing(1)),
        Step::Nothing(_)
    ));
    assert!(matches!(
        deliver(NoticeKind::Hangup, sample::answered(1)),
        Step::Send(_)
    ));
    assert!(matches!(
        deliver(NoticeKind::Upload, sample::answered(1)),
        Step::Nothing(_)
    ));
    let nobody = Record {
        rung: Vec::new(),
        ..sample::ringing(1)
    };
    assert!(
        matches!(deliver(NoticeKind::Hangup, nobody), Step::Nothing(_)),
        "a card nobody could see"
    );
}

#[test]
fn many_records_go_in_one_request() {
    let notices: Vec<Notice> = (1..=3)
        .map(|call| sample::notice(NoticeKind::Upload, sample::answered(call)))
        .collect();
    let request = connected(&settings())
        .deliver_many(&notices.iter().collect::<Vec<_>>())
        .unwrap();
    assert_eq!(request.shown().matches("externalId").count(), 3);
    let reply = Reply::new(
        200,
        r#"{"success": true, "processedCallsCount": 2, "duplicateCalls": ["1772363109.2"]}"#,
    );
    let outcomes: Vec<bool> = notices
        .iter()
        .map(|notice| {
            matches!(
                connected(&settings()).deliver(
                    notice,
                    &Known::default(),
                    std::slice::from_ref(&reply)
                ),
                Step::End(Delivered::Duplicate)
            )
        })
        .collect();
    assert_eq!(outcomes, [false, true, false]);
}

#[test]
fn answers_mean_what_they_mean() {
    let hear = |kind, status, body: &str| {
        let record = if kind == NoticeKind::Dial {
            sample::ringing(1)
        } else {
            sample::answered(1)
        };
        match connected(&settings()).deliver(
            &sample::notice(kind, record),
            &Known::default(),
            &[Reply::new(status, body)],
        ) {
            Step::End(Delivered::Taken(words)) => format!("taken {words}"),
            Step::End(Delivered::Duplicate) => "duplicate".into(),
            Step::Failed(Failed::Later { words, .. }) => format!("later: {words}"),
            Step::Failed(Failed::Throttled { words, .. }) => format!("throttled: {words}"),
            Step::Failed(Failed::Refused { words }) => format!("refused: {words}"),
            Step::Failed(Failed::Settings { words }) => format!("settings: {words}"),
            other => format!("{other:?}"),
        }
    };
    use NoticeKind::{Dial, Upload};
    let table = [
        (Dial, 200, r#"{"success": true}"#),
        (
            Dial,
            200,
            r#"{"success": true, "notExistCodes": ["151"], "notExistUsers": [17]}"#,
        ),
        (
            Dial,
            200,
            r#"{"success": false, "errorMsg": "Telephony not enabled"}"#,
        ),
        (
            Dial,
            400,
            r#"{"success": false, "errorMsg": "Telephony not enabled"}"#,
        ),
        (
            Dial,
            400,
            r#"{"success": false, "errorMsg": "Errors in the entity format", "errors": {"phone": "bad", "type": "worse"}}"#,
        ),
        (
            Dial,
            400,
            r#"{"success": false, "errorMsg": "Errors in the entity format", "errors": ["bad"]}"#,
        ),
        (
            Dial,
            403,
            r#"{"success": false, "errorMsg": "Wrong \"apiKey\" value."}"#,
        ),
        (
            Dial,
            403,
            r#"{"success": false, "errorMsg": "Access denied."}"#,
        ),
        (
            Dial,
            404,
            r#"{"success": false, "errorMsg": "Account does not exist."}"#,
        ),
        (
            Dial,
            404,
            r#"{"success": false, "errorMsg": "API method not found"}"#,
        ),
        (Dial, 405, "<html><center>nginx</center></html>"),
        (Dial, 500, "<html>oops</html>"),
        (Dial, 503, ""),
        (Dial, 200, "<html>maintenance</html>"),
        (
            Upload,
            200,
            r#"{"success": true, "processedCallsCount": 1}"#,
        ),
        (
            Upload,
            200,
            r#"{"success": true, "processedCallsCount": 0, "duplicateCalls": ["1772363109.1"]}"#,
        ),
        (Upload, 200, r#"{"success": "true"}"#),
    ];
    let lines: Vec<String> = table
        .iter()
        .map(|(kind, status, body)| {
            format!(
                "{kind:?} {status} {body}\n    {}",
                hear(*kind, *status, body)
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn names_and_managers_are_understood() {
    let connector = connected(&settings());
    let phone = || "+79001234567".to_owned();
    let Step::Send(request) = connector.ask(
        &Question::Customer { phone: phone() },
        &Known::default(),
        &[],
    ) else {
        panic!("no request")
    };
    assert_eq!(
        request.url,
        "https://demo-shop.retailcrm.ru/api/v5/telephony/manager?phone=79001234567&details=1&ignoreStatus=1"
    );
    let heard = [Reply::new(200, MANAGER)];
    let Step::End(Answer::Customer(customer)) = connector.ask(
        &Question::Customer { phone: phone() },
        &Known::default(),
        &heard,
    ) else {
        panic!("no answer")
    };
    assert_eq!(
        customer,
        Some(Customer {
            name: "Sidorov Ivan P.".into(),
            link: "https://demo-shop.retailcrm.ru/customers/60".into()
        })
    );
    let Step::End(Answer::Responsible(manager)) = connector.ask(
        &Question::Responsible { phone: phone() },
        &Known::default(),
        &heard,
    ) else {
        panic!("no answer")
    };
    assert_eq!(
        manager,
        Some(Manager {
            id: "16".into(),
            name: "Petrova Anna I.".into(),
            extension: Some("151".into())
        })
    );
    for nothing in [
        r#"{"success": true}"#,
        r#"{"success": true, "customer": [], "manager": null}"#,
    ] {
        let heard = [Reply::new(200, nothing)];
        assert!(matches!(
            connector.ask(
                &Question::Customer { phone: phone() },
                &Known::default(),
                &heard
            ),
            Step::End(Answer::Customer(None))
        ));
        assert!(matches!(
            connector.ask(
                &Question::Responsible { phone: phone() },
                &Known::default(),
                &heard
            ),
            Step::End(Answer::Responsible(None))
        ));
    }
}

#[test]
fn all_pages_of_users_are_read() {
    let connector = connected(&settings());
    let mut heard = Vec::new();
    for page in 1..=2 {
        let Step::Send(request) = connector.ask(&Question::Managers, &Known::default(), &heard)
        else {
            panic!("no request for page {page}")
        };
        assert!(
            request.url.ends_with(&format!(
                "/api/v5/users?limit=100&page={page}&filter%5Bactive%5D=1"
            )),
            "{}",
            request.url
        );
        heard.push(Reply::new(200, USERS));
    }
    let Step::End(Answer::Managers(managers)) =
        connector.ask(&Question::Managers, &Known::default(), &heard)
    else {
        panic!("no answer")
    };
    assert_eq!(managers.len(), 4);
}
