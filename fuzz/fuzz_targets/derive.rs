//! Drives [`xmpp_fuzz::xml_derive::derive`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::xml_derive::derive(data));
