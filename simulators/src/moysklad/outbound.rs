//! A click on a phone number: the one request MoySklad makes to the telephony. Called by tests and the control API; never
//! on the simulator's own account.

use std::time::Duration;

use anyhow::Context;
use awc::Client;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::state::State;

/// What the digest is made of: the manual says "the access key and the values of the parameters", and in which order is
/// not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Key, srcNumber, destNumber, uid.
    #[default]
    Values,
    /// Key and the values in the order of their names.
    Sorted,
    /// Key and the body as it is sent.
    Body,
    /// Of another key.
    Wrong,
    /// No such header.
    Absent,
}

/// A click.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Click {
    /// The extension of the employee who clicks.
    pub extension: String,
    pub phone: String,
    /// Instead of the account's own.
    pub signature: Option<Signature>,
}

/// What the telephony answered.
#[derive(Debug, Clone, Serialize)]
pub struct Heard {
    pub status: u16,
    pub body: String,
}

impl State {
    /// Sends a click to the provider's address.
    ///
    /// # Errors
    /// When there is none, or it cannot be reached.
    pub async fn click(&self, click: &Click) -> anyhow::Result<Heard> {
        let (url, uid) = {
            let book = self.book();
            let employee = book.employee_of(&click.extension);
            let uid = employee.map_or("admin@demo".into(), |one| one.uid.clone());
            (book.provider.clone(), uid)
        };
        anyhow::ensure!(!url.is_empty(), "no provider's address is set");
        let (src, dest) = (&click.extension, &click.phone);
        let body = json!({"srcNumber": src, "destNumber": dest, "uid": uid}).to_string();
        let key = &self.settings.phone_key;
        let signature = click.signature.unwrap_or(self.settings.signature);
        let signed = match signature {
            Signature::Values => Some(format!("{key}{src}{dest}{uid}")),
            Signature::Sorted => Some(format!("{key}{dest}{src}{uid}")),
            Signature::Body => Some(format!("{key}{body}")),
            Signature::Wrong => Some(format!("another{src}{dest}{uid}")),
            Signature::Absent => None,
        };
        let client = Client::builder()
            .timeout(Duration::from_secs(10))
            .disable_redirects()
            .finish();
        let mut request = client
            .post(url)
            .insert_header(("Content-Type", "application/json"));
        if let Some(text) = signed {
            request = request.insert_header(("Lognex-Content-MD5", digest(&text)));
        }
        let sent = request.send_body(body).await;
        let mut answer = sent
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("the provider")?;
        let bytes = answer.body().await?;
        Ok(Heard {
            status: answer.status().as_u16(),
            body: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }
}

/// 32 uppercase digits.
pub(crate) fn digest(text: &str) -> String {
    let bytes = Md5::digest(text.as_bytes());
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
