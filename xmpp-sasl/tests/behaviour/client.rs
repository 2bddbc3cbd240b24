//! What a client sends, and what it refuses from a server.

use crate::common::{account, client, nonce, policy, scram_client, scram_server};
use xmpp_sasl::{
    Blame, Channel, Client, Credentials, DerivedKeys, Error, Hash, Mechanism, MessageError, Policy,
    PrepareError, ServerError, Step,
};

const SALT: &str = "c2FsdA==";

fn challenge(client: &mut Client, text: &str) -> Result<Vec<u8>, Error> {
    client.handle_challenge(text.as_bytes())
}

/// A client that sent its proof, and the server's answer to it.
fn proven() -> (Client, Vec<u8>) {
    let mut client = scram_client();
    let mut server = scram_server();
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let Step::Challenge(first) = server
        .handle_lookup(Some(&account(Hash::Sha256, "pencil")))
        .unwrap()
    else {
        panic!("no challenge")
    };
    let last = client.handle_challenge(&first).unwrap();
    let Step::Success {
        data: Some(data), ..
    } = server.handle_response(&last).unwrap()
    else {
        panic!("no success")
    };
    (client, data)
}

fn malformed(result: Result<Vec<u8>, Error>) -> bool {
    matches!(
        result,
        Err(Error::Message(
            MessageError::Malformed(_) | MessageError::Base64(_)
        ))
    )
}

#[test]
fn the_first_message_waits_for_an_empty_challenge_when_it_was_not_sent() {
    let select = || {
        Client::select(
            ["SCRAM-SHA-256"],
            &Credentials::password("user", "pencil"),
            &Channel::cleartext(),
            &policy(),
            nonce("client"),
        )
        .unwrap()
    };
    assert_eq!(
        select().handle_challenge(b"").unwrap(),
        b"n,,n=user,r=client"
    );
    assert_eq!(
        select().handle_challenge(b"r=clientx,s=c2FsdA==,i=1"),
        Err(Error::OutOfOrder)
    );

    let mut client = select();
    assert!(client.initial_response().is_some());
    assert!(client.initial_response().is_none());
    assert!(malformed(client.handle_challenge(b"")));
}

#[test]
fn commas_and_equals_signs_in_names_are_escaped() {
    let mut client = Client::select(
        ["SCRAM-SHA-1"],
        &Credentials::password("a=b,c", "pencil").authorization("x,y=z"),
        &Channel::cleartext(),
        &policy(),
        nonce("client"),
    )
    .unwrap();
    assert_eq!(
        client.initial_response().unwrap(),
        b"n,a=x=2Cy=3Dz,n=a=3Db=2Cc,r=client"
    );
}

#[test]
fn user_name_and_password_are_prepared_unless_told_otherwise() {
    let first = |credentials: Credentials| {
        Client::select(
            ["SCRAM-SHA-1"],
            &credentials,
            &Channel::cleartext(),
            &policy(),
            nonce("client"),
        )
        .map(|mut client| client.initial_response().unwrap())
    };
    assert_eq!(
        first(Credentials::password("I\u{ad}X", "p")).unwrap(),
        b"n,,n=IX,r=client".to_vec()
    );
    assert_eq!(
        first(Credentials::password("I\u{ad}X", "p").without_preparation()).unwrap(),
        "n,,n=I\u{ad}X,r=client".as_bytes()
    );
    assert_eq!(
        first(Credentials::password("\u{ad}", "p")),
        Err(Error::UserName(PrepareError::Empty))
    );
    assert_eq!(
        first(Credentials::password("user", "a\u{7}")),
        Err(Error::Password(PrepareError::Prohibited))
    );
    assert_eq!(
        first(Credentials::password("user", "")),
        Err(Error::Password(PrepareError::Empty))
    );
    assert_eq!(
        first(Credentials::password("user", "p").authorization("a\0b")),
        Err(Error::AuthorizationIdentity)
    );
    assert_eq!(
        first(Credentials::password("user", "p").authorization("")).unwrap(),
        b"n,,n=user,r=client"
    );
}

#[test]
fn a_nonce_that_does_not_extend_ours_is_refused_before_a_proof_is_sent() {
    for server_first in [
        "r=client,s=c2FsdA==,i=1",
        "r=clien,s=c2FsdA==,i=1",
        "r=Clientx,s=c2FsdA==,i=1",
        "r=xclient,s=c2FsdA==,i=1",
    ] {
        let mut client = scram_client();
        assert_eq!(
            challenge(&mut client, server_first),
            Err(Error::NonceMismatch)
        );
        assert_eq!(
            challenge(&mut client, "r=clientx,s=c2FsdA==,i=1"),
            Err(Error::OutOfOrder)
        );
    }
}

