//! Who gets what of every URL: the policy as a person reads it, line by line. Read by the test beside it, which fails for
//! a route that has no line here.
//!
//! A line is `method path?query | what is sent | nobody | superadmin | admin | supervisor | operator | guest`. People are of
//! enterprise 0367, the guest came by its RetailCRM's account link. `{number}` and the like name a thing of an enterprise
//! (`<number>` in what is sent); `{action=save}` is that word. One status holds for both enterprises; `200/404` is the own
//! one and the other. `in`: shown the way in (a program: 401). `go`: sent on. What is sent carries the form's token; every
//! write is also tried without it and refused. Beginning with `{` it is JSON, else a form.

pub const TABLE: &str = r##"
# Hosts show their enterprise's token; a session helps nobody.
POST /start          | {"Token":"<token>","UniqueId":"70.1","Phone":"375291110000","CallType":0} | 200 | 200 | 200 | 200 | 200 | 200
POST /start          | {"Token":"nobody's","UniqueId":"70.1"}                  | 403 | 403 | 403 | 403 | 403 | 403
POST /dial           | {"Token":"<token>","UniqueId":"70.1","Extensions":["159"]} | 200 | 200 | 200 | 200 | 200 | 200
POST /dial           | {"UniqueId":"70.1"}                                     | 403 | 403 | 403 | 403 | 403 | 403
POST /bridge         | {"Token":"<token>","UniqueId":"70.1"}                   | 200 | 200 | 200 | 200 | 200 | 200
POST /bridge         | {"UniqueId":"70.1"}                                     | 403 | 403 | 403 | 403 | 403 | 403
POST /bridge_create  | {"Token":"<token>","UniqueId":"70.1","BridgeUniqueid":"b"} | 200 | 200 | 200 | 200 | 200 | 200
POST /bridge_create  | {"UniqueId":"70.1","BridgeUniqueid":"b"}                | 403 | 403 | 403 | 403 | 403 | 403
POST /bridge_leave   | {"Token":"<token>","UniqueId":"70.1","BridgeUniqueid":"b"} | 200 | 200 | 200 | 200 | 200 | 200
POST /bridge_leave   | {"UniqueId":"70.1","BridgeUniqueid":"b"}                | 403 | 403 | 403 | 403 | 403 | 403
POST /bridge_destroy | {"Token":"<token>","UniqueId":"70.1","BridgeUniqueid":"b"} | 200 | 200 | 200 | 200 | 200 | 200
POST /bridge_destroy | {"UniqueId":"70.1","BridgeUniqueid":"b"}                | 403 | 403 | 403 | 403 | 403 | 403
POST /new_callerid   | {"Token":"<token>","UniqueId":"70.1"}                   | 200 | 200 | 200 | 200 | 200 | 200
POST /new_callerid   | {"UniqueId":"70.1"}                                     | 403 | 403 | 403 | 403 | 403 | 403
POST /hangup         | {"Token":"<token>","UniqueId":"70.1"}                   | 200 | 200 | 200 | 200 | 200 | 200
POST /hangup         | {"UniqueId":"70.1"}                                     | 403 | 403 | 403 | 403 | 403 | 403
POST /api/smart-redirect/incoming-call | {"Token":"<token>","phone":"375291110000","unique_id":"71.1"} | 200 | 200 | 200 | 200 | 200 | 200
POST /api/smart-redirect/incoming-call | {"phone":"375291110000","unique_id":"71.1"} | 403 | 403 | 403 | 403 | 403 | 403

