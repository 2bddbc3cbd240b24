//! Mechanisms and policy, from both sides.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod adapter;
mod anonymous;
mod bearer;
mod binding;
mod client;
mod common;
mod digest_md5;
mod end_point;
mod external;
mod hostile;
mod interop;
mod limits;
mod offer;
mod plain;
mod policy;
mod preparation;
mod properties;
mod redaction;
mod server;
mod storage;
mod timing;
mod token;
mod upgrade;
mod vectors;
mod wire;
