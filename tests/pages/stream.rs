//! The live stream: what changes is sent, and who was away gets what was missed.

use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::door::{Browser, Door, client};

/// A listener of the stream, as an EventSource is one.
struct Listener {
    chunks: std::pin::Pin<Box<dyn futures_util::Stream<Item = Bytes>>>,
    buffer: String,
}

/// One message: its id, and the calls in it as "id html".
struct Message {
    id: String,
    data: Value,
}

impl Listener {
    async fn open(door: &Door, browser: &Browser, path: &str, last: Option<&str>) -> Listener {
        let mut request = client()
            .get(format!("{}{path}", door.base))
            .insert_header(("Cookie", browser.cookie.clone()));
        if let Some(last) = last {
            request = request.insert_header(("Last-Event-ID", last));
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        let chunks = response.filter_map(|chunk| async move { chunk.ok() });
        Listener {
            chunks: Box::pin(chunks),
            buffer: String::new(),
        }
    }

    /// The next message with data.
    async fn next(&mut self) -> Message {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::to_owned)
                };
                if let Some(data) = field("data: ") {
                    return Message {
                        id: field("id: ").unwrap_or_default(),
                        data: serde_json::from_str(&data).expect("JSON"),
                    };
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.chunks.next())
                .await
                .expect("a change is told");
            self.buffer.push_str(&String::from_utf8_lossy(
                &chunk.expect("the stream goes on"),
            ));
        }
    }
}

fn phases(message: &Message) -> Vec<String> {
    let rows = message.data["rows"].as_array().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| {
            let html = row["html"].as_str().unwrap_or_default();
            let phase = html
                .split("data-phase=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            phase.unwrap_or("gone").to_owned()
        })
        .collect()
}

fn call(unique: &str) -> Value {
    json!({"UniqueId": unique, "Phone": "375291234567", "CallType": 0, "Trunk": "1", "Extensions": ["150"]})
}

#[actix_web::test]
async fn changes_arrive_and_those_missed_are_caught_up_with() {
    let door = Door::open("").await;
    let browser = door.log_in("supervisor-0367").await;
    let mut listener = Listener::open(&door, &browser, "/live/stream", None).await;
    assert_eq!(listener.next().await.data["reset"], true);
    door.event("0367", "start", call("1.1")).await;
    let seen = listener.next().await;
    assert_eq!(
        (phases(&seen), seen.data["reset"].clone()),
        (vec!["ringing".to_owned()], json!(false))
    );

    // The connection is lost; meanwhile things happen, also elsewhere.
    drop(listener);
    door.event("0367", "dial", call("1.1")).await;
    door.event("0401", "start", call("2.1")).await;
    door.event("0367", "start", call("1.2")).await;
    let mut again = Listener::open(&door, &browser, "/live/stream", Some(&seen.id)).await;
    let missed = again.next().await;
    assert_eq!(missed.data["reset"], false, "nothing is told twice");
    assert_eq!(
        phases(&missed),
        ["dialing", "ringing"],
        "the own enterprise's changes, in order"
    );

    // A number of an earlier run of the server means everything anew.
    let mut stale = Listener::open(&door, &browser, "/live/stream", Some("00000000-1")).await;
    let anew = stale.next().await;
    assert_eq!(
        (anew.data["reset"].clone(), phases(&anew).len()),
        (json!(true), 2)
    );
    door.close().await;
}

#[actix_web::test]
async fn a_superadmin_sees_all_and_may_look_at_one() {
    let door = Door::open("").await;
    let superadmin = door.log_in("superadmin").await;
    door.event("0367", "start", call("1.1")).await;
    door.event("0401", "start", call("2.1")).await;
    let all = Listener::open(&door, &superadmin, "/live/stream", None)
        .await
        .next()
        .await;
    assert_eq!(phases(&all).len(), 2);
    let one = Listener::open(&door, &superadmin, "/live/stream?enterprise=0401", None)
        .await
        .next()
        .await;
    assert_eq!(phases(&one).len(), 1);
    let told = door.get(&superadmin, "/api/live", &[]).await.json();
    assert_eq!(told["live"].as_array().map(Vec::len), Some(2));
    let page = door.page(&superadmin, "/live").await;
    assert!(page.body.contains("0367") && page.body.contains("0401"));
    door.close().await;
}

#[actix_web::test]
async fn a_row_is_drawn_in_the_viewers_language() {
    let door = Door::open("").await;
    let browser = door.log_in("supervisor-0367").await;
    door.event("0367", "dial", call("1.1")).await;
    let page = door.page(&browser, "/live").await;
    let row = page
        .body
        .split("<tr id=\"call-")
        .nth(1)
        .and_then(|rest| rest.split("</tr>").next())
        .expect("a row");
    // What differs from run to run is cut out.
    let id = row.split('"').next().expect("an id").to_owned();
    let since = row
        .split("data-since=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a clock")
        .to_owned();
    insta::assert_snapshot!(row.replace(&id, "ID").replace(&since, "SINCE"));
    door.close().await;
}
