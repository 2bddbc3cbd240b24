//! Drives [`xmpp_fuzz::sensordata::sensordata`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::sensordata::sensordata(data));
