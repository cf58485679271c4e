//! A line of the table of URLs (`routes`): a handler behind the gate of its area. It decides neither who may pass nor what is
//! answered.

use actix_web::middleware::{Compress, from_fn};
use actix_web::{FromRequest, Handler, Responder, Route, http::Method, web};

use super::gate;
use super::session::policy::Area;

/// One line of the table.
pub struct Entry {
    pub method: Method,
    pub path: &'static str,
    pub area: Area,
    pub(super) route: Route,
}

/// A line with any method.
pub(super) fn entry<F, Args>(method: Method, path: &'static str, area: Area, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = web::method(method.clone()).to(handler);
    // Hosts' events take the short way: nothing is wrapped around them.
    let route = match area {
        Area::Hosts => route,
        _ => route
            .wrap(from_fn(move |request, next| {
                gate::pass(area, request, next)
            }))
            .wrap(Compress::default()),
    };
    Entry {
        method,
        path,
        area,
        route,
    }
}

/// A page, or what is read.
pub(super) fn get<F, Args>(path: &'static str, area: Area, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    entry(Method::GET, path, area, handler)
}

/// What changes something, or asks with a body.
pub(super) fn post<F, Args>(path: &'static str, area: Area, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    entry(Method::POST, path, area, handler)
}
