//! Servers, devices and readers composed from the XMPP IoT crates.
//!
//! The programs stand in `src/bin/`. What they share, and what an application of yours would have in its own place,
//! stands here:
//!
//! - [`sensor`] and [`reader`], the two ends of a readout, on what both need of a stream ([`session`], [`contacts`]);
//! - a thing to measure ([`machine`]) and a memory for what was measured ([`history`]);
//! - a table on a terminal ([`table`]) and a summary of how long things took ([`latency`]);
//! - certificates for a private network ([`certificates`]);
//! - the command line: accounts ([`account`]), what surrounds a program ([`program`]) and how it ends ([`failure`]).

pub mod account;
pub mod certificates;
pub mod contacts;
pub mod failure;
pub mod history;
pub mod latency;
pub mod machine;
pub mod program;
pub mod reader;
pub mod sensor;
pub mod session;
pub mod table;
