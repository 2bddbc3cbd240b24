//! OAUTHBEARER: the message, the error report, and what neither may hold.

use crate::common::{BEARER_TOKEN, config, nonce, policy, tls};
use xmpp_sasl::{
    BearerError, Channel, Client, Condition, Credentials, Error, Failure, Limits, Mechanism,
    MessageError, Server, Step, wire,
};

fn channel() -> Channel {
    Channel::tls().host("server.example.com").port(143)
}

fn select(credentials: &Credentials, channel: &Channel) -> Result<Client, Error> {
    Client::select(
        ["OAUTHBEARER", "PLAIN"],
        credentials,
        channel,
        &policy(),
        nonce("unused"),
    )
}

/// A client that has sent its message.
fn sent() -> Client {
    let mut client = select(&Credentials::bearer_token(BEARER_TOKEN), &channel()).unwrap();
    client.initial_response().unwrap();
    client
}

fn server() -> Server {
    Server::start(&config(), "OAUTHBEARER", &channel(), nonce("unused")).unwrap()
}

fn received(message: &str) -> Result<(Option<String>, Option<String>), Failure> {
    match server().handle_initial(Some(message.as_bytes()))? {
        Step::Bearer {
            token,
            authorization,
        } => Ok((token.map(|token| token.to_string()), authorization)),
        step => panic!("unexpected step {step:?}"),
    }
}

/// RFC 7628 §4.1, base64 and all.
#[test]
fn the_message_of_rfc_7628_is_written_and_read() {
    let credentials = Credentials::bearer_token(BEARER_TOKEN).authorization("user@example.com");
    let mut client = select(&credentials, &channel()).unwrap();
    assert_eq!(client.mechanism(), Mechanism::OAuthBearer);
    let message = client.initial_response().unwrap();
    assert_eq!(
        wire::encode(&message),
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI\
         HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    );
    let mut server = server();
    let step = server.handle_initial(Some(&message)).unwrap();
    assert!(
        matches!(step, Step::Bearer { token: Some(token), authorization: Some(authorization) }
        if *token == BEARER_TOKEN && authorization == "user@example.com")
    );
    // The token is one user's, the request for another: that is for the application to allow.
    let step = server.handle_bearer(Ok("user")).unwrap();
    assert!(matches!(step, Step::Authorize { user, authorization }
        if user == "user" && authorization == "user@example.com"));
    assert!(!server.is_authenticated());
    let step = server.handle_authorization(true).unwrap();
    assert!(matches!(step, Step::Success { user, data: None, .. } if user == "user"));
    client.handle_success(None).unwrap();
    assert!(client.is_authenticated() && server.is_authenticated());
}

/// RFC 7628 §4.3.
#[test]
fn a_refused_token_ends_in_an_error_report_and_a_failure() {
    let error = BearerError::invalid_token()
        .scope("example_scope")
        .openid_configuration("https://example.com/.well-known/openid-config");
    let mut server = server();
    let mut client = select(&Credentials::bearer_token("expired"), &channel()).unwrap();
    let _ = server
        .handle_initial(client.initial_response().as_deref())
        .unwrap();
    let Step::Challenge(report) = server.handle_bearer(Err(&error)).unwrap() else {
        panic!("no report")
    };
    assert_eq!(
        String::from_utf8(report.clone()).unwrap(),
        "{\"status\":\"invalid_token\",\"scope\":\"example_scope\",\
         \"openid-configuration\":\"https://example.com/.well-known/openid-config\"}"
    );
    let answer = client.handle_challenge(&report).unwrap();
    assert_eq!(answer, b"\x01");
    assert_eq!(client.bearer_error(), Some(&error));
    let failure = server.handle_response(&answer).unwrap_err();
    assert_eq!(failure, Failure::WrongCredentials);
    assert_eq!(failure.condition(), Condition::NotAuthorized);
    // Success after that is a lie, and the report stays at hand.
    assert_eq!(client.handle_success(None), Err(Error::OutOfOrder));
    assert!(!client.is_authenticated() && !server.is_authenticated());
    assert_eq!(client.bearer_error(), Some(&error));
}

