//! Drives [`xmpp_fuzz::core::stream`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::core::stream(data));
