//! The HT mechanisms: tokens, what they are bound to, and how they rotate.

use crate::common::{
    TOKEN, any_client, any_server, config, credentials, full_channel, nonce, policy,
    token_mechanisms,
};
use xmpp_sasl::{
    BindingKind, Channel, ChannelBinding, Client, Condition, Credentials, Error, Failure, Limits,
    Mechanism, MessageError, Policy, Server, Step, Token, TokenSlots, wire,
};

fn token(mechanism: Mechanism, secret: &str) -> Token {
    Token::new(mechanism, secret).unwrap()
}

fn message(user: &str, proof: &str) -> Vec<u8> {
    [user.as_bytes(), b"\0", &wire::decode(proof).unwrap()].concat()
}

/// Logs in with one token against what the server keeps.
fn log_in(token: &Token, slots: &mut TokenSlots) -> Result<(), Failure> {
    let mechanism = token.mechanism();
    let mut client = Client::select(
        [mechanism.name()],
        &Credentials::token("user", token.clone()),
        &full_channel(),
        &policy(),
        nonce("unused"),
    )
    .unwrap();
    let mut server = any_server(mechanism);
    let step = server.handle_initial(client.initial_response().as_deref())?;
    assert!(matches!(step, Step::Tokens { user } if user == "user"));
    let Step::Success { user, data, .. } = server.handle_tokens(Some(slots))? else {
        panic!("no success")
    };
    assert_eq!(user, "user");
    client.handle_success(data.as_deref()).unwrap();
    assert!(client.is_authenticated() && server.is_authenticated());
    Ok(())
}

/// The token of XEP-0484 example 3, unbound and bound to 32 bytes of 7; the outputs computed with Python's hmac.
const VECTORS: [(Mechanism, &str, &str); 4] = [
    (
        Mechanism::HtSha256Unbound,
        "kJd4dGGhhOD6hOwAwTgRkLbE0WqOxEU8eyrF5/z5Ne0=",
        "TlE0CWMUdIY7mGyfPoweJ8op0derntQJfnr9YAe/nGI=",
    ),
    (
        Mechanism::HtSha256Exporter,
        "wDXbYL5/FZoN/P50v0PV19cky3gs9vaRKFQJG63sDAI=",
        "E8VKnwktyOEaadhlZHRwJ7aKRGHiVlEglrDQiTOWTvo=",
    ),
    (
        Mechanism::HtSha512Unbound,
        "mvBtN1VXxWi+mvI0ZH8Pp0Lr2Sk5asJ89JNB0R16jk8eqJ2kcGjiG0Hn41Sll9yir3hsTMN9ayq5ImgkRGF3/A==",
        "nzrDB1NEbARuzVPYV2LAc9jTq6oNqhluTEQQ+K0g1F1BEOX5or0M3uSajQSMegQIA8u/oP+42yo7rBPL6iOhBA==",
    ),
    (
        Mechanism::HtSha512Exporter,
        "1t7ApNEAhkbMsUyQvY5wBxgk1vS2d2TArn0haLkkFq7wYyNHQL+5BrsBjSrWnQRoRJlO6DPA0aFCbskd+CTW2Q==",
        "uMox3HWOA2OKHw8k6P7eDFdadFQBmAFo/FOPKiE9Vd0HBHxLzXsiwLaw7nypOfN5QVKTizsRdM0LbhIELkmdVQ==",
    ),
];

#[test]
fn both_proofs_are_hmacs_of_the_channel_binding() {
    for (mechanism, of_client, of_server) in VECTORS {
        let mut client = any_client(mechanism);
        let first = client.initial_response().unwrap();
        assert_eq!(first, message("user", of_client));
        let mut server = any_server(mechanism);
        let _ = server.handle_initial(Some(&first)).unwrap();
        let mut slots = TokenSlots::new(None, Some(token(mechanism, TOKEN)));
        let step = server.handle_tokens(Some(&mut slots)).unwrap();
        let expected = wire::decode(of_server).unwrap();
        assert!(
            matches!(step, Step::Success { data: Some(data), authorization: None, .. }
            if data == expected)
        );
        client.handle_success(Some(&expected)).unwrap();
        assert!(client.is_authenticated());
    }
}

