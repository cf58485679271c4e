//! A link as a whole, on both databases, against the strict stand-ins: what a person would see in the CRM and in the delivery's
//! row when things go well and when they do not. What holds for all is told of RetailCRM (`flow`, `trouble`, `life`); a file
//! named after a CRM tells what is its own.

mod amocrm;
mod bitrix24;
mod flow;
mod known;
mod life;
mod moysklad;
mod recording;
mod table;
mod trouble;
mod uon;
mod webhook;
mod world;
