//! The words of a call's message in each language, and nothing else. Read by `text`; an unknown language is Russian,
//! the default of the contract.

/// One language. `(…)` marks stand where the call is internal.
#[derive(Debug)]
pub struct Words {
    pub ringing: &'static str,
    pub dialing: &'static str,
    pub talking: &'static str,
    pub held: &'static str,
    pub answered: &'static str,
    pub missed: &'static str,
    pub busy: &'static str,
    pub failed: &'static str,
    pub lost: &'static str,
    pub internal_ringing: &'static str,
    /// Put behind the heading of an internal call that is no longer ringing.
    pub internal_mark: &'static str,
    pub withheld: &'static str,
    /// The same behind "call from".
    pub withheld_from: &'static str,
    pub recording: &'static str,
    /// How many more extensions there are than a message names: "and 7 more".
    pub more: (&'static str, &'static str),
    /// What stays of the message of a call that turned out to be a part of another.
    pub absorbed: &'static str,
    /// Put before the enterprise's name in a message that only tries the way.
    pub trial: &'static str,
}

const RU: Words = Words {
    ringing: "📞 Звонок от ",
    dialing: "📞 Дозвон от ",
    talking: "🔗 Разговор",
    held: "⏸️ Удержание",
    answered: "✅ Завершен",
    missed: "❌ Не отвечен",
    busy: "❌ Занято",
    failed: "❌ Не удалось дозвониться",
    lost: "⚠️ Завершение не получено",
    internal_ringing: "🛎️ Внутренний звонок",
    internal_mark: " (внутр.)",
    withheld: "скрытый номер",
    withheld_from: "скрытого номера",
    recording: "🎧 Запись",
    more: ("и ещё ", ""),
    absorbed: "🔗 Часть другого звонка",
    trial: "🔔 Сюда будут приходить звонки: ",
};

const EN: Words = Words {
    ringing: "📞 Call from ",
    dialing: "📞 Dialing from ",
    talking: "🔗 Talking",
    held: "⏸️ On hold",
    answered: "✅ Ended",
    missed: "❌ Not answered",
    busy: "❌ Busy",
    failed: "❌ Could not be connected",
    lost: "⚠️ No end was told",
    internal_ringing: "🛎️ Internal call",
    internal_mark: " (internal)",
    withheld: "withheld number",
    withheld_from: "a withheld number",
    recording: "🎧 Recording",
    more: ("and ", " more"),
    absorbed: "🔗 Part of another call",
    trial: "🔔 Calls will be told here: ",
};

/// The words of an enterprise's language.
pub fn words(language: &str) -> &'static Words {
    match language {
        "en" => &EN,
        _ => &RU,
    }
}
