//! PLAIN: only where it is allowed, and checked against stored keys.

use crate::common::{Stop, account, config, log_in, nonce, policy, tls};
use xmpp_sasl::{
    Channel, Client, Condition, Credentials, Error, Failure, Hash, Mechanism, MessageError,
    PrepareError, Server, Step, StoredCredentials,
};

fn select(credentials: &Credentials) -> Result<Client, Error> {
    let policy = policy().allow_plain(true);
    Client::select(
        ["PLAIN"],
        credentials,
        &Channel::tls(),
        &policy,
        nonce("unused"),
    )
}

fn server() -> Server {
    Server::start(&config(), "PLAIN", &tls(), nonce("unused")).unwrap()
}

fn answer(message: &[u8], account: Option<&StoredCredentials>) -> Result<Step, Failure> {
    let mut server = server();
    match server.handle_initial(Some(message))? {
        Step::Lookup { hash: None, .. } => server.handle_lookup(account),
        step => panic!("unexpected step {step:?}"),
    }
}

#[test]
fn the_examples_of_rfc_4616_are_written_and_read() {
    let mut client = select(&Credentials::password("tim", "tanstaaftanstaaf")).unwrap();
    let message = client.initial_response().unwrap();
    assert_eq!(message, b"\0tim\0tanstaaftanstaaf");
    assert!(matches!(
        answer(&message, Some(&account(Hash::Sha1, "tanstaaftanstaaf"))).unwrap(),
        Step::Success { user, authorization: None, data: None } if user == "tim"
    ));
    assert!(!client.is_authenticated());
    client.handle_success(None).unwrap();
    assert!(client.is_authenticated());

    let credentials = Credentials::password("Kurt", "xipj3plmq").authorization("Ursel");
    let message = select(&credentials).unwrap().initial_response().unwrap();
    assert_eq!(message, b"Ursel\0Kurt\0xipj3plmq");
    let mut server = server();
    let _ = server.handle_initial(Some(&message)).unwrap();
    let step = server
        .handle_lookup(Some(&account(Hash::Sha256, "xipj3plmq")))
        .unwrap();
    assert!(matches!(step, Step::Authorize { user, authorization }
        if user == "Kurt" && authorization == "Ursel"));
    assert_eq!(
        server.handle_authorization(false).unwrap_err(),
        Failure::InvalidAuthorization
    );
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_the_same_failure() {
    let known = account(Hash::Sha256, "pencil");
    assert!(answer(b"\0user\0pencil", Some(&known)).is_ok());
    let wrong = answer(b"\0user\0pencils", Some(&known)).unwrap_err();
    let unknown = answer(b"\0user\0pencil", None).unwrap_err();
    assert_eq!(wrong, Failure::WrongCredentials);
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.condition(), Condition::NotAuthorized);
}

#[test]
fn an_unknown_user_costs_the_derivation_too() {
    let time = |iterations| {
        let config = config().unknown_users(iterations, 16);
        let mut server = Server::start(&config, "PLAIN", &tls(), nonce("unused")).unwrap();
        let _ = server.handle_initial(Some(b"\0user\0pencil")).unwrap();
        let started = std::time::Instant::now();
        assert_eq!(
            server.handle_lookup(None).unwrap_err(),
            Failure::WrongCredentials
        );
        started.elapsed()
    };
    // The quickest of several, since a busy machine may take the processor away.
    let little = (0..5).map(|_| time(20)).min().unwrap();
    assert!(time(20_000) > little * 20);
}

#[test]
fn passwords_are_prepared_on_the_server() {
    let known = account(Hash::Sha256, "IX");
    for password in ["IX", "I\u{ad}X", "\u{2168}"] {
        let message = format!("\0user\0{password}");
        assert!(
            answer(message.as_bytes(), Some(&known)).is_ok(),
            "{password:?}"
        );
    }
    assert!(answer("\0us\u{ad}er\0IX".as_bytes(), Some(&known)).is_ok());
    for password in ["\u{ad}", "a\u{7}", "\u{627}1"] {
        let message = format!("\0user\0{password}");
        let failure = answer(message.as_bytes(), Some(&known)).unwrap_err();
        assert_eq!(failure, Failure::WrongCredentials);
    }
    assert_eq!(
        answer("\0\u{ad}\0IX".as_bytes(), Some(&known)).unwrap_err(),
        Failure::UserName(PrepareError::Empty)
    );
}

