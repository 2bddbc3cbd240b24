//! The exchanges that the standards print, message by message.

use crate::common::nonce;
use xmpp_sasl::{
    Channel, Client, Credentials, DerivedKeys, Hash, Mechanism, Policy, Server, ServerConfig, Step,
    StoredCredentials, wire,
};

struct Vector {
    mechanism: Mechanism,
    user: &'static str,
    password: &'static str,
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    client_first: &'static str,
    server_first: &'static str,
    client_final: &'static str,
    server_final: &'static str,
}

impl Vector {
    fn client_follows_it(&self) {
        let mut client = Client::select(
            [self.mechanism.name()],
            &Credentials::password(self.user, self.password),
            &Channel::cleartext(),
            &Policy::default(),
            nonce(self.client_nonce),
        )
        .unwrap();
        assert_eq!(
            client.initial_response().unwrap(),
            self.client_first.as_bytes()
        );
        assert_eq!(
            client
                .handle_challenge(self.server_first.as_bytes())
                .unwrap(),
            self.client_final.as_bytes()
        );
        assert!(!client.is_authenticated());
        client
            .handle_success(Some(self.server_final.as_bytes()))
            .unwrap();
        assert!(client.is_authenticated());
    }

    fn server_follows_it(&self) {
        let salt = wire::decode(self.salt).unwrap();
        let hash = self.mechanism.hash().unwrap();
        let account = StoredCredentials::derive(hash, self.password, &salt, 4096).unwrap();
        let config = ServerConfig::new([0; 32])
            .mechanisms([self.mechanism])
            .confirm_offer(false);
        let channel = Channel::cleartext();
        let mut server = Server::start(
            &config,
            self.mechanism.name(),
            &channel,
            nonce(self.server_nonce),
        )
        .unwrap();
        let step = server
            .handle_initial(Some(self.client_first.as_bytes()))
            .unwrap();
        assert!(matches!(step, Step::Lookup { user, hash: Some(asked) }
            if user == self.user && asked == hash));
        let step = server.handle_lookup(Some(&account)).unwrap();
        assert!(matches!(step, Step::Challenge(challenge)
            if challenge == self.server_first.as_bytes()));
        assert!(!server.is_authenticated());
        let step = server
            .handle_response(self.client_final.as_bytes())
            .unwrap();
        assert!(
            matches!(step, Step::Success { user, authorization: None, data: Some(data) }
            if user == self.user && data == self.server_final.as_bytes())
        );
        assert!(server.is_authenticated());
    }
}

/// RFC 5802 §5.
const SHA_1: Vector = Vector {
    mechanism: Mechanism::ScramSha1,
    user: "user",
    password: "pencil",
    client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
    server_nonce: "3rfcNHYJY1ZVvWVs7j",
    salt: "QSXCR+Q6sek8bf92",
    client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                   p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
};

/// RFC 7677 §3.
const SHA_256: Vector = Vector {
    mechanism: Mechanism::ScramSha256,
    user: "user",
    password: "pencil",
    client_nonce: "rOprNGfwEbeRWgbNEkqO",
    server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
    client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                   s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                   p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

/// The inputs of RFC 7677 §3 with SHA-512; the outputs computed with Python's hashlib.
const SHA_512: Vector = Vector {
    mechanism: Mechanism::ScramSha512,
    client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                   p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwn\
                   YPJQ==",
    server_final: "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7\
                   N7Zw==",
    ..SHA_256
};

/// The same with SHA3-512.
const SHA3_512: Vector = Vector {
    mechanism: Mechanism::ScramSha3_512,
    client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                   p=37RsC22bKqUDfdmJ5ojfviHvJllSdNm2pyi9QVvIdOiHyF0wT3YozEvf3gshtz82VmdOVhubuDdqfxM+xQ\
                   Z5hg==",
    server_final: "v=edmhgVenO1ZjN28/CvW/bI1M7pSbZXyvB7z136xUDz/Do6nvzXZoBNJx5pQQ+Vt/7PT3yGAf9Yv6CyHFeT\
                   9wIA==",
    ..SHA_256
};

/// RFC 6120 §9.1.2.
const JULIET: Vector = Vector {
    mechanism: Mechanism::ScramSha1,
    user: "juliet",
    password: "r0m30myr0m30",
    client_nonce: "oMsTAAwAAAAMAAAANP0TAAAAAABPU0AA",
    server_nonce: "e124695b-69a9-4de6-9c30-b51b3808c59e",
    salt: "NjhkYTM0MDgtNGY0Zi00NjdmLTkxMmUtNDlmNTNmNDNkMDMz",
    client_first: "n,,n=juliet,r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AA",
    server_first: "r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AAe124695b-69a9-4de6-9c30-b51b3808c59e,\
                   s=NjhkYTM0MDgtNGY0Zi00NjdmLTkxMmUtNDlmNTNmNDNkMDMz,i=4096",
    client_final: "c=biws,r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AAe124695b-69a9-4de6-9c30-b51b3808c59e,\
                   p=UA57tM/SvpATBkH2FXs0WDXvJYw=",
    server_final: "v=pNNDFVEQxuXxCoSEiW8GEZ+1RSo=",
};

#[test]
fn the_exchange_of_rfc_5802_is_followed_by_both_sides() {
    SHA_1.client_follows_it();
    SHA_1.server_follows_it();
}

#[test]
fn the_exchange_of_rfc_7677_is_followed_by_both_sides() {
    SHA_256.client_follows_it();
    SHA_256.server_follows_it();
}

#[test]
fn the_exchange_with_sha_512_is_followed_by_both_sides() {
    SHA_512.client_follows_it();
    SHA_512.server_follows_it();
}

#[test]
fn the_exchange_with_sha3_512_is_followed_by_both_sides() {
    SHA3_512.client_follows_it();
    SHA3_512.server_follows_it();
}

#[test]
fn the_exchange_of_rfc_6120_is_followed_by_both_sides() {
    JULIET.client_follows_it();
    JULIET.server_follows_it();
}

#[test]
fn the_salted_password_of_each_rfc_gives_the_same_keys_as_the_password() {
    for (hash, salted, salt) in [
        (Hash::Sha1, "HZbuOlKbWl+eR8AfIposuKbhX30=", SHA_1.salt),
        (
            Hash::Sha256,
            "xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=",
            SHA_256.salt,
        ),
        // The salt of the example in XEP-0480, whose printed hash is of no known password.
        (
            Hash::Sha256,
            "Q8abK3WIX500A5++8zDamXbZWpoXgWMwdXKO9eFKk8w=",
            "QV9TWENSWFE2c2VrOGJmX1o=",
        ),
    ] {
        let salt = wire::decode(salt).unwrap();
        let salted = wire::decode(salted).unwrap();
        let of_salted = DerivedKeys::from_salted_password(hash, &salted, &salt, 4096).unwrap();
        let of_password = DerivedKeys::derive(hash, "pencil", &salt, 4096).unwrap();
        assert_eq!(of_salted.to_text(), of_password.to_text());
    }
}
