//! Every limit, at it and one over it.

use crate::common::{account, client, config, nonce, policy, tls};
use xmpp_sasl::{
    Channel, Condition, Error, Failure, Hash, Limits, Mechanism, MessageError, Server, Step, wire,
};

fn to_server(mechanism: &str, limits: Limits, message: &str) -> Result<Step, Failure> {
    let config = config()
        .mechanisms(Mechanism::ALL.iter().copied())
        .limits(limits);
    let mut server = Server::start(&config, mechanism, &tls(), nonce("server")).unwrap();
    server.handle_initial(Some(message.as_bytes()))
}

fn to_client(limits: Limits, message: &str) -> Result<Vec<u8>, Error> {
    let policy = policy().limits(limits);
    let (mut client, _) = client(Mechanism::ScramSha256, &Channel::cleartext(), policy);
    client.handle_challenge(message.as_bytes())
}

fn is_too_long(result: Result<Step, Failure>, what: &str) -> bool {
    let failure = result.unwrap_err();
    assert_eq!(failure.condition(), Condition::MalformedRequest);
    failure
        == Failure::Message(MessageError::TooLong(match what {
            "message" => "message",
            "user name" => "user name",
            "authorization identity" => "authorization identity",
            "password" => "password",
            "nonce" => "nonce",
            other => panic!("{other}"),
        }))
}

#[test]
fn a_message_over_its_limit_is_refused() {
    let message = "n,,n=user,r=client";
    let limits = Limits::default();
    assert!(to_server("SCRAM-SHA-1", limits.message_bytes(18), message).is_ok());
    assert!(is_too_long(
        to_server("SCRAM-SHA-1", limits.message_bytes(17), message),
        "message"
    ));

    let message = "\0user\0pencil";
    assert!(to_server("PLAIN", limits.message_bytes(12), message).is_ok());
    assert!(is_too_long(
        to_server("PLAIN", limits.message_bytes(11), message),
        "message"
    ));

    let message = "r=clientx,s=c2FsdA==,i=1";
    assert!(to_client(limits.message_bytes(24), message).is_ok());
    assert_eq!(
        to_client(limits.message_bytes(23), message),
        Err(Error::Message(MessageError::TooLong("message")))
    );

    let default = format!("n,,n=user,r=client,x={}", "y".repeat(16_384));
    assert!(is_too_long(
        to_server("SCRAM-SHA-1", limits, &default),
        "message"
    ));
}

#[test]
fn an_oversized_last_message_is_refused() {
    let config = config().mechanisms([Mechanism::ScramSha256]);
    let channel = Channel::cleartext();
    let mut server = Server::start(&config, "SCRAM-SHA-256", &channel, nonce("server")).unwrap();
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let _ = server
        .handle_lookup(Some(&account(Hash::Sha256, "pencil")))
        .unwrap();
    let failure = server.handle_response(&[b'x'; 16_385]).unwrap_err();
    assert_eq!(failure, Failure::Message(MessageError::TooLong("message")));

    let (mut client, _) = client(Mechanism::ScramSha256, &channel, policy());
    client
        .handle_challenge(b"r=clientx,s=c2FsdA==,i=1")
        .unwrap();
    assert_eq!(
        client.handle_success(Some(&[b'x'; 16_385])),
        Err(Error::Message(MessageError::TooLong("message")))
    );
}

