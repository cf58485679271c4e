//! Telegram: one live message per call and chat, edited in place as the call goes on.

pub mod answer;
pub mod limiter;
pub mod plan;
pub mod text;
mod words;
