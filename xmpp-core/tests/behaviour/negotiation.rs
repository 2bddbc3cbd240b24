//! Two machines negotiate a stream, and what each says on the way.

use std::collections::HashSet;

use crate::support::{
    HEADER, Pair, RESPONSE, Side, client_config, jid, password_config, plain_policy, plain_server,
    server_config, stored,
};
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::stream::{CredentialsAnswer, Encryption, Event, Misuse, State, TlsInfo};
use xmpp_core::time::Instant;
use xmpp_sasl::{Mechanism, Policy};

fn mechanism_of(side: &Side) -> Option<Mechanism> {
    side.events.iter().find_map(|event| match event {
        Event::Authenticated { mechanism, .. } => Some(*mechanism),
        _ => None,
    })
}

fn headers(said: &str) -> Vec<&str> {
    let starts = said.match_indices("<stream:stream").map(|(start, _)| start);
    starts
        .map(|start| said[start..].split_inclusive('>').next().unwrap())
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let from = tag.split_once(&format!(" {name}='"))?.1;
    from.split_once('\'').map(|(value, _)| value)
}

#[test]
fn a_client_logs_in_over_starttls_with_scram_bound_to_the_channel() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(side.stream.is_established());
        assert_eq!(side.stream.state(), State::Established);
        assert_eq!(side.stream.jid(), Some(&jid("juliet@example.com/balcony")));
        assert_eq!(mechanism_of(side), Some(Mechanism::ScramSha256Plus));
        assert!(matches!(
            side.events.last(),
            Some(Event::Established { .. })
        ));
        assert_eq!(
            side.stream.poll_timeout().is_some(),
            side.said.contains("<auth")
        );
    }
    assert_eq!(pair.client.stream.id(), pair.server.stream.id());
}

#[test]
fn the_order_is_starttls_then_sasl_then_bind() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    let position = |what: &str| {
        pair.client
            .said
            .find(what)
            .unwrap_or_else(|| panic!("{what}"))
    };
    let order = ["<stream:stream", "<starttls", "<auth", "<response", "<iq"].map(position);
    assert!(order.is_sorted(), "{}", pair.client.said);
    let lists: Vec<&str> = pair
        .server
        .said
        .split("<stream:features>")
        .skip(1)
        .collect();
    assert_eq!(lists.len(), 3);
    let [tls, sasl, bind] = lists[..] else {
        panic!()
    };
    let named = |list: &str| {
        let list = list.split("</stream:features>").next().unwrap().to_owned();
        let names = ["<starttls", "<mechanisms", "<bind", "<session"];
        names.map(|name| list.contains(name))
    };
    // Where STARTTLS is mandatory nothing else is listed beside it.
    assert_eq!(named(tls), [true, false, false, false]);
    assert!(tls.contains("<required/></starttls>"));
    assert_eq!(named(sasl), [false, true, false, false]);
    assert_eq!(named(bind), [false, false, true, true]);
    assert!(bind.contains("<optional/></session>"));
}

#[test]
fn any_chunking_gives_the_same_stream() {
    let mut whole = Pair::new(client_config(), server_config());
    whole.run();
    for chunk in [1, 2, 3, 7, 64] {
        let mut pair = Pair::new(client_config(), server_config());
        pair.chunk = chunk;
        pair.run();
        assert!(pair.client.stream.is_established() && pair.server.stream.is_established());
        assert_eq!(pair.client.said, whole.client.said);
        assert_eq!(pair.server.said, whole.server.said);
    }
}

#[test]
fn a_password_serves_as_well_as_keys_and_gives_them() {
    let mut pair = Pair::new(
        password_config("juliet", crate::support::PASSWORD),
        server_config(),
    );
    pair.run();
    assert!(pair.client.stream.is_established());
    let keys = pair.client.events.iter().find_map(|event| match event {
        Event::Authenticated { keys, .. } => keys.clone(),
        _ => None,
    });
    assert_eq!(keys.unwrap().to_stored().to_text(), stored().to_text());
}

