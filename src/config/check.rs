//! Rules over settings that a type alone cannot say. Pure; called once at start by `config::load`.

use secrecy::ExposeSecret;

use super::Settings;

/// Everything that is wrong, each finding naming its key and what to do; empty when all is well.
pub fn findings(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |wrong: bool, words: &str| {
        if wrong {
            found.push(words.to_owned());
        }
    };
    let server = &settings.server;
    say(
        server.listen.is_empty(),
        "`server.listen` is empty; name at least one address, e.g. [\"127.0.0.1:8000\"]",
    );
    let mut seen = std::collections::HashSet::new();
    say(
        server
            .listen
            .iter()
            .any(|address| address.port() != 0 && !seen.insert(address)),
        "`server.listen` names one address twice; remove one of them",
    );
    say(
        !(server.public_url.starts_with("http://") || server.public_url.starts_with("https://"))
            || server.public_url.ends_with('/'),
        "`server.public_url` must begin with http:// or https:// and not end with a slash",
    );
    say(
        server.workers > 256,
        "`server.workers` is over 256; 0 means one per processor core",
    );
    say(
        server.max_connections == 0,
        "`server.max_connections` must be at least 1",
    );

    let url = &settings.database.url;
    say(
        !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme)),
        "`database.url` must be sqlite:FILE or postgres://user:password@host/name",
    );
    say(
        url.as_str() == "sqlite:",
        "`database.url` names no file; write it like sqlite:patchbay.db",
    );
    say(
        settings.database.pool == 0 || settings.database.pool > 100,
        "`database.pool` must be between 1 and 100",
    );
    say(
        settings.database.pace.0 > std::time::Duration::from_millis(100),
        "`database.pace` must be 100ms at most: hosts wait for it",
    );

    let key = settings.secrets.key.expose_secret();
    say(
        !key.is_empty() && !is_key(key),
        "`secrets.key` must be 32 bytes in hex (64 digits) or base64; make one with: openssl rand -hex 32",
    );
    say(
        !key.is_empty() && !settings.secrets.key_file.is_empty(),
        "`secrets.key` and `secrets.key_file` are both given; keep one of them",
    );

    say(
        settings.events.max_body.0 < 1024 || settings.events.max_body.0 > 16 << 20,
        "`events.max_body` must be between 1KiB and 16MiB",
    );
    let hosts = &settings.hosts;
    say(
        hosts.sessions == 0 || hosts.sessions > 32,
        "`hosts.sessions` must be between 1 and 32",
    );
    say(
        hosts.redirect_deadline.as_secs() >= 8,
        "`hosts.redirect_deadline` must be under 8s: the caller waits ten seconds, and the host needs time too",
    );
    say(
        settings.events.queue == 0,
        "`events.queue` must be at least 1",
    );
    say(
        settings.events.rate_per_enterprise == 0,
        "`events.rate_per_enterprise` must be at least 1",
    );
    say(
        settings.events.burst_per_enterprise == 0,
        "`events.burst_per_enterprise` must be at least 1",
    );
    say(
        settings.events.in_flight_per_enterprise == 0,
        "`events.in_flight_per_enterprise` must be at least 1",
    );
    say(
        settings.calls.lost_after.as_secs() < 1,
        "`calls.lost_after` is under a second: calls in progress would be closed as lost",
    );

    let deliveries = &settings.deliveries;
    for (name, plan) in [
        ("popup_retry", &deliveries.popup_retry),
        ("upload_retry", &deliveries.upload_retry),
    ] {
        say(
            plan.is_empty(),
            &format!("`deliveries.{name}` is empty; list at least one wait, e.g. [\"1s\"]"),
        );
        say(
            plan.iter().any(|wait| wait.is_zero()),
            &format!("`deliveries.{name}` has a wait of nothing; the least is \"1ms\""),
        );
    }
    say(
        deliveries.concurrency == 0,
        "`deliveries.concurrency` must be at least 1",
    );
    say(
        deliveries.breaker_failures == 0,
        "`deliveries.breaker_failures` must be at least 1",
    );
    say(
        deliveries.switch_off_after.as_secs() < 3_600,
        "`deliveries.switch_off_after` must be at least \"1h\"",
    );
    say(
        deliveries.timeout.is_zero(),
        "`deliveries.timeout` must be more than nothing",
    );
    say(
        deliveries.lease.0 <= deliveries.timeout.0,
        "`deliveries.lease` must be longer than `deliveries.timeout`, or two processes would send the same",
    );
    say(
        !settings.telegram.base_url.starts_with("http"),
        "`telegram.base_url` must begin with http:// or https://",
    );
    say(
        !settings.telegram.link_url.starts_with("http"),
        "`telegram.link_url` must begin with http:// or https://",
    );
    say(
        settings.telegram.rate_per_bot == 0,
        "`telegram.rate_per_bot` must be at least 1",
    );
    say(
        settings.cache.jitter.0 >= settings.cache.refresh.0,
        "`cache.jitter` must be shorter than `cache.refresh`",
    );
    say(
        settings.session.attempts_per_name == 0 || settings.session.attempts_per_address == 0,
        "`session.attempts_per_name` and `session.attempts_per_address` must be at least 1, or nobody could log in",
    );
    say(
        settings.session.window.is_zero(),
        "`session.window` must be more than nothing",
    );
    say(
        settings
            .api
            .keys
            .iter()
            .any(|key| key.expose_secret().len() < 16),
        "`api.keys` has a key under 16 characters; make one with: openssl rand -hex 24",
    );
    found
}

/// 32 bytes in hex or in base64, padded or not.
fn is_key(text: &str) -> bool {
    use base64::Engine;
    (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
        || base64::engine::general_purpose::STANDARD
            .decode(text)
            .is_ok_and(|bytes| bytes.len() == 32)
        || base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(text)
            .is_ok_and(|bytes| bytes.len() == 32)
}
