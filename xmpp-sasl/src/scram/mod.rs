//! SCRAM (RFC 5802), the same for every hash function.

mod client;
mod message;
mod offer;
mod server;

pub(crate) use client::{Binding, Login, ScramClient};
pub(crate) use message::{BindingFlag, Gs2Header, escape};
pub(crate) use offer::{ExpectedOffer, offer_hash};
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::keys::DerivedKeys;

    /// The example of XEP-0474 §6.3: bound, with an extension in either direction.
    #[test]
    fn signatures_cover_extensions_and_channel_binding_as_transmitted() {
        let salt = STANDARD.decode("QSXCR+Q6sek8bf92").unwrap();
        let keys = DerivedKeys::derive(Hash::Sha1, "pencil", &salt, 4096).unwrap();
        let auth_message = AuthMessage {
            client_first_bare: "n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6",
            server_first: "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                           s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
            client_final_without_proof: "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,\
                 r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                 x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3",
        };
        let stored_key = Hash::Sha1.digest(keys.client_key().as_slice());
        let proof = keys
            .client_key()
            .xor(&auth_message.signature(Hash::Sha1, &stored_key));
        assert_eq!(
            STANDARD.encode(proof.as_slice()),
            "M/SIDjT+dfcxUh89jZEypRvFxB4="
        );
        let signature = auth_message.signature(Hash::Sha1, keys.server_key());
        assert_eq!(
            STANDARD.encode(signature.as_slice()),
            "MQrMPvv7yv4x4Cq4W4Ih25EqS2c="
        );
        let bound = STANDARD.encode(b"p=tls-exporter,,THIS IS FAKE CB DATA");
        assert!(auth_message.client_final_without_proof.contains(&bound));
    }
}
