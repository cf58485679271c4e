//! Who changed what, when: the audit of one enterprise for its administrators, and of everything for superadmins.
//! Secrets were masked before they were noted; nothing is changed here.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use actors::integration::connector::Kind;
use actors::store::audit;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{context, find};
use crate::error::AppError;
use crate::state::App;
use crate::web::locale::Lang;
use crate::web::render::key_part;
use crate::web::session::State;
use crate::web::visit::Visit;

/// Changes on one page.
const SIZE: i64 = 100;

/// Which page, from 0.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    page: i64,
}

/// `GET /enterprise/{number}/history`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let context = context(&visit, &enterprise, "history")?;
    draw(&app, &visit, context, Some(enterprise.id), wanted.page).await
}

/// `GET /history`
pub async fn whole(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let mut context = visit.context();
    context.insert("zone", "UTC");
    draw(&app, &visit, context, None, wanted.page).await
}

async fn draw(
    app: &App,
    visit: &Visit,
    mut context: tera::Context,
    enterprise: Option<i64>,
    page: i64,
) -> Result<HttpResponse, AppError> {
    let page = page.clamp(0, 100_000);
    let rows = app
        .store
        .read(move |conn| audit::page(conn, enterprise, page, SIZE))
        .await?;
    let more = i64::try_from(rows.len()).is_ok_and(|count| count == SIZE);
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            let of = row.enterprise.and_then(|id| app.cache.by_id(id));
            let what = serde_json::from_str::<Value>(&row.what).unwrap_or(Value::String(row.what));
            json!({
                "at": row.at, "who": row.who, "action": row.action, "what": parts(app, visit.lang, &row.action, &what),
                "enterprise": of.map(|enterprise| enterprise.number.clone()),
            })
        })
        .collect();
    context.insert("rows", &rows);
    context.insert("page", &page);
    context.insert("more", &more);
    context.insert("wide", &enterprise.is_none());
    visit.page(app, "enterprise/history.html", &context)
}

/// What changed, one part for each thing: its name, what it was where that is known, and what it is.
fn parts(app: &App, lang: Lang, act: &str, what: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let of = act.split('.').next().unwrap_or_default();
    let teller = Teller {
        app,
        lang,
        of_person: ["user", "telegram", "extension"].contains(&of),
    };
    match what {
        Value::Object(fields) => {
            for (name, value) in fields {
                match actors::crm::find(name) {
                    Some(kind) => teller.integration(kind, value, &mut found),
                    None => teller.part(None, name, value, &mut found),
                }
            }
        }
        Value::Null => {}
        other => found.push(json!({"name": "", "after": words(other)})),
    }
    found
}

/// Fields that hold a list, and not what was and what is.
const LISTS: [&str; 2] = ["extensions", "rules"];

/// What is noted beside a change and tells a person nothing that the line does not.
const BESIDE: [&str; 3] = ["last_sync", "registered_at", "user_names"];

struct Teller<'a> {
    app: &'a App,
    lang: Lang,
    /// A name is a person's or a chat's, not a thing's.
    of_person: bool,
}

