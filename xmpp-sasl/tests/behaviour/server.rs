//! What a server refuses from a client, and what it gives away.

use crate::common::{SALT, account, config, exchange, nonce, policy, scram_server, tls};
use xmpp_sasl::{
    Blame, Channel, Client, Condition, Credentials, Failure, Hash, Mechanism, MessageError, Nonce,
    PrepareError, Server, ServerConfig, Step, StoredCredentials,
};

fn first(message: &str) -> Result<Step, Failure> {
    scram_server().handle_initial(Some(message.as_bytes()))
}

/// A server that sent its challenge to `user`, with the client's messages so far and to come.
fn challenged(server_nonce: &str) -> (Server, Vec<u8>) {
    let config = config().mechanisms([Mechanism::ScramSha256]);
    let channel = Channel::cleartext();
    let mut server =
        Server::start(&config, "SCRAM-SHA-256", &channel, nonce(server_nonce)).unwrap();
    let mut client = crate::common::scram_client();
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let Step::Challenge(challenge) = server
        .handle_lookup(Some(&account(Hash::Sha256, "pencil")))
        .unwrap()
    else {
        panic!("no challenge")
    };
    let last = client.handle_challenge(&challenge).unwrap();
    (server, last)
}

fn malformed(result: Result<Step, Failure>) -> bool {
    result.is_err_and(|failure| failure.condition() == Condition::MalformedRequest)
}

#[test]
fn a_client_without_initial_response_is_asked_for_it() {
    let mut server = scram_server();
    let step = server.handle_initial(None).unwrap();
    assert!(matches!(step, Step::Challenge(challenge) if challenge.is_empty()));
    let step = server.handle_response(b"n,,n=user,r=client").unwrap();
    assert!(matches!(step, Step::Lookup { user, .. } if user == "user"));

    // An empty message is not an absent one.
    assert!(malformed(scram_server().handle_initial(Some(b""))));
}

#[test]
fn a_client_first_message_that_breaks_the_grammar_is_refused() {
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "x,,n=user,r=client",
        "N,,n=user,r=client",
        "nn,,n=user,r=client",
        ",,n=user,r=client",
        "n=user,r=client",
        "n,n=user,r=client",
        "n,,,n=user,r=client",
        "n,a,n=user,r=client",
        "n,a=,n=user,r=client",
        "n,b=x,n=user,r=client",
        "p=,,n=user,r=client",
        "p,,n=user,r=client",
        "p=tls exporter,,n=user,r=client",
        "n,,n=,r=client",
        "n,,n=user",
        "n,,r=client",
        "n,,n=user,r=",
        "n,,r=client,n=user",
        "n,,N=user,r=client",
        "n,,n=user,R=client",
        "n,,n=us=er,r=client",
        "n,,n=us=2Der,r=client",
        "n,,n=us=2cer,r=client",
        "n,,n=us=3der,r=client",
        "n,,n=user=,r=client",
        "n,a=x=41,n=user,r=client",
        "n,,n=user,r=cli ent",
        "n,,n=user,r=client\u{e4}",
        "n,,n=user,n=user,r=client",
        "n,,n=user,r=client,r=client",
        "n,,n=user,r=client,",
        "n,,n=user,r=client,x",
        "n,,n=us\0er,r=client",
    ] {
        assert!(malformed(first(message)), "{message:?}");
    }
    assert!(malformed(
        scram_server().handle_initial(Some(b"n,,n=us\xffer,r=client"))
    ));
}

#[test]
fn escaped_names_are_read_back() {
    let step = first("n,,n=a=3Db=2Cc=3D2C,r=client").unwrap();
    assert!(matches!(step, Step::Lookup { user, .. } if user == "a=b,c=2C"));
}

#[test]
fn a_mandatory_extension_is_refused_wherever_it_stands() {
    let refused = Failure::Message(MessageError::MandatoryExtension);
    for message in [
        "n,,m=x,n=user,r=client",
        "n,,n=user,m=x,r=client",
        "n,,n=user,r=client,m=x",
        "n,,n=user,r=client,x=y,m=x",
    ] {
        assert_eq!(first(message).unwrap_err(), refused, "{message}");
    }
    for place in [0, 1, 2] {
        let (mut server, last) = challenged("server");
        let last = String::from_utf8(last).unwrap();
        let mut attributes: Vec<&str> = last.split(',').collect();
        attributes.insert(place, "m=x");
        let error = server
            .handle_response(attributes.join(",").as_bytes())
            .unwrap_err();
        assert_eq!(error, refused);
    }
}

