//! What is kept of an account, on either side.

use xmpp_sasl::{DeriveError, DerivedKeys, Hash, PrepareError, StoredCredentials, TextError, wire};

#[test]
fn the_stored_form_is_that_of_rfc_5803() {
    let salt = wire::decode("QSXCR+Q6sek8bf92").unwrap();
    let account = StoredCredentials::derive(Hash::Sha1, "pencil", &salt, 4096).unwrap();
    let text = account.to_text();
    assert_eq!(
        text,
        "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:\
         D+CSWLOshSulAsxiupA+qs2/fTE="
    );
    assert_eq!(text.parse::<StoredCredentials>().unwrap(), account);
    let parts = (account.hash(), account.salt(), account.iterations());
    assert_eq!(parts, (Hash::Sha1, &salt[..], 4096));
}

#[test]
fn credentials_and_keys_survive_their_text_form() {
    for hash in Hash::ALL {
        let keys = DerivedKeys::derive(*hash, "pencil", b"salt", 3).unwrap();
        let read: DerivedKeys = keys.to_text().parse().unwrap();
        assert_eq!(read.to_text(), keys.to_text());
        assert_eq!(
            (read.hash(), read.salt(), read.iterations()),
            (*hash, &b"salt"[..], 3)
        );

        let stored = keys.to_stored();
        assert_eq!(
            stored,
            StoredCredentials::derive(*hash, "pencil", b"salt", 3).unwrap()
        );
        assert_eq!(
            stored.to_text().parse::<StoredCredentials>().unwrap(),
            stored
        );
        let parts = StoredCredentials::from_parts(
            *hash,
            stored.salt(),
            stored.iterations(),
            stored.stored_key(),
            stored.server_key(),
        );
        assert_eq!(parts, Some(stored));
    }
}

#[test]
fn differing_credentials_are_not_equal() {
    let derive = |hash, password, salt: &[u8], iterations| {
        StoredCredentials::derive(hash, password, salt, iterations).unwrap()
    };
    let one = derive(Hash::Sha1, "pencil", b"salt", 1);
    assert_eq!(one, derive(Hash::Sha1, "pencil", b"salt", 1));
    assert_ne!(one, derive(Hash::Sha256, "pencil", b"salt", 1));
    assert_ne!(one, derive(Hash::Sha1, "pencils", b"salt", 1));
    assert_ne!(one, derive(Hash::Sha1, "pencil", b"Salt", 1));
    assert_ne!(one, derive(Hash::Sha1, "pencil", b"salt", 2));
}

#[test]
fn text_that_was_tampered_with_is_refused() {
    let stored = StoredCredentials::derive(Hash::Sha1, "pencil", b"salt", 1)
        .unwrap()
        .to_text();
    for text in [
        String::new(),
        "SCRAM-SHA-1".into(),
        stored.replace("SCRAM-", ""),
        stored.replace("SCRAM-", "scram-"),
        stored.replace("SCRAM-", "KEYS-"),
        stored.replace("SHA-1", "SHA-256"),
        stored.replace("SHA-1", "MD5"),
        stored.replace("$1:", "$0:"),
        stored.replace("$1:", "$01:"),
        stored.replace("$1:", "$+1:"),
        stored.replace("$1:", "$4294967296:"),
        stored.replace("$1:", "$:"),
        stored.replace("c2FsdA==", ""),
        stored.replace("c2FsdA==", "c2FsdA"),
        stored.replace("c2FsdA==", "c2FsdB=="),
        stored.replace('=', ""),
        stored.replace(':', "$"),
        format!("{stored}$"),
        format!("{stored}:"),
        format!("{stored} "),
        format!("{stored}\n"),
        stored.rsplit_once(':').unwrap().0.into(),
    ] {
        assert_eq!(text.parse::<StoredCredentials>(), Err(TextError), "{text}");
    }
    let keys = DerivedKeys::derive(Hash::Sha1, "pencil", b"salt", 1)
        .unwrap()
        .to_text();
    assert!(keys.parse::<StoredCredentials>().is_err());
    assert!(stored.parse::<DerivedKeys>().is_err());
    assert!(
        keys.replace("SHA-1", "SHA-256")
            .parse::<DerivedKeys>()
            .is_err()
    );
    assert!(keys.replace("$1:", "$0:").parse::<DerivedKeys>().is_err());
}

#[test]
fn parts_that_do_not_fit_the_hash_are_refused() {
    let parts = |salt: &[u8], iterations, stored: &[u8], server: &[u8]| {
        StoredCredentials::from_parts(Hash::Sha1, salt, iterations, stored, server)
    };
    assert!(parts(b"salt", 1, &[0; 20], &[0; 20]).is_some());
    assert!(parts(b"", 1, &[0; 20], &[0; 20]).is_none());
    assert!(parts(b"salt", 0, &[0; 20], &[0; 20]).is_none());
    assert!(parts(b"salt", 1, &[0; 19], &[0; 20]).is_none());
    assert!(parts(b"salt", 1, &[0; 20], &[0; 32]).is_none());
    assert!(DerivedKeys::from_salted_password(Hash::Sha1, &[0; 20], b"salt", 1).is_some());
    assert!(DerivedKeys::from_salted_password(Hash::Sha1, &[0; 21], b"salt", 1).is_none());
    assert!(DerivedKeys::from_salted_password(Hash::Sha1, &[], b"salt", 1).is_none());
    assert!(DerivedKeys::from_salted_password(Hash::Sha1, &[0; 20], b"", 1).is_none());
    assert!(DerivedKeys::from_salted_password(Hash::Sha1, &[0; 20], b"salt", 0).is_none());
}

#[test]
fn nothing_is_derived_without_password_salt_or_iterations() {
    let derive = |password: &str, salt: &[u8], iterations| {
        StoredCredentials::derive(Hash::Sha256, password, salt, iterations).map(|_| ())
    };
    assert_eq!(derive("pencil", b"salt", 1), Ok(()));
    assert_eq!(
        derive("", b"salt", 1),
        Err(DeriveError::Password(PrepareError::Empty))
    );
    // Assigned after Unicode 3.2: fine to ask with, not to store.
    assert_eq!(
        derive("\u{1f600}", b"salt", 1),
        Err(DeriveError::Password(PrepareError::Unassigned))
    );
    assert_eq!(derive("pencil", b"", 1), Err(DeriveError::EmptySalt));
    assert_eq!(derive("pencil", b"salt", 0), Err(DeriveError::NoIterations));
}

#[test]
fn a_password_can_be_verified_directly() {
    let account = StoredCredentials::derive(Hash::Sha512, "IX", b"salt", 2).unwrap();
    assert!(account.verify("IX"));
    assert!(account.verify("I\u{ad}X"));
    assert!(!account.verify("ix"));
    assert!(!account.verify(""));
    assert!(!account.verify("IX\u{7}"));
}
