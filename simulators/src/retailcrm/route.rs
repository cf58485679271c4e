//! From a method and a path to an endpoint. Called by the entry; it never looks at a request's fields.

/// A method of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    ApiVersions,
    Credentials,
    SystemInfo,
    CallEvent,
    CallsUpload,
    Manager,
    ModuleGet(String),
    ModuleEdit(String),
    Users,
    User(String),
    UserStatus(String),
    Customers,
}

/// What a path is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Endpoint(Endpoint),
    WrongVerb,
    Unknown,
}

impl Endpoint {
    /// The name in counts and scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ApiVersions => "api-versions",
            Self::Credentials => "credentials",
            Self::SystemInfo => "system-info",
            Self::CallEvent => "telephony/call/event",
            Self::CallsUpload => "telephony/calls/upload",
            Self::Manager => "telephony/manager",
            Self::ModuleGet(_) => "integration-modules/get",
            Self::ModuleEdit(_) => "integration-modules/edit",
            Self::Users => "users",
            Self::User(_) => "users/get",
            Self::UserStatus(_) => "users/status",
            Self::Customers => "customers",
        }
    }

    /// Whether the higher limit of telephony holds.
    pub fn telephony(&self) -> bool {
        matches!(self, Self::CallEvent | Self::CallsUpload | Self::Manager)
    }

    fn post(&self) -> bool {
        matches!(
            self,
            Self::CallEvent | Self::CallsUpload | Self::ModuleEdit(_) | Self::UserStatus(_)
        )
    }
}

/// The account named in a path, if any, and the rest of it.
pub(crate) fn account(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix("/a/") else {
        return (None, path);
    };
    match rest.find('/') {
        Some(end) => (rest.get(..end), rest.get(end..).unwrap_or_default()),
        None => (Some(rest), "/"),
    }
}

/// The endpoint at a path below the account.
pub(crate) fn find(post: bool, path: &str) -> Found {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let endpoint = match parts.as_slice() {
        ["api", "api-versions"] => Endpoint::ApiVersions,
        ["api", "credentials"] => Endpoint::Credentials,
        ["api", "system-info"] => Endpoint::SystemInfo,
        ["api", "v5", "telephony", "call", "event"] => Endpoint::CallEvent,
        ["api", "v5", "telephony", "calls", "upload"] => Endpoint::CallsUpload,
        ["api", "v5", "telephony", "manager"] => Endpoint::Manager,
        ["api", "v5", "integration-modules", code, "edit"] => Endpoint::ModuleEdit((*code).into()),
        ["api", "v5", "integration-modules", code] => Endpoint::ModuleGet((*code).into()),
        ["api", "v5", "users"] => Endpoint::Users,
        ["api", "v5", "users", id] => Endpoint::User((*id).into()),
        ["api", "v5", "users", id, "status"] => Endpoint::UserStatus((*id).into()),
        ["api", "v5", "customers"] => Endpoint::Customers,
        _ => return Found::Unknown,
    };
    if endpoint.post() == post {
        Found::Endpoint(endpoint)
    } else {
        Found::WrongVerb
    }
}