#[test]
fn a_name_over_its_limit_is_refused() {
    let limits = Limits::default().name_bytes(4);
    // Escapes count as what they stand for.
    for user in ["user", "u=2C=3Dr"] {
        let message = format!("n,,n={user},r=client");
        assert!(to_server("SCRAM-SHA-1", limits, &message).is_ok());
    }
    let message = "n,,n=users,r=client";
    assert!(is_too_long(
        to_server("SCRAM-SHA-1", limits, message),
        "user name"
    ));
    let message = "n,a=users,n=user,r=client";
    assert!(is_too_long(
        to_server("SCRAM-SHA-1", limits, message),
        "authorization identity"
    ));
    assert!(to_server("PLAIN", limits, "boss\0user\0pencil").is_ok());
    assert!(is_too_long(
        to_server("PLAIN", limits, "\0users\0pencil"),
        "user name"
    ));
    let message = "users\0user\0pencil";
    assert!(is_too_long(
        to_server("PLAIN", limits, message),
        "authorization identity"
    ));

    let longest = "x".repeat(3071);
    let message = format!("n,a={longest},n={longest},r=client");
    assert!(to_server("SCRAM-SHA-1", Limits::default(), &message).is_ok());
    let message = format!("n,,n={longest}x,r=client");
    assert!(is_too_long(
        to_server("SCRAM-SHA-1", Limits::default(), &message),
        "user name"
    ));
}

#[test]
fn a_password_over_its_limit_is_refused() {
    let limits = Limits::default().password_bytes(6);
    assert!(to_server("PLAIN", limits, "\0user\0pencil").is_ok());
    assert!(is_too_long(
        to_server("PLAIN", limits, "\0user\0pencils"),
        "password"
    ));
    let message = format!("\0user\0{}", "x".repeat(1025));
    assert!(is_too_long(
        to_server("PLAIN", Limits::default(), &message),
        "password"
    ));
}

#[test]
fn a_nonce_over_its_limit_is_refused() {
    let limits = Limits::default().nonce_bytes(7);
    assert!(to_server("SCRAM-SHA-1", limits, "n,,n=user,r=client7").is_ok());
    assert!(is_too_long(
        to_server("SCRAM-SHA-1", limits, "n,,n=user,r=client78"),
        "nonce"
    ));
    assert!(to_client(limits, "r=clientx,s=c2FsdA==,i=1").is_ok());
    assert_eq!(
        to_client(limits, "r=clientxy,s=c2FsdA==,i=1"),
        Err(Error::Message(MessageError::TooLong("nonce")))
    );
    let message = format!("n,,n=user,r={}", "x".repeat(513));
    assert!(is_too_long(
        to_server("SCRAM-SHA-1", Limits::default(), &message),
        "nonce"
    ));
}

#[test]
fn a_salt_over_its_limit_is_refused() {
    let ask = |limits, bytes: usize| {
        to_client(
            limits,
            &format!("r=clientx,s={},i=1", wire::encode(&vec![1; bytes])),
        )
    };
    let refused = Err(Error::Message(MessageError::TooLong("salt")));
    for limit in [1, 2, 3, 4, 16] {
        let limits = Limits::default().salt_bytes(limit);
        assert!(ask(limits, limit).is_ok());
        assert_eq!(ask(limits, limit + 1), refused);
        assert_eq!(ask(limits, limit + 1000), refused);
    }
    assert!(ask(Limits::default(), 512).is_ok());
    assert_eq!(ask(Limits::default(), 513), refused);
}

#[test]
fn extensions_over_their_limit_are_refused() {
    let limits = Limits::default().extensions(2);
    let refused = MessageError::TooLong("number of extensions");
    assert!(to_server("SCRAM-SHA-1", limits, "n,,n=user,r=client,x=1,y=2").is_ok());
    assert_eq!(
        to_server("SCRAM-SHA-1", limits, "n,,n=user,r=client,x=1,y=2,z=3").unwrap_err(),
        Failure::Message(refused)
    );
    assert!(to_client(limits, "r=clientx,s=c2FsdA==,i=1,x=1,y=2").is_ok());
    assert_eq!(
        to_client(limits, "r=clientx,s=c2FsdA==,i=1,x=1,y=2,z=3"),
        Err(Error::Message(refused))
    );
    let message = format!("n,,n=user,r=client{}", ",x=1".repeat(17));
    assert_eq!(
        to_server("SCRAM-SHA-1", Limits::default(), &message).unwrap_err(),
        Failure::Message(refused)
    );
}