#[test]
fn plain_is_used_where_both_sides_allow_it_and_only_under_tls() {
    let client = || password_config("juliet", crate::support::PASSWORD).policy(plain_policy());
    let mut pair = Pair::new(client(), plain_server());
    pair.run();
    assert!(pair.client.stream.is_established());
    assert_eq!(mechanism_of(&pair.server), Some(Mechanism::Plain));

    let open = Encryption::None;
    let mut pair = Pair::new(client().encryption(open), plain_server().encryption(open));
    pair.run();
    assert!(!pair.server.said.contains("PLAIN"));
    assert!(!pair.client.said.contains("<auth"));
}

#[test]
fn direct_tls_needs_no_starttls() {
    let direct = Encryption::Direct;
    let mut pair = Pair::new(
        client_config().encryption(direct),
        server_config().encryption(direct),
    );
    pair.run();
    assert_eq!(pair.client.said, "");
    assert!(pair.client.stream.is_waiting());
    pair.client.secure();
    pair.server.secure();
    pair.run();
    assert!(pair.client.stream.is_established() && pair.server.stream.is_established());
    assert!(!pair.server.said.contains("starttls"));
}

#[test]
fn a_transport_that_is_safe_by_itself_needs_no_tls() {
    let none = Encryption::None;
    let mut pair = Pair::new(
        client_config().encryption(none),
        server_config().encryption(none),
    );
    pair.run();
    assert!(pair.client.stream.is_established());
    assert_eq!(mechanism_of(&pair.client), Some(Mechanism::ScramSha256));
    assert!(!pair.server.said.contains("starttls"));
}

#[test]
fn without_data_to_bind_to_plus_is_not_offered() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.client.stream = xmpp_core::stream::Stream::initiator(
        client_config().encryption(Encryption::Direct),
        xmpp_core::entropy::Entropy::from_seed([1; 32]),
        Instant::ORIGIN,
    );
    let direct = server_config().encryption(Encryption::Direct);
    pair.server = Side::server(direct);
    for side in [&mut pair.client, &mut pair.server] {
        side.stream
            .handle_tls(TlsInfo::new(), Instant::ORIGIN)
            .unwrap();
    }
    pair.run();
    assert_eq!(mechanism_of(&pair.client), Some(Mechanism::ScramSha256));
    assert!(!pair.server.said.contains("PLUS"));
}

#[test]
fn the_receiver_never_speaks_first() {
    let mut server = Side::server(server_config());
    server.drain();
    assert_eq!(server.said, "");
    assert!(server.hear("<?xml version='1.0'?>").is_empty());
    assert!(
        server
            .hear(HEADER)
            .starts_with("<?xml version='1.0'?><stream:stream ")
    );
}

#[test]
fn the_client_tells_who_it_is_only_under_tls_and_never_its_resource() {
    let mut pair = Pair::new(client_config().lang("de"), server_config());
    pair.run();
    let headers = headers(&pair.client.said);
    assert_eq!(headers.len(), 3);
    let from: Vec<_> = headers
        .iter()
        .map(|header| attribute(header, "from"))
        .collect();
    assert_eq!(
        from,
        [None, Some("juliet@example.com"), Some("juliet@example.com")]
    );
    for header in headers {
        assert_eq!(attribute(header, "to"), Some("example.com"));
        assert_eq!(attribute(header, "version"), Some("1.0"));
        assert_eq!(attribute(header, "xml:lang"), Some("de"));
        assert_eq!(attribute(header, "id"), None);
    }
}

