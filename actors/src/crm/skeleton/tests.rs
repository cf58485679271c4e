//! What this CRM is told, as a person reads it, and what its answers mean.

use serde_json::json;

use super::*;
use crate::integration::connector::Failed;
use crate::integration::known::Known;
use crate::integration::sample;

const CLIENT: &str = include_str!("fixtures/client.json");

fn connector() -> Box<dyn Connector> {
    connector_that("nothing")
}

fn connector_that(unknown: &str) -> Box<dyn Connector> {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    connect(
        &place,
        &json!({"address": "crm.example", "token": "s3cret", "unknown": unknown}),
    )
    .unwrap()
}

fn sent(step: Step<Delivered>) -> String {
    match step {
        Step::Send(request) => request.shown(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_pop_up_asks_for_the_client_first() {
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    insta::assert_snapshot!(sent(connector().deliver(&notice, &Known::default(), &[])), @r"
    GET https://crm.example/clients?phone=%2B375296254070
    Authorization: •••
    ");
    insta::assert_snapshot!(sent(connector().deliver(&notice, &Known::default(), &[Reply::new(200, CLIENT)])), @r#"
    POST https://crm.example/cards
    Authorization: •••
    {"call":"1772363109.1","client":60,"extensions":["150","151"]}
    "#);
    let nobody = Reply::new(200, r#"{"clients": []}"#);
    assert!(matches!(
        connector().deliver(&notice, &Known::default(), &[nobody]),
        Step::Nothing(_)
    ));
}

#[test]
fn an_unknown_caller_becomes_a_client_where_the_settings_say_so() {
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let nobody = Reply::new(200, r#"{"clients": []}"#);
    let made = Reply::new(201, r#"{"id": 61}"#);
    let crm = connector_that("contact");
    let next = |heard: &[Reply]| sent(crm.deliver(&notice, &Known::default(), heard));
    insta::assert_snapshot!(next(std::slice::from_ref(&nobody)), @r#"
    POST https://crm.example/clients
    Authorization: •••
    {"name":"+375296254070","phone":"+375296254070"}
    "#);
    insta::assert_snapshot!(next(&[nobody.clone(), made.clone()]), @r#"
    POST https://crm.example/cards
    Authorization: •••
    {"call":"1772363109.1","client":61,"extensions":["150","151"]}
    "#);
    insta::assert_snapshot!(next(&[nobody, made, Reply::new(200, "{}")]), @r#"End(Taken(""))"#);
}

#[test]
fn history_is_one_request() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    insta::assert_snapshot!(sent(connector().deliver(&notice, &Known::default(), &[])), @r#"
    PUT https://crm.example/calls/1772363109.1
    Authorization: •••
    {"begun":"2026-03-01T14:05:09","direction":"incoming","extension":"151","id":"1772363109.1","phone":"+375296254070","recording":"https://pbx.example/recordings/file/01935d00-0000-7000-8000-000000000001","result":"talked","seconds":62}
    "#);
    let conflict = connector().deliver(&notice, &Known::default(), &[Reply::new(409, "{}")]);
    assert!(matches!(conflict, Step::End(Delivered::Duplicate)));
    let refused = connector().deliver(
        &notice,
        &Known::default(),
        &[Reply::new(400, r#"{"error": "bad phone"}"#)],
    );
    assert!(matches!(refused, Step::Failed(Failed::Refused { words }) if words == "bad phone"));
}
