//! Drives [`xmpp_fuzz::sasl::sasl`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::sasl::sasl(data));
