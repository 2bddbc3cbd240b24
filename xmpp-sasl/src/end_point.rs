//! The channel-binding data of `tls-server-end-point`: a certificate's hash, by the hash function of its signature
//! (RFC 5929 §4.1).
//!
//! Of the certificate only the frame is read: `SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }`
//! (RFC 5280 §4.1), in strict DER.

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// The longest certificate that is looked at: what TLS can carry at the most is 2^24 bytes, what is in use a few
/// thousand.
const MAX_CERTIFICATE_BYTES: usize = 65_536;

pub(crate) fn hash(certificate: &[u8]) -> Result<Vec<u8>, CertificateError> {
    if certificate.len() > MAX_CERTIFICATE_BYTES {
        return Err(CertificateError::TooLong);
    }
    let digest = match signature_hash(certificate)? {
        SignatureHash::Sha224 => Sha224::digest(certificate).to_vec(),
        // RFC 5929 §4.1 replaces the two that are too weak.
        SignatureHash::Md5 | SignatureHash::Sha1 | SignatureHash::Sha256 => {
            Sha256::digest(certificate).to_vec()
        }
        SignatureHash::Sha384 => Sha384::digest(certificate).to_vec(),
        SignatureHash::Sha512 => Sha512::digest(certificate).to_vec(),
    };
    Ok(digest)
}

/// Why a certificate gives no channel-binding data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// Longer than 65 536 bytes.
    TooLong,
    /// Not a certificate in DER.
    Malformed,
    /// Its signature uses no hash function, several, or one that is not known, so that RFC 5929 §4.1 defines no
    /// data.
    Undefined,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CertificateError::TooLong => "the certificate is too long",
            CertificateError::Malformed => "not a certificate in DER",
            CertificateError::Undefined => {
                "the certificate's signature does not have exactly one known hash function"
            }
        })
    }
}

impl core::error::Error for CertificateError {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SignatureHash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

fn signature_hash(certificate: &[u8]) -> Result<SignatureHash, CertificateError> {
    let mut outer = Der(certificate);
    let mut certificate = Der(outer.required(SEQUENCE)?);
    outer.end()?;
    certificate.required(SEQUENCE)?;
    let mut algorithm = Der(certificate.required(SEQUENCE)?);
    certificate.required(BIT_STRING)?;
    certificate.end()?;

    let name = algorithm.required(OBJECT_IDENTIFIER)?;
    if name == RSA_PSS {
        return pss_hash(algorithm);
    }
    // ECDSA and DSA have no parameters, RSA has NULL; neither says anything.
    algorithm.optional(NULL)?;
    algorithm.end()?;
    SIGNATURES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, hash)| *hash)
        .ok_or(CertificateError::Undefined)
}

/// `RSASSA-PSS-params` (RFC 4055 §3.1): one hash function for the message and one inside the mask, both SHA-1 unless
/// something else stands there.
fn pss_hash(mut algorithm: Der<'_>) -> Result<SignatureHash, CertificateError> {
    let (mut of_message, mut of_mask) = (SignatureHash::Sha1, SignatureHash::Sha1);
    if let Some(parameters) = algorithm.optional(SEQUENCE)? {
        let mut parameters = Der(parameters);
        if let Some(explicit) = parameters.optional(CONTEXT_0)? {
            let mut explicit = Der(explicit);
            of_message = hash_algorithm(explicit.required(SEQUENCE)?)?;
            explicit.end()?;
        }
        if let Some(explicit) = parameters.optional(CONTEXT_1)? {
            let mut explicit = Der(explicit);
            let mut mask = Der(explicit.required(SEQUENCE)?);
            explicit.end()?;
            if mask.required(OBJECT_IDENTIFIER)? != MGF1 {
                return Err(CertificateError::Undefined);
            }
            of_mask = hash_algorithm(mask.required(SEQUENCE)?)?;
            mask.end()?;
        }
        // Length of the salt and trailer field.
        parameters.optional(CONTEXT_2)?;
        parameters.optional(CONTEXT_3)?;
        parameters.end()?;
    }
    algorithm.end()?;
    if of_message == of_mask {
        Ok(of_message)
    } else {
        Err(CertificateError::Undefined)
    }
}