#[test]
fn the_response_header_answers_from_to_and_id() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    let headers = headers(&pair.server.said);
    let to: Vec<_> = headers
        .iter()
        .map(|header| attribute(header, "to"))
        .collect();
    assert_eq!(
        to,
        [None, Some("juliet@example.com"), Some("juliet@example.com")]
    );
    let ids: HashSet<_> = headers
        .iter()
        .map(|header| attribute(header, "id").unwrap())
        .collect();
    assert_eq!(ids.len(), 3, "every stream has an id of its own");
    assert!(ids.iter().all(|id| id.len() == 32));
    for header in headers {
        assert_eq!(attribute(header, "from"), Some("example.com"));
        assert_eq!(attribute(header, "version"), Some("1.0"));
        assert!(header.contains(" xmlns:stream='http://etherx.jabber.org/streams'"));
    }
}

#[test]
fn an_id_in_the_initial_header_means_nothing() {
    let mut server = Side::server(server_config());
    let said = server.hear(&HEADER.replace("to=", "id='mine' to="));
    assert_ne!(attribute(headers(&said)[0], "id"), Some("mine"));
}

#[test]
fn a_response_without_id_or_from_is_taken() {
    let mut client = Side::client(client_config());
    client.hear(
        &RESPONSE
            .replace("id='s1' ", "")
            .replace("from='example.com' ", ""),
    );
    assert_eq!(client.stream.id(), None);
    let tls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let said = client.hear(&format!("<stream:features>{tls}</stream:features>"));
    assert_eq!(said, tls);
}

#[test]
fn a_response_from_another_domain_is_taken_for_the_one_that_was_asked() {
    let mut client = Side::client(client_config());
    client.hear(&RESPONSE.replace("example.com", "xmpp7.example.net"));
    assert!(!client.is_over());
    assert_eq!(client.stream.id(), Some("s1"));
}

#[test]
fn the_language_is_matched_by_cutting_subtags() {
    let languages = ["en", "de", "zh-Hant"];
    let cases = [
        (Some("de"), "de"),
        (Some("de-CH"), "de"),
        (Some("DE-ch-1996"), "de"),
        (Some("zh-Hant-x-private"), "zh-Hant"),
        (Some("fr"), "en"),
        (None, "en"),
    ];
    for (wanted, expected) in cases {
        let mut server = Side::server(server_config().languages(languages));
        let lang = wanted.map_or(String::new(), |lang| format!("xml:lang='{lang}' to="));
        let header = HEADER.replacen("to=", if lang.is_empty() { "to=" } else { &lang }, 1);
        let said = server.hear(&header);
        assert_eq!(
            attribute(headers(&said)[0], "xml:lang"),
            Some(expected),
            "{wanted:?}"
        );
    }
}

#[test]
fn versions_are_two_numbers() {
    for version in ["1.0", "1.13", "2.4", "01.00"] {
        let mut server = Side::server(server_config());
        let said = server.hear(&HEADER.replace("'1.0'", &format!("'{version}'")));
        assert!(!server.is_over(), "{version}");
        assert_eq!(attribute(headers(&said)[0], "version"), Some("1.0"));
    }
}

#[test]
fn unknown_header_attributes_are_ignored() {
    let mut server = Side::server(server_config());
    server.hear(&HEADER.replace("to=", "what='ever' to="));
    assert!(!server.is_over());
}

#[test]
fn both_styles_of_declaring_the_content_are_taken() {
    let streams = "xmlns='http://etherx.jabber.org/streams'";
    let mut server = Side::secured_server(server_config());
    assert!(!server.is_over());
    server = Side::server(server_config().encryption(Encryption::Direct));
    server.secure();
    let said = server.hear(&format!(
        "<stream to='example.com' version='1.0' {streams}>"
    ));
    assert!(said.contains("<mechanisms"), "{said}");
    let mut other_prefix = Side::server(server_config());
    let header = HEADER
        .replace("stream:stream", "s:stream")
        .replace("xmlns:stream", "xmlns:s");
    assert!(other_prefix.hear(&header).contains("<starttls"));
}