#[test]
fn the_user_name_is_prepared_for_the_look_up_and_hashed_as_received() {
    let config = config().mechanisms([Mechanism::ScramSha256]);
    let channel = Channel::cleartext();
    let mut client = Client::select(
        ["SCRAM-SHA-256"],
        &Credentials::password("I\u{ad}X\u{bd}", "pencil").without_preparation(),
        &channel,
        &policy(),
        Nonce::new([1; 18]),
    )
    .unwrap();
    let mut server =
        Server::start(&config, "SCRAM-SHA-256", &channel, Nonce::new([2; 18])).unwrap();
    let outcome = exchange(&mut client, &mut server, "IX1\u{2044}2", "pencil").unwrap();
    assert_eq!(outcome.user, "IX1\u{2044}2");

    for (message, error) in [
        ("n,,n=\u{ad},r=client", PrepareError::Empty),
        ("n,,n=a\u{7},r=client", PrepareError::Prohibited),
        ("n,,n=\u{627}1,r=client", PrepareError::Bidirectional),
    ] {
        let failure = first(message).unwrap_err();
        assert_eq!(failure, Failure::UserName(error));
        assert_eq!(failure.condition(), Condition::NotAuthorized);
    }
}

#[test]
fn a_wrong_password_is_refused() {
    let mut client = crate::common::scram_client();
    let mut server = scram_server();
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let Step::Challenge(challenge) = server
        .handle_lookup(Some(&account(Hash::Sha256, "another")))
        .unwrap()
    else {
        panic!("no challenge")
    };
    let last = client.handle_challenge(&challenge).unwrap();
    let failure = server.handle_response(&last).unwrap_err();
    assert_eq!(failure, Failure::WrongCredentials);
    assert_eq!(failure.condition(), Condition::NotAuthorized);
    assert_eq!(failure.blame(), Blame::Peer);
    assert!(!server.is_authenticated());
    // Nor is the right answer accepted afterwards.
    let (_, right) = challenged("server");
    assert_eq!(
        server.handle_response(&right).unwrap_err(),
        Failure::OutOfOrder
    );
}

#[test]
fn an_unknown_user_cannot_be_told_from_a_wrong_password() {
    let try_user = |name: &str, account: Option<StoredCredentials>| {
        let config = config()
            .mechanisms([Mechanism::ScramSha256])
            .unknown_users(2, SALT.len());
        let channel = Channel::cleartext();
        let mut server =
            Server::start(&config, "SCRAM-SHA-256", &channel, nonce("server")).unwrap();
        let mut client = crate::common::scram_client();
        let message = format!("n,,n={name},r=client");
        let _ = server.handle_initial(Some(message.as_bytes())).unwrap();
        let Step::Challenge(challenge) = server.handle_lookup(account.as_ref()).unwrap() else {
            panic!("no challenge")
        };
        let last = client.handle_challenge(&challenge).unwrap();
        (challenge, server.handle_response(&last).unwrap_err())
    };
    let (known, wrong) = try_user("user", Some(account(Hash::Sha256, "another")));
    let (unknown, no_such) = try_user("user", None);
    assert_eq!(wrong, no_such);
    assert_eq!(known.len(), unknown.len());
    // The same salt at every attempt, another one for another name.
    assert_eq!(try_user("user", None).0, unknown);
    assert_ne!(try_user("used", None).0, unknown);
}

