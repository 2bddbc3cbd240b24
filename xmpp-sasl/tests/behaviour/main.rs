//! Mechanisms and policy, from both sides.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod binding;
mod client;
mod common;
mod limits;
mod plain;
mod policy;
mod preparation;
mod properties;
mod redaction;
mod server;
mod storage;
mod timing;
mod vectors;
mod wire;
