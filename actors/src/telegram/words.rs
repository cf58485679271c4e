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
    /// Put before the enterprise's name when a chat has joined, and when it had before.
    pub joined: &'static str,
    pub follows: &'static str,
    /// Why a code did not let the chat in.
    pub code_unknown: &'static str,
    pub code_used: &'static str,
    pub code_expired: &'static str,
    pub code_ended: &'static str,
    /// What to do when only the command came.
    pub how_to_join: &'static str,
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
    joined: "✅ Готово. Сюда будут приходить звонки: ",
    follows: "✅ Этот чат уже получает звонки: ",
    code_unknown: "Такого кода нет. Проверьте его или попросите у администратора новый.",
    code_used: "Этот код уже использован. Попросите у администратора новый.",
    code_expired: "Срок этого кода истёк. Попросите у администратора новый.",
    code_ended: "Этот код отменён. Попросите у администратора новый.",
    how_to_join: "Чтобы сюда приходили звонки, попросите у администратора ссылку или код и напишите: /join КОД",
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
    joined: "✅ Done. Calls will be told here: ",
    follows: "✅ This chat is told of calls already: ",
    code_unknown: "There is no such code. Check it, or ask the administrator for a new one.",
    code_used: "This code has been used. Ask the administrator for a new one.",
    code_expired: "This code's time is over. Ask the administrator for a new one.",
    code_ended: "This code was taken back. Ask the administrator for a new one.",
    how_to_join: "To be told of calls here, ask the administrator for a link or a code and write: /join CODE",
};

/// The words of an enterprise's language.
pub fn words(language: &str) -> &'static Words {
    match language {
        "en" => &EN,
        _ => &RU,
    }
}