#[test]
fn the_salt_of_an_unknown_user_depends_on_secret_name_and_hash() {
    let salt = |secret: [u8; 32], mechanism: &str, name: &str, bytes: usize| {
        let config = ServerConfig::new(secret)
            .unknown_users(5000, bytes)
            .confirm_offer(false);
        let mut server =
            Server::start(&config, mechanism, &Channel::cleartext(), nonce("s")).unwrap();
        let message = format!("n,,n={name},r=c");
        let _ = server.handle_initial(Some(message.as_bytes())).unwrap();
        let Step::Challenge(challenge) = server.handle_lookup(None).unwrap() else {
            panic!("no challenge")
        };
        let text = String::from_utf8(challenge).unwrap();
        let text = text
            .strip_prefix("r=cs,s=")
            .unwrap()
            .strip_suffix(",i=5000")
            .unwrap();
        xmpp_sasl::wire::decode(text).unwrap()
    };
    let one = salt([1; 32], "SCRAM-SHA-256", "user", 16);
    assert_eq!(one.len(), 16);
    assert_eq!(salt([1; 32], "SCRAM-SHA-256", "user", 16), one);
    assert_eq!(
        salt([1; 32], "SCRAM-SHA-256", "us\u{ad}er", 16),
        one,
        "prepared alike"
    );
    assert_ne!(salt([2; 32], "SCRAM-SHA-256", "user", 16), one);
    assert_ne!(salt([1; 32], "SCRAM-SHA-256", "used", 16), one);
    assert_ne!(salt([1; 32], "SCRAM-SHA-1", "user", 16), one);
    assert_eq!(salt([1; 32], "SCRAM-SHA-256", "user", 40).len(), 40);
    assert_eq!(salt([1; 32], "SCRAM-SHA-256", "user", 0).len(), 1);
    assert_eq!(salt([1; 32], "SCRAM-SHA-256", "user", 1000).len(), 64);
}

#[test]
fn no_answer_authenticates_an_unknown_user() {
    let mut server = scram_server();
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let Step::Challenge(_) = server.handle_lookup(None).unwrap() else {
        panic!("no challenge")
    };
    let zeros = xmpp_sasl::wire::encode(&[0; 32]);
    let last = format!("c=biws,r=clientserver,p={zeros}");
    assert_eq!(
        server.handle_response(last.as_bytes()).unwrap_err(),
        Failure::WrongCredentials
    );
}

#[test]
fn a_client_final_message_that_is_not_ours_is_refused() {
    let (mut server, right) = challenged("server");
    let right = String::from_utf8(right).unwrap();
    let proof = right.rsplit_once(",p=").unwrap().1.to_owned();
    assert!(server.handle_response(right.as_bytes()).is_ok());

    let try_last = |message: &str| challenged("server").0.handle_response(message.as_bytes());
    let condition = |message: &str| try_last(message).unwrap_err().condition();
    for (message, failure) in [
        (
            format!("c=biws,r=clientserverx,p={proof}"),
            Failure::NonceMismatch,
        ),
        (format!("c=biws,r=client,p={proof}"), Failure::NonceMismatch),
        (
            format!("c=biws,r=clientServer,p={proof}"),
            Failure::NonceMismatch,
        ),
        (
            format!("c=eSws,r=clientserver,p={proof}"),
            Failure::BindingMismatch,
        ),
        (
            format!("c=biwsAA==,r=clientserver,p={proof}"),
            Failure::BindingMismatch,
        ),
        (
            format!("c=biws,r=clientserver,x=y,p={proof}"),
            Failure::WrongCredentials,
        ),
        (
            "c=biws,r=clientserver,p=AAAA".into(),
            Failure::WrongCredentials,
        ),
        (
            format!(
                "c=biws,r=clientserver,p={}",
                xmpp_sasl::wire::encode(&[0; 64])
            ),
            Failure::WrongCredentials,
        ),
    ] {
        assert_eq!(try_last(&message).unwrap_err(), failure, "{message}");
        assert_eq!(condition(&message), Condition::NotAuthorized);
    }
    for message in [
        String::new(),
        right.replace("c=biws,", ""),
        right.replace("r=clientserver,", ""),
        right.replace(&format!(",p={proof}"), ""),
        right.replace("c=biws,r=clientserver", "r=clientserver,c=biws"),
        format!("p={proof},c=biws,r=clientserver"),
        right.replace("biws", "biw"),
        right.replace("biws", ""),
        format!("{right}="),
        format!("{right},x=y"),
        format!("{right},p={proof}"),
        right.replace(",p=", ",p= "),
        right.replace("c=", "C="),
        right.replace(",r=", ",,r="),
        format!("{right}\0"),
    ] {
        assert!(malformed(try_last(&message)), "{message:?}");
    }
}

