//! Keys for a stronger hash function (XEP-0480).

use crate::common::{config, exchange, policy};
use xmpp_sasl::{
    Channel, Client, Condition, Credentials, DeriveError, Error, Hash, Limits, MessageError, Nonce,
    Policy, Server, StoredCredentials, Upgrade, wire,
};

#[test]
fn tasks_are_named_after_the_mechanism_without_plus() {
    for (hash, name) in [
        (Hash::Sha1, "UPGR-SCRAM-SHA-1"),
        (Hash::Sha256, "UPGR-SCRAM-SHA-256"),
        (Hash::Sha512, "UPGR-SCRAM-SHA-512"),
        (Hash::Sha3_512, "UPGR-SCRAM-SHA3-512"),
    ] {
        assert_eq!(Upgrade::task_name(hash), name);
        assert_eq!(Upgrade::hash_of_task(name), Some(hash));
        assert!(name.len() <= 20);
    }
    for other in [
        "",
        "UPGR-SCRAM-SHA-256-PLUS",
        "upgr-scram-sha-256",
        "SCRAM-SHA-256",
    ] {
        assert_eq!(Upgrade::hash_of_task(other), None);
    }
}

/// The salt of XEP-0480 §3, whose printed hash is of no known password; the answer computed with Python's hashlib.
#[test]
fn the_answer_is_the_salted_password() {
    let salt = wire::decode("QV9TWENSWFE2c2VrOGJmX1o=").unwrap();
    let upgrade = Upgrade::new(Hash::Sha256, &salt, 4096).unwrap();
    let answer = upgrade
        .answer(&Credentials::password("user", "pencil"), &Policy::default())
        .unwrap();
    assert_eq!(
        wire::encode(&answer),
        "Q8abK3WIX500A5++8zDamXbZWpoXgWMwdXKO9eFKk8w="
    );
    let stored = upgrade.handle_answer(&answer).unwrap();
    assert_eq!(
        stored,
        StoredCredentials::derive(Hash::Sha256, "pencil", &salt, 4096).unwrap()
    );
}

#[test]
fn after_the_task_the_stronger_mechanism_works() {
    for hash in Hash::ALL {
        let upgrade = Upgrade::new(*hash, crate::common::SALT, 2).unwrap();
        assert_eq!((upgrade.hash(), upgrade.iterations()), (*hash, 2));
        let credentials = Credentials::password("user", "pencil");
        let answer = upgrade.answer(&credentials, &policy()).unwrap();
        let stored = upgrade.handle_answer(&answer).unwrap();
        assert!(stored.verify("pencil") && !stored.verify("pencils"));
        assert_eq!(stored.salt(), upgrade.salt());
        let name = format!("SCRAM-{hash}");
        let channel = Channel::cleartext();
        let mut client = Client::select(
            [name.as_str()],
            &credentials,
            &channel,
            &policy(),
            Nonce::new([2; 18]),
        )
        .unwrap();
        let mut server = Server::start(&config(), &name, &channel, Nonce::new([3; 18])).unwrap();
        assert!(exchange(&mut client, &mut server, "user", "pencil").is_ok());
    }
}

#[test]
fn the_password_is_prepared_like_at_registration() {
    let upgrade = Upgrade::new(Hash::Sha256, b"salt", 2).unwrap();
    let answer = |credentials: Credentials| upgrade.answer(&credentials, &policy());
    let plain = answer(Credentials::password("user", "IX")).unwrap();
    assert_eq!(
        answer(Credentials::password("user", "I\u{ad}X")).unwrap(),
        plain
    );
    let raw = Credentials::password("user", "I\u{ad}X").without_preparation();
    assert_ne!(answer(raw).unwrap(), plain);
    assert!(matches!(
        answer(Credentials::password("user", "\u{7}")),
        Err(Error::Password(_))
    ));
    assert_eq!(answer(Credentials::certificate()), Err(Error::KeysDoNotFit));
}

#[test]
fn the_server_cannot_ask_for_more_work_than_the_policy_allows() {
    let credentials = Credentials::password("user", "pencil");
    let ask = |iterations: u32| {
        let upgrade = Upgrade::new(Hash::Sha256, b"salt", iterations).unwrap();
        let started = std::time::Instant::now();
        let answer = upgrade.answer(&credentials, &Policy::default().max_iterations(5000));
        (answer.map(drop), started.elapsed())
    };
    let refused = |requested| {
        Err(Error::Iterations {
            requested,
            min: 4096,
            max: 5000,
        })
    };
    assert_eq!(ask(4095).0, refused(4095));
    assert_eq!(ask(4096).0, Ok(()));
    assert_eq!(ask(5000).0, Ok(()));
    assert_eq!(ask(5001).0, refused(5001));
    let (answer, time) = ask(u32::MAX);
    assert_eq!(answer, refused(u64::from(u32::MAX)));
    assert!(time < std::time::Duration::from_millis(50));

    let salt = |bytes: usize| {
        let upgrade = Upgrade::new(Hash::Sha256, &vec![1; bytes], 1).unwrap();
        let policy = policy().limits(Limits::default().salt_bytes(16));
        upgrade.answer(&credentials, &policy).map(drop)
    };
    assert_eq!(salt(16), Ok(()));
    assert_eq!(salt(17), Err(Error::Message(MessageError::TooLong("salt"))));
}

#[test]
fn an_answer_of_another_length_is_refused() {
    for hash in Hash::ALL {
        let upgrade = Upgrade::new(*hash, b"salt", 2).unwrap();
        for length in [0, hash.output_bytes() - 1, hash.output_bytes() + 1, 100] {
            let failure = upgrade.handle_answer(&vec![1; length]).unwrap_err();
            assert!(matches!(
                failure,
                xmpp_sasl::Failure::Message(MessageError::Malformed(_))
            ));
            assert_eq!(failure.condition(), Condition::MalformedRequest);
        }
    }
    assert_eq!(
        Upgrade::new(Hash::Sha1, b"", 1),
        Err(DeriveError::EmptySalt)
    );
    assert_eq!(
        Upgrade::new(Hash::Sha1, b"s", 0),
        Err(DeriveError::NoIterations)
    );
}