#[test]
fn features_come_in_any_order_and_unknown_ones_are_passed_over() {
    let features = "<x xmlns='urn:unknown'/>\
                    <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>\
                    <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                    <mechanism>X-OTHER</mechanism><mechanism>SCRAM-SHA-256</mechanism></mechanisms>\
                    <y xmlns='urn:unknown'>z</y>";
    let client = Side::secured_client(client_config(), features);
    assert!(client.said.contains("<auth"), "{}", client.said);
    assert!(client.said.contains("mechanism='SCRAM-SHA-256'"));
}

#[test]
fn starttls_that_is_offered_inside_tls_is_passed_over() {
    let features = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
                    <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                    <mechanism>SCRAM-SHA-256</mechanism></mechanisms>";
    let client = Side::secured_client(client_config(), features);
    assert!(client.said.contains("<auth") && !client.said.contains("<starttls"));
}

#[test]
fn a_session_that_is_not_optional_is_asked_for() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    assert!(!pair.client.said.contains("<session"));

    let mut client = authenticated_client();
    let session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    let said = client.hear(&format!(
        "<stream:features>{bind}{session}</stream:features>"
    ));
    let said = client.hear(&bound(&said));
    assert!(said.contains(session), "{said}");
    assert!(!client.stream.is_established());
    let id = attribute(&said, "id").unwrap();
    client.hear(&format!("<iq type='result' id='{id}'/>"));
    assert!(client.stream.is_established());
}

/// A client that waits for the features behind authentication.
fn authenticated_client() -> Side {
    let plain = password_config("juliet", "secret").policy(plain_policy());
    let features = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                    <mechanism>PLAIN</mechanism></mechanisms>";
    let mut client = Side::secured_client(plain, features);
    client.hear("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    client.hear(RESPONSE);
    client
}

/// The server's answer to a bind request.
fn bound(request: &str) -> String {
    let id = attribute(request, "id").unwrap();
    format!(
        "<iq type='result' id='{id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <jid>juliet@example.com/other</jid></bind></iq>"
    )
}

#[test]
fn the_client_takes_the_address_that_the_server_bound() {
    let mut client = authenticated_client();
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    let said = client.hear(&format!("<stream:features>{bind}</stream:features>"));
    assert!(said.contains("<resource>balcony</resource>"));
    client.hear(&bound(&said));
    assert_eq!(client.stream.jid(), Some(&jid("juliet@example.com/other")));
}

#[test]
fn a_resource_is_made_up_for_who_asks_for_none() {
    let mut names = HashSet::new();
    for seed in [1, 2] {
        let credentials = xmpp_sasl::Credentials::password("juliet", crate::support::PASSWORD);
        let config =
            xmpp_core::stream::InitiatorConfig::new(jid("juliet@example.com"), credentials);
        let mut pair = Pair::new(config, server_config());
        pair.server.stream = xmpp_core::stream::Stream::receiver(
            crate::support::arc(server_config()),
            xmpp_core::entropy::Entropy::from_seed([seed; 32]),
            Instant::ORIGIN,
        );
        pair.run();
        let asked = pair.server.events.iter().any(|event| {
            matches!(
                event,
                Event::Bind {
                    requested: false,
                    ..
                }
            )
        });
        assert!(asked);
        names.insert(
            pair.client
                .stream
                .jid()
                .unwrap()
                .resource()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.len() == 32));
}

#[test]
fn the_application_may_bind_another_resource_or_refuse() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.server.binder = |jid| Ok(jid.with_resource("elsewhere").unwrap());
    pair.run();
    assert_eq!(
        pair.client.stream.jid(),
        Some(&jid("juliet@example.com/elsewhere"))
    );

    let mut pair = Pair::new(client_config(), server_config());
    pair.server.binder = |_| Err(StanzaError::new(StanzaCondition::Conflict));
    pair.run();
    let refusal = match pair.client.failure() {
        xmpp_core::stream::Error::Bind(error) => error.condition,
        other => panic!("{other}"),
    };
    assert_eq!(refusal, StanzaCondition::Conflict);
}

