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
mod components;
mod conditions;
mod discovery;
mod established;
mod faults;
mod management;
mod negotiation;
mod offers;
mod routing;
mod sasl2;
mod stanzas;
mod support;
mod websocket;