#[test]
fn the_mechanism_names_hash_and_binding() {
    let names: Vec<_> = token_mechanisms().iter().map(|m| m.name()).collect();
    for hash in ["SHA-256", "SHA-512"] {
        for (binding, kind) in [
            ("EXPR", Some(BindingKind::TlsExporter)),
            ("UNIQ", Some(BindingKind::TlsUnique)),
            ("ENDP", Some(BindingKind::TlsServerEndPoint)),
            ("NONE", None),
        ] {
            let name = format!("HT-{hash}-{binding}");
            assert!(names.contains(&name.as_str()));
            let mechanism: Mechanism = name.parse().unwrap();
            assert_eq!(mechanism.token_binding(), kind);
            assert_eq!(mechanism.is_channel_bound(), kind.is_some());
            assert!(
                log_in(
                    &token(mechanism, "t"),
                    &mut TokenSlots::new(Some(token(mechanism, "t")), None)
                )
                .is_ok()
            );
        }
    }
    assert_eq!(names.len(), 8);
}

#[test]
fn a_server_without_the_token_is_not_trusted() {
    for mechanism in token_mechanisms() {
        let sent = || {
            let mut client = any_client(mechanism);
            (client.initial_response().unwrap(), client)
        };
        let (first, mut client) = sent();
        // The client's own proof is no answer to itself.
        let own = first.strip_prefix(b"user\0").unwrap();
        assert_eq!(
            client.handle_success(Some(own)),
            Err(Error::WrongServerSignature)
        );
        for data in [&[0; 32][..], &[0; 64], b"x"] {
            let (_, mut client) = sent();
            assert_eq!(
                client.handle_success(Some(data)),
                Err(Error::WrongServerSignature)
            );
            assert!(!client.is_authenticated());
            assert_eq!(client.handle_success(Some(data)), Err(Error::OutOfOrder));
        }
        for data in [None, Some(&b""[..])] {
            let (_, mut client) = sent();
            assert_eq!(client.handle_success(data), Err(Error::NoServerSignature));
        }
    }
}

#[test]
fn a_client_on_another_channel_is_refused() {
    for mechanism in token_mechanisms() {
        let theirs = Channel::tls()
            .binding(ChannelBinding::tls_exporter([8; 32]))
            .binding(ChannelBinding::tls_unique(b"another").unwrap())
            .binding(crate::common::end_point(b"another"));
        let mut client = Client::select(
            [mechanism.name()],
            &credentials(mechanism),
            &theirs,
            &policy(),
            nonce("unused"),
        )
        .unwrap();
        let mut server = any_server(mechanism);
        let first = client.initial_response();
        let _ = server.handle_initial(first.as_deref()).unwrap();
        let mut slots = TokenSlots::new(None, Some(token(mechanism, TOKEN)));
        let result = server.handle_tokens(Some(&mut slots));
        assert_eq!(result.is_ok(), mechanism.token_binding().is_none());
    }
}

#[test]
fn a_token_serves_the_mechanism_it_was_issued_for_and_no_other() {
    let exporter = token(Mechanism::HtSha256Exporter, TOKEN);
    let select = |offered: &[&str], channel: &Channel| {
        Client::select(
            offered.iter().copied(),
            &Credentials::token("user", exporter.clone()),
            channel,
            &policy().allow_plain(true),
            nonce("unused"),
        )
        .map(|client| client.mechanism())
    };
    let all: Vec<_> = Mechanism::ALL.iter().map(|m| m.name()).collect();
    assert_eq!(
        select(&all, &full_channel()),
        Ok(Mechanism::HtSha256Exporter)
    );
    let others = [
        "HT-SHA-256-NONE",
        "HT-SHA-512-EXPR",
        "SCRAM-SHA-256",
        "PLAIN",
    ];
    for (offered, channel) in [
        (&others[..], full_channel()),
        (&all, Channel::tls()),
        (&all, Channel::cleartext()),
    ] {
        assert_eq!(select(offered, &channel), Err(Error::NoCommonMechanism));
    }

    // A server does not take it for another either, though the hash would be right.
    let unbound = token(Mechanism::HtSha256Unbound, TOKEN);
    let mut kept = TokenSlots::new(Some(exporter.clone()), Some(exporter));
    assert_eq!(log_in(&unbound, &mut kept), Err(Failure::WrongCredentials));
}

