//! ANONYMOUS: nobody, by a name that nobody else has.

use crate::common::{config, full_channel, nonce, policy};
use xmpp_sasl::{
    Channel, Client, Condition, Credentials, Error, Failure, Mechanism, MessageError, Nonce,
    Server, ServerConfig, Step,
};

fn message(credentials: &Credentials) -> Result<Vec<u8>, Error> {
    Client::select(
        ["ANONYMOUS"],
        credentials,
        &Channel::cleartext(),
        &policy(),
        nonce("unused"),
    )
    .map(|mut client| client.initial_response().unwrap())
}

fn server(nonce: Nonce) -> Server {
    Server::start(&config(), "ANONYMOUS", &Channel::cleartext(), nonce).unwrap()
}

fn name(config: &ServerConfig, nonce: [u8; 18]) -> String {
    let channel = Channel::cleartext();
    let mut server = Server::start(config, "ANONYMOUS", &channel, Nonce::new(nonce)).unwrap();
    match server.handle_initial(Some(b"")).unwrap() {
        Step::Success {
            user,
            authorization: None,
            data: None,
        } => user,
        step => panic!("unexpected step {step:?}"),
    }
}

/// RFC 4505 §4 has the trace `sirhc`.
#[test]
fn a_trace_goes_to_the_log_and_nowhere_else() {
    let traced = Credentials::anonymous().trace("sirhc");
    let message = message(&traced).unwrap();
    assert_eq!(message, b"sirhc");
    let mut server = server(nonce("server"));
    let Step::Success { user, .. } = server.handle_initial(Some(&message)).unwrap() else {
        panic!("no success")
    };
    assert_eq!(server.trace(), Some("sirhc"));
    assert!(!user.contains("sirhc"));
    assert!(server.is_authenticated());
}

#[test]
fn no_trace_is_sent_unless_asked_for() {
    assert_eq!(message(&Credentials::anonymous()).unwrap(), b"");
    let mut server = server(nonce("server"));
    let _ = server.handle_initial(Some(b"")).unwrap();
    assert_eq!(server.trace(), None);
}

#[test]
fn nobody_becomes_anonymous_unasked() {
    assert_eq!(
        message(&Credentials::password("user", "pencil")),
        Err(Error::NoCommonMechanism)
    );
    let other = Client::select(
        ["SCRAM-SHA-256", "PLAIN"],
        &Credentials::anonymous(),
        &Channel::tls(),
        &policy().allow_plain(true),
        nonce("unused"),
    );
    assert_eq!(other.unwrap_err(), Error::NoCommonMechanism);
    assert_eq!(
        message(&Credentials::anonymous().authorization("juliet@example.com")),
        Err(Error::AuthorizationIdentity)
    );
}

#[test]
fn it_is_off_by_default() {
    let default = ServerConfig::new([0; 32]);
    assert!(
        !default
            .offer(&full_channel())
            .contains(&Mechanism::Anonymous)
    );
    let failure =
        Server::start(&default, "ANONYMOUS", &full_channel(), nonce("unused")).unwrap_err();
    assert_eq!(failure, Failure::InvalidMechanism);
}

#[test]
fn names_are_random_and_fit_for_a_localpart() {
    let config = config();
    let one = name(&config, [1; 18]);
    assert_eq!(one.len(), 32);
    assert!(
        one.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    );
    assert_ne!(name(&config, [2; 18]), one);
    // The nonce alone, should it ever be seen, does not tell the name.
    let secret = ServerConfig::new([9; 32]).mechanisms([Mechanism::Anonymous]);
    assert_ne!(name(&secret, [1; 18]), one);
}

#[test]
fn a_trace_of_255_characters_is_accepted_and_no_longer_one() {
    let longest = "\u{e4}".repeat(255);
    assert!(message(&Credentials::anonymous().trace(longest.as_str())).is_ok());
    let mut accepting = server(nonce("server"));
    assert!(accepting.handle_initial(Some(longest.as_bytes())).is_ok());

    let longer = format!("{longest}x");
    assert_eq!(
        message(&Credentials::anonymous().trace(longer.as_str())),
        Err(Error::Trace)
    );
    let failure = server(nonce("server"))
        .handle_initial(Some(longer.as_bytes()))
        .unwrap_err();
    assert_eq!(failure, Failure::Message(MessageError::TooLong("trace")));
    assert_eq!(failure.condition(), Condition::MalformedRequest);
}

/// RFC 4505 §3.
#[test]
fn a_trace_has_no_control_characters_and_one_direction() {
    for trace in [
        "a\0b",
        "a\nb",
        "\u{85}",
        "\u{e000}",
        "\u{fdd0}",
        "\u{fffd}",
        "\u{202e}",
        "\u{627}1",
        "\u{e0041}",
    ] {
        assert_eq!(
            message(&Credentials::anonymous().trace(trace)),
            Err(Error::Trace),
            "{trace:?}"
        );
        let failure = server(nonce("server"))
            .handle_initial(Some(trace.as_bytes()))
            .unwrap_err();
        assert_eq!(
            failure,
            Failure::Message(MessageError::Malformed("trace")),
            "{trace:?}"
        );
    }
    let not_text = server(nonce("server")).handle_initial(Some(b"\xff"));
    assert!(matches!(
        not_text,
        Err(Failure::Message(MessageError::Malformed(_)))
    ));
    // Spaces and what SASLprep alone forbids are fine.
    for trace in ["a b", "a\u{a0}b", "\u{2ff0}", "me@example.com"] {
        assert!(message(&Credentials::anonymous().trace(trace)).is_ok());
        assert!(
            server(nonce("s"))
                .handle_initial(Some(trace.as_bytes()))
                .is_ok()
        );
    }
}
