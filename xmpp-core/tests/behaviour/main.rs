//! Addresses, stanzas and streams as a user of the crate meets them.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used
)]

mod addresses;
mod capabilities;
mod commands;
mod components;
mod conditions;
mod datetimes;
mod discovery;
mod dynamic_forms;
mod escaping;
mod established;
mod fast;
mod faults;
mod form_checks;
mod forms;
mod jid_crate;
mod management;
mod mechanisms;
mod negotiation;
mod offers;
mod payloads;
mod repeats;
mod routing;
mod sasl2;
mod sessions;
mod stanzas;
mod support;
mod tasks;
mod websocket;