#[test]
fn wrong_tokens_and_unknown_users_are_the_same_failure() {
    let mechanism = Mechanism::HtSha256Exporter;
    let attempt = |slots: Option<TokenSlots>| {
        let mut server = any_server(mechanism);
        let first = any_client(mechanism).initial_response();
        let _ = server.handle_initial(first.as_deref()).unwrap();
        let mut slots = slots;
        server.handle_tokens(slots.as_mut()).unwrap_err()
    };
    let wrong = Some(token(mechanism, "another"));
    for slots in [
        None,
        Some(TokenSlots::default()),
        Some(TokenSlots::new(wrong.clone(), None)),
        Some(TokenSlots::new(None, wrong.clone())),
        Some(TokenSlots::new(wrong.clone(), wrong)),
    ] {
        let failure = attempt(slots);
        assert_eq!(failure, Failure::WrongCredentials);
        assert_eq!(failure.condition(), Condition::NotAuthorized);
    }
}

/// XEP-0484 §5.1.
#[test]
fn a_new_token_takes_the_others_place_once_it_is_used() {
    let of = |secret: &str| token(Mechanism::HtSha256Exporter, secret);
    let mut slots = TokenSlots::default();
    slots.issue(of("one"));
    assert!(log_in(&of("one"), &mut slots).is_ok());
    assert_eq!(slots, TokenSlots::new(None, Some(of("one"))));

    // The next one is on its way; until it is used, either is good.
    slots.issue(of("two"));
    assert!(log_in(&of("one"), &mut slots).is_ok());
    assert_eq!(slots, TokenSlots::new(Some(of("two")), Some(of("one"))));
    // It got lost, so another was issued in its place.
    slots.issue(of("three"));
    assert!(log_in(&of("two"), &mut slots).is_err());
    assert_eq!(slots, TokenSlots::new(Some(of("three")), Some(of("one"))));
    assert!(log_in(&of("three"), &mut slots).is_ok());
    assert_eq!(
        (slots.newest(), slots.current()),
        (None, Some(&of("three")))
    );
    for old in ["one", "two"] {
        assert_eq!(log_in(&of(old), &mut slots), Err(Failure::WrongCredentials));
    }

    slots.issue(of("four"));
    slots.invalidate();
    for void in ["three", "four"] {
        assert!(log_in(&of(void), &mut slots).is_err());
    }
    assert_eq!(slots, TokenSlots::default());
}

/// Where there is no token something else is hashed, so that it takes as long; that opens no door.
#[test]
fn what_is_hashed_in_place_of_a_missing_token_is_no_token() {
    for mechanism in token_mechanisms() {
        let kept = token(mechanism, "kept");
        let nobodys = token(mechanism, &"\0".repeat(43));
        for slots in [
            TokenSlots::default(),
            TokenSlots::new(Some(kept.clone()), None),
            TokenSlots::new(None, Some(kept)),
        ] {
            let mut after = slots.clone();
            assert_eq!(log_in(&nobodys, &mut after), Err(Failure::WrongCredentials));
            assert_eq!(after, slots);
        }
    }
}

#[test]
fn issued_tokens_are_long_enough_and_of_one_mechanism() {
    let mechanism = Mechanism::HtSha256Exporter;
    let issued = Token::issue(mechanism, [0xff; 32]).unwrap();
    assert_eq!(issued.secret(), "_".repeat(42) + "8");
    assert_eq!(issued.mechanism(), mechanism);
    assert_eq!(Token::new(mechanism, issued.secret()), Some(issued.clone()));
    assert_ne!(Token::issue(mechanism, [0xfe; 32]), Some(issued.clone()));
    assert_ne!(
        Token::issue(Mechanism::HtSha256Unbound, [0xff; 32]),
        Some(issued)
    );
    assert!(Token::new(mechanism, "").is_none());
    for other in [Mechanism::ScramSha256Plus, Mechanism::Plain] {
        assert!(Token::issue(other, [1; 32]).is_none());
    }
}

#[test]
fn a_token_cannot_be_used_to_act_as_another() {
    let mechanism = Mechanism::HtSha256Exporter;
    let client = Client::select(
        [mechanism.name()],
        &credentials(mechanism).authorization("boss@example.org"),
        &full_channel(),
        &policy(),
        nonce("unused"),
    );
    assert_eq!(client.unwrap_err(), Error::AuthorizationIdentity);
}

