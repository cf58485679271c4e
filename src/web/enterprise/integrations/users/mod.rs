//! Who of a CRM's users has which of the enterprise's extensions: the rules, the roster as pages show it, and the page that
//! every CRM with a list of users has. RetailCRM's module has a page of its own, with the same rules, because it also
//! tells the CRM.

pub mod extensions;
pub mod page;
pub mod roster;
