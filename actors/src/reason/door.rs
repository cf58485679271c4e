//! What pages and the door of the hosts say no with, as `table` has it. Said in the server's own crate, where people and
//! hosts are refused; read there, too.

/// Forms and pages, and events that were not taken.
pub const DOOR: &[(&str, &str)] = &[
    (
        "no-rule",
        "{}: a rule is a regular expression, then => and what replaces the match",
    ),
    (
        "line-length",
        "the line: 1 … 80 characters, as the host names its trunk",
    ),
    ("many-rules", "a line has {} rules at most"),
    ("no-regex", "{} is no regular expression: {}"),
    ("regex-large", "it is too large"),
    (
        "no-group",
        "{} names the group {}, which {} does not have; a group before digits or letters is written {}",
    ),
    ("speed", "the speed is 0.1 to 100"),
    ("seconds", "ringing and talking take 0 to 600 seconds"),
    ("seed", "the seed is a whole number"),
    ("many-runs", "too many emulated calls are going on"),
    (
        "few-extensions",
        "this pattern needs {} extensions at least",
    ),
    ("many-extensions", "no more than 50 extensions"),
    (
        "too-long",
        "ringing and talking may take 10 minutes at most",
    ),
    (
        "long-word",
        "the number, the line and each extension may have 80 characters at most",
    ),
    ("no-form", "the form cannot be read: {}"),
    ("no-query", "the address cannot be read: {}"),
    ("form-large", "a form may have 256 KiB"),
    ("database-away", "the database does not answer"),
    ("link-away", "the link does not answer"),
    ("name-taken", "there is one of this name already"),
    (
        "retailcrm-first",
        "RetailCRM is not connected yet: enter domain and key first",
    ),
    ("body-empty", "the body is empty; send one JSON object"),
    (
        "body-utf8",
        "the body is not UTF-8 (first bad byte at offset {})",
    ),
    ("body-json", "the body is not JSON: {}"),
    (
        "body-object",
        "the body is JSON but not an object; send one JSON object with UniqueId and the event's fields",
    ),
    (
        "body-no-id",
        "neither UniqueId nor BridgeUniqueId is given; an event needs one of them",
    ),
    (
        "body-long-id",
        "{} is longer than {} characters, which is all that can be kept",
    ),
    (
        "body-large",
        "the body is {} bytes long; at most {} are taken (setting events.max_body)",
    ),
    ("body-broken", "the body did not arrive whole: {}"),
    (
        "token-none",
        "no token: send the enterprise's token as the header Token or the field Token",
    ),
    (
        "token-unknown",
        "unknown token: no enterprise has it; compare it with the enterprise's page",
    ),
    ("enterprise-off", "this enterprise is switched off"),
    ("too-fast", "too many events a second from this enterprise"),
    (
        "too-many-at-once",
        "more than {} events of this enterprise are under way; send it again",
    ),
    (
        "enterprise-away",
        "the enterprise cannot be looked up now; send it again",
    ),
    ("store-full", "too many events wait to be written"),
    ("store-away", "the store cannot take events now"),
    ("store-refused", "the store refused this event"),
    ("send-again", "send it again"),
];
