//! Reading sensors, from both sides.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used
)]

mod common;
mod device;
mod examples;
mod model;
mod network;
mod readout;
mod requester;
mod roundtrip;