# CRMs show what they were told when they were connected. No host is set up here: 409 says so to whoever may click.
GET  /retailcrm/make-call?clientId={client_id}&userId=16&phone=375291110000 | | 409 | 409 | 409 | 409 | 409 | 409
GET  /retailcrm/make-call?clientId={number}&userId=16&phone=375291110000    | | 401 | 401 | 401 | 401 | 401 | 401
POST /retailcrm/make-call | clientId=<client_id>&userId=16&phone=375291110000 | 409 | 409 | 409 | 409 | 409 | 409
POST /retailcrm/make-call | userId=16&phone=375291110000                      | 401 | 401 | 401 | 401 | 401 | 401
GET  /retailcrm/status?clientId={client_id}&userId=16&status=free             | | 200 | 200 | 200 | 200 | 200 | 200
GET  /retailcrm/status?clientId={number}&userId=16&status=free                | | 401 | 401 | 401 | 401 | 401 | 401
POST /retailcrm/status | clientId=<client_id>&userId=16&status=free           | 200 | 200 | 200 | 200 | 200 | 200
POST /retailcrm/status | userId=16&status=free                                | 401 | 401 | 401 | 401 | 401 | 401
GET  /api/makecallexternal?clientId={secret}&code=150&phone=375291110000      | | 409 | 409 | 409 | 409 | 409 | 409
GET  /api/makecallexternal?clientId={token}&code=150&phone=375291110000       | | 401 | 401 | 401 | 401 | 401 | 401
GET  /crm/{kind=amocrm}/{crm_key}        | | 409 | 409 | 409 | 409 | 409 | 409
GET  /crm/{kind=amocrm}/{number}         | | 401 | 401 | 401 | 401 | 401 | 401
POST /crm/{kind=amocrm}/{crm_key}        | phone=375291110000 | 409 | 409 | 409 | 409 | 409 | 409
POST /crm/{kind=amocrm}/{number}         | phone=375291110000 | 401 | 401 | 401 | 401 | 401 | 401
GET  /crm/{kind=none}/{number}             | | 404 | 404 | 404 | 404 | 404 | 404
POST /crm/{kind=none}/{number}             | phone=375291110000 | 404 | 404 | 404 | 404 | 404 | 404
GET  /retailcrm-admin/account?token={link} | | go  | go  | go  | go  | go  | go
GET  /retailcrm-admin/account?token=a.b.c  | | 401 | 401 | 401 | 401 | 401 | 401
POST /retailcrm-admin/account?token={link} | | go  | go  | go  | go  | go  | go
POST /retailcrm-admin/account              | | 401 | 401 | 401 | 401 | 401 | 401

# Open to anyone.
GET  /health                     | | 200 | 200 | 200 | 200 | 200 | 200
GET  /schemas/webhook-events.json | | 200 | 200 | 200 | 200 | 200 | 200
GET  /login                      | | 200 | go  | go  | go  | go  | 200
POST /login | login=nobody&password=wrong | 401 | 401 | 401 | 401 | 401 | 401

# One's own account.
GET  /                               | | in | go  | go  | go  | go  | in
POST /logout                         | | in | go  | go  | go  | go  | in
GET  /account                        | | in | 200 | 200 | 200 | 200 | in
POST /account/password | old=x&new=short&again=short | in | 200 | 200 | 200 | 200 | in
POST /account/sessions/{session}/end | | in | go/404 | go/404 | go/404 | go/404 | in

# Calls as they go on.
GET  /live                              | | in | 200 | 200     | 200     | 403 | in
GET  /live?enterprise={number}          | | in | 200 | 200/404 | 200/404 | 403 | in
GET  /live/stream                       | | in | 200 | 200     | 200     | 403 | in
GET  /live/stream?enterprise={number}   | | in | 200 | 200/404 | 200/404 | 403 | in
GET  /live/managers                     | | in | 200 | 200     | 200     | 403 | in
GET  /live/managers?enterprise={number} | | in | 200 | 200/404 | 200/404 | 403 | in
GET  /api/live                          | | in | 200 | 200     | 200     | 403 | in
GET  /api/live?enterprise={number}      | | in | 200 | 200/404 | 200/404 | 403 | in

# Calls that were, and clicks. An operator's own are those the extension had a part in.
GET  /calls                       | | in | 200 | 200     | 200     | 200     | in
GET  /calls?enterprise={number}   | | in | 200 | 200/404 | 200/404 | 200/404 | in
GET  /calls/{call}                | | in | 200 | 200/404 | 200/404 | 200/404 | in
GET  /calls/{live_call}           | | in | 200 | 200/404 | 200/404 | 200/404 | in
GET  /calls/{colleague_s_call}    | | in | 200 | 200/404 | 200/404 | 404     | in
GET  /api/calls                   | | in | 200 | 200     | 200     | 200     | in
GET  /api/calls?enterprise={number} | | in | 200 | 200/404 | 200/404 | 200/404 | in
GET  /api/calls/{call}            | | in | 200 | 200/404 | 200/404 | 200/404 | in
GET  /api/calls/{colleague_s_call} | | in | 200 | 200/404 | 200/404 | 404    | in
GET  /api/call-requests           | | in | 200 | 200     | 200     | 200     | in
GET  /api/call-requests/{request} | | in | 200 | 200/404 | 200/404 | 200/404 | in
GET  /api/call-requests/{colleague_s_request} | | in | 200 | 200/404 | 200/404 | 404 | in

