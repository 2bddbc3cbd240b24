//! Connecting, listening and TLS on loopback.
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod certificates;
mod channel_binding;
mod closing;
mod connecting;
mod identity;
mod listening;
mod server_certificate;
mod support;
mod upgrade;
