//! What amoCRM is told, as a person reads it, and what its answers mean.

use serde_json::json;

use super::*;
use crate::call::record::Outcome;
use crate::integration::sample;

const CONTACT: &str = include_str!("fixtures/contact.json");
const DECOY: &str = include_str!("fixtures/decoy.json");
const ADDED: &str = include_str!("fixtures/call_added.json");

fn connector(unknown: &str) -> AmoCrm {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    let settings = json!({
        "subdomain": "acme", "access_token": "s3cret-token", "unknown": unknown,
        "user_extensions": {"7654321": "150", "7654322": "151"},
    });
    AmoCrm::new(&place, &settings).unwrap()
}

fn said(connector: &AmoCrm, notice: &Notice, heard: &[Reply]) -> String {
    match connector.deliver(notice, &Known::default(), heard) {
        Step::Send(request) => request.shown(),
        other => format!("{other:?}"),
    }
}

fn none() -> Reply {
    Reply::new(204, "")
}

fn ok(body: &str) -> Reply {
    Reply::new(200, body)
}

#[test]
fn a_card_is_shown_to_those_whose_phones_ring() {
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let amo = connector("unsorted");
    insta::assert_snapshot!(said(&amo, &notice, &[]), @r#"
    POST https://acme.amocrm.ru/api/v2/events
    Authorization: •••
    {"add":[{"phone_number":"+375296254070","type":"phone_call","users":[7654321,7654322]}]}
    "#);
    // The body of a 202 is not documented.
    let taken = amo.deliver(&notice, &Known::default(), &[Reply::new(202, "<html>")]);
    assert!(matches!(taken, Step::End(Delivered::Taken(_))));
    // Without users it would be shown to everybody.
    let mut nobody = notice.clone();
    nobody.extensions = vec!["152".into()];
    insta::assert_snapshot!(said(&amo, &nobody, &[]), @r#"Nothing("no amoCRM user is assigned to 152")"#);
    let out = sample::notice(NoticeKind::Dial, sample::outgoing(sample::ringing(1)));
    assert!(matches!(
        amo.deliver(&out, &Known::default(), &[]),
        Step::Nothing(_)
    ));
}

#[test]
fn a_call_of_a_known_client_is_looked_for_before_it_is_added() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let amo = connector("unsorted");
    insta::assert_snapshot!(said(&amo, &notice, &[]), @r"
    GET https://acme.amocrm.ru/api/v4/contacts?query=5296254070&with=leads&limit=250
    Authorization: •••
    ");
    insta::assert_snapshot!(said(&amo, &notice, &[ok(CONTACT)]), @r"
    GET https://acme.amocrm.ru/api/v4/contacts/notes?filter%5Bnote_type%5D%5B%5D=call_in&filter%5Bnote_type%5D%5B%5D=call_out&order%5Bupdated_at%5D=desc&limit=250&filter%5Bentity_id%5D%5B%5D=5511223
    Authorization: •••
    ");
    insta::assert_snapshot!(said(&amo, &notice, &[ok(CONTACT), none()]), @r"
    GET https://acme.amocrm.ru/api/v4/leads/notes?filter%5Bnote_type%5D%5B%5D=call_in&filter%5Bnote_type%5D%5B%5D=call_out&order%5Bupdated_at%5D=desc&limit=250&filter%5Bentity_id%5D%5B%5D=9922001
    Authorization: •••
    ");
    insta::assert_snapshot!(said(&amo, &notice, &[ok(CONTACT), none(), none()]), @r#"
    POST https://acme.amocrm.ru/api/v4/calls
    Authorization: •••
    [{"call_responsible":7654322,"call_status":4,"created_at":1772363109,"created_by":7654322,"direction":"inbound","duration":62,"link":"https://pbx.example/recordings/file/01935d00-0000-7000-8000-000000000001","phone":"+375296254070","request_id":"0","responsible_user_id":7654322,"source":"patchbay","uniq":"1772363109.1"}]
    "#);
    insta::assert_snapshot!(said(&amo, &notice, &[ok(CONTACT), none(), none(), ok(ADDED)]), @r#"End(Taken("contact 5511223"))"#);
    let there = ok(r#"{"_embedded":{"notes":[{"id":1,"params":{"uniq":"1772363109.1"}}]}}"#);
    let again = amo.deliver(&notice, &Known::default(), &[ok(CONTACT), there.clone()]);
    assert!(matches!(again, Step::End(Delivered::Duplicate)));
    let again = amo.deliver(&notice, &Known::default(), &[ok(CONTACT), none(), there]);
    assert!(matches!(again, Step::End(Delivered::Duplicate)));
}

#[test]
fn digits_in_another_field_or_a_longer_number_are_nobody() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let next = said(&connector("nothing"), &notice, &[ok(DECOY)]);
    assert!(next.contains("/api/v4/companies?"), "{next}");
}

#[test]
fn an_unknown_caller_becomes_what_the_settings_say() {
    let notice = sample::notice(NoticeKind::Upload, sample::unanswered(1, Outcome::Missed));
    let nobody = [none(), none()];
    insta::assert_snapshot!(said(&connector("nothing"), &notice, &nobody), @r#"Nothing("the CRM knows nobody with this number")"#);
    insta::assert_snapshot!(said(&connector("contact"), &notice, &nobody), @r#"
    POST https://acme.amocrm.ru/api/v4/contacts
    Authorization: •••
    [{"custom_fields_values":[{"field_code":"PHONE","values":[{"enum_code":"WORK","value":"+375296254070"}]}],"name":"+375296254070","request_id":"0","responsible_user_id":7654321}]
    "#);
    let amo = connector("unsorted");
    insta::assert_snapshot!(said(&amo, &notice, &nobody), @r"
    GET https://acme.amocrm.ru/api/v4/leads/unsorted?filter%5Bcategory%5D%5B%5D=sip&order%5Bcreated_at%5D=desc&limit=250
    Authorization: •••
    ");
    insta::assert_snapshot!(said(&amo, &notice, &[none(), none(), none()]), @r#"
    POST https://acme.amocrm.ru/api/v4/leads/unsorted/sip
    Authorization: •••
    [{"_embedded":{"contacts":[{"custom_fields_values":[{"field_code":"PHONE","values":[{"enum_code":"WORK","value":"+375296254070"}]}],"name":"+375296254070"}],"leads":[{"name":"+375296254070"}]},"created_at":1772363109,"metadata":{"call_responsible":7654321,"called_at":1772363109,"duration":0,"from":"+375296254070","is_call_event_needed":true,"phone":"+375296254070","service_code":"patchbay","uniq":"1772363109.1"},"request_id":"0","source_name":"Patchbay","source_uid":"patchbay"}]
    "#);
    let waits = ok(r#"{"_embedded":{"unsorted":[{"metadata":{"uniq":"1772363109.1"}}]}}"#);
    let again = amo.deliver(&notice, &Known::default(), &[none(), none(), waits]);
    assert!(matches!(again, Step::End(Delivered::Duplicate)));
}

#[test]
fn an_own_number_never_becomes_a_client() {
    let mut record = sample::answered(1);
    record.phone = Some("+375172000000".into());
    let notice = sample::notice(NoticeKind::Upload, record);
    for unknown in UNKNOWN {
        let step = connector(unknown).deliver(&notice, &Known::default(), &[none(), none()]);
        assert!(matches!(step, Step::Nothing(_)), "{unknown}: {step:?}");
    }
}

#[test]
fn each_no_has_its_own_consequence() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let amo = connector("unsorted");
    let hear = |status, body: &str| match amo.deliver(
        &notice,
        &Known::default(),
        &[Reply::new(status, body)],
    ) {
        Step::Failed(failed) => format!("{failed:?}"),
        other => format!("{other:?}"),
    };
    for (status, body, consequence) in [
        (401, r#"{"title":"Unauthorized","status":401}"#, "Settings"),
        (402, r#"{"title":"Payment Required"}"#, "Settings"),
        (403, "<html>blocked</html>", "Blocked"),
        (403, r#"{"title":"Forbidden"}"#, "Blocked"),
        (404, "<html>", "Settings"),
        (429, "<html>", "Throttled"),
        (504, "", "Later"),
    ] {
        let heard = hear(status, body);
        assert!(heard.starts_with(consequence), "{status}: {heard}");
    }
    let before = [ok(CONTACT), none(), none()];
    let added = |status, body: &str| {
        let heard = [before.as_slice(), &[Reply::new(status, body)]].concat();
        said(&amo, &notice, &heard)
    };
    let unknown = r#"{"_total_items":0,"errors":[{"title":"Entity not found","request_id":"0"}]}"#;
    insta::assert_snapshot!(added(400, unknown), @r#"Failed(Refused { words: "Entity not found" })"#);
    insta::assert_snapshot!(added(200, unknown), @r#"Failed(Refused { words: "Entity not found" })"#);
    let invalid = r#"{"validation-errors":[{"request_id":"0","errors":[{"code":"FieldMissing","path":"0.phone","detail":"This field is missing."}]}],"title":"Bad Request","status":400}"#;
    insta::assert_snapshot!(added(400, invalid), @r#"Failed(Refused { words: "0.phone: This field is missing." })"#);
}

#[test]
fn users_are_read_page_by_page() {
    let amo = connector("unsorted");
    let page = |id: i64, active: bool| {
        let user = json!({"id": id, "name": "Anna", "rights": {"is_active": active}});
        ok(&json!({"_page_count": 2, "_embedded": {"users": [user]}}).to_string())
    };
    let step = amo.ask(&Question::Managers, &Known::default(), &[page(1, true)]);
    assert!(matches!(step, Step::Send(request) if request.url.ends_with("limit=250&page=2")));
    let step = amo.ask(
        &Question::Managers,
        &Known::default(),
        &[page(1, true), page(2, false)],
    );
    assert!(matches!(step, Step::End(Answer::Managers(list)) if list.len() == 1));
}
