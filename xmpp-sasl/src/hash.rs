//! The hash functions of SCRAM and what is computed with them (RFC 5802 §2.2).

use core::fmt;

use hmac::digest::{FixedOutput, Update};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A hash function that SCRAM is defined with (RFC 5802 §4); ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hash {
    /// SHA-1, 20 bytes; every SCRAM implementation has it.
    Sha1,
    /// SHA-256, 32 bytes (RFC 7677).
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Hash {
    /// Every hash function, the strongest first.
    pub const ALL: &'static [Hash] = &[Hash::Sha512, Hash::Sha256, Hash::Sha1];

    /// The name in the IANA registry, such as `SHA-256`.
    pub const fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "SHA-1",
            Hash::Sha256 => "SHA-256",
            Hash::Sha512 => "SHA-512",
        }
    }

    /// Bytes of a digest, and of every key derived with it.
    pub const fn output_bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> Key {
        match self {
            Hash::Sha1 => Key::from_slice(&Sha1::digest(data)),
            Hash::Sha256 => Key::from_slice(&Sha256::digest(data)),
            Hash::Sha512 => Key::from_slice(&Sha512::digest(data)),
        }
    }

    /// HMAC over the parts as if they were one string.
    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Key {
        fn with<D: EagerHash>(key: &[u8], parts: &[&[u8]]) -> Key {
            keyed::<D>(key).map_or_else(Key::empty, |mut mac| {
                for part in parts {
                    Mac::update(&mut mac, part);
                }
                Key::from_slice(&mac.finalize_fixed())
            })
        }
        match self {
            Hash::Sha1 => with::<Sha1>(key, parts),
            Hash::Sha256 => with::<Sha256>(key, parts),
            Hash::Sha512 => with::<Sha512>(key, parts),
        }
    }

    /// `Hi` of RFC 5802 §2.2: one block of PBKDF2. `None` when `go_on` said no; it is asked every 4096 iterations.
    pub(crate) fn salted_password(
        self,
        password: &[u8],
        salt: &[u8],
        iterations: u32,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Option<Key> {
        fn with<D: EagerHash>(
            password: &[u8],
            salt: &[u8],
            iterations: u32,
            go_on: &mut dyn FnMut() -> bool,
        ) -> Option<Key> {
            // The two key blocks are hashed once; each iteration starts from a copy of that state.
            let mac = keyed::<D>(password)?;
            let mut first = mac.clone();
            Mac::update(&mut first, salt);
            Mac::update(&mut first, &1u32.to_be_bytes());
            let mut round = first.finalize_fixed();
            let mut sum = round.clone();
            for iteration in 1..iterations {
                if iteration % 4096 == 0 && !go_on() {
                    round.as_mut_slice().zeroize();
                    sum.as_mut_slice().zeroize();
                    return None;
                }
                let mut next = mac.clone();
                Update::update(&mut next, &round);
                next.finalize_into(&mut round);
                for (sum, round) in sum.iter_mut().zip(&round) {
                    *sum ^= round;
                }
            }
            let key = Key::from_slice(&sum);
            round.as_mut_slice().zeroize();
            sum.as_mut_slice().zeroize();
            Some(key)
        }
        match self {
            Hash::Sha1 => with::<Sha1>(password, salt, iterations, go_on),
            Hash::Sha256 => with::<Sha256>(password, salt, iterations, go_on),
            Hash::Sha512 => with::<Sha512>(password, salt, iterations, go_on),
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// HMAC takes keys of any length, so there is always one; the type cannot say so.
fn keyed<D: EagerHash>(key: &[u8]) -> Option<Hmac<D>> {
    Hmac::<D>::new_from_slice(key).ok()
}

/// A digest or a key: up to 64 bytes, zeroed when dropped, compared in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key {
    bytes: [u8; 64],
    len: usize,
}

impl Key {
    pub(crate) fn empty() -> Key {
        Key {
            bytes: [0; 64],
            len: 0,
        }
    }

    /// At most 64 bytes are taken; callers check lengths that matter.
    pub(crate) fn from_slice(slice: &[u8]) -> Key {
        let mut key = Key::empty();
        for (to, from) in key.bytes.iter_mut().zip(slice) {
            *to = *from;
        }
        key.len = slice.len().min(64);
        key
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn xor(&self, other: &Key) -> Key {
        let mut key = self.clone();
        for (to, from) in key.bytes.iter_mut().zip(&other.bytes) {
            *to ^= from;
        }
        key
    }

    /// Constant time; lengths are public.
    pub(crate) fn matches(&self, other: &Key) -> Choice {
        self.as_slice().ct_eq(other.as_slice())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect()
    }

    fn hi(hash: Hash, iterations: u32) -> String {
        hex(hash
            .salted_password(b"password", b"salt", iterations, &mut || true)
            .unwrap()
            .as_slice())
    }

    #[test]
    fn pbkdf2_gives_the_vectors_of_rfc_6070() {
        assert_eq!(
            hi(Hash::Sha1, 1),
            "0c60c80f961f0e71f3a9b524af6012062fe037a6"
        );
        assert_eq!(
            hi(Hash::Sha1, 2),
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"
        );
        assert_eq!(
            hi(Hash::Sha1, 4096),
            "4b007901b765489abead49d926f721d065a429c1"
        );
    }

    #[test]
    fn pbkdf2_agrees_with_the_pbkdf2_crate() {
        for iterations in [1, 2, 3, 4095, 4096, 4097] {
            let mut expected = [0; 64];
            pbkdf2::pbkdf2_hmac::<Sha1>(b"pencil", b"pepper", iterations, &mut expected[..20]);
            let ours = Hash::Sha1.salted_password(b"pencil", b"pepper", iterations, &mut || true);
            assert_eq!(ours.unwrap().as_slice(), &expected[..20]);
            pbkdf2::pbkdf2_hmac::<Sha256>(b"pencil", b"pepper", iterations, &mut expected[..32]);
            let ours = Hash::Sha256.salted_password(b"pencil", b"pepper", iterations, &mut || true);
            assert_eq!(ours.unwrap().as_slice(), &expected[..32]);
            pbkdf2::pbkdf2_hmac::<Sha512>(b"pencil", b"pepper", iterations, &mut expected);
            let ours = Hash::Sha512.salted_password(b"pencil", b"pepper", iterations, &mut || true);
            assert_eq!(ours.unwrap().as_slice(), &expected[..]);
        }
    }
}
