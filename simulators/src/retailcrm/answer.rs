//! The error envelope and the literal words of refusals. Called by every method; it never decides when to refuse.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

/// A request turned down: status, `errorMsg` and, where content was invalid, `errors`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refuse {
    pub status: u16,
    pub message: String,
    pub errors: Option<Value>,
}

/// What a method answers: a status and a JSON object with `success: true`.
pub(crate) type Answer = Result<(u16, Value), Refuse>;

pub(crate) const BLANK: &str = "This value should not be blank";
pub(crate) const INVALID: &str = "This value is not valid.";
pub(crate) const CHOICE: &str = "The value you selected is not a valid choice.";

impl Refuse {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            errors: None,
        }
    }

    pub fn missing(field: &str) -> Self {
        Self::new(400, format!("Parameter '{field}' is missing"))
    }

    pub fn non_scalar(field: &str) -> Self {
        Self::new(
            400,
            format!("Input value \"{field}\" contains a non-scalar value"),
        )
    }

    pub fn input(errors: Value) -> Self {
        Self {
            status: 400,
            message: "Errors in the input parameters".into(),
            errors: Some(errors),
        }
    }

    /// The words a log shows: the message and what was wrong in which field.
    pub fn reason(&self) -> String {
        match &self.errors {
            Some(errors) => format!("{}: {errors}", self.message),
            None => self.message.clone(),
        }
    }

    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut body = json!({"success": false, "errorMsg": self.message});
        if let (Some(errors), Some(members)) = (self.errors, body.as_object_mut()) {
            members.insert("errors".into(), errors);
        }
        HttpResponse::build(status).json(body)
    }
}

/// Faults found in an entity, field by field.
#[derive(Debug, Default)]
pub(crate) struct Faults(Map<String, Value>);

impl Faults {
    pub fn add(&mut self, field: impl Into<String>, message: &str) {
        self.0.entry(field.into()).or_insert_with(|| message.into());
    }

    pub fn finish(self) -> Result<(), Refuse> {
        if self.0.is_empty() {
            return Ok(());
        }
        let errors = Some(Value::Object(self.0));
        Err(Refuse {
            status: 400,
            message: "Errors in the entity format".into(),
            errors,
        })
    }
}
