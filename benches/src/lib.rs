//! Benchmarks of the XMPP IoT crates beside named peers.
