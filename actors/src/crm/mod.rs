//! The CRMs Patchbay talks to, one folder each, always with the same files. To add one: copy `skeleton/`, fill it
//! in, add its module and its line in `KINDS`, and its texts in the locales; nothing else changes. Rules common to all
//! are in `integration/`, not here.

pub mod amocrm;
pub mod bitrix24;
#[cfg(test)]
mod cardfile;
#[cfg(test)]
mod conformance;
pub mod moysklad;
pub mod retailcrm;
pub mod skeleton;
pub mod uon;
pub mod webhook;

use crate::integration::connector::Kind;

/// Every kind an enterprise can connect, in the order the pages show them.
pub static KINDS: &[&Kind] = &[
    &retailcrm::KIND,
    &bitrix24::KIND,
    &amocrm::KIND,
    &moysklad::KIND,
    &uon::KIND,
    &webhook::KIND,
    #[cfg(test)]
    &cardfile::KIND,
];

/// The kind with this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// Whether it is told and never asked, and shows nobody a card: a receiver of events has no clients of its own.
pub fn is_only_told(name: &str) -> bool {
    find(name).is_some_and(|kind| kind.lasting)
}
