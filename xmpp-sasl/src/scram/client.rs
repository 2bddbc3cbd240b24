//! The client's side of SCRAM.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::AuthMessage;
use super::message::{ServerFinal, ServerFirst, escape};
use super::offer::ExpectedOffer;
use crate::channel::ChannelBinding;
use crate::error::{Error, ServerError};
use crate::hash::{Hash, Key};
use crate::keys::{Derivation, DerivedKeys};
use crate::nonce::Nonce;
use crate::policy::Policy;

pub(crate) struct ScramClient {
    hash: Hash,
    gs2_header: String,
    binding_data: Zeroizing<Vec<u8>>,
    first_bare: String,
    nonce: String,
    password: Option<Zeroizing<String>>,
    keys: Vec<DerivedKeys>,
    offer: ExpectedOffer,
    policy: Policy,
    state: State,
}

enum State {
    Start,
    FirstSent,
    FinalSent {
        server_signature: Key,
    },
    /// The signature was right; the outcome is still to come.
    Verified,
    Done,
}

/// Who logs in; names and password are prepared.
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) keys: Vec<DerivedKeys>,
}

/// What the client says about channel binding (RFC 5802 §6).
#[derive(Clone, Copy)]
pub(crate) enum Binding<'a> {
    Unsupported,
    NotOffered,
    Bound(&'a ChannelBinding),
}

impl ScramClient {
    pub(crate) fn new(
        hash: Hash,
        binding: Binding<'_>,
        offer: ExpectedOffer,
        login: Login<'_>,
        policy: &Policy,
        nonce: Nonce,
    ) -> ScramClient {
        let (flag, data) = match binding {
            Binding::Unsupported => (String::from("n"), Vec::new()),
            Binding::NotOffered => (String::from("y"), Vec::new()),
            Binding::Bound(binding) => (format!("p={}", binding.kind()), binding.data().to_vec()),
        };
        let gs2_header = match login.authorization {
            Some(identity) => format!("{flag},a={},", escape(identity)),
            None => format!("{flag},,"),
        };
        let nonce = nonce.into_text();
        ScramClient {
            hash,
            gs2_header,
            binding_data: Zeroizing::new(data),
            first_bare: format!("n={},r={nonce}", escape(login.user)),
            nonce,
            password: login.password,
            keys: login.keys,
            offer,
            policy: policy.clone(),
            state: State::Start,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn keys(&self) -> Option<&DerivedKeys> {
        match self.state {
            State::Done => self.keys.last(),
            _ => None,
        }
    }

    pub(crate) fn derivation(&self, challenge: &[u8]) -> Result<Option<Derivation>, Error> {
        if !matches!(self.state, State::FirstSent) {
            return Ok(None);
        }
        let first = self.server_first(challenge)?;
        Ok(match (self.find_keys(&first), &self.password) {
            (None, Some(password)) => Some(Derivation {
                hash: self.hash,
                password: password.clone(),
                salt: first.salt,
                iterations: first.iterations,
            }),
            _ => None,
        })
    }

    pub(crate) fn handle_keys(&mut self, keys: DerivedKeys) {
        if matches!(self.state, State::Start | State::FirstSent) {
            self.keys.push(keys);
        }
    }

    pub(crate) fn initial_response(&mut self) -> Option<Vec<u8>> {
        match self.state {
            State::Start => {
                self.state = State::FirstSent;
                Some(format!("{}{}", self.gs2_header, self.first_bare).into_bytes())
            }
            _ => None,
        }
    }

    pub(crate) fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.state {
            // The server asks for the first message, which did not go with the mechanism's name.
            State::Start if challenge.is_empty() => {
                self.initial_response().ok_or(Error::OutOfOrder)
            }
            State::FirstSent => self.handle_server_first(challenge),
            State::FinalSent { .. } => {
                self.handle_server_final(challenge)?;
                Ok(Vec::new())
            }
            State::Start | State::Verified | State::Done => Err(Error::OutOfOrder),
        }
    }

    pub(crate) fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        match (&self.state, data) {
            (State::FinalSent { .. }, Some(data)) if !data.is_empty() => {
                self.handle_server_final(data)?;
            }
            (State::Verified, None | Some([])) => {}
            (State::FinalSent { .. } | State::FirstSent, _) => {
                return Err(Error::NoServerSignature);
            }
            (State::Start | State::Verified | State::Done, _) => return Err(Error::OutOfOrder),
        }
        self.state = State::Done;
        Ok(())
    }

    fn handle_server_first(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        let first = self.server_first(challenge)?;
        let keys = match (self.find_keys(&first), &self.password) {
            (Some(position), _) => self.keys.swap_remove(position),
            (None, Some(password)) => {
                DerivedKeys::of_prepared(self.hash, password, &first.salt, first.iterations)
            }
            (None, None) => return Err(Error::KeysDoNotFit),
        };
        let mut binding = Zeroizing::new(self.gs2_header.as_bytes().to_vec());
        binding.extend_from_slice(&self.binding_data);
        let without_proof = format!("c={},r={}", STANDARD.encode(&*binding), first.nonce);
        let auth_message = AuthMessage {
            client_first_bare: &self.first_bare,
            server_first: first.text,
            client_final_without_proof: &without_proof,
        };
        let stored_key = self.hash.digest(keys.client_key().as_slice());
        let signature = auth_message.signature(self.hash, &stored_key);
        let proof = keys.client_key().xor(&signature);
        let server_signature = auth_message.signature(self.hash, keys.server_key());
        // The last of the keys are the ones in use; the password has done its work.
        self.keys.push(keys);
        self.password = None;
        self.state = State::FinalSent { server_signature };
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof.as_slice())).into_bytes())
    }

    fn handle_server_final(&mut self, message: &[u8]) -> Result<(), Error> {
        let State::FinalSent { server_signature } = &self.state else {
            return Err(Error::OutOfOrder);
        };
        match ServerFinal::parse(message, &self.policy.limits)? {
            ServerFinal::Error(value) => Err(Error::Server(ServerError::from_value(value))),
            ServerFinal::Signature(signature) => {
                let fits = signature.len() == self.hash.output_bytes();
                let signature = Key::from_slice(&signature);
                if fits & bool::from(signature.matches(server_signature)) {
                    self.state = State::Verified;
                    Ok(())
                } else {
                    Err(Error::WrongServerSignature)
                }
            }
        }
    }

    /// Everything is checked before anything is hashed.
    fn server_first<'a>(&self, challenge: &'a [u8]) -> Result<Challenge<'a>, Error> {
        let first = ServerFirst::parse(challenge, &self.policy.limits)?;
        match first.nonce.strip_prefix(self.nonce.as_str()) {
            Some(theirs) if !theirs.is_empty() => {}
            _ => return Err(Error::NonceMismatch),
        }
        let is_genuine = match &first.offer_hash {
            Some(theirs) => theirs == self.offer.hash.as_slice(),
            None => !self.offer.is_required,
        };
        if !is_genuine {
            return Err(Error::OfferTampered);
        }
        let iterations = self.policy.check_iterations(first.iterations)?;
        Ok(Challenge {
            text: first.text,
            nonce: first.nonce,
            salt: first.salt,
            iterations,
        })
    }

    fn find_keys(&self, challenge: &Challenge<'_>) -> Option<usize> {
        self.keys
            .iter()
            .position(|keys| keys.fits(self.hash, &challenge.salt, challenge.iterations))
    }
}

/// A server-first message within the policy.
struct Challenge<'a> {
    text: &'a str,
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}
