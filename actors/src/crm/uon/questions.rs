//! Questions of ours and what U-ON answers: does the key work, who calls, whose client it is, who works there. Called by
//! `mod.rs`. Pure.

use super::{Uon, api};
use crate::integration::connector::{Answer, Customer, Failed, Manager, Question, Step};
use crate::integration::request::Reply;

/// The next step towards an answer.
pub fn ask(uon: &Uon, question: &Question, heard: &[Reply]) -> Step<Answer> {
    match answer(uon, question, heard) {
        Ok(step) => step,
        Err(failed) => Step::Failed(failed),
    }
}

fn answer(uon: &Uon, question: &Question, heard: &[Reply]) -> Result<Step<Answer>, Failed> {
    let settings = &uon.settings;
    Ok(match (question, heard) {
        (Question::Test | Question::Managers, []) => Step::Send(api::managers(settings)),
        (Question::Managers, [reply, ..]) => Step::End(Answer::Managers(api::staff(reply)?)),
        (Question::Test, [reply, more @ ..]) => {
            let count = api::staff(reply)?.len();
            let works = format!("the key works; managers: {count}");
            let Some(address) = &uon.address else {
                return Ok(Step::End(Answer::Works(works)));
            };
            let Some(hooks) = more.first() else {
                return Ok(Step::Send(api::webhooks(settings)));
            };
            // A key may be allowed less than this.
            let clicks = match api::leads_to(hooks, address) {
                Ok(true) => "; clicks on numbers reach us",
                Ok(false) => {
                    "; U-ON has no webhook with our address: clicks on numbers do not reach us"
                }
                Err(_) => "",
            };
            Step::End(Answer::Works(works + clicks))
        }
        (Question::Customer { phone } | Question::Responsible { phone }, []) => {
            Step::Send(api::find(settings, phone))
        }
        (Question::Customer { phone }, [reply, ..]) => {
            let found = api::found(reply, phone)?.filter(|one| !one.name.is_empty());
            Step::End(Answer::Customer(found.map(|one| Customer {
                link: settings.card(one.id).unwrap_or_default(),
                name: one.name,
            })))
        }
        (Question::Responsible { phone }, [reply, more @ ..]) => {
            let Some(id) = api::found(reply, phone)?.and_then(|one| one.manager) else {
                return Ok(Step::End(Answer::Responsible(None)));
            };
            let bare = Manager {
                id: id.to_string(),
                name: String::new(),
                extension: None,
            };
            // Whose extension is given here needs no look into U-ON.
            if settings.managers.values().any(|known| *known == id) {
                return Ok(Step::End(Answer::Responsible(Some(bare))));
            }
            let Some(reply) = more.first() else {
                return Ok(Step::Send(api::managers(settings)));
            };
            let all = api::staff(reply)?;
            let found = all.into_iter().find(|one| one.id == bare.id);
            Step::End(Answer::Responsible(Some(found.unwrap_or(bare))))
        }
        (Question::Register(_) | Question::Registration { .. } | Question::Authorize { .. }, _) => {
            Step::Nothing("U-ON keeps no list of telephonies".into())
        }
    })
}
