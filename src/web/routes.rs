//! The one table of every URL. A line is a method, a path, the area that the policy decides by, and the handler;
//! the paths of the services Patchbay replaces are kept. Put into an application by `serve`, once per worker.

use actix_web::http::Method;

use super::enterprise::{self, integrations};
use super::entry::{Entry, entry, get, post};
use super::hosts::{click, crm, redirect, request};
use super::retailcrm::{self, account};
use super::session::policy::Area;
use super::{calls, emulator, events, gateway, live, session, system};
use actors::call::event::EventKind;

/// What Asterisk hosts post, one URL per kind of event.
const HOST_EVENTS: [(&str, EventKind); 8] = [
    ("/start", EventKind::Start),
    ("/dial", EventKind::Dial),
    ("/bridge", EventKind::Bridge),
    ("/hangup", EventKind::Hangup),
    ("/bridge_create", EventKind::BridgeCreate),
    ("/bridge_leave", EventKind::BridgeLeave),
    ("/bridge_destroy", EventKind::BridgeDestroy),
    ("/new_callerid", EventKind::NewCallerId),
];

/// Every URL of Patchbay.
pub fn table() -> Vec<Entry> {
    let mut table: Vec<Entry> = HOST_EVENTS
        .into_iter()
        .map(|(path, kind)| {
            post(path, Area::Hosts, move |request, payload, app| {
                events::receive(kind, request, payload, app)
            })
        })
        .collect();
    table.extend([
        // People come and go.
        get("/", Area::Account, session::home),
        get("/login", Area::Public, session::login::form),
        post("/login", Area::Public, session::login::submit),
        post("/logout", Area::Account, session::login::leave),
        get("/account", Area::Account, session::account::page),
        post("/account/password", Area::Account, session::account::change),
        post(
            "/account/sessions/{id}/end",
            Area::Account,
            session::account::end,
        ),
        // Calls as they go on.
        get("/live", Area::Live, live::page::page),
        get("/live/stream", Area::Live, live::stream::stream),
        get("/live/managers", Area::Live, live::managers::piece),
        get("/api/live", Area::Live, live::page::json),
        // Calls that were.
        get("/calls", Area::Calls, calls::list::page),
        get("/calls/{id}", Area::Calls, calls::call::page),
        get("/api/calls", Area::Calls, calls::list::json),
        get("/api/calls/{id}", Area::Calls, calls::call::json),
        // Clicks that become calls, and callers who wait for their manager.
        get("/retailcrm/make-call", Area::Keyed, click::retailcrm),
        post("/retailcrm/make-call", Area::Keyed, click::retailcrm),
        get("/retailcrm/status", Area::Keyed, click::status),
        post("/retailcrm/status", Area::Keyed, click::status),
        get("/api/makecallexternal", Area::Keyed, click::external),
        get("/crm/{kind}/{key}", Area::Keyed, crm::hear),
        post("/crm/{kind}/{key}", Area::Keyed, crm::hear),
        post(
            "/api/smart-redirect/incoming-call",
            Area::Hosts,
            redirect::incoming,
        ),
        get("/api/call-requests", Area::Calls, request::list),
        get("/api/call-requests/{id}", Area::Calls, request::one),
        // What other services ask and hand in.
        post("/dispatch/call-event", Area::Machine, gateway::dispatch),
        get(
            "/integrations/{enterprise}",
            Area::Machine,
            gateway::integrations,
        ),
        get("/config/{enterprise}", Area::Machine, gateway::config),
        get(
            "/customer-name/{enterprise}/{phone}",
            Area::Machine,
            gateway::customer_name,
        ),
        get(
            "/customer-profile/{enterprise}/{phone}",
            Area::Machine,
            gateway::customer_profile,
        ),
        get(
            "/responsible/{enterprise}/{phone}",
            Area::Machine,
            gateway::responsible,
        ),
        get(
            "/metadata/{enterprise}/manager/{extension}",
            Area::Machine,
            gateway::manager,
        ),
        get(
            "/metadata/{enterprise}/line/{line}",
            Area::Machine,
            gateway::line,
        ),
        post(
            "/cache/invalidate/{enterprise}",
            Area::Machine,
            gateway::invalidate,
        ),
        post("/cache/refresh", Area::Machine, gateway::refresh),
        // Enterprises, and one's integrations.
        get("/enterprises", Area::Admin, enterprise::list::page),
        get(
            "/enterprises/new",
            Area::System,
            enterprise::settings::blank,
        ),
        post(
            "/enterprises/new",
            Area::System,
            enterprise::settings::create,
        ),
        get(
            "/enterprise/{number}",
            Area::Admin,
            enterprise::settings::page,
        ),
        post(
            "/enterprise/{number}",
            Area::Admin,
            enterprise::settings::save,
        ),
        post(
            "/enterprise/{number}/rotate/{which}",
            Area::Admin,
            enterprise::settings::rotate,
        ),
        get(
            "/enterprise/{number}/lines",
            Area::Admin,
            enterprise::lines::page,
        ),
        post(
            "/enterprise/{number}/lines",
            Area::Admin,
            enterprise::lines::save,
        ),
        post(
            "/enterprise/{number}/lines/remove",
            Area::Admin,
            enterprise::lines::remove,
        ),
        post(
            "/enterprise/{number}/lines/try",
            Area::Admin,
            enterprise::lines::attempt,
        ),
        get(
            "/enterprise/{number}/people",
            Area::Admin,
            enterprise::people::page,
        ),
        post(
            "/enterprise/{number}/people/{action}",
            Area::Admin,
            enterprise::people::act,
        ),
        get(
            "/enterprise/{number}/host",
            Area::Admin,
            enterprise::host::page,
        ),
        get(
            "/enterprise/{number}/host/test",
            Area::Admin,
            enterprise::host::follow,
        ),
        post(
            "/enterprise/{number}/host/test",
            Area::Admin,
            enterprise::host::attempt,
        ),
        post(
            "/enterprise/{number}/host/{action}",
            Area::Admin,
            enterprise::host::act,
        ),
        get(
            "/enterprise/{number}/history",
            Area::Admin,
            enterprise::history::page,
        ),
        get("/people", Area::System, enterprise::people::own_page),
        post(
            "/people/{action}",
            Area::System,
            enterprise::people::own_act,
        ),
        get("/history", Area::System, enterprise::history::whole),
        get(
            "/enterprise/{number}/telegram",
            Area::Admin,
            enterprise::telegram::page,
        ),
        get(
            "/enterprise/{number}/telegram/chats",
            Area::Admin,
            enterprise::telegram::piece,
        ),
        post(
            "/enterprise/{number}/telegram/{action}",
            Area::Admin,
            enterprise::telegram::act,
        ),
        get(
            "/enterprise/{number}/integrations",
            Area::Admin,
            integrations::dialog::page,
        ),
        get(
            "/enterprise/{number}/integrations/config",
            Area::Admin,
            integrations::api::config,
        ),
        post(
            "/enterprise/{number}/integrations/config",
            Area::Admin,
            integrations::api::save,
        ),
        get(
            "/enterprise/{number}/integrations/logs",
            Area::Admin,
            integrations::api::logs,
        ),
        get(
            "/enterprise/{number}/integrations/log",
            Area::Admin,
            integrations::logs::page,
        ),
        get(
            "/enterprise/{number}/integrations/{kind}/state",
            Area::Admin,
            integrations::dialog::state,
        ),
        post(
            "/enterprise/{number}/integrations/{kind}/save",
            Area::Admin,
            integrations::dialog::save,
        ),
        post(
            "/enterprise/{number}/integrations/{kind}/switch",
            Area::Admin,
            integrations::dialog::switch,
        ),
        post(
            "/enterprise/{number}/integrations/{kind}/test",
            Area::Admin,
            integrations::link::test,
        ),
        post(
            "/enterprise/{number}/integrations/{kind}/order",
            Area::Admin,
            integrations::link::order,
        ),
        post(
            "/enterprise/{number}/integrations/{kind}/resend",
            Area::Admin,
            integrations::link::resend,
        ),
        get(
            "/enterprise/{number}/integrations/{kind}/users",
            Area::Admin,
            integrations::users::page::page,
        ),
        post(
            "/enterprise/{number}/integrations/{kind}/users",
            Area::Admin,
            integrations::users::page::list,
        ),
        post(
            "/enterprise/{number}/integrations/{kind}/users/save",
            Area::Admin,
            integrations::users::page::save,
        ),
        get(
            "/admin/integrations",
            Area::Admin,
            integrations::stats::page,
        ),
        get(
            "/admin/integrations/stats",
            Area::Admin,
            integrations::stats::json,
        ),
        // The RetailCRM module: its page, what can be done there, and the same as JSON.
        get("/retailcrm-admin", Area::Module, retailcrm::page::page),
        get("/retailcrm-admin/", Area::Module, retailcrm::page::page),
        get("/retailcrm-admin/account", Area::Keyed, account::open),
        post("/retailcrm-admin/account", Area::Keyed, account::open),
        get(
            "/retailcrm-admin/module/{number}/log",
            Area::Module,
            retailcrm::page::log,
        ),
        post(
            "/retailcrm-admin/module/{number}/test",
            Area::Module,
            retailcrm::page::test,
        ),
        post(
            "/retailcrm-admin/module/{number}/register",
            Area::Module,
            retailcrm::page::register,
        ),
        post(
            "/retailcrm-admin/module/{number}/remove",
            Area::Module,
            retailcrm::page::remove,
        ),
        post(
            "/retailcrm-admin/module/{number}/managers",
            Area::Module,
            retailcrm::page::managers,
        ),
        post(
            "/retailcrm-admin/module/{number}/managers/save",
            Area::Module,
            retailcrm::page::give,
        ),
        get(
            "/retailcrm-admin/api/config/{number}",
            Area::Module,
            retailcrm::api::config,
        ),
        entry(
            Method::PUT,
            "/retailcrm-admin/api/config/{number}",
            Area::Module,
            retailcrm::api::save,
        ),
        entry(
            Method::DELETE,
            "/retailcrm-admin/api/config/{number}",
            Area::Module,
            retailcrm::api::remove,
        ),
        post(
            "/retailcrm-admin/api/register/{number}",
            Area::Module,
            retailcrm::api::register,
        ),
        post(
            "/retailcrm-admin/api/test/{number}",
            Area::Module,
            retailcrm::api::test,
        ),
        get(
            "/retailcrm-admin/api/internal-phones/{number}",
            Area::Module,
            retailcrm::api::internal_phones,
        ),
        get(
            "/retailcrm-admin/api/managers/{number}",
            Area::Module,
            retailcrm::api::managers,
        ),
        get(
            "/retailcrm-admin/api/user-extensions/{number}",
            Area::Module,
            retailcrm::api::user_extensions,
        ),
        post(
            "/retailcrm-admin/api/save-extensions/{number}",
            Area::Module,
            retailcrm::api::save_extensions,
        ),
        post(
            "/retailcrm-admin/api/sync-extensions/{number}",
            Area::Module,
            retailcrm::api::sync_extensions,
        ),
        get(
            "/retailcrm-admin/api/config-cache/active-enterprises",
            Area::Module,
            retailcrm::api::active_enterprises,
        ),
        post(
            "/retailcrm-admin/api/config-cache/active-enterprises",
            Area::Module,
            retailcrm::api::active_enterprises,
        ),
        get(
            "/retailcrm-admin/api/config-cache/refresh/{number}",
            Area::Module,
            retailcrm::api::refresh,
        ),
        post(
            "/retailcrm-admin/api/config-cache/refresh/{number}",
            Area::Module,
            retailcrm::api::refresh,
        ),
        get(
            "/retailcrm-admin/api/config-cache/refresh-all",
            Area::Module,
            retailcrm::api::refresh_all,
        ),
        post(
            "/retailcrm-admin/api/config-cache/refresh-all",
            Area::Module,
            retailcrm::api::refresh_all,
        ),
        // Made-up calls.
        get("/test-interface", Area::Admin, emulator::page::page),
        post("/test-interface/runs", Area::Admin, emulator::page::begin),
        get(
            "/test-interface/runs/{id}",
            Area::Admin,
            emulator::page::follow,
        ),
        // How the installation is doing.
        get("/health", Area::Open, system::health::health),
        get(
            "/schemas/webhook-events.json",
            Area::Open,
            integrations::schema::webhook,
        ),
        get("/stats", Area::Machine, system::metrics::stats),
        get("/metrics", Area::Machine, system::metrics::metrics),
        get("/system", Area::System, system::page::page),
        get("/system/panel", Area::System, system::page::panel),
        post(
            "/system/integrations/{enterprise}/{kind}/reset",
            Area::System,
            system::page::reset,
        ),
    ]);
    table
}
