//! PBKDF2-HMAC with one block of output, `Hi` of RFC 5802 §2.2.
//!
//! Every round but the first hashes two messages of fixed length, each one block after a key block whose state is
//! known. So a round is two calls of the compression function, with the padding written once.

use zeroize::Zeroize;

use crate::hash::{Hash, Key};

/// How often `go_on` is asked, in rounds.
const ASK_EVERY: u32 = 4096;

/// `None` when `go_on` said no.
pub(crate) fn pbkdf2(
    hash: Hash,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Key> {
    let first = hash.hmac(password, &[salt, &1u32.to_be_bytes()]);
    match hash {
        Hash::Sha1 => sha1(password, &first, iterations, go_on),
        Hash::Sha256 => sha256(password, &first, iterations, go_on),
        Hash::Sha512 => sha512(password, &first, iterations, go_on),
        #[cfg(feature = "sha3")]
        Hash::Sha3_512 => sha3_512(password, &first, iterations, go_on),
    }
}

macro_rules! rounds {
    ($name:ident, $hash:expr, $word:ty, $words:literal, $block:literal, $compress:path, $initial:expr) => {
        fn $name(
            password: &[u8],
            first: &Key,
            iterations: u32,
            go_on: &mut dyn FnMut() -> bool,
        ) -> Option<Key> {
            const INITIAL: [$word; $words] = $initial;
            const OUTPUT: usize = $words * size_of::<$word>();

            let keyed = |pad: u8| {
                let mut block = [pad; $block];
                let digest;
                let password = if password.len() > $block {
                    digest = $hash.digest(password);
                    digest.as_slice()
                } else {
                    password
                };
                for (byte, key) in block.iter_mut().zip(password) {
                    *byte ^= key;
                }
                let mut state = INITIAL;
                $compress(&mut state, core::slice::from_ref(&block));
                block.zeroize();
                state
            };
            let mut inner = keyed(0x36);
            let mut outer = keyed(0x5c);

            let mut block = [0; $block];
            let bits = (($block + OUTPUT) * 8) as u64;
            for (byte, first) in block.iter_mut().zip(first.as_slice().iter().chain(&[0x80])) {
                *byte = *first;
            }
            for (byte, bits) in block.iter_mut().rev().zip(bits.to_le_bytes()) {
                *byte = bits;
            }

            let mut sum = [0; $words];
            for (sum, bytes) in sum.iter_mut().zip(block.as_chunks().0) {
                *sum = <$word>::from_be_bytes(*bytes);
            }
            let mut finished = true;
            for round in 1..iterations {
                if round % ASK_EVERY == 0 && !go_on() {
                    finished = false;
                    break;
                }
                let mut state = inner;
                $compress(&mut state, core::slice::from_ref(&block));
                for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(state) {
                    *bytes = word.to_be_bytes();
                }
                state = outer;
                $compress(&mut state, core::slice::from_ref(&block));
                for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(state) {
                    *bytes = word.to_be_bytes();
                }
                for (sum, word) in sum.iter_mut().zip(state) {
                    *sum ^= word;
                }
            }

            let mut output = [0; OUTPUT];
            for (bytes, word) in output.as_chunks_mut().0.iter_mut().zip(sum) {
                *bytes = word.to_be_bytes();
            }
            let key = finished.then(|| Key::from_slice(&output));
            inner.zeroize();
            outer.zeroize();
            block.zeroize();
            sum.zeroize();
            output.zeroize();
            key
        }
    };
}

rounds!(
    sha1,
    Hash::Sha1,
    u32,
    5,
    64,
    sha1::block_api::compress,
    [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0
    ]
);

rounds!(
    sha256,
    Hash::Sha256,
    u32,
    8,
    64,
    sha2::block_api::compress256,
    [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ]
);

rounds!(
    sha512,
    Hash::Sha512,
    u64,
    8,
    128,
    sha2::block_api::compress512,
    [
        0x6a09_e667_f3bc_c908,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1,
        0x9b05_688c_2b3e_6c1f,
        0x1f83_d9ab_fb41_bd6b,
        0x5be0_cd19_137e_2179,
    ]
);

/// A sponge has no padding to write once; the key at least is taken in once.
#[cfg(feature = "sha3")]
fn sha3_512(
    password: &[u8],
    first: &Key,
    iterations: u32,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Key> {
    let keyed = crate::hash::keyed_sha3_512(password);
    let mut last = first.clone();
    let mut sum = first.clone();
    for round in 1..iterations {
        if round % ASK_EVERY == 0 && !go_on() {
            return None;
        }
        last = crate::hash::over(keyed.clone(), &[last.as_slice()]);
        sum = sum.xor(&last);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use super::*;

    fn hex(key: Option<Key>) -> String {
        key.unwrap()
            .as_slice()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn derive(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> String {
        hex(pbkdf2(hash, password, salt, iterations, &mut || true))
    }

    #[test]
    fn pbkdf2_gives_the_vectors_of_rfc_6070() {
        let derive = |iterations| derive(Hash::Sha1, b"password", b"salt", iterations);
        assert_eq!(derive(1), "0c60c80f961f0e71f3a9b524af6012062fe037a6");
        assert_eq!(derive(2), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
        assert_eq!(derive(4096), "4b007901b765489abead49d926f721d065a429c1");
    }

    #[test]
    fn pbkdf2_agrees_with_the_pbkdf2_crate_at_every_key_length() {
        for length in [0, 1, 19, 20, 32, 63, 64, 65, 127, 128, 129, 1000] {
            let password = vec![b'x'; length];
            for iterations in [1, 2, 3, 17] {
                let mut expected = [0; 64];
                let (sha1, _) = expected.split_at_mut(20);
                ::pbkdf2::pbkdf2_hmac::<sha1::Sha1>(&password, b"pepper", iterations, sha1);
                assert_eq!(
                    derive(Hash::Sha1, &password, b"pepper", iterations),
                    hex(Some(Key::from_slice(sha1)))
                );
                let (sha256, _) = expected.split_at_mut(32);
                ::pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&password, b"pepper", iterations, sha256);
                assert_eq!(
                    derive(Hash::Sha256, &password, b"pepper", iterations),
                    hex(Some(Key::from_slice(sha256)))
                );
                ::pbkdf2::pbkdf2_hmac::<sha2::Sha512>(
                    &password,
                    b"pepper",
                    iterations,
                    &mut expected,
                );
                assert_eq!(
                    derive(Hash::Sha512, &password, b"pepper", iterations),
                    hex(Some(Key::from_slice(&expected)))
                );
                #[cfg(feature = "sha3")]
                {
                    ::pbkdf2::pbkdf2::<hmac::SimpleHmac<sha3::Sha3_512>>(
                        &password,
                        b"pepper",
                        iterations,
                        &mut expected,
                    )
                    .unwrap();
                    assert_eq!(
                        derive(Hash::Sha3_512, &password, b"pepper", iterations),
                        hex(Some(Key::from_slice(&expected)))
                    );
                }
            }
        }
    }

    #[test]
    fn derivation_stops_when_told_to() {
        let mut asked = 0;
        let key = pbkdf2(Hash::Sha1, b"pencil", b"salt", 1_000_000, &mut || {
            asked += 1;
            asked < 2
        });
        assert!(key.is_none());
        assert_eq!(asked, 2);
    }
}
