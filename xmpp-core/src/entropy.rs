//! Randomness from a seed, for identifiers and nonces.

use alloc::string::String;
use core::fmt;

use sha2::{Digest, Sha256};

/// A generator of unguessable bytes: SHA-256 over the seed and a counter. Nothing in this crate has a
/// random source; the caller seeds this one from the system's. The same seed gives the same bytes,
/// which is what tests and simulations need, so **a seed is used once and kept secret**.
///
/// Cloning is not offered, since two copies would give the same bytes; [`Entropy::fork`] makes a second
/// generator that is independent of the first.
pub struct Entropy {
    key: [u8; 32],
}

impl Entropy {
    /// A generator from 32 bytes that nobody can guess.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { key: seed }
    }

    /// The next 32 bytes. What was given out cannot be computed from what is kept.
    pub fn bytes(&mut self) -> [u8; 32] {
        let given = Self::derive(&self.key, b"out");
        self.key = Self::derive(&self.key, b"key");
        given
    }

    /// A text of 32 characters `0-9a-f` with 128 unguessable bits: a stream id, a resource, a stanza id,
    /// a nonce.
    pub fn token(&mut self) -> String {
        let mut token = String::with_capacity(32);
        for byte in self.bytes().iter().take(16) {
            for digit in [byte >> 4, byte & 15] {
                token.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        token
    }

    /// A number with 64 unguessable bits, for jitter.
    pub fn number(&mut self) -> u64 {
        self.bytes()
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Another generator, independent of this one, for another stream.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self { key: self.bytes() }
    }

    fn derive(key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(key)
            .chain_update(purpose)
            .finalize()
            .into()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_never_the_same_twice() {
        let (mut one, mut two) = (Entropy::from_seed([7; 32]), Entropy::from_seed([7; 32]));
        let first = one.bytes();
        assert_eq!(first, two.bytes());
        assert_ne!(first, one.bytes());
        let token = one.token();
        assert_eq!(token.len(), 32);
        assert_ne!(token, one.token());
        assert_ne!(one.number(), one.number());
        let mut fork = two.fork();
        assert_ne!(fork.bytes(), two.bytes());
    }

    #[test]
    fn the_seed_is_not_shown() {
        assert_eq!(format!("{:?}", Entropy::from_seed([7; 32])), "Entropy(..)");
    }
}
