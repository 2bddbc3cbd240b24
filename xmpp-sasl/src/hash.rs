//! The hash functions of SCRAM and what is computed with them (RFC 5802 §2.2).

use core::fmt;

#[cfg(feature = "sha3")]
use hmac::SimpleHmac;
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
    /// SHA3-512, 64 bytes; with the feature `sha3`.
    #[cfg(feature = "sha3")]
    Sha3_512,
}

impl Hash {
    /// Every hash function, the strongest first.
    pub const ALL: &'static [Hash] = &[
        #[cfg(feature = "sha3")]
        Hash::Sha3_512,
        Hash::Sha512,
        Hash::Sha256,
        Hash::Sha1,
    ];

    /// The name in the IANA registry, such as `SHA-256`.
    pub const fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "SHA-1",
            Hash::Sha256 => "SHA-256",
            Hash::Sha512 => "SHA-512",
            #[cfg(feature = "sha3")]
            Hash::Sha3_512 => "SHA3-512",
        }
    }

    /// Bytes of a digest, and of every key derived with it.
    pub const fn output_bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
            #[cfg(feature = "sha3")]
            Hash::Sha3_512 => 64,
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> Key {
        match self {
            Hash::Sha1 => Key::from_slice(&Sha1::digest(data)),
            Hash::Sha256 => Key::from_slice(&Sha256::digest(data)),
            Hash::Sha512 => Key::from_slice(&Sha512::digest(data)),
            #[cfg(feature = "sha3")]
            Hash::Sha3_512 => Key::from_slice(&sha3::Sha3_512::digest(data)),
        }
    }

    /// HMAC over the parts as if they were one string.
    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Key {
        match self {
            Hash::Sha1 => over(keyed::<Sha1>(key), parts),
            Hash::Sha256 => over(keyed::<Sha256>(key), parts),
            Hash::Sha512 => over(keyed::<Sha512>(key), parts),
            #[cfg(feature = "sha3")]
            Hash::Sha3_512 => over(keyed_sha3_512(key), parts),
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

/// As [`keyed`]; a sponge has no state after one block that could be kept.
#[cfg(feature = "sha3")]
pub(crate) fn keyed_sha3_512(key: &[u8]) -> Option<SimpleHmac<sha3::Sha3_512>> {
    SimpleHmac::new_from_slice(key).ok()
}

pub(crate) fn over(mac: Option<impl Mac>, parts: &[&[u8]]) -> Key {
    mac.map_or_else(Key::empty, |mut mac| {
        for part in parts {
            mac.update(part);
        }
        Key::from_slice(&mac.finalize().into_bytes())
    })
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
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn hex(key: Key) -> String {
        key.as_slice()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn hmac_takes_keys_of_any_length() {
        // RFC 2202 §3, cases 1, 2 and 6; RFC 4231 §4.3 and §4.7.
        assert_eq!(
            hex(Hash::Sha1.hmac(&[0x0b; 20], &[b"Hi ", b"There"])),
            "b617318655057264e28bc0b6fb378c8ef146be00"
        );
        assert_eq!(
            hex(Hash::Sha1.hmac(b"Jefe", &[b"what do ya want for nothing?"])),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let data = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(Hash::Sha1.hmac(&[0xaa; 80], &[data])),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
        assert_eq!(
            hex(Hash::Sha256.hmac(b"Jefe", &[b"what do ya want for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(Hash::Sha256.hmac(&[0xaa; 131], &[data])),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    /// `IS` is true for types that can be compared with `==`.
    struct Comparable<T>(core::marker::PhantomData<T>);

    impl<T: PartialEq> Comparable<T> {
        const IS: bool = true;
    }

    trait NotComparable {
        const IS: bool = false;
    }

    impl<T> NotComparable for Comparable<T> {}

    #[test]
    fn keys_are_compared_in_constant_time_only() {
        const { assert!(Comparable::<u8>::IS) };
        const { assert!(!Comparable::<Key>::IS) };
        const { assert!(!Comparable::<crate::DerivedKeys>::IS) };
        let key = |bytes: &[u8]| Key::from_slice(bytes);
        assert!(bool::from(key(b"pencil").matches(&key(b"pencil"))));
        for other in [&b"pencim"[..], b"pencilx", b"penci", b"", b"Pencil"] {
            assert!(!bool::from(key(b"pencil").matches(&key(other))));
        }
    }

    #[test]
    fn keys_are_zeroed_when_dropped() {
        fn on_drop<T: ZeroizeOnDrop>() {}
        on_drop::<Key>();
        let mut key = Key::from_slice(b"pencil");
        key.zeroize();
        assert_eq!((key.bytes, key.len), ([0; 64], 0));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Key::from_slice(b"secret")), "[redacted]");
    }
}
