//! What goes wrong on a stream: each fault ends in a typed error, and the peer is told what RFC 6120 says.

use std::time::Duration;

use crate::support::{
    HEADER, Pair, RESPONSE, Side, client_config, jid, password_config, plain_policy, plain_server,
    server_config,
};
use xmpp_core::error::{StanzaCondition, StanzaError, StreamCondition};
use xmpp_core::stream::{
    Blame, CredentialsAnswer, Encryption, Error, Event, FeatureKind, Misuse, State,
};
use xmpp_sasl::{Condition, wire};
use xmpp_xml::Limits;

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const TLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

fn features(list: &str) -> String {
    format!("<stream:features>{list}</stream:features>")
}

fn mechanisms(names: &[&str]) -> String {
    let names: String = names
        .iter()
        .map(|name| format!("<mechanism>{name}</mechanism>"))
        .collect();
    format!("<mechanisms xmlns='{SASL}'>{names}</mechanisms>")
}

fn auth(mechanism: &str, text: &str) -> String {
    format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{text}</auth>")
}

fn plain(user: &str, password: &str) -> String {
    auth(
        "PLAIN",
        &wire::encode(format!("\0{user}\0{password}").as_bytes()),
    )
}

// --- what the user of a client has to be told apart

#[test]
fn a_wrong_password_is_refused() {
    let mut pair = Pair::new(password_config("juliet", "wrong"), server_config());
    pair.run();
    let Error::Authentication(failure) = pair.client.failure() else {
        panic!("{}", pair.client.failure())
    };
    assert_eq!(failure.condition, Condition::NotAuthorized);
    assert_eq!(pair.client.failure().blame(), Blame::Caller);
    assert!(pair.client.said.ends_with("</stream:stream>"));
    assert!(!pair.server.stream.is_established());
    assert!(
        pair.server
            .said
            .contains("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-au")
    );
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password() {
    let mut known = Pair::new(password_config("juliet", "wrong"), server_config());
    let mut unknown = Pair::new(password_config("nobody", "wrong"), server_config());
    known.run();
    unknown.run();
    assert_eq!(known.client.failure(), unknown.client.failure());
    let shape = |pair: &Pair| {
        let after = pair.server.said.split("<challenge").nth(1).unwrap();
        (
            after.len(),
            after.split("</challenge>").nth(1).unwrap().to_owned(),
        )
    };
    assert_eq!(shape(&known), shape(&unknown));
}

#[test]
fn a_user_name_that_no_account_can_have_looks_like_a_wrong_password() {
    let mut server = Side::secured_server(plain_server());
    let said = server.hear(&plain("a b", "wrong"));
    assert!(said.contains("<not-authorized/>"), "{said}");
    assert!(
        !server
            .events
            .iter()
            .any(|event| matches!(event, Event::Lookup { .. }))
    );
}

#[test]
fn an_unknown_host_is_told_from_a_wrong_password() {
    let server = server_config();
    let elsewhere = xmpp_sasl::Credentials::password("juliet", "x");
    let client = xmpp_core::stream::InitiatorConfig::new(jid("juliet@example.net"), elsewhere);
    let mut pair = Pair::new(client, server);
    pair.run();
    let Error::Refused(error) = pair.client.failure() else {
        panic!("{}", pair.client.failure())
    };
    assert_eq!(error.condition, StreamCondition::HostUnknown);
    assert_eq!(pair.server.violation(), StreamCondition::HostUnknown);
    // The header comes all the same, from a domain that is served.
    assert!(
        pair.server
            .said
            .contains("<stream:stream xmlns='jabber:client'")
    );
    assert!(pair.server.said.contains(" from='example.com'"));
    assert!(pair.client.said.ends_with("</stream:stream>"));
}

#[test]
fn a_server_without_tls_gets_nothing_more() {
    let open = server_config().encryption(Encryption::None);
    let mut pair = Pair::new(client_config(), open);
    pair.run();
    assert_eq!(
        *pair.client.failure(),
        Error::NotOffered(FeatureKind::StartTls)
    );
    assert!(!pair.client.said.contains("<auth"));
    assert!(pair.client.said.ends_with("</stream:stream>"));
    assert_eq!(pair.client.failure().told(), None);
}

#[test]
fn a_server_that_refuses_tls_gets_nothing_more() {
    let mut client = Side::client(client_config());
    client.hear(RESPONSE);
    assert_eq!(client.hear(&features(TLS)), TLS);
    client.hear("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(*client.failure(), Error::TlsRefused);
}

#[test]
fn no_common_mechanism_tells_what_was_offered() {
    let offer = mechanisms(&["PLAIN", "X-OTHER"]);
    let client = Side::secured_client(client_config(), &offer);
    let Error::NoCommonMechanism { offered, .. } = client.failure() else {
        panic!("{}", client.failure())
    };
    assert_eq!(offered, &["PLAIN", "X-OTHER"]);
    assert!(!client.said.contains("<auth"));
    assert!(client.failure().to_string().contains("X-OTHER"));
}

#[test]
fn plain_is_not_taken_unless_it_is_allowed() {
    let client = Side::secured_client(password_config("juliet", "x"), &mechanisms(&["PLAIN"]));
    assert!(matches!(client.failure(), Error::NoCommonMechanism { .. }));
    assert_eq!(client.failure().blame(), Blame::Caller);
}

#[test]
fn a_bind_conflict_is_told_from_other_errors() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.server.binder = |_| Err(StanzaError::new(StanzaCondition::Conflict));
    pair.run();
    let Error::Bind(error) = pair.client.failure() else {
        panic!("{}", pair.client.failure())
    };
    assert_eq!(error.condition, StanzaCondition::Conflict);
}

#[test]
fn a_policy_violation_is_told_by_its_condition() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    let reason = xmpp_core::error::StreamError::new(StreamCondition::PolicyViolation)
        .with_text("too many messages");
    pair.server.stream.fail(reason.clone());
    pair.run();
    let Error::Refused(error) = pair.client.failure() else {
        panic!("{}", pair.client.failure())
    };
    assert_eq!(error.condition, StreamCondition::PolicyViolation);
    assert_eq!(error.text.as_deref(), Some("too many messages"));
    assert_eq!(*pair.server.failure(), Error::Failed(reason));
    assert!(pair.client.said.ends_with("</stream:stream>"));
}

