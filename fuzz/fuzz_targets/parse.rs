//! Drives [`xmpp_fuzz::xml::parse`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::xml::parse(data));
