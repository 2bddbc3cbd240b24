//! Fuzz targets of the XMPP IoT crates.