#[test]
fn iterations_that_are_no_positive_number_are_malformed() {
    for iterations in ["0", "-1", "01", "+1", "", "1x", " 1", "0x10", "4096.0"] {
        let mut client = scram_client();
        let message = format!("r=clientx,s={SALT},i={iterations}");
        assert!(malformed(challenge(&mut client, &message)), "{iterations}");
    }
}

#[test]
fn iterations_outside_the_policy_are_refused() {
    let ask = |iterations: &str| {
        let bounds = Policy::default().min_iterations(10).max_iterations(20);
        let (mut client, _) = client(Mechanism::ScramSha256, &Channel::cleartext(), bounds);
        challenge(&mut client, &format!("r=clientx,s={SALT},i={iterations}"))
    };
    let refused = |requested| {
        Err(Error::Iterations {
            requested,
            min: 10,
            max: 20,
        })
    };
    assert_eq!(ask("9"), refused(9));
    assert!(ask("10").is_ok());
    assert!(ask("20").is_ok());
    assert_eq!(ask("21"), refused(21));
    assert_eq!(ask("4294967306"), refused(4_294_967_306)); // 10 in 32 bits
    assert_eq!(ask("99999999999"), refused(99_999_999_999));
    assert_eq!(ask(&"9".repeat(100)), refused(u64::MAX));
}

#[test]
fn the_default_bounds_are_4096_and_600_000_iterations_and_cost_nothing_above() {
    let ask = |iterations: u32| {
        let (mut client, _) = client(
            Mechanism::ScramSha1,
            &Channel::cleartext(),
            Policy::default(),
        );
        let message = format!("r=clientx,s={SALT},i={iterations}");
        // Only what would be derived is looked at, so nothing is hashed here.
        let ahead = client.derivation(message.as_bytes());
        ahead
            .map(|derivation| derivation.unwrap().iterations())
            .map_err(|_| {
                let started = std::time::Instant::now();
                assert!(challenge(&mut client, &message).is_err());
                assert!(started.elapsed() < std::time::Duration::from_millis(50));
            })
    };
    assert_eq!(ask(4095), Err(()));
    assert_eq!(ask(4096), Ok(4096));
    assert_eq!(ask(600_000), Ok(600_000));
    assert_eq!(ask(600_001), Err(()));
    assert_eq!(ask(u32::MAX), Err(()));
}

#[test]
fn a_server_first_message_that_breaks_the_grammar_is_refused() {
    for message in [
        "",
        ",",
        "r",
        "r=",
        "r=clientx",
        "r=clientx,s=c2FsdA==",
        "r=clientx,i=1",
        "s=c2FsdA==,i=1",
        "s=c2FsdA==,r=clientx,i=1",
        "r=clientx,i=1,s=c2FsdA==",
        "R=clientx,s=c2FsdA==,i=1",
        "r=clientx,s=,i=1",
        "r=clientx,s=c2FsdA,i=1",
        "r=clientx,s=c2FsdB==,i=1",
        "r=clientx,s=c2Fs dA==,i=1",
        "r=clientx,s=c2FsdA==\n,i=1",
        "r=clientx,s=_-8=,i=1",
        "r=clientx,s=c2FsdA==,i=1,",
        "r=clientx,,s=c2FsdA==,i=1",
        "r=clientx,s=c2FsdA==,i=1,x",
        "r=clientx,s=c2FsdA==,i=1,x=",
        "r=clientx,s=c2FsdA==,i=1,1=a",
        "r=clientx,s=c2FsdA==,i=1,xy=a",
        "r=clientx,s=c2FsdA==,i=1,i=1",
        "r=clientx,s=c2FsdA==,i=1,r=clientx",
        "r=clientx,r=clientx,s=c2FsdA==,i=1",
        "r=client\u{e4},s=c2FsdA==,i=1",
        "r=client x,s=c2FsdA==,i=1",
        "r=client\u{7f},s=c2FsdA==,i=1",
        "r=clientx,s=c2FsdA==,i=1,x=\0",
        "n,,n=user,r=client",
    ] {
        assert!(
            malformed(challenge(&mut scram_client(), message)),
            "{message:?}"
        );
    }
    assert!(malformed(
        scram_client().handle_challenge(b"r=clientx,s=c2FsdA==,i=1,x=\xff")
    ));
}