#[test]
fn a_message_that_breaks_the_grammar_is_refused() {
    for message in [
        &b""[..],
        b"user",
        b"\0user",
        b"user\0pencil",
        b"\0user\0pencil\0",
        b"\0\0user\0pencil",
        b"\0user\0pen\0cil",
        b"\0\0pencil",
        b"\0user\0",
        b"\0\0",
        b"\0us\xffer\0pencil",
        b"\xc0\x80user\0pencil",
    ] {
        let failure = server().handle_initial(Some(message)).unwrap_err();
        assert!(
            matches!(failure, Failure::Message(MessageError::Malformed(_))),
            "{message:?}"
        );
        assert_eq!(failure.condition(), Condition::MalformedRequest);
    }
}

#[test]
fn parts_of_255_bytes_are_accepted() {
    let part = "x".repeat(255);
    let message = format!("{part}\0{part}\0{part}");
    let step = answer(message.as_bytes(), Some(&account(Hash::Sha256, &part))).unwrap();
    assert!(matches!(step, Step::Authorize { user, authorization }
        if user == part && authorization == part));
}

#[test]
fn the_message_is_sent_once_with_the_name_or_after_an_empty_challenge() {
    let mut client = select(&Credentials::password("user", "pencil")).unwrap();
    assert_eq!(client.handle_success(None), Err(Error::OutOfOrder));

    let mut client = select(&Credentials::password("user", "pencil")).unwrap();
    assert_eq!(client.handle_challenge(b"").unwrap(), b"\0user\0pencil");
    assert!(client.initial_response().is_none());
    assert_eq!(client.handle_challenge(b""), Err(Error::OutOfOrder));

    let mut client = select(&Credentials::password("user", "pencil")).unwrap();
    assert_eq!(client.handle_challenge(b"send it"), Err(Error::OutOfOrder));
    assert!(client.initial_response().is_none());

    let mut client = select(&Credentials::password("user", "pencil")).unwrap();
    client.initial_response().unwrap();
    assert_eq!(client.handle_success(Some(b"data")), Err(Error::OutOfOrder));

    let mut client = select(&Credentials::password("user", "pencil")).unwrap();
    client.initial_response().unwrap();
    client.handle_success(Some(b"")).unwrap();
    assert_eq!(client.handle_success(None), Err(Error::OutOfOrder));

    let mut server = server();
    let step = server.handle_initial(None).unwrap();
    assert!(matches!(step, Step::Challenge(challenge) if challenge.is_empty()));
    let step = server.handle_response(b"\0user\0pencil").unwrap();
    assert!(matches!(step, Step::Lookup { hash: None, .. }));
}

#[test]
fn plain_is_used_only_when_allowed_and_encrypted() {
    let credentials = Credentials::password("user", "pencil");
    let plain = config().mechanisms([Mechanism::Plain]);
    let (mechanism, _) = log_in(&plain, &tls(), &credentials, &policy().allow_plain(true)).unwrap();
    assert_eq!(mechanism, Mechanism::Plain);
    assert_eq!(
        log_in(&plain, &tls(), &credentials, &policy()),
        Err(Stop::Client(Error::PlainNotAllowed))
    );

    let select = |channel: &Channel, allow: bool| {
        let policy = policy().allow_plain(allow);
        Client::select(["PLAIN"], &credentials, channel, &policy, nonce("unused"))
            .map(|client| client.mechanism())
    };
    assert_eq!(select(&Channel::tls(), true), Ok(Mechanism::Plain));
    assert_eq!(
        select(&Channel::cleartext(), true),
        Err(Error::PlainNeedsEncryption)
    );
    assert_eq!(
        select(&Channel::cleartext(), false),
        Err(Error::PlainNotAllowed)
    );
    assert_eq!(select(&Channel::tls(), false), Err(Error::PlainNotAllowed));
}
