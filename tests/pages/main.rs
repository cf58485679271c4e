//! The pages as their visitors meet them: who may open what, what a session is, what the live stream promises.

#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

mod amocrm;
mod bitrix24;
mod calls;
mod door;
mod emulator;
mod enterprise;
mod gateway;
mod host;
mod integrations;
mod moysklad;
mod people;
mod policy;
mod retailcrm;
mod sessions;
mod stream;
mod uon;
mod users;
mod webhook;
