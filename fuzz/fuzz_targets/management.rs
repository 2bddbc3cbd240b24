//! Drives [`xmpp_fuzz::management::management`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmpp_fuzz::management::management(data));
