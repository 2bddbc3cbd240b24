//! Which mechanism a client takes.

use crate::common::{nonce, tls};
use xmpp_sasl::{Channel, Client, Credentials, DerivedKeys, Error, Hash, Mechanism, Policy};

fn choose(offered: &[&str], channel: &Channel, policy: &Policy) -> Result<Mechanism, Error> {
    let credentials = Credentials::password("user", "pencil");
    Client::select(
        offered.iter().copied(),
        &credentials,
        channel,
        policy,
        nonce("client"),
    )
    .map(|client| client.mechanism())
}

const ALL: [&str; 7] = [
    "PLAIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512-PLUS",
];

#[test]
fn the_strongest_mechanism_that_the_channel_carries_is_taken() {
    let policy = Policy::default().allow_plain(true);
    assert_eq!(
        choose(&ALL, &tls(), &policy),
        Ok(Mechanism::ScramSha512Plus)
    );
    assert_eq!(
        choose(&ALL[..6], &tls(), &policy),
        Ok(Mechanism::ScramSha256Plus)
    );
    assert_eq!(
        choose(&ALL[..5], &tls(), &policy),
        Ok(Mechanism::ScramSha1Plus)
    );
    assert_eq!(
        choose(&ALL, &Channel::tls(), &policy),
        Ok(Mechanism::ScramSha512)
    );
    assert_eq!(
        choose(&ALL[..3], &tls(), &policy),
        Ok(Mechanism::ScramSha256)
    );
    assert_eq!(choose(&ALL[..2], &tls(), &policy), Ok(Mechanism::ScramSha1));
    assert_eq!(choose(&ALL[..1], &tls(), &policy), Ok(Mechanism::Plain));
    assert_eq!(
        choose(&ALL, &Channel::cleartext(), &policy),
        Ok(Mechanism::ScramSha512)
    );
}

#[test]
fn names_are_compared_exactly_and_unknown_ones_passed_over() {
    let policy = Policy::default();
    let offered = [
        "scram-sha-256",
        "X-FOO",
        "",
        "SCRAM-SHA-1",
        "SCRAM-SHA-256 ",
    ];
    assert_eq!(choose(&offered, &tls(), &policy), Ok(Mechanism::ScramSha1));
    assert_eq!(
        choose(&["scram-sha-1"], &tls(), &policy),
        Err(Error::NoCommonMechanism)
    );
    assert_eq!(choose(&[], &tls(), &policy), Err(Error::NoCommonMechanism));
    for mechanism in Mechanism::ALL {
        assert_eq!(mechanism.name().parse(), Ok(*mechanism));
        assert!(
            mechanism
                .name()
                .to_lowercase()
                .parse::<Mechanism>()
                .is_err()
        );
        assert!((1..=20).contains(&mechanism.name().len()));
    }
}

#[test]
fn the_order_of_preference_is_the_policys() {
    let policy = Policy::default().mechanisms([Mechanism::ScramSha1, Mechanism::ScramSha256]);
    assert_eq!(choose(&ALL, &tls(), &policy), Ok(Mechanism::ScramSha1));
    assert_eq!(
        choose(
            &["SCRAM-SHA-512", "PLAIN"],
            &tls(),
            &policy.allow_plain(true)
        ),
        Err(Error::NoCommonMechanism)
    );
}

#[test]
fn nothing_weaker_than_the_pin_is_taken() {
    let policy = Policy::default()
        .allow_plain(true)
        .weakest(Mechanism::ScramSha256Plus);
    assert_eq!(
        choose(&ALL[..6], &tls(), &policy),
        Ok(Mechanism::ScramSha256Plus)
    );
    assert_eq!(
        choose(&ALL[..5], &tls(), &policy),
        Err(Error::NoCommonMechanism)
    );
    assert_eq!(
        choose(&ALL[..1], &tls(), &policy),
        Err(Error::NoCommonMechanism)
    );
    let nothing = Policy::default()
        .mechanisms([Mechanism::ScramSha1])
        .weakest(Mechanism::ScramSha256);
    assert_eq!(
        choose(&ALL, &tls(), &nothing),
        Err(Error::NoCommonMechanism)
    );
}

#[test]
fn keys_alone_serve_their_own_hash_only() {
    let keys = DerivedKeys::derive(Hash::Sha1, "pencil", b"salt", 1).unwrap();
    let choose = |offered: &[&str]| {
        Client::select(
            offered.iter().copied(),
            &Credentials::keys("user", keys.clone()),
            &tls(),
            &Policy::default().allow_plain(true),
            nonce("client"),
        )
        .map(|client| client.mechanism())
    };
    assert_eq!(choose(&ALL), Ok(Mechanism::ScramSha1Plus));
    assert_eq!(
        choose(&["SCRAM-SHA-256", "PLAIN"]),
        Err(Error::NoCommonMechanism)
    );
}

/// RFC 6120 §6.3.3: what binds to the channel before what does not, the password itself and nobody last.
#[test]
fn mechanisms_stand_in_the_order_of_their_strength() {
    let position = |name: &str| {
        let mechanism: Mechanism = name.parse().unwrap();
        Mechanism::ALL.iter().position(|m| *m == mechanism).unwrap()
    };
    let order = [
        "EXTERNAL",
        "HT-SHA-512-EXPR",
        "HT-SHA-256-ENDP",
        "SCRAM-SHA3-512-PLUS",
        "SCRAM-SHA-512-PLUS",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA3-512",
        "SCRAM-SHA-512",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "HT-SHA-256-NONE",
        "DIGEST-MD5",
        "OAUTHBEARER",
        "PLAIN",
        "ANONYMOUS",
    ];
    assert!(order.map(position).is_sorted());
    // One that everything could serve takes the first that is offered.
    let everything = Credentials::password("user", "pencil").with_certificate();
    let choose = |offered: &[&str]| {
        let policy = Policy::default().allow_plain(true);
        let offered = offered.iter().copied();
        let client = Client::select(offered, &everything, &tls(), &policy, nonce("client"));
        client.unwrap().mechanism().name()
    };
    assert_eq!(choose(&order), "EXTERNAL");
    assert_eq!(choose(&order[1..]), "SCRAM-SHA3-512-PLUS");
    assert_eq!(choose(&order[7..]), "SCRAM-SHA3-512");
    assert_eq!(choose(&order[11..]), "PLAIN");
}
