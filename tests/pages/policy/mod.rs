//! Every route of the one table, for everybody, of the own enterprise and of another: asked over HTTP and compared with
//! what `table` says. What belongs to another enterprise answers as what is not there.

mod scene;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use patchbay::web::routes;
use patchbay::web::session::policy::Area;

use crate::door::{Answer, Browser};
use scene::{Scene, Side};
use table::{Line, VISITORS, nameless};

#[test]
fn every_route_has_a_line() {
    let lines = table::lines();
    let said: BTreeSet<_> = lines.iter().map(Line::route).collect();
    let routes: BTreeSet<_> = routes::table()
        .iter()
        .map(|entry| (entry.method.to_string(), nameless(entry.path)))
        .collect();
    let unsaid: Vec<_> = routes.difference(&said).collect();
    assert!(
        unsaid.is_empty(),
        "say in table.rs who gets what: {unsaid:?}"
    );
    let gone: Vec<_> = said.difference(&routes).collect();
    assert!(gone.is_empty(), "no such route any more: {gone:?}");
}

#[actix_web::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let scene = Scene::new().await;
    let areas: BTreeMap<_, _> = routes::table()
        .iter()
        .map(|entry| {
            let route = (entry.method.to_string(), nameless(entry.path));
            (route, entry.area)
        })
        .collect();
    let mut wrong = Vec::new();
    for line in table::lines() {
        let area = areas[&line.route()];
        scene.mend().await;
        for (visitor, gives) in VISITORS.iter().zip(&line.gives) {
            for (at, expected) in gives.iter().enumerate() {
                let case = Case {
                    scene: &scene,
                    line: &line,
                    area,
                    visitor,
                    at,
                };
                case.try_it(expected, &mut wrong).await;
            }
        }
    }
    scene.close().await;
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} surprises:\n{}", wrong.join("\n"));
}

/// One line for one visitor: of the own enterprise (0) or of the other (1).
struct Case<'a> {
    scene: &'a Scene,
    line: &'a Line,
    area: Area,
    visitor: &'a str,
    at: usize,
}

