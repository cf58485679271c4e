//! Questions of ours and what MoySklad answers: do key and token work, who calls, whose client it is, who works there.
//! Called by `mod.rs`. Pure. Without a token of the JSON API nobody's name is known, and that is no failure.

use super::settings::Settings;
use super::{api, remap};
use crate::integration::connector::{Answer, Customer, Manager, Question};
use crate::integration::halt::{Halt, Heard};
use crate::integration::request::Reply;

/// What is answered, once enough was heard.
///
/// # Errors
/// What is to be done before there is an answer.
pub fn ask(
    settings: &Settings,
    country: &str,
    question: &Question,
    heard: &[Reply],
) -> Result<Answer, Halt> {
    let mut heard = Heard::new(heard);
    let token = settings.token.as_ref();
    match question {
        Question::Test => {
            let known = api::extensions(heard.next(|| api::employees(settings))?)?;
            let mut words = match known.len() {
                0 => "the key works, but no employee has an extension: type them into the employees' cards".into(),
                1 => "the key works: 1 employee has an extension".to_owned(),
                count => format!("the key works: {count} employees have an extension"),
            };
            words.push_str(&match token {
                None => "; there is no token, so names and responsible employees are not asked for"
                    .to_owned(),
                Some(token) => {
                    let reply = heard.next(|| remap::get(settings, token, "context/employee"))?;
                    let myself = api::judge(reply)?;
                    format!("; the token works: {}", remap::text(&myself, "name"))
                }
            });
            Ok(Answer::Works(words))
        }
        Question::Customer { phone } => {
            let Some(token) = token else {
                return Ok(Answer::Customer(None));
            };
            let found = remap::find(settings, token, country, phone, &mut heard)?;
            // Who was made of a number is called by it, and that is no name.
            let found = found.filter(|one| !is_number(&one.name, phone));
            Ok(Answer::Customer(found.map(|one| Customer {
                name: one.name,
                link: one.link,
            })))
        }
        Question::Responsible { phone } => {
            let Some(token) = token else {
                return Ok(Answer::Responsible(None));
            };
            let found = remap::find(settings, token, country, phone, &mut heard)?;
            let Some((id, name)) = found.and_then(|one| one.owner) else {
                return Ok(Answer::Responsible(None));
            };
            let known = api::extensions(heard.next(|| api::employees(settings))?)?;
            let extension = known.into_iter().find(|(one, _)| *one == id);
            Ok(Answer::Responsible(Some(Manager {
                extension: extension.map(|(_, extension)| extension),
                id,
                name,
            })))
        }
        Question::Managers => {
            let known = api::extensions(heard.next(|| api::employees(settings))?)?;
            let names = match token {
                None => Vec::new(),
                Some(token) => {
                    let path = "entity/employee?limit=1000";
                    remap::employees(heard.next(|| remap::get(settings, token, path))?)?
                }
            };
            let name_of = |id: &str| names.iter().find(|(one, _)| one == id);
            let unnamed = known
                .iter()
                .filter(|(id, _)| name_of(id).is_none())
                .map(|(id, _)| (id.clone(), String::new()));
            let all = names.iter().cloned().chain(unnamed);
            let extension_of = |id: &str| {
                let found = known.iter().find(|(one, _)| one == id);
                found.map(|(_, extension)| extension.clone())
            };
            Ok(Answer::Managers(
                all.map(|(id, name)| Manager {
                    extension: extension_of(&id),
                    id,
                    name,
                })
                .collect(),
            ))
        }
        Question::Register(_) | Question::Registration { .. } | Question::Authorize { .. } => Err(
            Halt::Nothing("MoySklad keeps no list of telephonies".into()),
        ),
    }
}

fn is_number(name: &str, phone: &str) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let (own, asked) = (digits(name), digits(phone));
    let tail = asked.get(asked.len().saturating_sub(9)..);
    tail.is_some_and(|tail| !tail.is_empty() && own.contains(tail))
}
