//! Servers, devices and readers composed from the XMPP IoT crates.