impl Teller<'_> {
    /// The settings of one integration, each by the name that its card gives it.
    fn integration(&self, kind: &'static Kind, value: &Value, found: &mut Vec<Value>) {
        match value.as_object() {
            Some(fields) => fields
                .iter()
                .for_each(|(name, value)| self.part(Some(kind), name, value, found)),
            None => found.push(json!({"name": kind.title, "after": words(value)})),
        }
    }

    fn part(&self, kind: Option<&Kind>, name: &str, value: &Value, found: &mut Vec<Value>) {
        if BESIDE.contains(&name) {
            return;
        }
        let label = self.label(kind, name);
        let spoken = |value: &Value| self.spoken(kind, name, value);
        match value {
            Value::Array(list) if LISTS.contains(&name) => {
                let list: Vec<String> = list.iter().map(words).collect();
                if list.is_empty() {
                    return;
                }
                found.push(json!({"name": label, "after": list.join(", ")}));
            }
            Value::Array(pair) if pair.len() == 2 => {
                let (before, after) = (&pair[0], &pair[1]);
                if before.is_object() || after.is_object() {
                    self.entries(&label, before, after, found);
                } else if before == after {
                    found.push(json!({"name": label, "after": spoken(after)}));
                } else {
                    found.push(
                        json!({"name": label, "before": spoken(before), "after": spoken(after)}),
                    );
                }
            }
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| self.part(kind, name, value, found)),
            // What was left empty in a form tells nothing.
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            other => found.push(json!({"name": label, "after": spoken(other)})),
        }
    }

    /// A setting that is a list of pairs: only those that changed.
    fn entries(&self, label: &str, before: &Value, after: &Value, found: &mut Vec<Value>) {
        let of = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let (before, after) = (of(before), of(after));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (was, is) = (before.get(name), after.get(name));
            if was != is {
                let shown = |value: Option<&Value>| value.map_or_else(|| "—".to_owned(), words);
                let name = format!("{label}, {name}");
                found.push(json!({"name": name, "before": shown(was), "after": shown(is)}));
            }
        }
    }

    /// How the pages call this field; its own name where they do not.
    fn label(&self, kind: Option<&Kind>, name: &str) -> String {
        let known = |key: &str| self.app.pages.known(self.lang, key);
        let field = || match name {
            "name" if self.of_person => known("field-person-name"),
            name => known(&format!("field-{}", key_part(name))),
        };
        match kind {
            Some(kind) => {
                let own = known(&format!("integration-{}-{name}", kind.name)).or_else(field);
                format!("{}: {}", kind.title, own.unwrap_or_else(|| name.to_owned()))
            }
            None => field().unwrap_or_else(|| name.to_owned()),
        }
    }

    /// A value as the pages say it: yes and no, roles, languages, names of CRMs.
    fn spoken(&self, kind: Option<&Kind>, name: &str, value: &Value) -> String {
        let known = |key: String| self.app.pages.known(self.lang, &key);
        let boxes = ["active", "debug_log", "recording_links"];
        let word = match value {
            Value::Bool(on) => known(format!("value-{on}")),
            // A form's box is "1" or empty.
            Value::String(text) if boxes.contains(&name) => {
                known(format!("value-{}", !text.is_empty()))
            }
            Value::String(text) if name == "role" => known(format!("role-{text}")),
            Value::String(text) if name == "language" => known(format!("language-{text}")),
            Value::String(text) if name == "integration" => {
                actors::crm::find(text).map(|kind| kind.title.to_owned())
            }
            Value::String(text) if name == "key" => known(format!("value-key-{text}")),
            _ => None,
        };
        // One of a choice, as its form has it.
        let chosen = || {
            let (kind, text) = (kind?, value.as_str()?);
            known(format!("integration-{}-{name}-{text}", kind.name))
        };
        word.or_else(chosen).unwrap_or_else(|| words(value))
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "—".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "—".to_owned(),
        // A rule of a line.
        Value::Object(rule) if rule.contains_key("pattern") => format!(
            "{} => {}",
            rule["pattern"].as_str().unwrap_or_default(),
            rule.get("replacement")
                .and_then(Value::as_str)
                .unwrap_or_default()
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::web::locale::{Lang, Texts};
    use crate::web::render::key_part;

    /// Every act that the server notes in the audit: literals like "line.save", wherever they stand in its sources.
    fn acts(folder: &Path, found: &mut std::collections::BTreeSet<String>) {
        const OF: [&str; 12] = [
            "enterprise",
            "extension",
            "host",
            "integration",
            "line",
            "login",
            "logout",
            "password",
            "retailcrm",
            "session",
            "telegram",
            "user",
        ];
        for entry in std::fs::read_dir(folder).expect("sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                // What CRMs call their methods is no act of ours.
                if !path.ends_with("crm") && !path.ends_with("tests") {
                    acts(&path, found);
                }
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            for literal in text.split('"').filter(|one| one.len() < 40) {
                let good = |c: char| c.is_ascii_lowercase() || "-_.".contains(c);
                if let Some((of, act)) = literal.split_once('.')
                    && OF.contains(&of)
                    && !act.is_empty()
                    && act != "html"
                    && literal.chars().all(good)
                {
                    found.insert(literal.to_owned());
                }
            }
        }
    }

    #[test]
    fn every_act_has_its_words() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = std::collections::BTreeSet::from(["login".into(), "logout".into()]);
        acts(&root.join("src"), &mut found);
        acts(&root.join("actors/src"), &mut found);
        assert!(found.len() > 30, "{found:?}");
        for lang in Lang::ALL {
            let texts = Texts::load(&root.join("locales"), lang).expect("sound texts");
            for act in &found {
                let key = format!("act-{}", key_part(act));
                assert!(texts.known(&key).is_some(), "{lang:?}: no text {key}");
            }
        }
    }
}
