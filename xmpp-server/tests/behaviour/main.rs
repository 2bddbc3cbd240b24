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
mod inactive;
mod keeping;
mod limits;
mod login;
mod management;
mod metrics;
mod offline;
mod one_round_trip;
mod presence;
mod rosters;
mod routing;
mod server_kill;
mod services;
mod storage;
mod storage_kill;
mod subscription;
mod support;
