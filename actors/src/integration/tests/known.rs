//! What a link knows beside its settings, against a CRM that exists for this alone: it names calls by ids of its own,
//! and its tokens are good for one renewal.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::world::fast;
use crate::call::record::{Notice, NoticeKind};
use crate::integration::attempt::{Ended, Means};
use crate::integration::connector::{
    Answer, Connector, Delivered, Failed, Kind, Question, Step, judge_status,
};
use crate::integration::http::Terms;
use crate::integration::keeper::Keeper;
use crate::integration::known::{Known, Tokens};
use crate::integration::limiter::{Limiter, Rate};
use crate::integration::request::{Method, Reply, Request};
use crate::integration::sample;
use crate::store::deliveries::{Delivery, DeliveryState};
use crate::store::enterprises::{self, NewEnterprise};
use crate::store::requests::{self, NewRequest};
use crate::store::testing::{TestDatabase, wait};
use crate::store::{Options, Store, crm_tokens, memories};

crate::for_each_database!(
    an_id_is_kept_before_anything_is_said_under_it,
    a_call_knows_what_its_click_was_told,
    many_who_need_new_tokens_renew_them_once,
    an_enterprise_may_keep_its_recordings_to_itself,
    a_refused_renewal_asks_for_a_person_and_ends_the_turn,
    a_renewed_pair_is_read_by_those_who_hold_the_old_one,
);

static KIND: Kind = Kind {
    name: "toy",
    title: "Toy",
    fields: &[],
    wants: &[NoticeKind::Dial],
    lasting: false,
    remembers: true,
    authorizes: true,
    hears: false,
    connect: |_, _| unreachable!("made by hand"),
};

struct Toy(String);

impl Toy {
    fn request(&self, path: &str, known: &Known) -> Request {
        let request = Request::new(Method::Post, format!("{}{path}", self.0), "toy");
        match &known.tokens {
            Some(tokens) => request.secret_header("X-Access", &tokens.access),
            None => request,
        }
    }

    fn judged(reply: &Reply) -> Option<Failed> {
        match reply.status {
            401 => Some(Failed::Expired {
                words: "expired".into(),
            }),
            _ => judge_status(reply, format!("HTTP {}", reply.status)),
        }
    }
}

impl Connector for Toy {
    fn rates(&self) -> Vec<Rate> {
        vec![Rate {
            lane: "toy",
            per_second: 1000.0,
            burst: None,
        }]
    }

    fn deliver(&self, _: &Notice, known: &Known, heard: &[Reply]) -> Step<Delivered> {
        let id = known.memory.get("id").and_then(Value::as_str);
        match (id, heard.last().and_then(Self::judged), heard) {
            (_, Some(failed), _) => Step::Failed(failed),
            (None, None, []) => Step::Send(self.request("/register", known)),
            (None, None, [reply, ..]) => Step::Keep(json!({"id": reply.body.trim()})),
            // An answer to `register` was heard in this try or, with a memory, in an earlier one.
            (Some(_), None, [.., last]) if last.body == "finished" => {
                Step::End(Delivered::Taken(String::new()))
            }
            (Some(id), None, _) => Step::Send(self.request(&format!("/finish/{id}"), known)),
        }
    }

    fn ask(&self, _: &Question, _: &Known, _: &[Reply]) -> Step<Answer> {
        Step::Nothing("asked nothing".into())
    }

    fn needs_tokens(&self) -> bool {
        true
    }

    fn renew(&self, tokens: &Tokens) -> Option<Request> {
        let body = tokens.refresh.expose_secret().to_owned();
        Some(Request::new(Method::Post, format!("{}/token", self.0), "toy").json(body))
    }

    fn renewed(&self, _: &Tokens, reply: &Reply) -> Result<Tokens, Failed> {
        match reply.status {
            200 => Ok(tokens(reply.body.trim().parse().unwrap())),
            _ => Err(Failed::Settings {
                words: "revoked".into(),
            }),
        }
    }
}

fn tokens(number: u32) -> Tokens {
    Tokens {
        access: SecretString::from(format!("access-{number}")),
        refresh: SecretString::from(format!("refresh-{number}")),
        expires_at: None,
        extra: Value::Null,
    }
}

/// What the CRM has seen, and which pair it takes.
#[derive(Default)]
struct Seen {
    pair: u32,
    lines: Vec<String>,
    cut_finish: bool,
}

