//! Parser, elements, writer and payloads as a user of the crate meets them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod check;
mod derive;
mod elements;
mod printing;
mod properties;
mod robustness;
#[cfg(feature = "serde")]
mod serde_types;
mod streams;
mod values;
