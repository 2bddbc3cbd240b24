//! Logging in and exchanging stanzas, against a server that the test scripts.
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod login;
mod restart;
mod session;
mod simulation;
mod stanzas;
mod support;