#[test]
fn a_mandatory_extension_is_refused_wherever_it_stands() {
    for message in [
        "m=x,r=clientx,s=c2FsdA==,i=1",
        "r=clientx,m=x,s=c2FsdA==,i=1",
        "r=clientx,s=c2FsdA==,m=x,i=1",
        "r=clientx,s=c2FsdA==,i=1,m=x",
        "r=clientx,s=c2FsdA==,i=1,x=y,m=x",
    ] {
        assert_eq!(
            challenge(&mut scram_client(), message),
            Err(Error::Message(MessageError::MandatoryExtension)),
            "{message}"
        );
    }
    let (mut client, data) = proven();
    let data = [&data[..], b",m=x"].concat();
    assert_eq!(
        client.handle_success(Some(&data)),
        Err(Error::Message(MessageError::MandatoryExtension))
    );
}

#[test]
fn unknown_extensions_are_passed_over_but_count_in_the_signatures() {
    let answer = |message: &str| challenge(&mut scram_client(), message).unwrap();
    let bare = answer("r=clientx,s=c2FsdA==,i=1");
    let extended = answer("r=clientx,s=c2FsdA==,i=1,x=y,Z==,k=abc");
    assert_eq!(bare[..19], extended[..19]);
    assert_ne!(bare, extended);
}

#[test]
fn the_server_is_trusted_only_with_its_signature() {
    let (mut client, data) = proven();
    assert!(!client.is_authenticated());
    client.handle_success(Some(&data)).unwrap();
    assert!(client.is_authenticated());
    assert!(client.keys().is_some());

    for data in [None, Some(&b""[..])] {
        let (mut client, _) = proven();
        assert_eq!(client.handle_success(data), Err(Error::NoServerSignature));
        assert!(!client.is_authenticated());
    }

    // Success before the proof was even asked for.
    assert_eq!(
        scram_client().handle_success(None),
        Err(Error::NoServerSignature)
    );
    assert_eq!(
        scram_client().handle_success(Some(&data)),
        Err(Error::NoServerSignature)
    );
}

#[test]
fn the_signature_may_come_as_the_last_challenge() {
    let (mut client, data) = proven();
    assert_eq!(client.handle_challenge(&data).unwrap(), b"");
    assert!(!client.is_authenticated());
    client.handle_success(None).unwrap();
    assert!(client.is_authenticated());

    let (mut client, data) = proven();
    client.handle_challenge(&data).unwrap();
    assert_eq!(client.handle_success(Some(&data)), Err(Error::OutOfOrder));
    assert!(!client.is_authenticated());
}

#[test]
fn a_wrong_server_signature_is_refused_although_the_server_reports_success() {
    let (_, data) = proven();
    for position in 2..data.len() - 1 {
        let mut wrong = data.clone();
        wrong[position] = if wrong[position] == b'A' { b'B' } else { b'A' };
        let (mut client, _) = proven();
        let error = client.handle_success(Some(&wrong)).unwrap_err();
        assert!(matches!(
            error,
            Error::WrongServerSignature | Error::Message(MessageError::Base64(_))
        ));
        assert!(!client.is_authenticated());
        assert_eq!(client.handle_success(Some(&data)), Err(Error::OutOfOrder));

        let (mut client, _) = proven();
        assert!(client.handle_challenge(&wrong).is_err());
    }
    let (mut client, _) = proven();
    assert_eq!(
        client.handle_success(Some(b"v=AAAA")),
        Err(Error::WrongServerSignature)
    );
    for message in ["v=", "v", "x=y", "r=clientx", "v=A"] {
        let (mut client, _) = proven();
        let error = client.handle_success(Some(message.as_bytes())).unwrap_err();
        assert!(matches!(error, Error::Message(_)), "{message}");
    }
}

#[test]
fn an_error_of_the_server_is_named() {
    for (value, error) in [
        ("invalid-encoding", ServerError::InvalidEncoding),
        (
            "extensions-not-supported",
            ServerError::ExtensionsNotSupported,
        ),
        ("invalid-proof", ServerError::InvalidProof),
        (
            "channel-bindings-dont-match",
            ServerError::ChannelBindingsDontMatch,
        ),
        (
            "server-does-support-channel-binding",
            ServerError::ServerDoesSupportChannelBinding,
        ),
        (
            "channel-binding-not-supported",
            ServerError::ChannelBindingNotSupported,
        ),
        (
            "unsupported-channel-binding-type",
            ServerError::UnsupportedChannelBindingType,
        ),
        ("unknown-user", ServerError::UnknownUser),
        (
            "invalid-username-encoding",
            ServerError::InvalidUsernameEncoding,
        ),
        ("no-resources", ServerError::NoResources),
        ("other-error", ServerError::Other("other-error".into())),
        ("new-error", ServerError::Other("new-error".into())),
    ] {
        let (mut client, _) = proven();
        let message = format!("e={value},x=y");
        assert_eq!(
            client.handle_challenge(message.as_bytes()),
            Err(Error::Server(error.clone()))
        );
        assert_eq!(error.value(), value);
        assert_eq!(error.to_string(), value);
    }
}