/// The CRM, on a thread of its own for each connection; it lives as long as the test's process.
fn crm() -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let state = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, state) = (stream.unwrap(), state.clone());
            std::thread::spawn(move || {
                let mut text = String::new();
                let mut part = [0; 4096];
                // Requests are small and whole; a token's body comes with its head or right after it.
                while let Ok(count @ 1..) = stream.read(&mut part) {
                    text.push_str(&String::from_utf8_lossy(&part[..count]));
                    if whole(&text) {
                        let Some(answer) = answer(&text, &mut state.lock().unwrap()) else {
                            return;
                        };
                        let _gone = stream.write_all(answer.as_bytes());
                        text.clear();
                    }
                }
            });
        }
    });
    (url, seen)
}

fn whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length:")?
            .trim()
            .parse()
            .ok()
    });
    body.len() >= length.unwrap_or(0)
}

fn answer(text: &str, seen: &mut Seen) -> Option<String> {
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = text
        .split_once("\r\n\r\n")
        .map(|(_, body)| body)
        .unwrap_or_default();
    let said = |status: &str, body: &str| {
        Some(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    seen.lines.push(path.clone());
    if path == "/token" {
        return if body == format!("refresh-{}", seen.pair) {
            seen.pair += 1;
            said("200 OK", &seen.pair.to_string())
        } else {
            said("400 Bad Request", "revoked")
        };
    }
    if !text
        .to_lowercase()
        .contains(&format!("x-access: access-{}\r", seen.pair))
    {
        return said("401 Unauthorized", "expired");
    }
    match path.as_str() {
        "/register" => said("200 OK", &format!("call-{}", seen.lines.len())),
        _ if std::mem::take(&mut seen.cut_finish) => None,
        _ => said("200 OK", "finished"),
    }
}

fn means(store: &Store, enterprise: i64, url: &str) -> Means {
    let toy = Toy(url.to_owned());
    let limiter = Limiter::new(&toy.rates(), Instant::now());
    Means {
        recordings: true,
        connector: Arc::new(toy),
        limiter: Rc::new(RefCell::new(limiter)),
        terms: Terms {
            answer: Duration::from_secs(20),
            ..Terms::of(&fast())
        },
        renewal_rests: Default::default(),
        keeper: Keeper {
            store: store.clone(),
            enterprise,
            kind: &KIND,
        },
        secrets: Arc::new([]),
    }
}

fn enterprise(store: &Store) -> i64 {
    let new = NewEnterprise {
        number: "0367".into(),
        token: "t".into(),
        ..Default::default()
    };
    let vault = store.vault().clone();
    wait(store.write(move |conn| enterprises::add(conn, &vault, &new, Utc::now()))).unwrap()
}

fn let_in(store: &Store, enterprise: i64, number: u32) {
    let vault = store.vault().clone();
    wait(store.write(move |conn| {
        crm_tokens::save(conn, &vault, enterprise, "toy", &tokens(number), Utc::now())
    }))
    .unwrap();
}

fn row(notice: &Notice) -> Delivery {
    Delivery {
        id: 1,
        enterprise: 1,
        call: notice.record.call,
        unique_id: notice.record.unique_id.clone(),
        integration: "toy".into(),
        kind: "dial".into(),
        position: 1,
        payload: serde_json::to_string(notice).unwrap(),
        state: DeliveryState::Leased,
        attempts: 0,
        not_before: Utc::now(),
        expires_at: None,
        leased_until: None,
        lease_owner: String::new(),
        outcome: String::new(),
        created_at: Utc::now(),
        finished_at: None,
    }
}

/// Delivers one row a means, all at the same time.
fn deliver(all: &[(&Store, i64, &str)], row: &Delivery) -> Vec<Ended> {
    actix_rt::System::new().block_on(async {
        let tries = all.iter().map(|(store, enterprise, url)| {
            let means = means(store, *enterprise, url);
            async move { means.deliver(row).await.ended }
        });
        futures_util::future::join_all(tries).await
    })
}

fn an_id_is_kept_before_anything_is_said_under_it(database: &TestDatabase) {
    let store = database.store();
    let id = enterprise(&store);
    let_in(&store, id, 0);
    let (url, seen) = crm();
    seen.lock().unwrap().cut_finish = true;
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let first = deliver(&[(&store, id, &url)], &row(&notice));
    assert!(
        matches!(first[..], [Ended::Failed(Failed::Later { .. })]),
        "{first:?}"
    );
    let again = deliver(&[(&store, id, &url)], &row(&notice));
    assert_eq!(again, [Ended::Delivered(Delivered::Taken(String::new()))]);
    assert_eq!(
        seen.lock().unwrap().lines,
        ["/register", "/finish/call-1", "/finish/call-1"],
        "registered once, though the conversation broke"
    );
    let other = sample::notice(NoticeKind::Dial, sample::ringing(2));
    deliver(&[(&store, id, &url)], &row(&other));
    assert_eq!(
        seen.lock().unwrap().lines[3..],
        ["/register", "/finish/call-4"]
    );
}

fn a_call_knows_what_its_click_was_told(database: &TestDatabase) {
    let store = database.store();
    let id = enterprise(&store);
    let_in(&store, id, 0);
    let (url, seen) = crm();
    let click = NewRequest {
        id: "r1".into(),
        enterprise: id,
        extension: "150".into(),
        number: "+375296254070".into(),
        source: "toy".into(),
        memory: json!({"id": "known-before"}),
        at: Utc::now(),
    };
    wait(store.write(move |conn| requests::add(conn, &click, chrono::TimeDelta::zero()))).unwrap();
    let mut notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    notice.record.request_id = "r1".into();
    deliver(&[(&store, id, &url)], &row(&notice));
    assert_eq!(seen.lock().unwrap().lines, ["/finish/known-before"]);
    let forgotten =
        wait(store.write(|conn| memories::forget(conn, Utc::now() + chrono::TimeDelta::hours(1))));
    assert_eq!(forgotten, Ok(1), "and in time it is forgotten");
}

fn an_enterprise_may_keep_its_recordings_to_itself(database: &TestDatabase) {
    let store = database.store();
    let mut means = means(&store, enterprise(&store), "http://toy.example");
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let payload = serde_json::to_string(&notice).unwrap();
    let recording = |means: &Means| means.read(&payload).unwrap().record.recording;
    assert_eq!(recording(&means), "1772363109.wav");
    means.recordings = false;
    assert_eq!(recording(&means), "");
}

fn many_who_need_new_tokens_renew_them_once(database: &TestDatabase) {
    let one = database.store();
    let other = database.store_with(Options {
        owner: "another process".into(),
        ..Options::default()
    });
    let id = enterprise(&one);
    let (url, seen) = crm();
    seen.lock().unwrap().pair = 7;
    // The access has ended; the refresh token is good, once.
    let stale = Tokens {
        access: SecretString::from("access-6"),
        ..tokens(7)
    };
    let vault = one.vault().clone();
    wait(one.write(move |conn| crm_tokens::save(conn, &vault, id, "toy", &stale, Utc::now())))
        .unwrap();
    let all: Vec<_> = (0..8)
        .map(|n| (if n % 2 == 0 { &one } else { &other }, id, url.as_str()))
        .collect();
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let ended = deliver(&all, &row(&notice));
    assert!(
        ended
            .iter()
            .all(|one| *one == Ended::Delivered(Delivered::Taken(String::new()))),
        "{ended:?}"
    );
    let renewals = seen
        .lock()
        .unwrap()
        .lines
        .iter()
        .filter(|line| *line == "/token")
        .count();
    assert_eq!(renewals, 1);
}

fn a_refused_renewal_asks_for_a_person_and_ends_the_turn(database: &TestDatabase) {
    let store = database.store();
    let id = enterprise(&store);
    let_in(&store, id, 3);
    let (url, seen) = crm();
    seen.lock().unwrap().pair = 9;
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    for _ in 0..2 {
        let ended = deliver(&[(&store, id, &url)], &row(&notice));
        assert_eq!(
            ended,
            [Ended::Failed(Failed::Settings {
                words: "revoked".into()
            })]
        );
    }
    let_in(&store, id, 9);
    let ended = deliver(&[(&store, id, &url)], &row(&notice));
    assert_eq!(
        ended,
        [Ended::Delivered(Delivered::Taken(String::new()))],
        "once somebody let us in"
    );
}

fn a_renewed_pair_is_read_by_those_who_hold_the_old_one(database: &TestDatabase) {
    let store = database.store();
    let id = enterprise(&store);
    let_in(&store, id, 0);
    let keeper = Keeper {
        store: store.clone(),
        enterprise: id,
        kind: &KIND,
    };
    let notice = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let held = wait(keeper.known(Some(&notice.record), true))
        .unwrap()
        .tokens
        .unwrap();
    let_in(&store, id, 1);
    let renewal = actix_rt::System::new()
        .block_on(keeper.renewal(&held))
        .unwrap();
    assert!(matches!(renewal, crate::integration::keeper::Renewal::Done(new) if new == tokens(1)));
    let raw = crate::store::testing::number(
        &mut database.connect(),
        "SELECT COUNT(*) FROM crm_tokens WHERE tokens LIKE '%access%'",
    );
    assert_eq!(raw, 0, "sealed");
}