# Other services on the installation: with a key, from this machine where that is allowed, and superadmins.
POST /dispatch/call-event | {"token":"<token>","uniqueId":"72.1","event_type":"dial"} | 401 | 200 | 403 | 403 | 403 | 401
GET  /integrations/{number}                          | | 401 | 200 | 403 | 403 | 403 | 401
GET  /config/{number}                                | | 401 | 200 | 403 | 403 | 403 | 401
GET  /customer-name/{number}/{phone=375291110000}    | | 401 | 200 | 403 | 403 | 403 | 401
GET  /customer-profile/{number}/{phone=375291110000} | | 401 | 200 | 403 | 403 | 403 | 401
GET  /responsible/{number}/{phone=375291110000}      | | 401 | 200 | 403 | 403 | 403 | 401
GET  /metadata/{number}/manager/{extension}          | | 401 | 200 | 403 | 403 | 403 | 401
GET  /metadata/{number}/line/{line}                  | | 401 | 200 | 403 | 403 | 403 | 401
POST /cache/invalidate/{number}                      | | 401 | 200 | 403 | 403 | 403 | 401
POST /cache/refresh                                  | | 401 | 200 | 403 | 403 | 403 | 401
GET  /stats                                          | | 401 | 200 | 403 | 403 | 403 | 401
GET  /metrics                                        | | 401 | 200 | 403 | 403 | 403 | 401

# The whole installation.
GET  /enterprises/new  | | in | 200 | 403 | 403 | 403 | in
POST /enterprises/new  | number=0500&name=made | in | 200 | 403 | 403 | 403 | in
GET  /people           | | in | 200 | 403 | 403 | 403 | in
POST /people/{action=save} | login=superadmin&role=superadmin&active=1 | in | 200 | 403 | 403 | 403 | in
GET  /history          | | in | 200 | 403 | 403 | 403 | in
GET  /system           | | in | 200 | 403 | 403 | 403 | in
GET  /system/panel     | | in | 200 | 403 | 403 | 403 | in
POST /system/integrations/{id}/{kind=retailcrm}/reset | | in | 200 | 403 | 403 | 403 | in

# One enterprise, for its administrators.
GET  /enterprises                               | | in | 200 | go      | 403 | 403 | in
GET  /enterprise/{number}                       | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number} | name=<name>&time_zone=Europe/Minsk&language=ru&country=BY&ssh_port=22&originate_context=inoffice&redirect_context=web-zapros&active=1 | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/rotate/{which=token}  | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/rotate/{which=secret} | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/lines                 | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/lines        | line=<line>&name=renamed&rules= | in | go  | go/404  | 403 | 403 | in
POST /enterprise/{number}/lines/remove | line=<line>                     | in | go  | go/404  | 403 | 403 | in
POST /enterprise/{number=0367}/lines/remove | line=<line>                | in | go/404 | go/404 | 403 | 403 | in
POST /enterprise/{number}/lines/try    | phone=80291110000&rules=        | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/people                | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/people/{action=add}   | login=new-<number>&role=operator                | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/people/{action=save}  | login=<person>&role=operator&active=1           | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number=0367}/people/{action=save}     | login=<person>&role=operator&active=1   | in | 200/404 | 200/404 | 403 | 403 | in
POST /enterprise/{number=0367}/people/{action=password} | login=<person>                          | in | 200/404 | 200/404 | 403 | 403 | in
POST /enterprise/{number=0367}/people/{action=end}      | login=<person>&session=<person_session> | in | 200/404 | 200/404 | 403 | 403 | in
POST /enterprise/{number=0367}/people/{action=end}      | login=person-0367&session=<person_session> | in | 200/404 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/people/{action=extension}     | extension=199&name=new                  | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/people/{action=drop}          | extension=199                           | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/host                  | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/host/test             | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/host/test             | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/host/{action=kind}    | kind=plain | in | go | go/404 | 403 | 403 | in
POST /enterprise/{number}/host/{action=make}    | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/history               | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/telegram              | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/telegram/chats        | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/telegram/{action=add}    | chat=<chat>&name=again | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/telegram/{action=invite} | single=1&hours=24      | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/telegram/{action=test}   | chat=<chat>            | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/telegram/{action=remove} | chat=<chat>            | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number=0367}/telegram/{action=test}   | chat=<chat>       | in | 200/404 | 200/404 | 403 | 403 | in
POST /enterprise/{number=0367}/telegram/{action=remove} | chat=<chat>       | in | 200/404 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/integrations          | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/integrations/config   | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/integrations/config   | {"smart":{"primary":"retailcrm"}} | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/integrations/logs     | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/integrations/log      | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/integrations/{kind=retailcrm}/state  | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/integrations/{kind=retailcrm}/save   | domain=<crm>&api_key=demo-key-1234567 | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/integrations/{kind=retailcrm}/switch | on=1 | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/integrations/{kind=retailcrm}/test   | domain=<crm>&api_key=demo-key-1234567 | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/integrations/{kind=retailcrm}/order  | order=pause | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/integrations/{kind=retailcrm}/resend | delivery=<delivery> | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number=0367}/integrations/{kind=retailcrm}/resend | delivery=<delivery> | in | 200/404 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/integrations/{kind=amocrm}/users      | | in | 200 | 200/404 | 403 | 403 | in
GET  /enterprise/{number}/integrations/{kind=retailcrm}/users   | | in | go  | go/404  | 403 | 403 | in
POST /enterprise/{number}/integrations/{kind=amocrm}/users      | | in | 200 | 200/404 | 403 | 403 | in
POST /enterprise/{number}/integrations/{kind=amocrm}/users/save | user=16&extension=<extension> | in | 200 | 200/404 | 403 | 403 | in
GET  /admin/integrations                          | | in | 200 | 200     | 403 | 403 | in
GET  /admin/integrations?enterprise={number}      | | in | 200 | 200/404 | 403 | 403 | in
GET  /admin/integrations/stats                    | | in | 200 | 200     | 403 | 403 | in
GET  /admin/integrations/stats?enterprise={number} | | in | 200 | 200/404 | 403 | 403 | in