#[test]
fn an_impostor_without_the_accounts_keys_is_found_out() {
    let mut client = Side::client(client_config().encryption(Encryption::Direct));
    let mut server = Side::server(server_config().encryption(Encryption::Direct));
    for side in [&mut client, &mut server] {
        side.secure();
    }
    let hello = client.said.clone();
    let mut said = server.hear(&hello);
    for _ in 0..2 {
        let answer = client.hear(&said);
        said = server.hear(&answer);
    }
    assert!(said.contains("<success"));
    let forged = wire::encode(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    for success in [
        format!(">{forged}</success>"),
        "/>".into(),
        ">=</success>".into(),
    ] {
        let mut client = replay(&client_config(), &server);
        client.hear(&format!("<success xmlns='{SASL}'{success}"));
        assert!(
            matches!(client.failure(), Error::Sasl(_)),
            "{}",
            client.failure()
        );
        assert!(!client.stream.is_established());
    }
}

/// A client that has heard what that server said up to its success.
fn replay(config: &xmpp_core::stream::InitiatorConfig, server: &Side) -> Side {
    let mut client = Side::client(config.clone().encryption(Encryption::Direct));
    client.secure();
    let before = server.said.split("<success").next().unwrap();
    client.hear(before);
    assert!(!client.is_over(), "{:?}", client.events);
    client
}

// --- STARTTLS

#[test]
fn what_is_injected_behind_starttls_is_never_taken() {
    let mut server = Side::server(server_config());
    server.hear(HEADER);
    let said = server.hear(&format!(
        "{TLS}{}",
        plain("juliet", crate::support::PASSWORD)
    ));
    assert!(!said.contains("<proceed"), "{said}");
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn what_is_injected_behind_proceed_is_never_taken() {
    let proceed = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let mut client = Side::client(client_config());
    client.hear(RESPONSE);
    client.hear(&features(TLS));
    client.hear(&format!("{proceed}{RESPONSE}"));
    assert_eq!(client.violation(), StreamCondition::PolicyViolation);
    assert!(!client.wants_tls);
}

#[test]
fn what_comes_in_the_clear_while_tls_begins_is_dropped() {
    let mut server = Side::server(server_config());
    server.hear(HEADER);
    server.hear(TLS);
    assert_eq!(server.hear(HEADER), "");
    server.secure();
    assert_eq!(server.hear("<auth"), "", "a header comes first");
    assert!(server.hear(" x='y'/>").contains("invalid-namespace"));
}

#[test]
fn starttls_where_it_is_not_offered_is_a_failure() {
    for config in [Encryption::None, Encryption::Direct] {
        let mut server = Side::server(server_config().encryption(config));
        if config == Encryption::Direct {
            server.secure();
        }
        server.hear(HEADER);
        let said = server.hear(TLS);
        let failure = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>";
        assert_eq!(said, failure);
        assert_eq!(*server.failure(), Error::TlsRefused);
    }
}

#[test]
fn a_malformed_tls_command_is_a_failure() {
    let mut server = Side::server(server_config());
    server.hear(HEADER);
    let said = server.hear("<stoptls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(said.contains("<failure"), "{said}");
    assert_eq!(*server.failure(), Error::TlsRefused);
}

#[test]
fn anything_but_proceed_and_failure_breaks_the_protocol() {
    let mut client = Side::client(client_config());
    client.hear(RESPONSE);
    client.hear(&features(TLS));
    client.hear(&features(&mechanisms(&["PLAIN"])));
    assert_eq!(client.violation(), StreamCondition::BadFormat);
}

#[test]
fn when_tls_fails_nothing_more_is_said() {
    let mut server = Side::server(server_config());
    server.hear(HEADER);
    let before = server.hear(TLS);
    assert!(before.ends_with("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
    server.stream.handle_disconnected(server.now);
    let said = server.said.len();
    server.drain();
    assert_eq!(*server.failure(), Error::Disconnected(State::Handshake));
    assert_eq!(server.said.len(), said);
    assert_eq!(server.failure().blame(), Blame::Network);
}

// --- headers and XML

#[test]
fn wrong_headers_are_answered_inside_a_header() {
    use StreamCondition::{
        BadFormat, HostUnknown, InvalidFrom, InvalidNamespace, UnsupportedVersion,
    };
    let cases = [
        (
            HEADER.replace("http://etherx.jabber.org/streams", "urn:x"),
            InvalidNamespace,
        ),
        (HEADER.replace("<stream:stream", "<stream:steam"), BadFormat),
        (
            HEADER.replace("jabber:client", "jabber:server"),
            InvalidNamespace,
        ),
        (
            HEADER.replace("xmlns='j", "xmlns:x='urn:x' xmlns='j"),
            InvalidNamespace,
        ),
        (HEADER.replace(" version='1.0'", ""), UnsupportedVersion),
        (HEADER.replace("1.0", "0.9"), UnsupportedVersion),
        (HEADER.replace("1.0", "one"), UnsupportedVersion),
        (HEADER.replace("1.0", "+1.0"), UnsupportedVersion),
        (HEADER.replace(" to='example.com'", ""), HostUnknown),
        (HEADER.replace("example.com", "example.net"), HostUnknown),
        (HEADER.replace("example.com", "exa mple"), HostUnknown),
        (HEADER.replace("to=", "from='@' to="), InvalidFrom),
    ];
    for (header, condition) in cases {
        let mut server = Side::server(server_config());
        let said = server.hear(&header);
        assert!(
            said.starts_with("<?xml version='1.0'?><stream:stream "),
            "{header}: {said}"
        );
        assert!(said.contains(" from='example.com'"), "{said}");
        assert!(!said.contains("<stream:features"));
        assert_eq!(server.violation(), condition, "{header}");
        assert_eq!(server.failure().blame(), Blame::Peer);
    }
}

#[test]
fn a_client_refuses_wrong_headers_too() {
    use StreamCondition::{InvalidNamespace, UnsupportedVersion};
    let cases = [
        (
            RESPONSE.replace("http://etherx.jabber.org/streams", "urn:x"),
            InvalidNamespace,
        ),
        (
            RESPONSE.replace("jabber:client", "jabber:server"),
            InvalidNamespace,
        ),
        (
            RESPONSE.replacen(" version='1.0' ", " ", 2),
            UnsupportedVersion,
        ),
    ];
    for (header, condition) in cases {
        let mut client = Side::client(client_config());
        client.hear(&header);
        assert_eq!(client.violation(), condition, "{header}");
    }
}

#[test]
fn what_is_not_well_formed_is_told_its_condition_at_any_time() {
    use StreamCondition::{BadFormat, NotWellFormed, RestrictedXml, UnsupportedEncoding};
    let cases: [(&[u8], StreamCondition); 6] = [
        (b"<message><body></message>", NotWellFormed),
        (b"<message><!-- x --></message>", RestrictedXml),
        (b"<message>&x;</message>", RestrictedXml),
        (b"<message>\xFF</message>", UnsupportedEncoding),
        (b"x", BadFormat),
        (b"</stream:steam>", NotWellFormed),
    ];
    for (bytes, condition) in cases {
        let mut fresh = Side::server(server_config());
        fresh.hear(HEADER);
        let mut established = Side::established_server(server_config());
        for server in [&mut fresh, &mut established] {
            server.hear_bytes(bytes);
            assert!(
                matches!(server.failure(), Error::Xml(_)),
                "{}",
                server.failure()
            );
            assert_eq!(server.violation(), condition);
            assert!(server.stanzas.is_empty());
            // It is over: whatever comes is swallowed.
            assert_eq!(server.hear("<message/>"), "");
            assert!(server.stanzas.is_empty());
        }
    }
    // Before our header was sent it is sent for the error.
    let mut server = Side::server(server_config());
    server.hear("hello");
    assert_eq!(server.violation(), NotWellFormed);
    assert_eq!(server.said.matches("<stream:stream").count(), 1);
}

#[test]
fn another_encoding_is_refused() {
    let mut server = Side::server(server_config());
    server.hear(&format!(
        "<?xml version='1.0' encoding='ISO-8859-1'?>{HEADER}"
    ));
    assert_eq!(server.violation(), StreamCondition::UnsupportedEncoding);
}

#[test]
fn a_stanza_over_the_limit_ends_the_stream() {
    let limits = Limits::new().stanza_bytes(10_000);
    let mut server = Side::established_server(server_config().limits(limits));
    let fitting = format!("<message><body>{}</body></message>", "x".repeat(9_000));
    server.hear(&fitting);
    assert_eq!(server.stanzas.len(), 1);
    server.hear(&format!(
        "<message><body>{}</body></message>",
        "x".repeat(10_000)
    ));
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
    assert_eq!(server.stanzas.len(), 1);

    let limits = Limits::new().stanza_bytes(10_000);
    let mut client = Side::established_client(client_config().limits(limits));
    client.hear(&format!("<message><body>{}", "x".repeat(10_000)));
    assert_eq!(client.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn an_element_without_a_place_ends_the_stream() {
    for element in [
        "<foo xmlns='urn:x'/>",
        "<message xmlns='jabber:server'/>",
        "<msg/>",
        "<stream:features/>",
        "<features xmlns='urn:x'/>",
    ] {
        let mut server = Side::established_server(server_config());
        server.hear(element);
        assert_eq!(
            server.violation(),
            StreamCondition::UnsupportedStanzaType,
            "{element}"
        );
        assert!(server.stanzas.is_empty());
    }
}

// --- before the stream is established

#[test]
fn stanzas_before_completion_end_the_stream_unseen() {
    let message = "<message to='romeo@example.com'><body>hi</body></message>";
    let mut fresh = Side::server(server_config());
    fresh.hear(HEADER);
    let secured = Side::secured_server(server_config());
    let mut authenticated = Side::secured_server(plain_server());
    authenticated.hear(&plain("juliet", crate::support::PASSWORD));
    authenticated.hear(HEADER);
    for mut server in [fresh, secured, authenticated] {
        assert_eq!(server.stream.send(|_| {}), Err(Misuse::NotEstablished));
        server.hear(message);
        assert_eq!(server.violation(), StreamCondition::NotAuthorized);
        assert!(server.stanzas.is_empty());
    }
}

#[test]
fn binding_before_authentication_ends_the_stream() {
    let mut server = Side::secured_server(server_config());
    server.hear("<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    assert_eq!(server.violation(), StreamCondition::NotAuthorized);
}

#[test]
fn authentication_before_tls_is_refused_without_a_look() {
    let mut server = Side::server(server_config());
    server.hear(HEADER);
    let said = server.hear(&plain("juliet", crate::support::PASSWORD));
    assert_eq!(
        said,
        format!("<failure xmlns='{SASL}'><encryption-required/></failure>")
    );
    assert!(server.events.is_empty());
}

#[test]
fn authenticating_twice_ends_the_stream() {
    let mut server = Side::secured_server(plain_server());
    server.hear(&plain("juliet", crate::support::PASSWORD));
    let said = server.hear(HEADER);
    assert!(!said.contains("<mechanisms"), "{said}");
    server.hear(&plain("juliet", crate::support::PASSWORD));
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn a_demanded_feature_that_is_unknown_ends_the_stream() {
    let unknown = "<x xmlns='urn:x'><required/></x>";
    let client = Side::secured_client(client_config(), unknown);
    let expected = Error::UnknownFeature {
        name: "x".into(),
        namespace: "urn:x".into(),
    };
    assert_eq!(*client.failure(), expected);
    assert_eq!(client.violation(), StreamCondition::UnsupportedFeature);
    // Beside one that is known, that one comes first.
    let known = format!("{unknown}{}", mechanisms(&["SCRAM-SHA-256"]));
    let client = Side::secured_client(client_config(), &known);
    assert!(client.said.contains("<auth"));
}

#[test]
fn missing_features_are_named() {
    let client = Side::secured_client(client_config(), "");
    assert_eq!(*client.failure(), Error::NotOffered(FeatureKind::Sasl));
    let config = password_config("juliet", "x").policy(plain_policy());
    let mut client = Side::secured_client(config, &mechanisms(&["PLAIN"]));
    client.hear(&format!("<success xmlns='{SASL}'/>"));
    client.hear(RESPONSE);
    client.hear(&features(""));
    assert_eq!(*client.failure(), Error::NotOffered(FeatureKind::Bind));
}

// --- SASL on the wire

#[test]
fn each_way_to_get_authentication_wrong_has_its_condition() {
    let cases = [
        (auth("", ""), "invalid-mechanism"),
        (format!("<auth xmlns='{SASL}'/>"), "invalid-mechanism"),
        (auth("SCRAM-SHA-1", "="), "invalid-mechanism"),
        (auth("PLAIN", "!!!!"), "incorrect-encoding"),
        (auth("PLAIN", "AGp1bGll dABy"), "incorrect-encoding"),
        (auth("PLAIN", "AGp1bGlldAByMG0="), "not-authorized"),
        (auth("PLAIN", "AGp1bGlldAByMG1="), "incorrect-encoding"),
        (auth("PLAIN", "="), "malformed-request"),
        (auth("PLAIN", &wire::encode(b"no nul")), "malformed-request"),
        (format!("<response xmlns='{SASL}'/>"), "malformed-request"),
        (format!("<abort xmlns='{SASL}'/>"), "aborted"),
        (
            auth(
                "PLAIN",
                &wire::encode(b"romeo@example.com\0juliet\0r0m30myr0m30"),
            ),
            "invalid-authzid",
        ),
    ];
    for (element, condition) in cases {
        let mut server = Side::secured_server(plain_server());
        let said = server.hear(&element);
        let failure = format!("<failure xmlns='{SASL}'><{condition}/></failure>");
        assert_eq!(said, failure, "{element}");
        assert!(!server.is_over());
    }
}

#[test]
fn acting_as_oneself_is_permitted() {
    let mut server = Side::secured_server(plain_server());
    let said = server.hear(&auth(
        "PLAIN",
        &wire::encode(b"juliet@example.com\0juliet\0r0m30myr0m30"),
    ));
    assert!(said.contains("<success"), "{said}");
}

#[test]
fn an_empty_challenge_asks_for_the_response_that_did_not_come() {
    let mut server = Side::secured_server(plain_server());
    assert_eq!(
        server.hear(&auth("PLAIN", "")),
        format!("<challenge xmlns='{SASL}'/>")
    );
    let data = wire::encode(format!("\0juliet\0{}", crate::support::PASSWORD).as_bytes());
    let said = server.hear(&format!("<response xmlns='{SASL}'>{data}</response>"));
    assert!(said.contains("<success"), "{said}");
}

#[test]
fn the_application_may_refuse_with_a_condition() {
    for condition in [
        Condition::AccountDisabled,
        Condition::CredentialsExpired,
        Condition::TemporaryAuthFailure,
        Condition::MechanismTooWeak,
    ] {
        let mut server = Side::secured_server(plain_server());
        server.answers = false;
        server.hear(&plain("juliet", "x"));
        let Some(Event::Lookup { ticket, .. }) = server.events.pop() else {
            panic!()
        };
        let answer = CredentialsAnswer::Refused(condition);
        server
            .stream
            .handle_credentials(ticket, answer, server.now)
            .unwrap();
        server.drain();
        assert!(
            server
                .said
                .contains(&format!("<{}/></failure>", condition.name()))
        );
    }
}

#[test]
fn a_new_beginning_ends_the_exchange_that_was_under_way() {
    let mut server = Side::secured_server(server_config());
    let first = wire::encode(b"y,,n=juliet,r=abcdefgh");
    let bound = wire::encode(b"n,,n=juliet,r=ijklmnop");
    // The client that says it saw no channel binding is told, since it was offered.
    let said = server.hear(&auth("SCRAM-SHA-256", &first));
    assert!(said.contains("<failure"), "{said}");
    let said = server.hear(&auth("SCRAM-SHA-256", &bound));
    assert!(said.contains("<challenge"), "{said}");
    let said = server.hear(&auth("SCRAM-SHA-256", &bound));
    assert!(said.contains("<challenge"), "{said}");
    assert!(!server.is_over());
}

#[test]
fn after_some_failures_the_stream_is_closed() {
    let mut server = Side::secured_server(plain_server().authentication_attempts(2));
    server.hear(&plain("juliet", "wrong"));
    assert!(!server.is_over());
    let said = server.hear(&plain("juliet", "wrong"));
    assert!(
        said.contains("<not-authorized/></failure><stream:error>"),
        "{said}"
    );
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn failure_conditions_are_read_and_unknown_ones_are_not_authorized() {
    let cases = [
        ("account-disabled", Condition::AccountDisabled),
        ("credentials-expired", Condition::CredentialsExpired),
        ("temporary-auth-failure", Condition::TemporaryAuthFailure),
        ("mechanism-too-weak", Condition::MechanismTooWeak),
        ("bad-auth", Condition::NotAuthorized),
        ("something-new", Condition::NotAuthorized),
    ];
    for (name, condition) in cases {
        let mut client = Side::secured_client(client_config(), &mechanisms(&["SCRAM-SHA-256"]));
        client.hear(&format!(
            "<failure xmlns='{SASL}'><{name}/><text xml:lang='en'>sorry</text></failure>"
        ));
        let Error::Authentication(failure) = client.failure() else {
            panic!()
        };
        assert_eq!(failure.condition, condition);
        assert_eq!(failure.text.as_deref(), Some("sorry"));
    }
}

#[test]
fn a_client_breaks_off_when_the_server_makes_no_sense() {
    for challenge in [
        "!!!!",
        "=",
        &wire::encode(b"r=other,s=QSXCR+Q6sek8bf92,i=4096"),
    ] {
        let mut client = Side::secured_client(client_config(), &mechanisms(&["SCRAM-SHA-256"]));
        let said = client.hear(&format!(
            "<challenge xmlns='{SASL}'>{challenge}</challenge>"
        ));
        assert_eq!(said, format!("<abort xmlns='{SASL}'/></stream:stream>"));
        assert!(matches!(client.failure(), Error::Sasl(_)));
        assert_eq!(client.failure().blame(), Blame::Peer);
    }
    let mut client = Side::secured_client(client_config(), &mechanisms(&["SCRAM-SHA-256"]));
    client.hear("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(client.violation(), StreamCondition::BadFormat);
}

#[test]
fn who_authenticates_as_another_than_the_stream_says_is_cut_off() {
    let mut server = Side::server(plain_server().encryption(Encryption::Direct));
    server.secure();
    server.hear(&HEADER.replace("to=", "from='romeo@example.com' to="));
    let said = server.hear(&plain("juliet", crate::support::PASSWORD));
    assert!(!said.contains("<success"), "{said}");
    assert_eq!(server.violation(), StreamCondition::InvalidFrom);

    let mut server = Side::secured_server(plain_server());
    server.hear(&plain("juliet", crate::support::PASSWORD));
    server.hear(&HEADER.replace("to=", "from='romeo@example.com' to="));
    assert_eq!(server.violation(), StreamCondition::InvalidFrom);
}

#[test]
fn who_authenticated_for_one_domain_is_not_served_by_another() {
    let config = plain_server().domain(jid("example.net"));
    let mut server = Side::secured_server(config);
    server.hear(&plain("juliet", crate::support::PASSWORD));
    server.hear(&HEADER.replace("example.com", "example.net"));
    assert_eq!(server.violation(), StreamCondition::HostUnknown);
}

// --- limits

#[test]
fn bytes_before_authentication_are_limited() {
    let config = || {
        plain_server()
            .unauthenticated_bytes(1_000)
            .authentication_attempts(200)
    };
    let mut server = Side::secured_server(config());
    let attempt = auth("PLAIN", &wire::encode(b"\0juliet\0wrong"));
    let mut sent = HEADER.len();
    while !server.is_over() {
        server.hear(&attempt);
        sent += attempt.len();
        assert!(sent < 1_000 + attempt.len());
    }
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
    assert!(sent > 1_000);

    // White space counts, and so does one element that never ends.
    let mut server = Side::secured_server(config());
    server.hear(&" ".repeat(1_000));
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
    let mut server = Side::secured_server(config());
    server.hear(&auth("PLAIN", &"A".repeat(2_000)));
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);

    // Afterwards they are not.
    let mut server = Side::established_server(server_config().unauthenticated_bytes(4_000));
    server.hear(&format!(
        "<message><body>{}</body></message>",
        "x".repeat(10_000)
    ));
    assert_eq!(server.stanzas.len(), 1);
}

#[test]
fn attempts_to_bind_are_limited() {
    let mut server = Side::secured_server(plain_server().bind_attempts(2));
    server.hear(&plain("juliet", crate::support::PASSWORD));
    server.hear(HEADER);
    server.binder = |_| Err(StanzaError::new(StanzaCondition::ResourceConstraint));
    let bind = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    let said = server.hear(bind);
    assert!(
        said.contains("<error type='wait'><resource-constraint"),
        "{said}"
    );
    server.hear(bind);
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn silence_ends_the_negotiation_on_both_sides() {
    let timeout = Duration::from_secs(20);
    let mut server = Side::server(server_config().negotiation_timeout(timeout));
    server.wait(timeout - Duration::from_millis(1));
    assert!(!server.is_over());
    server.wait(Duration::from_millis(1));
    assert_eq!(*server.failure(), Error::Timeout(State::Opening));
    assert_eq!(server.violation(), StreamCondition::ConnectionTimeout);
    assert_eq!(server.failure().blame(), Blame::Network);
    assert_eq!(server.stream.poll_timeout(), None);

    let mut client = Side::client(client_config().negotiation_timeout(timeout));
    client.drain();
    client.hear(RESPONSE);
    client.wait(timeout);
    assert_eq!(*client.failure(), Error::Timeout(State::Opening));
}

#[test]
fn a_peer_that_dawdles_is_cut_off_as_well() {
    let timeout = Duration::from_secs(20);
    let mut server = Side::server(server_config().negotiation_timeout(timeout));
    for byte in HEADER.bytes().cycle() {
        server.hear_bytes(&[byte]);
        server.wait(Duration::from_secs(1));
        if server.is_over() {
            break;
        }
    }
    assert!(server.now <= crate::support::seconds(21));
    assert_eq!(*server.failure(), Error::Timeout(State::Opening));
}

#[test]
fn a_handshake_that_never_ends_is_timed_out_without_a_word() {
    let mut client = Side::client(client_config());
    client.hear(RESPONSE);
    client.hear(&features(TLS));
    client.hear("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(client.wants_tls);
    assert_eq!(client.wait(Duration::from_secs(60)), "");
    assert_eq!(*client.failure(), Error::Timeout(State::Handshake));
}

#[test]
fn an_application_that_never_answers_is_to_blame() {
    let mut server = Side::secured_server(plain_server());
    server.answers = false;
    server.hear(&plain("juliet", crate::support::PASSWORD));
    server.wait(Duration::from_secs(60));
    assert_eq!(*server.failure(), Error::Unanswered(State::Authenticating));
    assert_eq!(server.failure().blame(), Blame::Caller);
    assert_eq!(server.violation(), StreamCondition::InternalServerError);
}

// --- cuts

#[test]
fn a_connection_that_is_cut_at_any_byte_ends_both_sides() {
    let mut whole = Pair::new(client_config(), server_config());
    whole.run();
    for cut in 0..=whole.carried {
        let mut pair = Pair::new(client_config(), server_config());
        pair.chunk = 50;
        pair.cut = Some(cut);
        pair.run();
        for side in [&pair.client, &pair.server] {
            assert!(side.stream.is_closed(), "{cut}");
            assert!(
                matches!(side.failure(), Error::Disconnected(_)),
                "{cut}: {:?}",
                side.events
            );
            assert_eq!(side.failure().blame(), Blame::Network);
            let ends = side
                .events
                .iter()
                .filter(|event| matches!(event, Event::Failed(_) | Event::Closed { .. }));
            assert_eq!(ends.count(), 1);
            assert_eq!(side.stream.buffered(), 0);
            assert_eq!(side.stream.poll_timeout(), None);
        }
    }
}

#[test]
fn a_peer_that_is_cut_in_the_middle_of_a_stanza_has_sent_none() {
    let stanza = "<message to='romeo@example.com'><body>hi &amp; bye</body></message>";
    for cut in 1..stanza.len() {
        let mut server = Side::established_server(server_config());
        server.hear(&stanza[..cut]);
        server.stream.handle_disconnected(server.now);
        server.drain();
        assert_eq!(*server.failure(), Error::Disconnected(State::Established));
        assert!(server.stanzas.is_empty());
    }
}

#[test]
fn a_stream_that_the_peer_closes_while_it_is_negotiated_has_failed() {
    let mut client = Side::client(client_config());
    client.hear(RESPONSE);
    client.hear("</stream:stream>");
    assert_eq!(*client.failure(), Error::Disconnected(State::Opening));
    assert!(client.said.ends_with("</stream:stream>"));
}

#[test]
fn every_error_has_words_for_people() {
    let mut pair = Pair::new(password_config("juliet", "wrong"), server_config());
    pair.run();
    let words = pair.client.failure().to_string();
    assert_eq!(words, "the server refused the credentials: not-authorized");
    let none = Error::NotOffered(FeatureKind::StartTls).to_string();
    assert_eq!(none, "the server does not offer TLS");
    let gone = Error::Disconnected(State::Handshake).to_string();
    assert_eq!(gone, "the connection ended during the TLS handshake");
}
