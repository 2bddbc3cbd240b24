//! The programs and what they share.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod certificates;
mod history;
mod latency;
mod machine;
mod programs;
mod table;
