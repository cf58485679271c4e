//! Who asks, in which language, from where: what `web::gate` found out before a handler runs. Handlers of pages take
//! a `Visit` and draw their page with it; none of them looks at cookies or headers.

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, http::header};
use std::future::{Ready, ready};
use std::sync::Arc;

use super::locale::Lang;
use super::session::policy::{Area, Role, allows};
use crate::error::AppError;
use crate::state::App;

/// Somebody who is logged in.
#[derive(Clone)]
pub struct Viewer {
    pub user: i64,
    pub login: String,
    /// Full name, the login where there is none.
    pub name: String,
    pub role: Role,
    /// `None` for superadmins.
    pub enterprise: Option<i64>,
    /// The session's row.
    pub session: i64,
    /// What every form of this session must carry.
    pub csrf: String,
    /// Language chosen by the user, if any.
    pub language: Option<Lang>,
    /// Somebody else knows this person's password: nothing opens but the page where another is chosen.
    pub must_choose: bool,
}

/// Whose rows a query may touch; made only from a viewer, taken by every query for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Enterprise(i64),
}

impl Scope {
    /// Whether something of this enterprise exists for the viewer.
    pub fn covers(self, enterprise: i64) -> bool {
        match self {
            Scope::All => true,
            Scope::Enterprise(own) => own == enterprise,
        }
    }
}

impl Viewer {
    /// Superadmins see every enterprise; anybody else the own one, and nothing when there is none.
    pub fn scope(&self) -> Scope {
        match (self.role, self.enterprise) {
            (Role::Superadmin, _) => Scope::All,
            (_, Some(enterprise)) => Scope::Enterprise(enterprise),
            // Ids begin at 1: this matches no row.
            (_, None) => Scope::Enterprise(0),
        }
    }
}

/// One request as the pages see it.
#[derive(Clone)]
pub struct Visit {
    pub lang: Lang,
    pub viewer: Option<Arc<Viewer>>,
    /// The visitor's address, a trusted proxy's word taken into account.
    pub address: String,
    /// Path and query of this request, for links that come back to it.
    pub here: String,
    /// A machine with an API key asks; it sees what a superadmin sees, and changes nothing.
    pub machine: bool,
    /// htmx asked for a piece of the page only.
    pub piece: bool,
    /// The page was asked for, and not drawn as the answer to a form.
    pub reads: bool,
}

impl Visit {
    /// The logged-in person. The gate lets nobody else into an area with sessions.
    pub fn viewer(&self) -> Result<&Arc<Viewer>, AppError> {
        self.viewer.as_ref().ok_or(AppError::Unauthenticated)
    }

    /// Whose rows this visitor may see.
    pub fn scope(&self) -> Result<Scope, AppError> {
        if self.machine {
            return Ok(Scope::All);
        }
        Ok(self.viewer()?.scope())
    }

    /// What every page's frame shows; a handler adds its own to it.
    pub fn context(&self) -> tera::Context {
        let mut context = tera::Context::new();
        context.insert("lang", self.lang.as_str());
        context.insert("here", &self.here);
        let (path, query) = self.here.split_once('?').unwrap_or((&self.here, ""));
        context.insert("path", path);
        context.insert("there", &there(path, if self.reads { query } else { "" }));
        context.insert("version", env!("CARGO_PKG_VERSION"));
        if let Some(viewer) = &self.viewer {
            let may = |area| !viewer.must_choose && allows(Some(viewer.role), area);
            context.insert(
                "viewer",
                &serde_json::json!({
                    "name": viewer.name, "login": viewer.login, "role": viewer.role, "csrf": viewer.csrf, "must_choose": viewer.must_choose,
                    "live": may(Area::Live), "calls": may(Area::Calls), "admin": may(Area::Admin), "system": may(Area::System),
                }),
            );
        }
        context
    }

    /// A whole page.
    pub fn page(
        &self,
        app: &App,
        template: &str,
        context: &tera::Context,
    ) -> Result<HttpResponse, AppError> {
        Ok(html(app.pages.render(self.lang, template, context)?))
    }
}

/// The address of a page with everything that was chosen there but the language, ready for one more `lang=…`.
pub fn there(path: &str, query: &str) -> String {
    let kept: String = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("lang="))
        .map(|pair| format!("{pair}&"))
        .collect();
    format!("{path}?{kept}")
}

/// HTML that no cache keeps: pages show live and private things.
pub fn html(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}

/// See other: the answer to a form that was taken.
pub fn go(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, to))
        .finish()
}

impl FromRequest for Visit {
    type Error = AppError;
    type Future = Ready<Result<Self, AppError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Visit>().cloned();
        ready(found.ok_or_else(|| {
            AppError::unknown(anyhow::anyhow!("{} is not behind the gate", request.path()))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::there;

    #[test]
    fn another_language_keeps_what_was_chosen() {
        for (path, query, leads) in [
            ("/calls", "", "/calls?"),
            ("/calls", "lang=en", "/calls?"),
            ("/calls", "find=29&lang=ru&page=2", "/calls?find=29&page=2&"),
        ] {
            assert_eq!(there(path, query), leads);
        }
    }
}