#[test]
fn the_answer_to_a_report_is_one_byte() {
    for answer in [
        &b""[..],
        b"\x01\x01",
        b"\0",
        b"n,,\x01auth=Bearer x\x01\x01",
    ] {
        let mut server = server();
        let _ = server
            .handle_initial(Some(b"n,,\x01auth=Bearer x\x01\x01"))
            .unwrap();
        let _ = server
            .handle_bearer(Err(&BearerError::invalid_token()))
            .unwrap();
        let failure = server.handle_response(answer).unwrap_err();
        assert_eq!(failure.condition(), Condition::MalformedRequest);
        assert_eq!(
            server.handle_response(b"\x01").unwrap_err(),
            Failure::OutOfOrder
        );
    }
    let mut server = server();
    let _ = server
        .handle_initial(Some(b"n,,\x01auth=Bearer x\x01\x01"))
        .unwrap();
    let _ = server
        .handle_bearer(Err(&BearerError::invalid_token()))
        .unwrap();
    assert_eq!(server.handle_abort(), Failure::Aborted);
}

#[test]
fn a_client_that_asks_what_is_needed_is_told_and_not_let_in() {
    // RFC 7628 §4.3: an empty authentication.
    let message = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01";
    assert_eq!(
        received(message).unwrap(),
        (None, Some("user@example.com".to_owned()))
    );
    let mut server = server();
    let _ = server.handle_initial(Some(message.as_bytes())).unwrap();
    assert_eq!(
        server.handle_bearer(Ok("user")).unwrap_err(),
        Failure::WrongCredentials
    );
    assert!(!server.is_authenticated());
}

#[test]
fn the_token_goes_over_encrypted_channels_only() {
    let credentials = Credentials::bearer_token(BEARER_TOKEN);
    assert_eq!(
        select(&credentials, &Channel::cleartext()).unwrap_err(),
        Error::NoCommonMechanism
    );
    let offer = config().offer(&Channel::cleartext());
    assert!(!offer.contains(&Mechanism::OAuthBearer));
    let cleartext = Channel::cleartext();
    let failure = Server::start(&config(), "OAUTHBEARER", &cleartext, nonce("s")).unwrap_err();
    assert_eq!(failure, Failure::EncryptionRequired);
    // Nor is it a password.
    let password = Credentials::password("user", "pencil");
    assert_eq!(
        select(&password, &channel()).unwrap_err(),
        Error::PlainNotAllowed
    );
}

#[test]
fn unknown_pairs_are_passed_over_and_host_and_port_compared() {
    let read = |pairs: &str| received(&format!("n,,\x01{pairs}auth=bEaReR t\x01\x01"));
    for pairs in [
        "",
        "mthd=POST\x01path=/\x01post=\x01qs=a=b\x01",
        "host=SERVER.example.com\x01port=143\x01",
        "x= \t\r\n~\x01",
    ] {
        assert_eq!(read(pairs).unwrap().0.as_deref(), Some("t"), "{pairs:?}");
    }
    for pairs in [
        "host=other.example.com\x01",
        "host=\x01",
        "port=5222\x01",
        "port=0143\x01",
        "host=server.example.com\x01port=144\x01",
    ] {
        let failure = read(pairs).unwrap_err();
        assert_eq!(failure, Failure::OtherService, "{pairs:?}");
        assert_eq!(failure.condition(), Condition::NotAuthorized);
    }
    // Where the server does not say what it is, nothing is compared.
    let mut server = Server::start(&config(), "OAUTHBEARER", &tls(), nonce("s")).unwrap();
    let message = b"n,,\x01host=other.example.com\x01auth=Bearer t\x01\x01";
    assert!(server.handle_initial(Some(message)).is_ok());
}

#[test]
fn a_message_that_breaks_the_grammar_is_refused() {
    for message in [
        "",
        "\x01",
        "n,,",
        "n,,\x01",
        "n,,\x01\x01",
        "n,\x01auth=Bearer t\x01\x01",
        "n,user=someuser@example.com,\x01auth=Bearer t\x01\x01",
        "x,,\x01auth=Bearer t\x01\x01",
        "n,,auth=Bearer t\x01\x01",
        "n,,\x01auth=Bearer t\x01",
        "n,,\x01auth=Bearer t",
        "n,,\x01auth=Bearer t\x01\x01\x01",
        "n,,\x01\x01auth=Bearer t\x01\x01",
        "n,,\x01auth=Bearer t\x01\x01x=y\x01\x01",
        "n,,\x01auth=Bearer t\x01auth=Bearer t\x01\x01",
        "n,,\x01host=server.example.com\x01host=server.example.com\x01auth=Bearer t\x01\x01",
        "n,,\x01auth\x01\x01",
        "n,,\x01=x\x01auth=Bearer t\x01\x01",
        "n,,\x01k1=x\x01auth=Bearer t\x01\x01",
        "n,,\x01k=\u{e4}\x01auth=Bearer t\x01\x01",
        "n,,\x01k=\0\x01auth=Bearer t\x01\x01",
        "n,,\x01Auth=Bearer t\x01\x01",
        "n,,\x01auth=Bearer\x01\x01",
        "n,,\x01auth=Bearer \x01\x01",
        "n,,\x01auth=Bearer  t\x01\x01",
        "n,,\x01auth=Bearer t t\x01\x01",
        "n,,\x01auth=Bearer t=t\x01\x01",
        "n,,\x01auth=Bearer =\x01\x01",
        "n,,\x01auth=Basic t\x01\x01",
        "n,,\x01host=server.example.com\x01\x01",
    ] {
        let failure = received(message).unwrap_err();
        assert!(
            matches!(failure, Failure::Message(MessageError::Malformed(_))),
            "{message:?}: {failure:?}"
        );
        assert_eq!(failure.condition(), Condition::MalformedRequest);
    }
    let not_text = server().handle_initial(Some(b"n,,\x01auth=Bearer \xff\x01\x01"));
    assert!(matches!(not_text, Err(Failure::Message(_))));
    assert_eq!(
        received("p=tls-exporter,,\x01auth=Bearer t\x01\x01").unwrap_err(),
        Failure::BindingFlag
    );
    assert!(received("y,,\x01auth=Bearer t\x01\x01").is_ok());
}

