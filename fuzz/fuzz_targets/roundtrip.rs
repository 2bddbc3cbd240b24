//! Drives [`xmpp_fuzz::xml::roundtrip`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::xml::roundtrip(data));
