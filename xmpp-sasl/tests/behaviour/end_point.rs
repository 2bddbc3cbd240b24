//! `tls-server-end-point`: which hash of a certificate is the channel binding.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use xmpp_sasl::{
    BindingKind, CertificateError, Channel, ChannelBinding, Client, Credentials, wire,
};

use crate::common::{nonce, policy};

/// The data, as an exchange carries them.
fn data(certificate: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let binding = ChannelBinding::tls_server_end_point(certificate)?;
    assert_eq!(binding.kind(), BindingKind::TlsServerEndPoint);
    let mut client = Client::select(
        ["SCRAM-SHA-1-PLUS"],
        &Credentials::password("user", "pencil"),
        &Channel::tls().binding(binding),
        &policy(),
        nonce("client"),
    )
    .unwrap();
    client.initial_response().unwrap();
    let last = client
        .handle_challenge(b"r=clientx,s=c2FsdA==,i=1")
        .unwrap();
    let last = String::from_utf8(last).unwrap();
    let bound = last.strip_prefix("c=").unwrap().split_once(',').unwrap().0;
    let bound = wire::decode(bound).unwrap();
    Ok(bound
        .strip_prefix(b"p=tls-server-end-point,,")
        .unwrap()
        .to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The certificates were made with `openssl req -x509`, the hashes with sha256sum and sha384sum.
#[test]
fn real_certificates_are_hashed_by_their_signatures_hash_function() {
    assert_eq!(
        hex(&data(include_bytes!("../certificates/ecdsa-sha256.der")).unwrap()),
        "c77e0098dd33035ff542420fa8e5b08a696162478e2fb51b88e070477a9b4aa5"
    );
    assert_eq!(
        hex(&data(include_bytes!("../certificates/ecdsa-sha384.der")).unwrap()),
        "c3b71109f46f43452c0b66ecd724da8c34225f7f49caf78c3919c2c5b6a5954a\
         02c3a00c05a2983c0c97cebefe7fd46b"
    );
    assert_eq!(
        hex(&data(include_bytes!("../certificates/rsa-pss-sha256.der")).unwrap()),
        "50a83106e84c5c615674c687d44ebf2919220c9037e45c88361a16e903fe13d0"
    );
}

#[test]
fn certificates_whose_signature_has_no_hash_or_two_give_no_binding() {
    for certificate in [
        &include_bytes!("../certificates/ed25519.der")[..],
        include_bytes!("../certificates/rsa-pss-two-hashes.der"),
    ] {
        assert_eq!(data(certificate), Err(CertificateError::Undefined));
    }
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len();
    let mut value = vec![tag];
    match length {
        0..=0x7f => value.push(length as u8),
        0x80..=0xff => value.extend([0x81, length as u8]),
        0x100..=0xffff => value.extend([0x82, (length >> 8) as u8, length as u8]),
        _ => value.extend([
            0x83,
            (length >> 16) as u8,
            (length >> 8) as u8,
            length as u8,
        ]),
    }
    value.extend(contents);
    value
}

/// A certificate's frame around this algorithm.
fn certificate(algorithm: &[&[u8]]) -> Vec<u8> {
    framed(algorithm, 200)
}

fn framed(algorithm: &[&[u8]], bytes: usize) -> Vec<u8> {
    let to_be_signed = der(0x30, &[&vec![0x02; bytes]]);
    let signature = der(0x03, &[b"\0signature"]);
    der(0x30, &[&to_be_signed, &der(0x30, algorithm), &signature])
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    der(0x06, &[bytes])
}

const NULL: &[u8] = b"\x05\0";

/// RFC 5929 §4.1, with the identifiers of RFC 3279, RFC 4055 and RFC 5758.
#[test]
fn weak_hash_functions_are_replaced_by_sha_256() {
    let rsa = |last: u8| {
        certificate(&[
            &oid(&[b"\x2a\x86\x48\x86\xf7\x0d\x01\x01", &[last][..]].concat()),
            NULL,
        ])
    };
    for md5_or_sha1 in [
        rsa(4),
        rsa(5),
        certificate(&[&oid(b"\x2a\x86\x48\xce\x3d\x04\x01")]),
        certificate(&[&oid(b"\x2a\x86\x48\xce\x38\x04\x03")]),
    ] {
        assert_eq!(
            data(&md5_or_sha1).unwrap(),
            Sha256::digest(&md5_or_sha1).to_vec()
        );
    }
    assert_eq!(data(&rsa(11)).unwrap(), Sha256::digest(rsa(11)).to_vec());
    assert_eq!(data(&rsa(12)).unwrap(), Sha384::digest(rsa(12)).to_vec());
    assert_eq!(data(&rsa(13)).unwrap(), Sha512::digest(rsa(13)).to_vec());
    assert_eq!(data(&rsa(14)).unwrap(), Sha224::digest(rsa(14)).to_vec());
    for (last, digest) in [
        (1, |bytes: &[u8]| Sha224::digest(bytes).to_vec()),
        (2, |bytes: &[u8]| Sha256::digest(bytes).to_vec()),
        (3, |bytes: &[u8]| Sha384::digest(bytes).to_vec()),
        (4, |bytes: &[u8]| Sha512::digest(bytes).to_vec()),
    ] as [(u8, fn(&[u8]) -> Vec<u8>); 4]
    {
        let name = [b"\x2a\x86\x48\xce\x3d\x04\x03", &[last][..]].concat();
        let ecdsa = certificate(&[&oid(&name)]);
        assert_eq!(data(&ecdsa).unwrap(), digest(&ecdsa));
    }
    // md2WithRSAEncryption, Ed448 and something made up.
    for undefined in [
        rsa(2),
        certificate(&[&oid(b"\x2b\x65\x71")]),
        certificate(&[&oid(b"\x2a\x03")]),
    ] {
        assert_eq!(data(&undefined), Err(CertificateError::Undefined));
    }
}

#[test]
fn rsa_pss_needs_one_hash_function_in_both_places() {
    let pss = oid(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");
    let mgf1 = oid(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08");
    let sha = |last: u8| {
        let name = [b"\x60\x86\x48\x01\x65\x03\x04\x02", &[last][..]].concat();
        der(0x30, &[&oid(&name), NULL])
    };
    let message = |hash: &[u8]| der(0xa0, &[hash]);
    let mask = |hash: &[u8]| der(0xa1, &[&der(0x30, &[&mgf1, hash])]);
    let salt = der(0xa2, &[b"\x02\x01\x20"]);
    let parameters = |parts: &[&[u8]]| certificate(&[&pss, &der(0x30, parts)]);

    for (last, digest) in [
        (1, |bytes: &[u8]| Sha256::digest(bytes).to_vec()),
        (2, |bytes: &[u8]| Sha384::digest(bytes).to_vec()),
        (3, |bytes: &[u8]| Sha512::digest(bytes).to_vec()),
    ] as [(u8, fn(&[u8]) -> Vec<u8>); 3]
    {
        let same = parameters(&[&message(&sha(last)), &mask(&sha(last)), &salt]);
        assert_eq!(data(&same).unwrap(), digest(&same));
    }
    // SHA-1 is what stands there when nothing does.
    for sha1 in [parameters(&[]), certificate(&[&pss]), parameters(&[&salt])] {
        assert_eq!(data(&sha1).unwrap(), Sha256::digest(&sha1).to_vec());
    }
    for undefined in [
        parameters(&[&message(&sha(1)), &salt]),
        parameters(&[&mask(&sha(1))]),
        parameters(&[&message(&sha(1)), &mask(&sha(2))]),
        parameters(&[&message(&sha(9)), &mask(&sha(9))]),
        parameters(&[
            &message(&sha(1)),
            &der(0xa1, &[&der(0x30, &[&oid(b"\x2a\x03"), &sha(1)])]),
        ]),
    ] {
        assert_eq!(data(&undefined), Err(CertificateError::Undefined));
    }
    for malformed in [
        parameters(&[&mask(&sha(1)), &message(&sha(1))]),
        parameters(&[&message(&sha(1)), &message(&sha(1))]),
        parameters(&[&der(0xa0, &[])]),
        certificate(&[&pss, &der(0x30, &[]), NULL]),
    ] {
        assert_eq!(data(&malformed), Err(CertificateError::Malformed));
    }
}

#[test]
fn what_is_no_certificate_in_strict_der_is_refused() {
    let good = certificate(&[&oid(b"\x2a\x86\x48\xce\x3d\x04\x03\x02")]);
    assert!(data(&good).is_ok());
    for length in 0..good.len() {
        assert_eq!(data(&good[..length]), Err(CertificateError::Malformed));
    }
    // A byte of length more than there need be.
    assert_eq!(good[1], 0x81);
    let padded = [b"\x30\x82\0", &good[2..]].concat();
    assert_eq!(data(&padded), Err(CertificateError::Malformed));
    let to_be_signed = der(0x30, &[b"\x02\x01\0"]);
    let algorithm = der(0x30, &[&oid(b"\x2a\x86\x48\xce\x3d\x04\x03\x02")]);
    let signature = der(0x03, &[b"\0"]);
    assert!(data(&der(0x30, &[&to_be_signed, &algorithm, &signature])).is_ok());
    for malformed in [
        [&good[..], b"\0"].concat(),
        der(0x31, &[&to_be_signed, &algorithm, &signature]),
        der(0x30, &[&algorithm, &signature]),
        der(0x30, &[&to_be_signed, &algorithm]),
        der(0x30, &[&to_be_signed, &algorithm, &signature, NULL]),
        der(0x30, &[&to_be_signed, &signature, &algorithm]),
        der(0x30, &[&to_be_signed, &der(0x30, &[]), &signature]),
        // The indefinite form, a length that is longer than it need be, and ones that nothing has.
        [
            b"\x30\x80",
            &to_be_signed[..],
            &algorithm,
            &signature,
            b"\0\0",
        ]
        .concat(),
        [b"\x30\x81\x1a", &to_be_signed[..], &algorithm, &signature].concat(),
        [
            b"\x30\x82\x00\x1a",
            &to_be_signed[..],
            &algorithm,
            &signature,
        ]
        .concat(),
        b"\x30\x84\0\0\0\x01\0".to_vec(),
        b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"\x30\xff".to_vec(),
    ] {
        assert_eq!(
            data(&malformed),
            Err(CertificateError::Malformed),
            "{malformed:?}"
        );
    }
}

#[test]
fn a_certificate_over_65_536_bytes_is_not_looked_at() {
    let algorithm = oid(b"\x2a\x86\x48\xce\x3d\x04\x03\x02");
    let of = |bytes: usize| framed(&[&algorithm], bytes);
    let frame = of(65_400).len() - 65_400;
    assert!(data(&of(65_536 - frame)).is_ok());
    assert_eq!(data(&of(65_537 - frame)), Err(CertificateError::TooLong));
}