#[test]
fn a_token_that_could_break_out_of_the_message_is_not_sent() {
    for token in ["", "=", "a b", "a\x01b", "a,b", "a\u{e4}", "a=b"] {
        let error = select(&Credentials::bearer_token(token), &channel()).unwrap_err();
        assert_eq!(error, Error::BearerToken, "{token:?}");
    }
    let host = Channel::tls().host("a\x01auth=Bearer b");
    let error = select(&Credentials::bearer_token("t"), &host).unwrap_err();
    assert_eq!(error, Error::BearerToken);
}

#[test]
fn error_reports_are_read_defensively() {
    let read = |report: &str| {
        let mut client = sent();
        let answer = client.handle_challenge(report.as_bytes());
        answer.map(|answer| {
            assert_eq!(answer, b"\x01");
            client.bearer_error().unwrap().clone()
        })
    };
    assert_eq!(
        read("{\"status\":\"invalid_token\"}").unwrap(),
        BearerError::invalid_token()
    );
    // Members that nobody knows, of any kind and shape.
    let report = " { \"schemes\" : [ \"bearer\" , {\"a\":[]} , -1.5e+7 , true , null ] ,\r\n\t\
                  \"status\" : \"\\u0069nvalid\\u005ftoken\" , \"scope\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud83d\\ude00\",\
                  \"openid-configuration\":7,\"x\":{} } ";
    let error = read(report).unwrap();
    assert_eq!(error.status(), "invalid_token");
    assert_eq!(error.needed_scope(), Some("\"\\/\u{8}\u{c}\n\r\t\u{1f600}"));
    assert_eq!(error.openid_configuration_url(), None);

    for report in [
        "",
        "{",
        "{}",
        "[]",
        "null",
        "\"status\"",
        "{\"status\":7}",
        "{\"status\":\"x\"",
        "{\"status\":\"x\"}}",
        "{\"status\":\"x\",}",
        "{\"status\":\"x\" \"scope\":\"y\"}",
        "{\"status\" \"x\"}",
        "{status:\"x\"}",
        "{\"status\":\"x}",
        "{\"status\":\"x\",\"status\":\"y\"}",
        "{\"status\":\"a\nb\"}",
        "{\"status\":\"\\x\"}",
        "{\"status\":\"\\u12\"}",
        "{\"status\":\"\\u+123\"}",
        "{\"status\":\"\\ud83d\"}",
        "{\"status\":\"\\ud83d\\u0041\"}",
        "{\"status\":\"\\udc00\"}",
        "{\"status\":\"x\",\"y\":}",
        "{\"status\":\"x\",\"y\":[1,]}",
        "{\"status\":\"x\",\"y\":[}",
    ] {
        assert!(
            matches!(
                read(report),
                Err(Error::Message(
                    MessageError::Malformed(_) | MessageError::TooLong(_)
                ))
            ),
            "{report:?}"
        );
    }
    assert!(matches!(
        sent().handle_challenge(b"{\"status\":\"\xff\"}"),
        Err(Error::Message(_))
    ));
    // What is written is read back, whatever it holds.
    let odd = BearerError::new("a\"b\\c\u{1}\u{e4}\u{1f600}").scope("");
    let mut server = server();
    let _ = server
        .handle_initial(Some(b"n,,\x01auth=Bearer t\x01\x01"))
        .unwrap();
    let Step::Challenge(report) = server.handle_bearer(Err(&odd)).unwrap() else {
        panic!("no report")
    };
    assert_eq!(read(&String::from_utf8(report).unwrap()).unwrap(), odd);
}

