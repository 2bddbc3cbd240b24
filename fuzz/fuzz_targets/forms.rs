//! Drives [`xmpp_fuzz::forms::forms`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::forms::forms(data));