#[test]
fn extensions_of_the_client_are_passed_over_and_signed() {
    let mut server = scram_server();
    let step = server
        .handle_initial(Some(b"n,,n=user,r=client,x=y,z=1"))
        .unwrap();
    assert!(matches!(step, Step::Lookup { .. }));
    let Step::Challenge(_) = server
        .handle_lookup(Some(&account(Hash::Sha256, "pencil")))
        .unwrap()
    else {
        panic!("no challenge")
    };
    // The proof of a client that sent no extension does not fit.
    let (_, right) = challenged("server");
    assert_eq!(
        server.handle_response(&right).unwrap_err(),
        Failure::WrongCredentials
    );
}

#[test]
fn the_answer_of_another_session_is_refused() {
    let (_, of_another) = challenged("another");
    let (mut server, _) = challenged("server");
    let failure = server.handle_response(&of_another).unwrap_err();
    assert_eq!(failure, Failure::NonceMismatch);
    assert_eq!(failure.condition(), Condition::NotAuthorized);
}

#[test]
fn messages_out_of_order_are_refused() {
    let lookup = || {
        let mut server = scram_server();
        let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
        server
    };
    let out_of_order = |result: Result<Step, Failure>| {
        let failure = result.unwrap_err();
        assert_eq!(failure, Failure::OutOfOrder);
        assert_eq!(failure.condition(), Condition::MalformedRequest);
    };
    out_of_order(scram_server().handle_response(b"n,,n=user,r=client"));
    out_of_order(scram_server().handle_lookup(None));
    out_of_order(scram_server().handle_authorization(true));
    out_of_order(lookup().handle_initial(Some(b"n,,n=user,r=client")));
    out_of_order(lookup().handle_response(b"c=biws"));
    out_of_order(lookup().handle_authorization(true));
    out_of_order(challenged("server").0.handle_lookup(None));
    out_of_order(challenged("server").0.handle_initial(None));

    // One success, and no more.
    let (mut server, last) = challenged("server");
    assert!(server.handle_response(&last).is_ok());
    assert!(server.is_authenticated());
    out_of_order(server.handle_response(&last));
    assert!(!server.is_authenticated());
}

#[test]
fn an_aborted_exchange_is_over() {
    let (mut server, last) = challenged("server");
    let failure = server.handle_abort();
    assert_eq!(failure, Failure::Aborted);
    assert_eq!(failure.condition().name(), "aborted");
    assert_eq!(
        server.handle_response(&last).unwrap_err(),
        Failure::OutOfOrder
    );

    let (mut server, last) = challenged("server");
    assert!(server.handle_response(&last).is_ok());
    assert_eq!(server.handle_abort(), Failure::OutOfOrder);
    assert!(server.is_authenticated());
}

#[test]
fn another_identity_needs_authorization_after_authentication() {
    let asked = |permitted: bool| {
        let config = config();
        let mut client = Client::select(
            ["SCRAM-SHA-256"],
            &Credentials::password("user", "pencil").authorization("boss@example.org"),
            &Channel::cleartext(),
            &policy(),
            Nonce::new([1; 18]),
        )
        .unwrap();
        let mut server = Server::start(
            &config,
            "SCRAM-SHA-256",
            &Channel::cleartext(),
            nonce("server"),
        )
        .unwrap();
        let _ = server
            .handle_initial(client.initial_response().as_deref())
            .unwrap();
        let account = account(Hash::Sha256, "pencil");
        let Step::Challenge(challenge) = server.handle_lookup(Some(&account)).unwrap() else {
            panic!("no challenge")
        };
        let last = client.handle_challenge(&challenge).unwrap();
        let step = server.handle_response(&last).unwrap();
        assert!(matches!(step, Step::Authorize { user, authorization }
            if user == "user" && authorization == "boss@example.org"));
        assert!(!server.is_authenticated());
        server.handle_authorization(permitted)
    };
    assert!(
        matches!(asked(true).unwrap(), Step::Success { user, authorization, data: Some(_) }
        if user == "user" && authorization.as_deref() == Some("boss@example.org"))
    );
    let failure = asked(false).unwrap_err();
    assert_eq!(failure, Failure::InvalidAuthorization);
    assert_eq!(failure.condition().name(), "invalid-authzid");
}

