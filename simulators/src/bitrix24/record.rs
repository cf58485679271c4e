//! A recording of a finished call: fetched from the address it was told, sent along, or uploaded afterwards. Called by
//! `methods.rs` and by the entry.

use std::time::Duration;

use awc::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::params::text;
use super::state::{Record, State};

const LARGEST: usize = 32 << 20;

pub(crate) async fn attach(state: &State, told: &Value) -> Answer {
    let (call_id, url) = (text(told, "CALL_ID"), text(told, "RECORD_URL"));
    let (mut name, content) = (text(told, "FILENAME"), told.get("FILE_CONTENT"));
    if url.is_empty() && name.is_empty() {
        return Err(Refuse::core(
            "Required parameters are not set. Request should contain or URL or FILENAME parameter",
        ));
    }
    let known = |one: &super::state::Finished| one.call.call_id == call_id;
    if !state.book().finished.iter().any(known) {
        return Err(Refuse::core(
            "Call is not found in the statistic table. Looks like it is not finished yet.",
        ));
    }
    if name.is_empty() {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        name = path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if name.is_empty() {
        return Err(Refuse::core("File name is empty"));
    }
    // Letters as they are: `MP3` is another ending.
    if !name.ends_with(".wav") && !name.ends_with(".mp3") {
        return Err(Refuse::core(
            "Wrong file extension. Only wav and mp3 are allowed",
        ));
    }
    let bytes = if !url.is_empty() {
        match state.settings.fetches {
            true => fetch(&url).await?,
            false => Vec::new(),
        }
    } else if let Some(content) = content {
        let text = content.as_str().unwrap_or_default();
        if text.is_empty() {
            return Err(Refuse::core("File content is empty."));
        }
        STANDARD.decode(text).map_err(|_| {
            Refuse::core("File content is not properly encoded. Base64 encoding is expected.")
        })?
    } else {
        let mut book = state.book();
        let token = format!("upload-{}", book.id());
        book.uploads.insert(token.clone(), (call_id, name));
        let url = format!("/rest/upload.json?auth=&token={token}");
        return Ok(json!({"uploadUrl": url, "fieldName": "file"}).into());
    };
    keep(state, &call_id, name, url, bytes)
}

/// The multipart of an upload; the content is kept as it came.
pub(crate) fn upload(state: &State, told: &Value, body: &[u8]) -> Answer {
    let waiting = state.book().uploads.remove(&text(told, "token"));
    let Some((call_id, name)) = waiting else {
        return Err(Refuse::new(
            401,
            "NO_AUTH_FOUND",
            "Wrong authorization data",
        ));
    };
    keep(state, &call_id, name, String::new(), body.to_vec())
}

/// Another recording takes the place of the former one.
fn keep(state: &State, call_id: &str, name: String, url: String, bytes: Vec<u8>) -> Answer {
    let mut book = state.book();
    let file_id = book.id();
    let found = book
        .finished
        .iter_mut()
        .find(|one| one.call.call_id == call_id);
    if let Some(row) = found {
        row.attached += 1;
        row.record = Some(Record {
            file_id,
            name,
            url,
            bytes,
        });
    }
    Ok(json!({"FILE_ID": file_id}).into())
}

async fn fetch(url: &str) -> Result<Vec<u8>, Refuse> {
    let client = Client::builder()
        .timeout(Duration::from_secs(60))
        .disable_redirects()
        .finish();
    let failed = |words: String| Refuse::core(format!("NETWORK: {words}"));
    let mut answer = client
        .get(url)
        .send()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if answer.status().as_u16() != 200 {
        let words = format!(
            "Server returns HTTP error code {}",
            answer.status().as_u16()
        );
        return Err(Refuse::core(words));
    }
    let body = answer.body().limit(LARGEST).await;
    let body = body.map_err(|error| failed(error.to_string()))?;
    Ok(body.to_vec())
}