#[test]
fn after_a_refused_bind_the_stream_stays_for_another_try() {
    let mut server = authenticated_server();
    server.binder = |jid| match jid.resource() {
        Some("taken") => Err(StanzaError::new(StanzaCondition::Conflict)),
        _ => Ok(jid),
    };
    let said = server.hear(&bind("1", "<resource>taken</resource>"));
    assert!(
        said.contains("<iq type='error' id='1'>") && said.contains("<conflict"),
        "{said}"
    );
    let said = server.hear(&bind("2", "<resource>free</resource>"));
    assert!(
        said.contains("<jid>juliet@example.com/free</jid>"),
        "{said}"
    );
    assert!(server.stream.is_established());
}

#[test]
fn a_resource_that_is_none_is_a_bad_request() {
    for resource in [
        "<resource/>",
        "<resource> x</resource>",
        "<resource>\u{200B}</resource>",
    ] {
        let mut server = authenticated_server();
        let said = server.hear(&bind("1", resource));
        assert!(said.contains("<error type='modify'><bad-request"), "{said}");
        assert!(!server.stream.is_established() && !server.is_over());
    }
    let mut server = authenticated_server();
    let said = server.hear(&bind("1", "").replace(" id='1'", ""));
    assert!(said.contains("<bad-request"), "{said}");
    let said = server.hear(&bind("1", "").replace("set", "get"));
    assert!(said.contains("<bad-request"), "{said}");
}

fn bind(id: &str, resource: &str) -> String {
    let bind = format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{resource}</bind>");
    format!("<iq type='set' id='{id}'>{bind}</iq>")
}

/// A server whose peer has authenticated and may bind.
fn authenticated_server() -> Side {
    let mut server = Side::secured_server(plain_server());
    let initial =
        xmpp_sasl::wire::encode(format!("\0juliet\0{}", crate::support::PASSWORD).as_bytes());
    let said = server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{initial}</auth>"
    ));
    assert!(said.contains("<success"), "{said}");
    let said = server.hear(HEADER);
    assert!(said.contains("<bind"), "{said}");
    server
}

#[test]
fn announced_features_are_listed_once_the_peer_is_authenticated() {
    let server = server_config().announce("ver", "urn:xmpp:features:rosterver");
    let mut pair = Pair::new(client_config(), server);
    pair.run();
    assert!(pair.client.stream.is_established());
    let ver = "<ver xmlns='urn:xmpp:features:rosterver'/>";
    assert_eq!(pair.server.said.matches(ver).count(), 1);
    assert!(pair.server.said.find(ver) > pair.server.said.find("<bind"));
}

#[test]
fn the_application_answers_in_its_own_time_and_input_waits_meanwhile() {
    let mut server = Side::secured_server(plain_server());
    server.answers = false;
    let initial =
        xmpp_sasl::wire::encode(format!("\0juliet\0{}", crate::support::PASSWORD).as_bytes());
    let auth = format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{initial}</auth>"
    );
    assert_eq!(server.hear(&auth), "");
    let Some(Event::Lookup {
        ticket,
        account,
        mechanism,
        ..
    }) = server.events.pop()
    else {
        panic!("{:?}", server.events)
    };
    assert_eq!(
        (account, mechanism),
        (jid("juliet@example.com"), Mechanism::Plain)
    );
    assert!(server.stream.is_waiting());
    // What comes now is not taken, and not lost either.
    assert_eq!(server.hear(HEADER), "");
    let answer = CredentialsAnswer::Found(stored());
    server
        .stream
        .handle_credentials(ticket, answer, server.now)
        .unwrap();
    assert!(!server.stream.is_waiting());
    let answer = CredentialsAnswer::Unknown;
    let again = server.stream.handle_credentials(ticket, answer, server.now);
    assert_eq!(again, Err(Misuse::UnknownTicket));
    let said = server.hear("");
    assert!(said.contains("<bind"), "{said}");

    assert_eq!(server.hear(&bind("1", "")), "");
    let Some(Event::Bind {
        ticket,
        jid: wish,
        requested: false,
    }) = server.events.pop()
    else {
        panic!("{:?}", server.events)
    };
    let strange = Ok(jid("romeo@example.com/x"));
    let refused = server.stream.handle_bind(ticket, strange, server.now);
    assert_eq!(refused, Err(Misuse::WrongAddress));
    let refused = server
        .stream
        .handle_bind(ticket, Ok(wish.bare()), server.now);
    assert_eq!(refused, Err(Misuse::WrongAddress));
    server
        .stream
        .handle_bind(ticket, Ok(wish.clone()), server.now)
        .unwrap();
    server.drain();
    assert_eq!(server.stream.jid(), Some(&wish));
}

