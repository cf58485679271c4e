//! The table of methods: which there are, which scope each needs, which a webhook may be refused, and who answers. Called
//! by the entry and for each command of a batch.

use std::time::Instant;

use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::entry::Caller;
use super::state::State;
use super::{calls, events, people, record};

/// Name, scope ("" for none), whether it may be for applications only.
const METHODS: &[(&str, &str, bool)] = &[
    ("batch", "", false),
    ("profile", "", false),
    ("scope", "", false),
    ("event.bind", "", false),
    ("event.unbind", "", false),
    ("event.get", "", false),
    ("telephony.externalcall.register", "telephony", true),
    ("telephony.externalcall.show", "telephony", false),
    ("telephony.externalcall.hide", "telephony", false),
    ("telephony.externalcall.finish", "telephony", true),
    ("telephony.externalcall.attachrecord", "telephony", false),
    (
        "telephony.externalcall.searchcrmentities",
        "telephony",
        false,
    ),
    ("telephony.externalline.add", "telephony", true),
    ("telephony.externalline.get", "telephony", true),
    ("user.get", "user", false),
    ("crm.duplicate.findbycomm", "crm", false),
    ("crm.contact.get", "crm", false),
    ("crm.lead.get", "crm", false),
    ("upload", "", false),
    ("oauth", "", false),
];

/// A method's name in counts and scripts.
pub(crate) fn name_of(method: &str) -> &'static str {
    METHODS
        .iter()
        .find(|(name, ..)| *name == method)
        .map_or("unknown", |(name, ..)| name)
}

/// Errors that are the answer to a question: is the call in the statistics, was it finished before?
pub(crate) fn is_question(name: &str, refuse: &Refuse) -> bool {
    (name.ends_with("attachrecord") || name.ends_with("finish"))
        && refuse.words.starts_with("Call is not found")
}

/// One call of a method.
pub(crate) async fn call(state: &State, caller: &Caller, method: &str, told: &Value) -> Answer {
    let settings = &state.settings;
    let known = METHODS.iter().find(|(name, ..)| *name == method);
    let Some((name, scope, applications)) = known else {
        return Err(Refuse::new(
            404,
            "ERROR_METHOD_NOT_FOUND",
            "Method not found!",
        ));
    };
    if !has_scope(state, scope) {
        return Err(Refuse::new(
            403,
            "insufficient_scope",
            "The request requires higher privileges than provided by the webhook token",
        ));
    }
    if *applications && *caller == Caller::Webhook && !settings.webhook_registers {
        return Err(wrong_auth());
    }
    let now = Instant::now();
    let free = state.book().blocked.get(*name).copied();
    if let Some(left) = free.and_then(|free| free.checked_duration_since(now)) {
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX) + 1;
        return Err(Refuse {
            free_in: Some(seconds),
            ..Refuse::new(
                429,
                "OPERATION_TIME_LIMIT",
                "Method is blocked due to operation time limit.",
            )
        });
    }
    let by = match caller {
        Caller::Webhook => "webhook",
        Caller::Application => settings.client_id.as_str(),
    };
    let answer = match *name {
        "profile" => Ok(
            json!({"ID": "12", "ADMIN": true, "NAME": "Павел", "LAST_NAME": "Админов",
            "PERSONAL_GENDER": "", "TIME_ZONE": "", "TIME_ZONE_OFFSET": 0})
            .into(),
        ),
        "scope" => Ok(json!(settings.scopes).into()),
        "event.bind" if *caller == Caller::Webhook => Err(wrong_auth()),
        "event.bind" => events::bind(state, told),
        "event.unbind" => events::unbind(state, told),
        "event.get" => events::bound(state),
        "telephony.externalcall.register" => calls::register(state, by, told),
        "telephony.externalcall.show" => calls::show(state, told, true),
        "telephony.externalcall.hide" => calls::show(state, told, false),
        "telephony.externalcall.finish" => calls::finish(state, told),
        "telephony.externalcall.attachrecord" => record::attach(state, told).await,
        "telephony.externalcall.searchcrmentities" => people::search(state, told),
        "telephony.externalline.add" => calls::add_line(state, told),
        "telephony.externalline.get" => calls::lines(state),
        "user.get" => people::users(state, told),
        "crm.duplicate.findbycomm" => people::duplicates(state, told),
        "crm.contact.get" => people::get(state, "CONTACT", told),
        "crm.lead.get" => people::get(state, "LEAD", told),
        _ => Err(Refuse::new(
            405,
            "ERROR_BATCH_METHOD_NOT_ALLOWED",
            "Method is not allowed for batch usage",
        )),
    };
    answer.map_err(|refuse| match refuse.code.as_str() {
        "" if settings.error_core => Refuse {
            code: "ERROR_CORE".into(),
            ..refuse
        },
        _ => refuse,
    })
}

fn has_scope(state: &State, scope: &str) -> bool {
    let given = &state.settings.scopes;
    let has = |name: &str| given.iter().any(|one| one == name);
    match scope {
        "" => true,
        "user" => has("user") || has("user_basic") || has("user_brief"),
        scope => has(scope),
    }
}

fn wrong_auth() -> Refuse {
    Refuse::new(
        403,
        "WRONG_AUTH_TYPE",
        "Current authorization type is denied for this method",
    )
}
