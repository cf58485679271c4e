//! Signed tokens (JWT, HS256) that name an enterprise: the one in the account link, good for a year, and the one in the
//! cookie of whoever came by it. Made and read by `account`; pure but for the vault's key. Only the header that is
//! written here is accepted, so no token chooses its own algorithm.

use actors::store::Vault;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// No token of ours is longer; longer ones are not looked at.
const LONGEST: usize = 1024;

/// What a token is for; one is never taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// The account link that the CRM holds.
    #[serde(rename = "retailcrm-account")]
    Account,
    /// The cookie of whoever opened the link.
    #[serde(rename = "retailcrm-session")]
    Session,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub aud: Purpose,
    /// The enterprise's number.
    pub sub: String,
    /// The registration it belongs to: it ends with that.
    pub jti: String,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
    /// Tells sessions apart; empty in a link.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sid: String,
}

impl Claims {
    /// Claims that hold from now on for so long.
    pub fn new(
        aud: Purpose,
        number: &str,
        registration: &str,
        now: DateTime<Utc>,
        life: TimeDelta,
    ) -> Claims {
        Claims {
            aud,
            sub: number.to_owned(),
            jti: registration.to_owned(),
            iat: now.timestamp(),
            exp: (now + life).timestamp(),
            sid: String::new(),
        }
    }
}

/// Writes a token.
pub fn sign(vault: &Vault, claims: &Claims) -> Result<String, serde_json::Error> {
    let body = format!(
        "{HEADER}.{}",
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?)
    );
    let signature = URL_SAFE_NO_PAD.encode(vault.sign(&body));
    Ok(format!("{body}.{signature}"))
}

/// Reads a token; `None` when it is not ours, for something else, or over.
pub fn read(vault: &Vault, token: &str, aud: Purpose, now: DateTime<Utc>) -> Option<Claims> {
    if token.len() > LONGEST {
        return None;
    }
    let (body, signature) = token.rsplit_once('.')?;
    let claims = body.strip_prefix(HEADER)?.strip_prefix('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !vault.is_signed(body, &signature) {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (claims.aud == aud && claims.exp > now.timestamp()).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn link() -> Claims {
        Claims::new(
            Purpose::Account,
            "0367",
            "registration",
            now(),
            TimeDelta::days(365),
        )
    }

    #[test]
    fn a_token_is_a_json_web_token_that_anybody_can_read() {
        let token = sign(&Vault::new(&[7; 32]), &link()).unwrap();
        let parts: Vec<String> = token
            .split('.')
            .take(2)
            .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(
            parts,
            [
                r#"{"alg":"HS256","typ":"JWT"}"#,
                r#"{"aud":"retailcrm-account","sub":"0367","jti":"registration","iat":1795000000,"exp":1826536000}"#,
            ]
        );
    }

    #[test]
    fn only_what_we_signed_for_this_purpose_and_time_is_taken() {
        let (ours, other) = (Vault::new(&[7; 32]), Vault::new(&[8; 32]));
        let token = sign(&ours, &link()).unwrap();
        let year = now() + TimeDelta::days(365);
        let read_at = |vault, token: &str, aud, at| read(vault, token, aud, at).is_some();
        assert!(read_at(&ours, &token, Purpose::Account, now()));
        assert!(
            !read_at(&other, &token, Purpose::Account, now()),
            "another key"
        );
        assert!(
            !read_at(&ours, &token, Purpose::Session, now()),
            "another purpose"
        );
        assert!(!read_at(&ours, &token, Purpose::Account, year), "over");

        // Another enterprise's number under the same signature, no signature, an algorithm of the sender's choice.
        let parts: Vec<&str> = token.split('.').collect();
        let forged = URL_SAFE_NO_PAD.encode(
            serde_json::to_vec(&Claims {
                sub: "0401".into(),
                ..link()
            })
            .unwrap(),
        );
        let none = URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
        for bad in [
            format!("{}.{forged}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{token}x"),
            "a.b.c".into(),
            String::new(),
            "x".repeat(100_000),
        ] {
            assert!(!read_at(&ours, &bad, Purpose::Account, now()), "{bad:.80}");
        }
    }
}
