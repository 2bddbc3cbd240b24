//! SCRAM (RFC 5802), the same for every hash function.

mod client;
mod message;
mod server;

pub(crate) use client::{Binding, Login, ScramClient};
pub(crate) use server::ScramServer;

use crate::hash::{Hash, Key};

/// The three parts of `AuthMessage` (RFC 5802 §3), exactly as they were transmitted.
pub(crate) struct AuthMessage<'a> {
    client_first_bare: &'a str,
    server_first: &'a str,
    client_final_without_proof: &'a str,
}

impl AuthMessage<'_> {
    /// ClientSignature with StoredKey, ServerSignature with ServerKey.
    fn signature(&self, hash: Hash, key: &Key) -> Key {
        let parts: [&[u8]; 5] = [
            self.client_first_bare.as_bytes(),
            b",",
            self.server_first.as_bytes(),
            b",",
            self.client_final_without_proof.as_bytes(),
        ];
        hash.hmac(key.as_slice(), &parts)
    }
}
