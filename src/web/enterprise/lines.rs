//! The enterprise's external lines: names, the rules by which numbers that come over them are read, and a number taken
//! through the rules step by step before anything is saved.

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::cache::snapshot::{Line, NumberRule};
use actors::call::number;
use actors::store::enterprises;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{change, context, find};
use crate::error::AppError;
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::{Visit, go};

/// Rules of one line at most.
const MOST_RULES: usize = 50;

/// The form of one line. Rules stand one on a line: `pattern => replacement`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Form {
    line: String,
    name: String,
    rules: String,
    /// The number to try.
    phone: String,
}

/// What is told above the page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Told {
    /// A change was made just now.
    saved: String,
    #[serde(skip)]
    problem: String,
}

impl Told {
    fn problem(words: impl Into<String>) -> Told {
        Told {
            problem: words.into(),
            ..Told::default()
        }
    }
}

/// `GET /enterprise/{number}/lines`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    told: web::Query<Told>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    draw(&app, &visit, &enterprise, None, &told)
}

/// `POST /enterprise/{number}/lines`: adds a line or changes it.
pub async fn save(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let place = form.line.trim().to_owned();
    if place.is_empty() || place.chars().count() > 80 {
        return draw(
            &app,
            &visit,
            &enterprise,
            Some(&form),
            &Told::problem("the line: 1 … 80 characters, as the host names its trunk"),
        );
    }
    let rules = match read(&form.rules) {
        Ok(rules) => rules,
        Err(words) => {
            return draw(
                &app,
                &visit,
                &enterprise,
                Some(&form),
                &Told::problem(words),
            );
        }
    };
    let line = Line {
        name: form.name.trim().to_owned(),
        rules,
    };
    let (id, what) = (
        enterprise.id,
        json!({"line": place, "name": line.name, "rules": line.rules}),
    );
    change(
        &app,
        &visit,
        &enterprise,
        ("line.save", what),
        move |conn, _| enterprises::save_line(conn, id, &place, &line),
    )
    .await?;
    Ok(go(&format!(
        "/enterprise/{}/lines?saved=1",
        enterprise.number
    )))
}

/// `POST /enterprise/{number}/lines/remove`
pub async fn remove(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let place = form.line.clone();
    if !enterprise.lines.contains_key(&place) {
        return Err(AppError::NotFound);
    }
    let (id, what) = (enterprise.id, json!({"line": place}));
    change(
        &app,
        &visit,
        &enterprise,
        ("line.remove", what),
        move |conn, _| enterprises::remove_line(conn, id, &place),
    )
    .await?;
    Ok(go(&format!(
        "/enterprise/{}/lines?saved=1",
        enterprise.number
    )))
}

/// `POST /enterprise/{number}/lines/try`: what becomes of a number by the rules of the form, saved or not.
pub async fn attempt(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let mut context = visit.context();
    let phone = form.phone.trim();
    match read(&form.rules) {
        Err(words) => context.insert("problem", &words),
        Ok(rules) => {
            let steps: Vec<Value> = number::apply_rules(phone, &rules)
                .into_iter()
                .scan(phone.to_owned(), |last, (pattern, text)| {
                    let matched = *last != text;
                    last.clone_from(&text);
                    Some(json!({"pattern": pattern, "text": text, "matched": matched}))
                })
                .collect();
            let last = steps
                .last()
                .and_then(|step| step["text"].as_str())
                .unwrap_or(phone);
            context.insert("internal", &number::is_internal(phone, &enterprise));
            context.insert("made", &number::to_e164(last, &enterprise.country));
            context.insert("steps", &steps);
        }
    }
    context.insert("phone", phone);
    context.insert("country", &enterprise.country);
    visit.page(&app, "enterprise/tried.html", &context)
}

/// Rules as the form writes them.
///
/// # Errors
/// The first line that is no rule, in words.
fn read(text: &str) -> Result<Vec<NumberRule>, String> {
    let rules: Vec<NumberRule> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (pattern, replacement) = line
                .rsplit_once("=>")
                .filter(|(pattern, _)| !pattern.trim().is_empty())
                .ok_or_else(|| format!("{line}: a rule is a regular expression, then => and what replaces the match"))?;
            let rule = NumberRule {
                pattern: pattern.trim().into(),
                replacement: replacement.trim().into(),
            };
            number::check_rule(&rule).map(|()| rule)
        })
        .collect::<Result<_, String>>()?;
    if rules.len() > MOST_RULES {
        return Err(format!("a line has {MOST_RULES} rules at most"));
    }
    Ok(rules)
}

fn draw(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    typed: Option<&Form>,
    told: &Told,
) -> Result<HttpResponse, AppError> {
    let shown = |place: &str, line: &Line| {
        let rules: Vec<String> = line
            .rules
            .iter()
            .map(|rule| format!("{} => {}", rule.pattern, rule.replacement))
            .collect();
        json!({"line": place, "name": line.name, "rules": rules.join("\n"), "fresh": false, "problem": ""})
    };
    let mut lines: Vec<Value> = enterprise
        .lines
        .iter()
        .map(|(place, line)| shown(place, line))
        .collect();
    lines.sort_by_key(|line| line["line"].as_str().unwrap_or_default().to_owned());
    let mut fresh = json!({"line": "", "name": "", "rules": "", "fresh": true, "problem": ""});
    if let Some(typed) = typed {
        let place = typed.line.trim();
        let wrong = lines
            .iter_mut()
            .find(|line| line["line"] == place)
            .unwrap_or(&mut fresh);
        wrong["line"] = place.into();
        wrong["name"] = typed.name.as_str().into();
        wrong["rules"] = typed.rules.as_str().into();
        wrong["problem"] = told.problem.as_str().into();
    }
    lines.push(fresh);
    let mut context = context(visit, enterprise, "lines")?;
    context.insert("lines", &lines);
    context.insert("saved", &!told.saved.is_empty());
    visit.page(app, "enterprise/lines.html", &context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_written() {
        let rules = read("^80(\\d{9})$ => +375$1\n\n ^00 =>").expect("two rules");
        assert_eq!(rules.len(), 2);
        assert_eq!(
            (rules[0].pattern.as_str(), rules[0].replacement.as_str()),
            ("^80(\\d{9})$", "+375$1")
        );
        assert_eq!(
            (rules[1].pattern.as_str(), rules[1].replacement.as_str()),
            ("^00", "")
        );
        for wrong in ["^80", "=> x", "( => x", "^8(\\d+) => $1375"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
