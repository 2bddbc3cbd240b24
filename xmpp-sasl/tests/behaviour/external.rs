//! EXTERNAL: what the certificate says, and who may be whom.

use crate::common::{config, full_channel, nonce, policy, tls};
use xmpp_sasl::{
    Channel, Client, Condition, Credentials, Error, Failure, Mechanism, MessageError, Server,
    ServerConfig, Step,
};

fn message(credentials: &Credentials) -> Result<Vec<u8>, Error> {
    let mut client = Client::select(
        ["SCRAM-SHA-256", "EXTERNAL"],
        credentials,
        &Channel::tls(),
        &policy(),
        nonce("unused"),
    )?;
    assert_eq!(client.mechanism(), Mechanism::External);
    Ok(client.initial_response().unwrap())
}

fn server(identities: &[&str]) -> Server {
    let channel = Channel::tls().identities(identities.iter().copied());
    Server::start(&config(), "EXTERNAL", &channel, nonce("unused")).unwrap()
}

fn asked(identities: &[&str], message: &str) -> Result<(String, String), Failure> {
    match server(identities).handle_initial(Some(message.as_bytes()))? {
        Step::Authorize {
            user,
            authorization,
        } => Ok((user, authorization)),
        step => panic!("unexpected step {step:?}"),
    }
}

#[test]
fn one_message_names_the_identity_to_act_as_or_nobody() {
    assert_eq!(message(&Credentials::certificate()).unwrap(), b"");
    let juliet = Credentials::certificate().authorization("juliet@example.com");
    assert_eq!(message(&juliet).unwrap(), b"juliet@example.com");
    // A certificate counts for more than a password, where there are both.
    let both = Credentials::password("juliet", "r0m30myr0m30").with_certificate();
    assert_eq!(message(&both).unwrap(), b"");
    let nul = Credentials::certificate().authorization("juliet\0");
    assert_eq!(message(&nul), Err(Error::AuthorizationIdentity));
}

#[test]
fn nothing_is_chosen_without_certificate_or_encryption() {
    let select = |credentials: &Credentials, channel: &Channel| {
        Client::select(
            ["EXTERNAL"],
            credentials,
            channel,
            &policy(),
            nonce("unused"),
        )
        .map(|client| client.mechanism())
    };
    let certificate = Credentials::certificate();
    assert_eq!(
        select(&certificate, &Channel::tls()),
        Ok(Mechanism::External)
    );
    assert_eq!(
        select(&certificate, &Channel::cleartext()),
        Err(Error::NoCommonMechanism)
    );
    assert_eq!(
        select(&Credentials::password("user", "pencil"), &tls()),
        Err(Error::NoCommonMechanism)
    );
    let other = Client::select(
        ["SCRAM-SHA-256"],
        &certificate,
        &tls(),
        &policy(),
        nonce("unused"),
    );
    assert_eq!(other.unwrap_err(), Error::NoCommonMechanism);
}

#[test]
fn it_is_offered_to_clients_with_a_certificate_only() {
    let default = ServerConfig::new([0; 32]);
    assert_eq!(default.offer(&full_channel())[0], Mechanism::External);
    for channel in [
        Channel::tls(),
        Channel::cleartext().identities(["user@example.org"]),
        Channel::tls().identities([]),
    ] {
        assert!(!default.offer(&channel).contains(&Mechanism::External));
        let failure = Server::start(&default, "EXTERNAL", &channel, nonce("unused")).unwrap_err();
        let expected = if channel.is_encrypted() {
            Failure::InvalidMechanism
        } else {
            Failure::EncryptionRequired
        };
        assert_eq!(failure, expected);
    }
}

/// XEP-0178 §2, step 11.
#[test]
fn the_identity_comes_from_the_certificate() {
    let pair = |user: &str, authorization: &str| Ok((user.to_owned(), authorization.to_owned()));
    let one = ["juliet@example.com"];
    assert_eq!(asked(&one, ""), pair(one[0], one[0]));
    assert_eq!(asked(&one, one[0]), pair(one[0], one[0]));
    // Another identity is for the application to allow.
    assert_eq!(
        asked(&one, "nurse@example.com"),
        pair(one[0], "nurse@example.com")
    );

    let several = ["juliet@example.com", "juliet@example.net"];
    assert_eq!(asked(&several, several[1]), pair(several[1], several[1]));
    for message in ["", "nurse@example.com"] {
        let failure = asked(&several, message).unwrap_err();
        assert_eq!(failure, Failure::InvalidAuthorization);
        assert_eq!(failure.condition(), Condition::InvalidAuthzid);
    }
}

#[test]
fn success_waits_for_the_application_and_carries_no_data() {
    let mut server = server(&["juliet@example.com"]);
    let _ = server.handle_initial(Some(b"")).unwrap();
    assert!(!server.is_authenticated());
    let step = server.handle_authorization(true).unwrap();
    assert!(
        matches!(step, Step::Success { user, authorization: None, data: None }
        if user == "juliet@example.com")
    );
    assert!(server.is_authenticated());

    let mut refused = self::server(&["juliet@example.com"]);
    let _ = refused.handle_initial(Some(b"")).unwrap();
    assert_eq!(
        refused.handle_authorization(false).unwrap_err(),
        Failure::InvalidAuthorization
    );

    let mut asked = self::server(&["juliet@example.com"]);
    let step = asked.handle_initial(None).unwrap();
    assert!(matches!(step, Step::Challenge(challenge) if challenge.is_empty()));
    let step = asked.handle_response(b"nurse@example.com").unwrap();
    assert!(matches!(step, Step::Authorize { .. }));
    let step = asked.handle_authorization(true).unwrap();
    assert!(
        matches!(step, Step::Success { user, authorization: Some(authorization), data: None }
        if user == "juliet@example.com" && authorization == "nurse@example.com")
    );

    let mut client = crate::common::any_client(Mechanism::External);
    client.initial_response().unwrap();
    assert_eq!(client.handle_success(Some(b"data")), Err(Error::OutOfOrder));
}

/// XEP-0178 §3: the caller names the domain that the stream comes from if the certificate does.
#[test]
fn a_server_is_only_who_its_certificate_and_its_stream_say() {
    let from = ["montague.example"];
    assert!(asked(&from, "montague.example").is_ok());
    let (user, authorization) = asked(&from, "capulet.example").unwrap();
    assert_ne!(user, authorization);
}

#[test]
fn an_identity_that_cannot_be_one_is_malformed() {
    for message in [&b"a\0b"[..], b"\0", b"\xff"] {
        let failure = server(&["a"]).handle_initial(Some(message)).unwrap_err();
        assert!(matches!(
            failure,
            Failure::Message(MessageError::Malformed(_))
        ));
        assert_eq!(failure.condition(), Condition::MalformedRequest);
    }
}