#[test]
fn mechanisms_that_were_not_offered_are_refused() {
    let start = |config: &ServerConfig, name: &str, channel: &Channel| {
        Server::start(config, name, channel, nonce("server")).map(|server| server.mechanism())
    };
    let cleartext = Channel::cleartext();
    for name in [
        "",
        "scram-sha-1",
        "SCRAM-SHA-1 ",
        "SCRAM-MD5",
        "PLAIN\0",
        "X",
    ] {
        let failure = start(&config(), name, &tls()).unwrap_err();
        assert_eq!(failure, Failure::InvalidMechanism, "{name}");
        assert_eq!(failure.condition().name(), "invalid-mechanism");
    }
    let default = ServerConfig::new([0; 32]);
    assert_eq!(
        start(&default, "PLAIN", &tls()),
        Err(Failure::InvalidMechanism)
    );
    assert_eq!(
        start(&default, "SCRAM-SHA-512", &tls()),
        Err(Failure::InvalidMechanism)
    );
    assert_eq!(
        start(&default, "SCRAM-SHA-1-PLUS", &Channel::tls()),
        Err(Failure::InvalidMechanism)
    );
    assert_eq!(
        start(&config(), "PLAIN", &Channel::tls()),
        Ok(Mechanism::Plain)
    );
    let failure = start(&config(), "PLAIN", &cleartext).unwrap_err();
    assert_eq!(failure, Failure::EncryptionRequired);
    assert_eq!(failure.condition().name(), "encryption-required");
}

#[test]
fn the_offer_follows_the_channel() {
    let names = |config: &ServerConfig, channel: &Channel| {
        config
            .offer(channel)
            .iter()
            .map(|mechanism| mechanism.name())
            .collect::<Vec<_>>()
    };
    let default = ServerConfig::new([0; 32]);
    assert_eq!(
        names(&default, &Channel::cleartext()),
        ["SCRAM-SHA-256", "SCRAM-SHA-1"]
    );
    assert_eq!(
        names(&default, &Channel::tls()),
        ["SCRAM-SHA-256", "SCRAM-SHA-1"]
    );
    assert_eq!(
        names(&default, &tls()),
        [
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-1-PLUS",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1"
        ]
    );
    let tokens = crate::common::token_mechanisms().len();
    let full = crate::common::full_channel();
    let all = crate::common::all_mechanisms().len();
    assert_eq!(names(&config(), &full).len(), all - tokens);
    assert_eq!(config().token_offer(&full).len(), tokens);
    for name in names(&config(), &Channel::cleartext()) {
        assert!(name.starts_with("SCRAM-") || name == "ANONYMOUS", "{name}");
    }
    assert!(config().token_offer(&Channel::cleartext()).is_empty());
    let plain = default.mechanisms([Mechanism::Plain]);
    assert_eq!(names(&plain, &Channel::tls()), ["PLAIN"]);
    assert!(names(&plain, &Channel::tls().sasl2()).is_empty());
}

#[test]
fn credentials_for_another_hash_are_the_callers_fault() {
    let mut server = scram_server();
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let failure = server
        .handle_lookup(Some(&account(Hash::Sha1, "pencil")))
        .unwrap_err();
    assert_eq!(failure, Failure::WrongHash);
    assert_eq!(failure.blame(), Blame::Caller);
    assert_eq!(failure.condition().name(), "temporary-auth-failure");
    assert_eq!(Failure::TemporarilyUnavailable.blame(), Blame::Caller);
}

#[test]
fn conditions_have_the_names_of_rfc_6120() {
    for condition in Condition::ALL {
        assert_eq!(condition.name().parse::<Condition>(), Ok(*condition));
    }
    assert_eq!(Condition::ALL.len(), 11);
    assert!("Not-Authorized".parse::<Condition>().is_err());
}