#[test]
fn tls_is_reported_only_when_it_is_due() {
    let mut server = Side::server(server_config());
    let early = server.stream.handle_tls(TlsInfo::new(), Instant::ORIGIN);
    assert_eq!(early, Err(Misuse::NoHandshake));
    let mut established = Side::established_server(server_config());
    let late = established
        .stream
        .handle_tls(TlsInfo::new(), Instant::ORIGIN);
    assert_eq!(late, Err(Misuse::NoHandshake));
}

#[test]
fn nothing_that_was_learned_before_tls_counts_after_it() {
    let mut server = Side::server(server_config());
    server.hear(&HEADER.replace("to=", "from='romeo@example.com' to="));
    server.hear("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    server.secure();
    let said = server.hear(HEADER);
    assert_eq!(attribute(headers(&said)[0], "to"), None);
    assert!(!said.contains("<starttls"), "it is not offered again");
    let initial = xmpp_sasl::wire::encode(b"n,,n=juliet,r=abcdefgh");
    let said = server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>{initial}</auth>"
    ));
    assert!(said.contains("<challenge"), "{said}");
}

#[test]
fn the_strongest_mechanism_of_the_policy_is_taken_whatever_the_servers_order() {
    let features = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                    <mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1</mechanism>\
                    <mechanism>SCRAM-SHA-256</mechanism></mechanisms>";
    let config = password_config("juliet", "x").policy(Policy::default().allow_plain(true));
    let client = Side::secured_client(config, features);
    assert!(
        client.said.contains("mechanism='SCRAM-SHA-256'"),
        "{}",
        client.said
    );
}

#[test]
fn the_list_of_mechanisms_keeps_the_servers_order() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    let list = "<mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>";
    assert!(pair.server.said.contains(list));
    assert_eq!(
        pair.server.said.matches("<mechanisms").count(),
        1,
        "and none after success"
    );
}

#[test]
fn nothing_but_elements_is_sent_while_tls_and_sasl_are_negotiated() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(
            !side.said.contains("> ") && !side.said.contains('\n'),
            "{}",
            side.said
        );
    }
}

#[test]
fn the_server_signature_is_taken_in_success_and_in_a_last_challenge() {
    // Our server puts it into success.
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    let success = pair.server.said.split("<success").nth(1).unwrap();
    assert!(!success.starts_with("/>"));
    // Another puts it into a challenge and waits for an empty response.
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
    let data = said
        .split_once('>')
        .unwrap()
        .1
        .split_once('<')
        .unwrap()
        .0
        .to_owned();
    let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
    let answer = client.hear(&format!("<challenge xmlns='{sasl}'>{data}</challenge>"));
    assert_eq!(answer, format!("<response xmlns='{sasl}'/>"));
    let answer = client.hear(&format!("<success xmlns='{sasl}'/>"));
    assert!(answer.contains("<stream:stream"), "{answer}");
    assert!(mechanism_of(&client).is_some());
}

#[test]
fn a_stream_can_be_closed_before_it_is_established() {
    let mut client = Side::client(client_config());
    client.drain();
    client.stream.close(client.now);
    client.drain();
    assert!(client.said.ends_with("</stream:stream>"));
    assert!(matches!(
        client.events[..],
        [Event::Closed { clean: false }]
    ));
    assert!(client.stream.is_closed());
}