#[test]
fn a_message_that_breaks_the_grammar_is_refused() {
    let first =
        |message: &[u8]| any_server(Mechanism::HtSha256Exporter).handle_initial(Some(message));
    let proof = [0; 32];
    for message in [
        Vec::new(),
        b"user".to_vec(),
        b"user\0".to_vec(),
        [b"\0", &proof[..]].concat(),
        [b"user\0", &proof[..31]].concat(),
        [b"user\0", &proof[..], b"\0"].concat(),
        [b"us\xffer\0", &proof[..]].concat(),
    ] {
        let failure = first(&message).unwrap_err();
        assert!(
            matches!(failure, Failure::Message(MessageError::Malformed(_))),
            "{message:?}"
        );
        assert_eq!(failure.condition(), Condition::MalformedRequest);
    }
    // The name is prepared for the look-up; a proof may hold any byte.
    let step = first(&["us\u{ad}er\0".as_bytes(), &proof[..]].concat()).unwrap();
    assert!(matches!(step, Step::Tokens { user } if user == "user"));
    let failure = first(&[b"a\x07\0", &proof[..]].concat()).unwrap_err();
    assert!(matches!(failure, Failure::UserName(_)));
}

#[test]
fn names_and_messages_have_limits() {
    let first = |limits: Limits, user: &str| {
        let config = config().limits(limits);
        let mut server =
            Server::start(&config, "HT-SHA-256-NONE", &full_channel(), nonce("s")).unwrap();
        let message = [user.as_bytes(), b"\0", &[0; 32]].concat();
        server.handle_initial(Some(&message)).map(drop)
    };
    let limits = Limits::default();
    assert_eq!(first(limits, &"x".repeat(255)), Ok(()));
    assert_eq!(first(limits.name_bytes(4), "user"), Ok(()));
    assert_eq!(
        first(limits.name_bytes(3), "user"),
        Err(Failure::Message(MessageError::TooLong("user name")))
    );
    assert_eq!(first(limits.message_bytes(37), "user"), Ok(()));
    assert_eq!(
        first(limits.message_bytes(36), "user"),
        Err(Failure::Message(MessageError::TooLong("message")))
    );
}

#[test]
fn tokens_are_offered_apart_from_the_other_mechanisms() {
    let full = full_channel();
    assert!(!config().offer(&full).iter().any(|m| m.is_token()));
    let exporter_only = crate::common::tls();
    let names: Vec<_> = config()
        .token_offer(&exporter_only)
        .iter()
        .map(|m| m.name())
        .collect();
    assert_eq!(
        names,
        [
            "HT-SHA-512-EXPR",
            "HT-SHA-256-EXPR",
            "HT-SHA-512-NONE",
            "HT-SHA-256-NONE"
        ]
    );
    // Off unless asked for.
    let default = xmpp_sasl::ServerConfig::new([0; 32]);
    assert!(default.token_offer(&full).is_empty());
    let failure = Server::start(&default, "HT-SHA-256-EXPR", &full, nonce("s")).unwrap_err();
    assert_eq!(failure, Failure::InvalidMechanism);
    let failure = Server::start(&config(), "HT-SHA-256-UNIQ", &exporter_only, nonce("s"));
    assert_eq!(failure.unwrap_err(), Failure::InvalidMechanism);
    let failure = Server::start(
        &config(),
        "HT-SHA-256-NONE",
        &Channel::cleartext(),
        nonce("s"),
    );
    assert_eq!(failure.unwrap_err(), Failure::EncryptionRequired);
}

#[test]
fn a_token_is_wished_for_the_strongest_mechanism_that_the_channel_carries() {
    let offered = [
        "HT-SHA-256-NONE",
        "HT-SHA-256-EXPR",
        "SCRAM-SHA-256",
        "HT-X",
    ];
    let wished = |channel: &Channel, policy: &Policy| {
        Client::token_mechanism(offered, channel, policy).map(Mechanism::name)
    };
    let policy = Policy::default();
    let bound = Channel::tls().binding(ChannelBinding::tls_exporter([7; 32]));
    assert_eq!(wished(&bound, &policy), Some("HT-SHA-256-EXPR"));
    assert_eq!(wished(&Channel::tls(), &policy), Some("HT-SHA-256-NONE"));
    assert_eq!(wished(&Channel::cleartext(), &policy), None);
    let others = Policy::default().mechanisms([Mechanism::ScramSha256]);
    assert_eq!(wished(&bound, &others), None);
}