#[test]
fn messages_out_of_order_are_refused() {
    // The challenge again.
    let mut client = scram_client();
    challenge(&mut client, "r=clientx,s=c2FsdA==,i=1").unwrap();
    assert!(challenge(&mut client, "r=clientx,s=c2FsdA==,i=1").is_err());

    // Anything after the end.
    let (mut client, data) = proven();
    client.handle_success(Some(&data)).unwrap();
    assert_eq!(client.handle_challenge(&data), Err(Error::OutOfOrder));
    let (mut client, data) = proven();
    client.handle_success(Some(&data)).unwrap();
    assert_eq!(client.handle_success(Some(&data)), Err(Error::OutOfOrder));

    // Success before anything.
    let mut client = Client::select(
        ["SCRAM-SHA-1"],
        &Credentials::password("user", "pencil"),
        &Channel::cleartext(),
        &policy(),
        nonce("client"),
    )
    .unwrap();
    assert_eq!(client.handle_success(None), Err(Error::OutOfOrder));
    assert!(client.initial_response().is_none());
}

#[test]
fn keys_from_one_login_serve_the_next_until_salt_or_iterations_change() {
    let keys = DerivedKeys::derive(Hash::Sha256, "pencil", b"salt", 3).unwrap();
    let with_keys = |credentials: Credentials| {
        let mut client = Client::select(
            ["SCRAM-SHA-256", "SCRAM-SHA-1"],
            &credentials,
            &Channel::cleartext(),
            &policy(),
            nonce("client"),
        )
        .unwrap();
        client.initial_response().unwrap();
        client
    };
    let fitting = "r=clientx,s=c2FsdA==,i=3";
    let expected = challenge(
        &mut with_keys(Credentials::password("user", "pencil")),
        fitting,
    );
    assert!(expected.is_ok());

    let mut only_keys = with_keys(Credentials::keys("user", keys.clone()));
    assert!(only_keys.derivation(fitting.as_bytes()).unwrap().is_none());
    assert_eq!(challenge(&mut only_keys, fitting), expected);

    let mut cached = with_keys(Credentials::password("user", "pencil").cached(keys.clone()));
    assert!(cached.derivation(fitting.as_bytes()).unwrap().is_none());
    assert_eq!(challenge(&mut cached, fitting), expected);

    for changed in ["r=clientx,s=c2FsdA==,i=4", "r=clientx,s=U2FsdA==,i=3"] {
        let mut only_keys = with_keys(Credentials::keys("user", keys.clone()));
        assert_eq!(challenge(&mut only_keys, changed), Err(Error::KeysDoNotFit));
        let mut cached = with_keys(Credentials::password("user", "pencil").cached(keys.clone()));
        assert!(cached.derivation(changed.as_bytes()).unwrap().is_some());
        assert!(challenge(&mut cached, changed).is_ok());
    }
}

#[test]
fn keys_can_be_derived_elsewhere() {
    let message = "r=clientx,s=c2FsdA==,i=3";
    let mut inline = scram_client();
    let expected = challenge(&mut inline, message).unwrap();

    let mut client = scram_client();
    let derivation = client.derivation(message.as_bytes()).unwrap().unwrap();
    let keys = std::thread::spawn(move || derivation.run()).join().unwrap();
    client.handle_keys(keys);
    assert!(client.derivation(message.as_bytes()).unwrap().is_none());
    assert_eq!(challenge(&mut client, message).unwrap(), expected);

    let derivation = scram_client()
        .derivation(message.as_bytes())
        .unwrap()
        .unwrap();
    assert!(derivation.run_while(|| true).is_some());
    let long = b"r=clientx,s=c2FsdA==,i=600000";
    let derivation = scram_client().derivation(long).unwrap().unwrap();
    assert!(derivation.run_while(|| false).is_none());
}

#[test]
fn errors_tell_who_is_to_blame() {
    assert_eq!(Error::WrongServerSignature.blame(), Blame::Peer);
    assert_eq!(Error::NonceMismatch.blame(), Blame::Peer);
    assert_eq!(Error::Password(PrepareError::Empty).blame(), Blame::Caller);
    assert_eq!(Error::PlainNotAllowed.blame(), Blame::Caller);
    assert_eq!(Error::KeysDoNotFit.blame(), Blame::Caller);
}
