//! The HT mechanisms: tokens that the server issued, hashed with the channel-binding data
//! (draft-schmaus-kitten-sasl-ht-09), for fast re-authentication (XEP-0484).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::error::{Error, Failure, MessageError};
use crate::hash::{Hash, Key};
use crate::limits::Limits;
use crate::mechanism::{Family, Mechanism};
use crate::single::Opening;

/// A secret that a server issued to one client for one mechanism (XEP-0484 §3.3).
///
/// For that account it is worth the password, so both sides keep it as carefully. It is zeroed when dropped, compared
/// in constant time and not shown by `Debug`. When it expires, and how often it was used, is kept beside it.
#[derive(Clone)]
pub struct Token {
    mechanism: Mechanism,
    hash: Hash,
    secret: Zeroizing<String>,
}

impl Token {
    /// From the text that was issued; `None` when it is empty or the mechanism is not [one of
    /// tokens](Mechanism::is_token).
    pub fn new(mechanism: Mechanism, secret: impl Into<String>) -> Option<Token> {
        let secret = Zeroizing::new(secret.into());
        match mechanism.family() {
            Family::Token { hash, .. } if !secret.is_empty() => Some(Token {
                mechanism,
                hash,
                secret,
            }),
            _ => None,
        }
    }

    /// Server: a new one, from 32 fresh bytes of a cryptographic random source; `None` as for [`new`](Token::new).
    pub fn issue(mechanism: Mechanism, random: [u8; 32]) -> Option<Token> {
        Token::new(mechanism, URL_SAFE_NO_PAD.encode(random))
    }

    /// The one mechanism that it may be used with.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The text to hand to the client, or to keep.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    fn proof(&self, role: Role, binding: &[u8]) -> Key {
        self.hash.hmac(self.secret.as_bytes(), &[role.0, binding])
    }
}

/// In constant time as far as the secret goes.
impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        self.mechanism == other.mechanism
            && bool::from(self.secret.as_bytes().ct_eq(other.secret.as_bytes()))
    }
}

impl Eq for Token {}

/// The secret is not shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, [redacted])", self.mechanism)
    }
}

/// The tokens that a server keeps for one client of an account: the one in use, and a newer one that the client may or
/// may not have received (XEP-0484 §5.1).
///
/// A server keeps them by account and by the client's id (the `id` of SASL2's `<user-agent/>`), hands them to
/// [`Server::handle_tokens`](crate::Server::handle_tokens) and keeps what comes back. Leave out tokens that have
/// expired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSlots {
    new: Option<Token>,
    current: Option<Token>,
}

impl TokenSlots {
    /// From what was kept.
    pub fn new(new: Option<Token>, current: Option<Token>) -> TokenSlots {
        TokenSlots { new, current }
    }

    /// Keeps a token that goes to the client with success. It replaces one that was issued but never used; the one in
    /// use stays good until the client uses this one.
    pub fn issue(&mut self, token: Token) {
        self.new = Some(token);
    }

    /// Makes both void: the client logs out (XEP-0484 §3.6), or the account's password changed.
    pub fn invalidate(&mut self) {
        *self = TokenSlots::default();
    }

    /// The token that was issued last and not used yet.
    pub fn newest(&self) -> Option<&Token> {
        self.new.as_ref()
    }

    /// The token that was used last.
    pub fn current(&self) -> Option<&Token> {
        self.current.as_ref()
    }

    /// The token that the client's proof was made with; the newer one takes the other's place once it is used. The work
    /// is the same for two tokens, one and none.
    fn verify(&mut self, mechanism: Mechanism, binding: &[u8], proof: &Key) -> Option<&Token> {
        let [new, current] = [&self.new, &self.current].map(|token| {
            let token = token.as_ref().filter(|token| token.mechanism == mechanism);
            let expected = match token {
                Some(token) => token.proof(INITIATOR, binding),
                None => proof_of_nobody(mechanism, binding),
            };
            bool::from(expected.matches(proof) & Choice::from(u8::from(token.is_some())))
        });
        if new {
            self.current = self.new.take();
        }
        self.current.as_ref().filter(|_| new || current)
    }
}

fn proof_of_nobody(mechanism: Mechanism, binding: &[u8]) -> Key {
    match mechanism.family() {
        Family::Token { hash, .. } => hash.hmac(&[0; 43], &[INITIATOR.0, binding]),
        _ => Key::empty(),
    }
}

/// Who hashes the token, so that one's message is never the other's.
#[derive(Clone, Copy)]
struct Role(&'static [u8]);

const INITIATOR: Role = Role(b"Initiator");
const RESPONDER: Role = Role(b"Responder");

/// The client's side: one message, and the server's proof with success.
pub(crate) struct TokenClient {
    opening: Opening,
    server_proof: Key,
    done: bool,
}

impl TokenClient {
    /// `authcid NUL HMAC(token, "Initiator" || cb-data)`
    pub(crate) fn new(user: &str, token: &Token, binding: &[u8]) -> TokenClient {
        let proof = token.proof(INITIATOR, binding);
        TokenClient {
            opening: Opening::new(&[user.as_bytes(), b"\0", proof.as_slice()]),
            server_proof: token.proof(RESPONDER, binding),
            done: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.opening.take()
    }

    pub(crate) fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        self.opening.answer(challenge)
    }

    pub(crate) fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        if !self.opening.is_sent() || self.done {
            return Err(Error::OutOfOrder);
        }
        let proof = data
            .filter(|data| !data.is_empty())
            .ok_or(Error::NoServerSignature)?;
        if !bool::from(proof.ct_eq(self.server_proof.as_slice())) {
            return Err(Error::WrongServerSignature);
        }
        self.done = true;
        Ok(())
    }
}

/// The server's side: it waits for the client's message, then for the tokens.
pub(crate) struct TokenServer {
    mechanism: Mechanism,
    hash: Hash,
    binding: Zeroizing<Vec<u8>>,
    proof: Key,
}

impl TokenServer {
    pub(crate) fn new(mechanism: Mechanism, hash: Hash, binding: &[u8]) -> TokenServer {
        TokenServer {
            mechanism,
            hash,
            binding: Zeroizing::new(binding.to_vec()),
            proof: Key::empty(),
        }
    }

    /// The user name as received.
    pub(crate) fn handle_first(
        &mut self,
        message: &[u8],
        limits: &Limits,
    ) -> Result<String, MessageError> {
        if message.len() > limits.message_bytes {
            return Err(MessageError::TooLong("message"));
        }
        let end = message
            .iter()
            .position(|byte| *byte == 0)
            .ok_or(MessageError::Malformed("no NUL character"))?;
        let (user, proof) = message.split_at_checked(end).unwrap_or_default();
        let user = core::str::from_utf8(user).map_err(|_| MessageError::Malformed("not UTF-8"))?;
        if user.is_empty() {
            return Err(MessageError::Malformed("empty user name"));
        }
        limits.check_name(user, "user name")?;
        let proof = proof.strip_prefix(b"\0").unwrap_or_default();
        if proof.len() != self.hash.output_bytes() {
            return Err(MessageError::Malformed("length of the hashed token"));
        }
        self.proof = Key::from_slice(proof);
        Ok(String::from(user))
    }

    /// `HMAC(token, "Responder" || cb-data)`
    pub(crate) fn handle_tokens(&self, slots: &mut TokenSlots) -> Result<Vec<u8>, Failure> {
        let token = slots
            .verify(self.mechanism, &self.binding, &self.proof)
            .ok_or(Failure::WrongCredentials)?;
        Ok(token.proof(RESPONDER, &self.binding).as_slice().to_vec())
    }
}
