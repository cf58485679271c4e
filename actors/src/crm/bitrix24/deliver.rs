//! What Bitrix24 is told of a call: its card is `popup.rs`, its history `upload.rs`. Called by `mod.rs` for each notice. Pure:
//! what is kept of the call tells how far it is.

use serde_json::Value;

use super::map::{Facts, Memory};
use super::settings::Settings;
use super::talk::Talk;
use crate::call::record::{Notice, NoticeKind};
use crate::integration::connector::{Delivered, Failed};
use crate::integration::halt::Halt;

pub(super) const REGISTER: &str = "telephony.externalCall.register";

/// One notice on its way.
pub struct Delivery<'a> {
    pub notice: &'a Notice,
    pub settings: &'a Settings,
    pub facts: &'a Facts,
    pub memory: Memory,
    /// Who let the application in: has the calls that nobody has, unless the settings name another.
    pub owner: Option<i64>,
}

pub(super) type Ended = Result<Delivered, Halt>;

impl Delivery<'_> {
    /// The next step.
    pub fn step(&self, talk: &mut Talk<'_>) -> Ended {
        let off = match self.notice.kind {
            NoticeKind::Upload | NoticeKind::Recording => !self.settings.send_upload,
            _ => !self.settings.send_dial,
        };
        if off {
            return nothing("switched off in the integration's settings");
        }
        match self.notice.kind {
            NoticeKind::Dial => self.ring(talk),
            NoticeKind::Bridge => self.talk(talk),
            NoticeKind::Hangup => self.close(talk),
            NoticeKind::Upload => self.file(talk),
            NoticeKind::Recording => self.record(talk),
            NoticeKind::Start => nothing("Bitrix24 has no event for this"),
        }
    }

    /// The call is registered: what is kept of it then.
    pub(super) fn registered(&self, call: &Value) -> Result<Memory, Failed> {
        let id = call.get("CALL_ID").and_then(Value::as_str);
        let id = id.filter(|id| !id.is_empty()).ok_or(Failed::Later {
            words: "Bitrix24 registered a call without an id".into(),
            after: None,
        })?;
        Ok(Memory {
            call_id: id.to_owned(),
            client: client(call).unwrap_or_default(),
            ..self.memory.clone()
        })
    }

    /// Keeps, or ends when there is nothing new to be kept.
    pub(super) fn keep(&self, memory: Memory) -> Ended {
        Err(Halt::Keep(memory.write()))
    }
}

/// "CONTACT 812".
pub(super) fn client(call: &Value) -> Option<String> {
    let kind = call
        .get("CRM_ENTITY_TYPE")?
        .as_str()
        .filter(|kind| !kind.is_empty())?;
    let id = call.get("CRM_ENTITY_ID")?;
    (!id.is_null()).then(|| format!("{kind} {id}"))
}

/// There is nothing to say, for this reason.
pub(super) fn nothing(reason: &str) -> Ended {
    Err(Halt::nothing(reason))
}