fn hash_algorithm(algorithm: &[u8]) -> Result<SignatureHash, CertificateError> {
    let mut algorithm = Der(algorithm);
    let name = algorithm.required(OBJECT_IDENTIFIER)?;
    algorithm.optional(NULL)?;
    algorithm.end()?;
    HASHES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, hash)| *hash)
        .ok_or(CertificateError::Undefined)
}

const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;
const CONTEXT_2: u8 = 0xa2;
const CONTEXT_3: u8 = 0xa3;

/// 1.2.840.113549.1.1.10
const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
/// 1.2.840.113549.1.1.8
const MGF1: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";

/// Signature algorithms with one hash function (RFC 3279 §2.2, RFC 4055 §5, RFC 5758 §3).
const SIGNATURES: &[(&[u8], SignatureHash)] = &[
    // ecdsa-with-SHA…: 1.2.840.10045.4.3.2, .3, .4, .1 and 1.2.840.10045.4.1
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", SignatureHash::Sha256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", SignatureHash::Sha384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", SignatureHash::Sha512),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x01", SignatureHash::Sha224),
    (b"\x2a\x86\x48\xce\x3d\x04\x01", SignatureHash::Sha1),
    // sha…WithRSAEncryption: 1.2.840.113549.1.1.11 to .14, .5 and .4
    (
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b",
        SignatureHash::Sha256,
    ),
    (
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c",
        SignatureHash::Sha384,
    ),
    (
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d",
        SignatureHash::Sha512,
    ),
    (
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e",
        SignatureHash::Sha224,
    ),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", SignatureHash::Sha1),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", SignatureHash::Md5),
    // id-dsa-with-sha…: 2.16.840.1.101.3.4.3.2, .1 and 1.2.840.10040.4.3
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x03\x02",
        SignatureHash::Sha256,
    ),
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x03\x01",
        SignatureHash::Sha224,
    ),
    (b"\x2a\x86\x48\xce\x38\x04\x03", SignatureHash::Sha1),
];

/// Hash functions by themselves (RFC 4055 §2.1): 1.3.14.3.2.26 and 2.16.840.1.101.3.4.2.1 to .4.
const HASHES: &[(&[u8], SignatureHash)] = &[
    (b"\x2b\x0e\x03\x02\x1a", SignatureHash::Sha1),
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x01",
        SignatureHash::Sha256,
    ),
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x02",
        SignatureHash::Sha384,
    ),
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x03",
        SignatureHash::Sha512,
    ),
    (
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x04",
        SignatureHash::Sha224,
    ),
];

/// What is left of a row of values. Nothing is nested deeper than the callers go.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The contents of the next value, which has this tag.
    fn required(&mut self, tag: u8) -> Result<&'a [u8], CertificateError> {
        self.optional(tag)?.ok_or(CertificateError::Malformed)
    }

    /// The contents of the next value if it has this tag.
    fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, CertificateError> {
        match self.0.split_first() {
            Some((found, rest)) if *found == tag => {
                let (length, rest) = length(rest)?;
                let (contents, rest) = rest
                    .split_at_checked(length)
                    .ok_or(CertificateError::Malformed)?;
                self.0 = rest;
                Ok(Some(contents))
            }
            _ => Ok(None),
        }
    }

    fn end(&self) -> Result<(), CertificateError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(CertificateError::Malformed)
        }
    }
}

/// A definite length in its shortest form (X.690 §10.1), and what follows it.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), CertificateError> {
    const MALFORMED: CertificateError = CertificateError::Malformed;
    let (first, rest) = bytes.split_first().ok_or(MALFORMED)?;
    let more = match first {
        0..=0x7f => return Ok((usize::from(*first), rest)),
        // Three bytes are enough for every certificate within the limit.
        0x81..=0x83 => usize::from(first & 0x7f),
        _ => return Err(MALFORMED),
    };
    let (digits, rest) = rest.split_at_checked(more).ok_or(MALFORMED)?;
    let length = digits
        .iter()
        .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
    if digits.first() == Some(&0) || length < 0x80 {
        return Err(MALFORMED);
    }
    Ok((length, rest))
}