impl Case<'_> {
    async fn try_it(&self, expected: &str, wrong: &mut Vec<String>) {
        let line = self.line;
        let whose = ["own", "other"][self.at];
        let title = format!(
            "{} {} | {} | {} {whose}",
            line.method, line.path, line.sends, self.visitor
        );
        let writes = line.method != "GET";
        if writes && !["403", "401", "in"].contains(&expected) {
            self.scene.mend().await;
        }
        let browser = self.scene.browser(self.visitor).await;
        if writes {
            // Whatever it is and whoever asks: without the form's token nothing is done for a session.
            let session = self.area.needs_session() && !["in", "401"].contains(&expected);
            if session {
                let without = Browser {
                    csrf: "made up".into(),
                    ..browser.clone()
                };
                let (answer, _) = self.ask(&without, self.at, true).await;
                if answer.status != 403 {
                    wrong.push(format!("{title}: {} without the token", answer.status));
                }
            }
        }
        if expected == "in" {
            let (told, _) = self.ask(&browser, self.at, false).await;
            if told.status != 401 {
                wrong.push(format!("{title}: a program got {}", told.status));
            }
        }
        let (answer, path) = self.ask(&browser, self.at, true).await;
        let got = class(&answer);
        if got != expected {
            let words = answer.body.split("<main").last().unwrap_or_default();
            let words: String = words.chars().take(300).collect();
            wrong.push(format!("{title}: {got}, not {expected}: {words}"));
        }
        if self.visitor != "superadmin" {
            let everything = format!("{:?} {}", answer.headers, answer.body);
            for mark in &self.scene.sides[1].marks {
                if everything.contains(mark.as_str()) {
                    wrong.push(format!("{title}: shows {mark}"));
                }
            }
        }
        if expected == "404" && got == "404" && self.at == 1 {
            let (missing, nowhere) = self.ask(&browser, 2, true).await;
            let plain = |answer: &Answer, path: &str| answer.body.replace(path, "HERE");
            if missing.status != 404 || plain(&missing, &nowhere) != plain(&answer, &path) {
                wrong.push(format!(
                    "{title}: tells it from what is not there ({nowhere}): {missing:?}"
                ));
            }
        }
    }

    fn path(&self, side: &Side, session: &str) -> String {
        let filled = fill(self.line.path, ('{', '}'), side);
        filled.replace("SESSION", session)
    }

    /// Asks as a browser or as a program, of one of the three enterprises; the answer, and the path that was asked.
    async fn ask(&self, browser: &Browser, at: usize, browses: bool) -> (Answer, String) {
        let line = self.line;
        let (path, sends) = self.named(at).await;
        let accept = if browses { "text/html" } else { "*/*" };
        let with = |request: awc::ClientRequest| {
            request
                .insert_header(("Cookie", browser.cookie.clone()))
                .insert_header(("Accept", accept))
                .insert_header(("Accept-Language", "en"))
        };
        if line.path.starts_with("/live/stream") {
            return (self.opened(&path, with).await, path);
        }
        let door = &self.scene.door;
        let request = crate::door::client().request(
            line.method.parse().expect("a method"),
            format!("{}{path}", door.base),
        );
        let request = with(request);
        let sent = if line.method == "GET" {
            request.send().await
        } else if sends.starts_with('{') {
            request
                .insert_header(("X-CSRF-Token", browser.csrf.clone()))
                .insert_header(("Content-Type", "application/json"))
                .send_body(sends)
                .await
        } else {
            let body = format!("csrf={}&{sends}", browser.csrf);
            request
                .insert_header(("Content-Type", "application/x-www-form-urlencoded"))
                .send_body(body)
                .await
        };
        let bare = path.split('?').next().unwrap_or_default().to_owned();
        (crate::door::read(sent).await, bare)
    }

    /// The beginning of an endless answer.
    async fn opened(
        &self,
        path: &str,
        with: impl FnOnce(awc::ClientRequest) -> awc::ClientRequest,
    ) -> Answer {
        let request = crate::door::client().get(format!("{}{path}", self.scene.door.base));
        let answer = with(request).send().await.expect("an answer");
        if answer.status() != 200 {
            return crate::door::read(Ok(answer)).await;
        }
        Answer {
            status: 200,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Path and body with the names of this enterprise's things; a session that is to be ended is a fresh one.
    async fn named(&self, at: usize) -> (String, String) {
        let side = &self.scene.sides[at];
        let mut sends = fill(self.line.sends, ('<', '>'), side);
        let mut session = "99999".to_owned();
        let both = format!("{} {sends}", self.line.path);
        if both.contains("session") && at < 2 {
            let of_person = sends.contains("SESSION");
            let login = match self.visitor {
                _ if at == 1 => "person-0401".to_owned(),
                _ if of_person => "person-0367".to_owned(),
                "superadmin" => "superadmin".to_owned(),
                "nobody" | "guest" => "person-0367".to_owned(),
                role => format!("{role}-0367"),
            };
            session = self.scene.session(&login).await.0.to_string();
        }
        sends = sends.replace("SESSION", &session);
        (self.path(side, &session), sends)
    }
}

/// The status as the table writes it.
fn class(answer: &Answer) -> String {
    match (answer.status, answer.header("location")) {
        (302 | 303, to) if to.starts_with("/login?next=") => "in".to_owned(),
        (302 | 303, _) => "go".to_owned(),
        (status, _) => status.to_string(),
    }
}

/// A text with the names in these brackets replaced by an enterprise's things; `{kind=retailcrm}` is `retailcrm`.
fn fill(text: &str, (opens, closes): (char, char), side: &Side) -> String {
    let mut parts = text.split(opens);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(closes).expect("a closing bracket");
        filled.push_str(match name.split_once('=') {
            Some((_, word)) => word,
            None if name.ends_with("session") => "SESSION",
            None => side
                .things
                .get(name)
                .unwrap_or_else(|| panic!("what is {name}?")),
        });
        filled.push_str(rest);
    }
    filled
}
