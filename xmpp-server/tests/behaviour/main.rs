//! A running server, its storage and its rules.
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod administration;
mod archive;
mod blocking;
mod carbons;
mod end_point;
mod faults;
mod keeping;
mod login;
mod offline;
mod presence;
mod rosters;
mod routing;
mod server_kill;
mod services;
mod storage;
mod storage_kill;
mod subscription;
mod support;