#[test]
fn messages_out_of_order_are_refused() {
    let report = b"{\"status\":\"invalid_token\"}";
    let mut client = sent();
    client.handle_challenge(report).unwrap();
    assert_eq!(client.handle_challenge(report), Err(Error::OutOfOrder));

    let mut client = sent();
    client.handle_success(None).unwrap();
    assert_eq!(client.handle_challenge(report), Err(Error::OutOfOrder));

    let mut client = select(&Credentials::bearer_token("t"), &Channel::tls()).unwrap();
    assert_eq!(client.handle_challenge(report), Err(Error::OutOfOrder));
    let mut client = select(&Credentials::bearer_token("t"), &Channel::tls()).unwrap();
    assert_eq!(
        client.handle_challenge(b"").unwrap(),
        b"n,,\x01auth=Bearer t\x01\x01"
    );
    assert_eq!(sent().handle_success(Some(b"data")), Err(Error::OutOfOrder));

    let error = BearerError::invalid_token();
    assert_eq!(
        server().handle_bearer(Err(&error)).unwrap_err(),
        Failure::OutOfOrder
    );
    let mut waiting = server();
    let _ = waiting
        .handle_initial(Some(b"n,,\x01auth=Bearer t\x01\x01"))
        .unwrap();
    assert_eq!(
        waiting.handle_lookup(None).unwrap_err(),
        Failure::OutOfOrder
    );
}

#[test]
fn tokens_pairs_and_members_have_limits() {
    let to_server = |limits: Limits, message: &str| {
        let config = config().limits(limits);
        let mut server = Server::start(&config, "OAUTHBEARER", &channel(), nonce("s")).unwrap();
        server.handle_initial(Some(message.as_bytes())).map(drop)
    };
    let limits = Limits::default();
    let message = "n,,\x01auth=Bearer 12345\x01\x01";
    assert_eq!(to_server(limits.token_bytes(5), message), Ok(()));
    assert_eq!(
        to_server(limits.token_bytes(4), message),
        Err(Failure::Message(MessageError::TooLong("token")))
    );
    let default = format!("n,,\x01auth=Bearer {}\x01\x01", "t".repeat(8193));
    assert_eq!(
        to_server(limits, &default),
        Err(Failure::Message(MessageError::TooLong("token")))
    );
    assert_eq!(
        to_server(limits.message_bytes(message.len()), message),
        Ok(())
    );
    assert_eq!(
        to_server(limits.message_bytes(message.len() - 1), message),
        Err(Failure::Message(MessageError::TooLong("message")))
    );
    let message = "n,,\x01a=\x01b=\x01auth=Bearer t\x01\x01";
    assert_eq!(to_server(limits.extensions(3), message), Ok(()));
    assert_eq!(
        to_server(limits.extensions(2), message),
        Err(Failure::Message(MessageError::TooLong("number of pairs")))
    );
    let message = "n,a=abcde,\x01auth=Bearer t\x01\x01";
    assert_eq!(to_server(limits.name_bytes(5), message), Ok(()));
    assert_eq!(
        to_server(limits.name_bytes(4), message),
        Err(Failure::Message(MessageError::TooLong(
            "authorization identity"
        )))
    );

    let to_client = |limits: Limits, report: &str| {
        let mut client = Client::select(
            ["OAUTHBEARER"],
            &Credentials::bearer_token("t"),
            &channel(),
            &policy().limits(limits),
            nonce("unused"),
        )
        .unwrap();
        client.initial_response().unwrap();
        client.handle_challenge(report.as_bytes()).map(drop)
    };
    let report = "{\"status\":\"x\",\"a\":1,\"b\":[1,2,3,4]}";
    assert_eq!(to_client(limits.extensions(3), report), Ok(()));
    assert_eq!(
        to_client(limits.extensions(2), report),
        Err(Error::Message(MessageError::TooLong("number of members")))
    );
    assert_eq!(
        to_client(limits.message_bytes(report.len() - 1), report),
        Err(Error::Message(MessageError::TooLong("message")))
    );
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"status\":\"x\",\"a\":{open}{close}}}")
    };
    assert_eq!(to_client(limits, &nested(8)), Ok(()));
    for depth in [9, 5000] {
        assert_eq!(
            to_client(limits, &nested(depth)),
            Err(Error::Message(MessageError::TooLong("depth of JSON")))
        );
    }
}
