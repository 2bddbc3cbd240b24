//! Servers, devices and readers composed from the XMPP IoT crates.
//!
//! The programs stand in `src/bin/`. What they share, and what an application of yours would have in its own place,
//! stands here: a thing to measure ([`machine`]), a memory for what was measured ([`history`]), a table on a terminal
//! ([`table`]), certificates for a private network ([`certificates`]) and a summary of how long things took
//! ([`latency`]).

pub mod certificates;
pub mod history;
pub mod latency;
pub mod machine;
pub mod table;
