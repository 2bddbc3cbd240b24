//! The server's side of SCRAM.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::Choice;
use zeroize::Zeroizing;

use super::AuthMessage;
use super::message::{BindingFlag, ClientFinal, ClientFirst};
use crate::channel::{Channel, ChannelBinding};
use crate::error::Failure;
use crate::hash::{Hash, Key};
use crate::keys::StoredCredentials;
use crate::limits::Limits;
use crate::nonce::Nonce;

pub(crate) struct ScramServer {
    hash: Hash,
    channel_bound: bool,
    plus_offered: bool,
    bindings: Vec<ChannelBinding>,
    /// Over what was offered (XEP-0474 §6.1).
    offer_hash: Option<Key>,
    nonce: String,
    limits: Limits,
    state: State,
}

enum State {
    Start,
    Lookup(First),
    ChallengeSent {
        first: First,
        server_first: String,
        credentials: Box<StoredCredentials>,
        known: Choice,
    },
    Done,
}

/// What is needed of the client's first message.
struct First {
    bare: String,
    nonce: String,
    /// The value of `c=` that the client has to send.
    binding: Zeroizing<String>,
}

impl ScramServer {
    pub(crate) fn new(
        hash: Hash,
        channel_bound: bool,
        plus_offered: bool,
        channel: &Channel,
        offer_hash: Option<Key>,
        limits: Limits,
        nonce: Nonce,
    ) -> ScramServer {
        ScramServer {
            hash,
            channel_bound,
            plus_offered,
            bindings: channel.bindings().to_vec(),
            offer_hash,
            nonce: nonce.into_text(),
            limits,
            state: State::Start,
        }
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    /// User name as received, and authorization identity.
    pub(crate) fn handle_first(
        &mut self,
        message: &[u8],
    ) -> Result<(String, Option<String>), Failure> {
        let State::Start = self.state else {
            return Err(Failure::OutOfOrder);
        };
        let first = ClientFirst::parse(message, &self.limits)?;
        let data = self.check_binding(first.flag)?;
        let mut binding = Zeroizing::new(first.gs2_header.as_bytes().to_vec());
        binding.extend_from_slice(data.map(ChannelBinding::data).unwrap_or_default());
        self.state = State::Lookup(First {
            bare: String::from(first.bare),
            nonce: format!("{}{}", first.nonce, self.nonce),
            binding: Zeroizing::new(STANDARD.encode(&*binding)),
        });
        Ok((first.user, first.authorization))
    }

    /// `known` tells whether the credentials are a user's or made up; nothing that can be seen depends on it.
    pub(crate) fn handle_lookup(
        &mut self,
        credentials: &StoredCredentials,
        known: Choice,
    ) -> Result<Vec<u8>, Failure> {
        let State::Lookup(first) = core::mem::replace(&mut self.state, State::Done) else {
            return Err(Failure::OutOfOrder);
        };
        let mut server_first = format!(
            "r={},s={},i={}",
            first.nonce,
            STANDARD.encode(credentials.salt()),
            credentials.iterations()
        );
        if let Some(hash) = &self.offer_hash {
            server_first.push_str(&format!(",h={}", STANDARD.encode(hash.as_slice())));
        }
        let challenge = server_first.clone().into_bytes();
        let credentials = Box::new(credentials.clone());
        self.state = State::ChallengeSent {
            first,
            server_first,
            credentials,
            known,
        };
        Ok(challenge)
    }

    /// The server's final message, once the client proved to know the password.
    pub(crate) fn handle_final(&mut self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let State::ChallengeSent {
            first,
            server_first,
            credentials,
            known,
        } = core::mem::replace(&mut self.state, State::Done)
        else {
            return Err(Failure::OutOfOrder);
        };
        let last = ClientFinal::parse(message, &self.limits)?;
        if last.nonce != first.nonce {
            return Err(Failure::NonceMismatch);
        }
        if !bool::from(subtle::ConstantTimeEq::ct_eq(
            last.binding.as_bytes(),
            first.binding.as_bytes(),
        )) {
            return Err(Failure::BindingMismatch);
        }
        if last.proof.len() != self.hash.output_bytes() {
            return Err(Failure::WrongCredentials);
        }
        let auth_message = AuthMessage {
            client_first_bare: &first.bare,
            server_first: &server_first,
            client_final_without_proof: last.without_proof,
        };
        let stored_key = Key::from_slice(credentials.stored_key());
        let client_signature = auth_message.signature(self.hash, &stored_key);
        let client_key = Key::from_slice(&last.proof).xor(&client_signature);
        let proven = self.hash.digest(client_key.as_slice()).matches(&stored_key);
        if !bool::from(proven & known) {
            return Err(Failure::WrongCredentials);
        }
        let server_key = Key::from_slice(credentials.server_key());
        let signature = auth_message.signature(self.hash, &server_key);
        Ok(format!("v={}", STANDARD.encode(signature.as_slice())).into_bytes())
    }

    /// RFC 5802 §6.
    fn check_binding(&self, flag: BindingFlag<'_>) -> Result<Option<&ChannelBinding>, Failure> {
        match flag {
            BindingFlag::Bound(name) if self.channel_bound => self
                .bindings
                .iter()
                .find(|binding| binding.kind().name() == name)
                .map(Some)
                .ok_or(Failure::UnsupportedBinding),
            BindingFlag::NotOffered if self.plus_offered => Err(Failure::Downgrade),
            BindingFlag::NotOffered | BindingFlag::Unsupported if !self.channel_bound => Ok(None),
            _ => Err(Failure::BindingFlag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Credentials, Policy};

    /// Made-up credentials fit no proof; should they ever, this is the second lock.
    #[test]
    fn the_right_proof_for_made_up_credentials_is_refused() {
        for known in [0, 1] {
            let channel = Channel::cleartext();
            let nonce = || Nonce::new([1; 18]);
            let limits = Limits::default();
            let mut server =
                ScramServer::new(Hash::Sha1, false, false, &channel, None, limits, nonce());
            let mut client = Client::select(
                ["SCRAM-SHA-1"],
                &Credentials::password("user", "pencil"),
                &channel,
                &Policy::default().min_iterations(1),
                nonce(),
            )
            .unwrap();
            server
                .handle_first(&client.initial_response().unwrap())
                .unwrap();
            let account = StoredCredentials::derive(Hash::Sha1, "pencil", b"salt", 1).unwrap();
            let challenge = server.handle_lookup(&account, Choice::from(known)).unwrap();
            let last = client.handle_challenge(&challenge).unwrap();
            assert_eq!(server.handle_final(&last).is_ok(), known == 1);
        }
    }
}
