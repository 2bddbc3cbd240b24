//! Drives [`xmpp_fuzz::differential::differential`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::differential::differential(data));