# Made-up calls: an administrator plays the own enterprise's.
GET  /test-interface            | | in | 200 | 200     | 403 | 403 | in
POST /test-interface/runs       | enterprise=<number>&pattern=incoming-missed&phone=375291110000&extensions=150&ring=1&talk=1&speed=100 | in | 200 | 200/404 | 403 | 403 | in
GET  /test-interface/runs/{run} | | in | 200 | 200/404 | 403 | 403 | in

# The RetailCRM module, for administrators and for whoever came from the enterprise's CRM.
GET    /retailcrm-admin                                       | | in | go  | go      | 403 | 403 | go
GET    /retailcrm-admin?enterprise_number={number}            | | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/                                      | | in | go  | go      | 403 | 403 | go
GET    /retailcrm-admin/?enterprise_number={number}           | | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/module/{number}/log                   | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/module/{number}/test                  | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/module/{number}/register              | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/module/{number}/remove                | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/module/{number}/managers              | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/module/{number}/managers/save         | user=16&extension=<extension> | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/api/config/{number}                   | | in | 200 | 200/404 | 403 | 403 | 200/404
PUT    /retailcrm-admin/api/config/{number}                   | {"send_dial":true} | in | 200 | 200/404 | 403 | 403 | 200/404
DELETE /retailcrm-admin/api/config/{number}                   | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/api/register/{number}                 | {} | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/api/test/{number}                     | {} | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/api/internal-phones/{number}          | | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/api/managers/{number}                 | | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/api/user-extensions/{number}          | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/api/save-extensions/{number}          | {"16":"<extension>"} | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/api/sync-extensions/{number}          | {} | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/api/config-cache/active-enterprises   | | in | 200 | 200     | 403 | 403 | 200
POST   /retailcrm-admin/api/config-cache/active-enterprises   | | in | 200 | 200     | 403 | 403 | 200
GET    /retailcrm-admin/api/config-cache/refresh/{number}     | | in | 200 | 200/404 | 403 | 403 | 200/404
POST   /retailcrm-admin/api/config-cache/refresh/{number}     | | in | 200 | 200/404 | 403 | 403 | 200/404
GET    /retailcrm-admin/api/config-cache/refresh-all          | | in | 200 | 200     | 403 | 403 | 200
POST   /retailcrm-admin/api/config-cache/refresh-all          | | in | 200 | 200     | 403 | 403 | 200
"##;

/// Who asks, in the order of the columns.
pub const VISITORS: [&str; 6] = [
    "nobody",
    "superadmin",
    "admin",
    "supervisor",
    "operator",
    "guest",
];

/// One line of the table.
#[derive(Debug)]
pub struct Line {
    pub method: &'static str,
    /// Path and query, with the names of things in braces.
    pub path: &'static str,
    pub sends: &'static str,
    /// By visitor: what the own enterprise gives and what the other.
    pub gives: Vec<[&'static str; 2]>,
}

impl Line {
    /// The path as the table of routes has it, whatever the things are called there.
    pub fn route(&self) -> (String, String) {
        let path = self.path.split('?').next().unwrap_or_default();
        (self.method.to_owned(), nameless(path))
    }
}

/// A path whose parts in braces have no names.
pub fn nameless(path: &str) -> String {
    let part = |part: &str| {
        if part.starts_with('{') {
            "{}".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The lines of the table.
pub fn lines() -> Vec<Line> {
    let written = TABLE
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    written
        .map(|line| {
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            assert_eq!(columns.len(), 2 + VISITORS.len(), "{line}");
            let (method, path) = columns[0].split_once(' ').expect("method and path");
            let gives = columns[2..].iter().map(|word| match word.split_once('/') {
                Some((own, other)) => [own, other],
                None => [*word, *word],
            });
            Line {
                method,
                path: path.trim(),
                sends: columns[1],
                gives: gives.collect(),
            }
        })
        .collect()
}
