//! The requests the CRM makes to the telephony server: click-to-call, a manager's change of status, the account page.
//! Called by tests, the control API and the buttons of the page; never on the simulator's own account.

use std::time::Duration;

use anyhow::Context;
use awc::Client;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::book::Module;

/// How the parameters travel. Which of them the real CRM uses is not known for certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carry {
    /// In the query of a GET.
    #[default]
    Get,
    /// In the form of a POST.
    PostForm,
}

/// A click on the phone icon.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MakeCall {
    /// The number to call, as the CRM shows it; a `+` travels as `%2B`.
    pub phone: String,
    /// The user who clicked.
    pub user_id: Option<i64>,
    /// The user's extension; absent: the simulator leaves the parameter out.
    pub code: Option<String>,
    /// The shop's own number.
    pub external_phone: Option<String>,
    /// GET or POST.
    pub carry: Carry,
}

/// A manager's change of status.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusChange {
    /// The manager.
    pub user_id: i64,
    /// The manager's extension.
    pub code: Option<String>,
    /// `free`, `busy`, `dinner` or `break`.
    pub status: String,
    /// GET or POST.
    pub carry: Carry,
}

/// What the telephony server answered.
#[derive(Debug, Clone, Serialize)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
    /// Where a redirect leads.
    pub location: Option<String>,
}

impl Account {
    /// Calls the active module's `makeCallUrl`.
    ///
    /// # Errors
    /// When no active module has one, or it cannot be reached.
    pub async fn make_call(&self, call: &MakeCall) -> anyhow::Result<Reply> {
        let (url, client) = self.target("makeCallUrl")?;
        let user_id = call.user_id.map(|id| id.to_string());
        let mut fields = vec![
            ("clientId", client.as_str()),
            ("phone", call.phone.as_str()),
        ];
        fields.extend(user_id.as_deref().map(|id| ("userId", id)));
        fields.extend(call.code.as_deref().map(|code| ("code", code)));
        fields.extend(
            call.external_phone
                .as_deref()
                .map(|phone| ("externalPhone", phone)),
        );
        send(&url, &fields, call.carry).await
    }

    /// Calls the active module's `changeUserStatusUrl`.
    ///
    /// # Errors
    /// When no active module has one, or it cannot be reached.
    pub async fn change_status(&self, change: &StatusChange) -> anyhow::Result<Reply> {
        if let Some(user) = self.book().users.get_mut(&change.user_id) {
            user.status.clone_from(&change.status);
        }
        let (url, client) = self.target("changeUserStatusUrl")?;
        let user_id = change.user_id.to_string();
        let mut fields = vec![
            ("clientId", client.as_str()),
            ("userId", &user_id),
            ("status", change.status.as_str()),
        ];
        fields.extend(change.code.as_deref().map(|code| ("code", code)));
        send(&url, &fields, change.carry).await
    }

    /// Posts to the active module's `accountUrl`, as the button "go to account" does.
    ///
    /// # Errors
    /// When no active module has one, or it cannot be reached.
    pub async fn open_account(&self) -> anyhow::Result<Reply> {
        let module = self.active_module()?;
        let url = module.body.get("accountUrl").and_then(|url| url.as_str());
        let url = url.context("the module has no accountUrl")?;
        send(url, &[("clientId", client_id(&module))], Carry::PostForm).await
    }

    fn active_module(&self) -> anyhow::Result<Module> {
        let book = self.book();
        let mut active = book.modules.values().filter(|module| module.active);
        active
            .next()
            .cloned()
            .context("no active module is registered")
    }

    fn target(&self, member: &str) -> anyhow::Result<(String, String)> {
        let module = self.active_module()?;
        let url = module.telephony(member).and_then(|url| url.as_str());
        let url = url.with_context(|| format!("the module has no {member}"))?;
        Ok((url.to_owned(), client_id(&module).to_owned()))
    }
}

fn client_id(module: &Module) -> &str {
    module
        .body
        .get("clientId")
        .and_then(|id| id.as_str())
        .unwrap_or_default()
}

async fn send(url: &str, fields: &[(&str, &str)], carry: Carry) -> anyhow::Result<Reply> {
    let client = Client::builder()
        .timeout(Duration::from_secs(15))
        .disable_redirects()
        .finish();
    let sent = match carry {
        Carry::Get => {
            let joint = if url.contains('?') { '&' } else { '?' };
            client
                .get(format!(
                    "{url}{joint}{}",
                    serde_urlencoded::to_string(fields)?
                ))
                .send()
        }
        Carry::PostForm => client.post(url).send_form(&fields),
    };
    let mut answer = sent
        .await
        .map_err(|error| anyhow::anyhow!("{url}: {error}"))?;
    let location = answer
        .headers()
        .get("location")
        .and_then(|to| to.to_str().ok())
        .map(Into::into);
    let body = answer
        .body()
        .await
        .map_err(|error| anyhow::anyhow!("{url}: {error}"))?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Reply {
        status: answer.status().as_u16(),
        body,
        location,
    })
}
