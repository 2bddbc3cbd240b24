//! The second profile of SASL, and what is bound, enabled and resumed along with it.

use crate::support::{
    HEADER, PASSWORD, Pair, RESPONSE, Side, bearer_server, client_config, jid, password_config,
    plain_policy, server_config,
};
use xmpp_core::entropy::Entropy;
use xmpp_core::error::{StanzaCondition, StreamCondition};
use xmpp_core::stream::{
    Blame, Encryption, Error, Event, InitiatorConfig, ManagedSession, ManagementConfig,
    ReceiverConfig, Sasl2, Stream, TlsInfo, UserAgent,
};
use xmpp_core::time::Instant;
use xmpp_sasl::{Condition, Mechanism, wire};

const SASL2: &str = "urn:xmpp:sasl:2";
const SM: &str = "urn:xmpp:sm:3";

fn agent() -> UserAgent {
    UserAgent::generate(&mut Entropy::from_seed([7; 32]))
        .software("Balcony")
        .device("Window")
}

fn client() -> InitiatorConfig {
    client_config().sasl2(Sasl2::new().tag("Balcony").user_agent(agent()))
}

fn server() -> ReceiverConfig {
    server_config().sasl2(true)
}

fn managed_client() -> InitiatorConfig {
    client().management(ManagementConfig::new())
}

fn managed_server() -> ReceiverConfig {
    server()
        .management(ManagementConfig::new())
        .client_state(true)
}

fn established(client: InitiatorConfig, server: ReceiverConfig) -> Pair {
    let mut pair = Pair::new(client, server);
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(
            side.stream.is_established(),
            "{:?} {}",
            side.events,
            side.said
        );
    }
    assert_eq!(pair.client.stream.jid(), pair.server.stream.jid());
    pair
}

/// Both sides lose the connection; their sessions.
fn sessions_of(mut pair: Pair) -> (ManagedSession, ManagedSession) {
    let mut sessions = [&mut pair.client, &mut pair.server].map(|side| {
        side.stream.handle_disconnected(side.now);
        side.stream.take_session()
    });
    (sessions[0].take().unwrap(), sessions[1].take().unwrap())
}

/// What stands behind the last header that a side has sent.
fn behind_header(side: &Side) -> &str {
    let (_, last) = side.said.rsplit_once("<stream:stream ").unwrap();
    last.split_once('>').unwrap().1
}

/// A server below TLS that takes bearer tokens, whose peer has the features.
fn bearer() -> Side {
    let server = Side::secured_server(bearer_server().sasl2(true));
    assert!(server.said.contains("<authentication"), "{}", server.said);
    server
}

/// The one message of OAUTHBEARER.
fn message(token: &str) -> String {
    wire::encode(format!("n,,\x01auth=Bearer {token}\x01\x01").as_bytes())
}

fn authenticate(inner: &str) -> String {
    let initial = message(PASSWORD);
    format!(
        "<authenticate xmlns='{SASL2}' mechanism='OAUTHBEARER'>\
         <initial-response>{initial}</initial-response>{inner}</authenticate>"
    )
}

/// A client below TLS that may use PLAIN and has got that offer.
fn plain_client(config: Sasl2, inline: &str) -> Side {
    let config = password_config("juliet", PASSWORD)
        .policy(plain_policy())
        .management(ManagementConfig::new())
        .sasl2(config);
    Side::secured_client(
        config,
        &format!(
            "<authentication xmlns='{SASL2}'><mechanism>PLAIN</mechanism>\
             <inline>{inline}</inline></authentication>"
        ),
    )
}

fn success(inner: &str) -> String {
    format!(
        "<success xmlns='{SASL2}'>\
         <authorization-identifier>juliet@example.com/x</authorization-identifier>{inner}</success>"
    )
}

#[test]
fn it_is_offered_only_under_tls() {
    let pair = established(client(), server());
    let lists: Vec<&str> = pair.server.said.split("<stream:features>").collect();
    let offered = format!("<authentication xmlns='{SASL2}'>");
    assert!(!lists[1].contains(&offered) && lists[2].contains(&offered));
    assert!(
        lists[2].contains("<mechanisms"),
        "the first profile stands beside it"
    );
    let none = Encryption::None;
    let pair = established(client().encryption(none), server().encryption(none));
    assert!(!pair.server.said.contains(SASL2) && !pair.client.said.contains(SASL2));
    let pair = established(client(), server_config());
    assert!(
        !pair.client.said.contains(SASL2),
        "nor used where it is not offered"
    );
    let pair = established(client_config(), server());
    assert!(
        !pair.client.said.contains(SASL2),
        "nor where it is not wanted"
    );
}

#[test]
fn an_offer_without_mechanisms_leaves_the_first_profile() {
    let features = format!(
        "<authentication xmlns='{SASL2}'/><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
         <mechanism>SCRAM-SHA-256</mechanism></mechanisms>"
    );
    let client = Side::secured_client(client(), &features);
    assert!(
        client
            .said
            .contains("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"),
        "{}",
        client.said
    );
}

#[test]
fn a_client_is_bound_in_one_round_and_no_stream_begins_anew() {
    let pair = established(client(), server());
    let (client, server) = (&pair.client, &pair.server);
    let bound = client.stream.jid().unwrap();
    let resource = bound.resource().unwrap();
    let unique = resource.strip_prefix("Balcony/").unwrap();
    assert_eq!(unique.len(), 32);
    // One header below TLS, and no request but that for authentication.
    assert_eq!(client.said.matches("<stream:stream ").count(), 2);
    assert_eq!(server.said.matches("<stream:stream ").count(), 2);
    assert!(!client.said.contains("<iq"));
    let said = behind_header(server);
    let success = said.find("<success").unwrap();
    let end = said.find("</success>").unwrap() + "</success>".len();
    assert!(said[success..end].contains("<additional-data>"));
    assert!(said[success..end].ends_with(&format!(
        "<authorization-identifier>{bound}</authorization-identifier>\
         <bound xmlns='urn:xmpp:bind:0'/></success>"
    )));
    assert!(
        said[end..].starts_with("<stream:features>"),
        "features follow at once"
    );
    assert!(!said[end..].contains("<bind") && !said[end..].contains("mechanism"));
}

#[test]
fn both_sides_tell_who_and_by_what() {
    let pair = established(client(), server());
    for side in [&pair.client, &pair.server] {
        let found = side.events.iter().find_map(|event| match event {
            Event::Authenticated {
                account,
                mechanism,
                user_agent,
                ..
            } => Some((account.clone(), *mechanism, user_agent.clone())),
            _ => None,
        });
        let (account, mechanism, user_agent) = found.unwrap();
        assert_eq!(account, jid("juliet@example.com"));
        assert_eq!(mechanism, Mechanism::ScramSha256Plus);
        let is_server = side.said.contains("<success");
        assert_eq!(user_agent.as_deref(), Some(&agent()).filter(|_| is_server));
    }
    let id = agent();
    let id = id.id().unwrap();
    assert!(pair.client.said.contains(&format!(
        "<user-agent id='{id}'><software>Balcony</software><device>Window</device></user-agent>"
    )));
    assert!(!pair.server.said.contains(id), "it is told to nobody");
}

#[test]
fn an_installation_without_a_proper_identifier_has_none() {
    let mut server = bearer();
    server.hear(&authenticate(
        "<user-agent id='phone'><software>x</software></user-agent>",
    ));
    let agent = server.events.iter().find_map(|event| match event {
        Event::Authenticated { user_agent, .. } => user_agent.as_deref(),
        _ => None,
    });
    let agent = agent.unwrap();
    assert_eq!(
        (agent.id(), agent.software_name(), agent.device_name()),
        (None, Some("x"), None)
    );
}

#[test]
fn any_chunking_gives_the_same_stream() {
    let mut whole = Pair::new(managed_client(), managed_server());
    whole.run();
    for chunk in [1, 3, 64] {
        let mut pair = Pair::new(managed_client(), managed_server());
        pair.chunk = chunk;
        pair.run();
        assert_eq!(pair.client.said, whole.client.said);
        assert_eq!(pair.server.said, whole.server.said);
    }
    assert!(whole.client.stream.is_established());
}

#[test]
fn the_types_of_channel_binding_are_told_and_believed() {
    let list = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
                <channel-binding type='tls-exporter'/></sasl-channel-binding>";
    let pair = established(client(), server());
    assert_eq!(pair.server.said.matches(list).count(), 1);
    // A server with types of its own only: what could be bound is not.
    let mechanisms =
        "<mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>";
    let features = |kind: &str| {
        format!(
            "<authentication xmlns='{SASL2}'>{mechanisms}</authentication>{}",
            list.replace("tls-exporter", kind)
        )
    };
    let client = Side::secured_client(client(), &features("tls-exporter"));
    assert!(
        client.said.contains("mechanism='SCRAM-SHA-256-PLUS'"),
        "{}",
        client.said
    );
    let client = Side::secured_client(self::client(), &features("tls-server-end-point"));
    assert!(
        client.said.contains("mechanism='SCRAM-SHA-256'"),
        "{}",
        client.said
    );
    // Without the type that every server has, the server itself must confirm the offer (XEP-0474 §7).
    let mut client = Side::secured_client(self::client(), &features("tls-something"));
    let opening = opening(&client);
    let (_, nonce) = opening.split_once(",r=").unwrap();
    let unconfirmed = wire::encode(format!("r={nonce}server,s=c2FsdA==,i=4096").as_bytes());
    client.hear(&format!(
        "<challenge xmlns='{SASL2}'>{unconfirmed}</challenge>"
    ));
    assert!(
        matches!(
            client.failure(),
            Error::Sasl(xmpp_sasl::Error::OfferTampered)
        ),
        "{:?}",
        client.failure()
    );
}

/// The first message of the mechanism that the client chose.
fn opening(client: &Side) -> String {
    let (_, rest) = client.said.split_once("<initial-response>").unwrap();
    let (data, _) = rest.split_once('<').unwrap();
    String::from_utf8(wire::decode(data).unwrap()).unwrap()
}

#[test]
fn the_flag_says_whether_the_channel_could_be_bound() {
    let features = |names: &[&str]| {
        let names = names
            .iter()
            .map(|name| format!("<mechanism>{name}</mechanism>"));
        let names: String = names.collect();
        format!("<authentication xmlns='{SASL2}'>{names}</authentication>")
    };
    let plus = features(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
        + "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
           <channel-binding type='tls-exporter'/></sasl-channel-binding>";
    let bound = Side::secured_client(client(), &plus);
    assert!(opening(&bound).starts_with("p=tls-exporter,,"));
    let unbound = Side::secured_client(client(), &features(&["SCRAM-SHA-256"]));
    assert!(opening(&unbound).starts_with("y,,"));
    let mut unable = Side::client(client().encryption(Encryption::Direct));
    unable
        .stream
        .handle_tls(TlsInfo::new(), unable.now)
        .unwrap();
    unable.drain();
    unable.hear(RESPONSE);
    unable.hear(&format!("<stream:features>{plus}</stream:features>"));
    assert!(opening(&unable).starts_with("n,,"));
}

#[test]
fn an_absent_initial_response_is_not_an_empty_one() {
    let mut server = bearer();
    let said = server.hear(&format!(
        "<authenticate xmlns='{SASL2}' mechanism='OAUTHBEARER'/>"
    ));
    assert_eq!(said, format!("<challenge xmlns='{SASL2}'/>"));
    let initial = message(PASSWORD);
    let said = server.hear(&format!("<response xmlns='{SASL2}'>{initial}</response>"));
    assert!(
        said.starts_with(&format!("<success xmlns='{SASL2}'>")),
        "{said}"
    );
    let mut server = bearer();
    let said = server.hear(&format!(
        "<authenticate xmlns='{SASL2}' mechanism='OAUTHBEARER'><initial-response/></authenticate>"
    ));
    assert_eq!(said, failure("malformed-request"));
}

fn failure(condition: &str) -> String {
    format!(
        "<failure xmlns='{SASL2}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
    )
}

#[test]
fn each_failure_has_its_condition_and_may_be_followed_by_another_try() {
    let (right, wrong) = (message(PASSWORD), message("wrong"));
    let acknowledgement = format!(
        "<response xmlns='{SASL2}'>{}</response>",
        wire::encode(b"\x01")
    );
    for (authenticate, condition) in [
        (
            authenticate("").replace("OAUTHBEARER", "X-OTHER"),
            "invalid-mechanism",
        ),
        (
            authenticate("").replace(" mechanism='OAUTHBEARER'", ""),
            "invalid-mechanism",
        ),
        (
            authenticate("").replace(&right, "=x="),
            "incorrect-encoding",
        ),
        (authenticate("").replace(&right, &wrong), "not-authorized"),
    ] {
        let mut server = bearer();
        let bind = "<bind xmlns='urn:xmpp:bind:0'/>";
        let mut said = server.hear(&authenticate);
        if said.starts_with("<challenge ") {
            said = server.hear(&acknowledgement);
        }
        assert_eq!(said, failure(condition), "{authenticate}");
        assert!(
            server
                .events
                .iter()
                .all(|event| !matches!(event, Event::Bind { .. }))
        );
        let said = server.hear(&self::authenticate(bind));
        assert!(said.contains("<bound "), "{said}");
        assert!(server.stream.is_established());
    }
    // Both profiles together have so many tries and no more.
    let mut server = bearer();
    let wrong = authenticate("").replace(&right, "=x=");
    server.hear(&wrong);
    server
        .hear("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>=x=</auth>");
    assert!(!server.is_over());
    server.hear(&wrong);
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn who_aborts_is_told_so() {
    let mut server = bearer();
    server.hear(&format!(
        "<authenticate xmlns='{SASL2}' mechanism='OAUTHBEARER'/>"
    ));
    let abort = format!("<abort xmlns='{SASL2}'><text>changed my mind</text></abort>");
    assert_eq!(server.hear(&abort), failure("aborted"));
    assert!(server.hear(&authenticate("")).contains("<success"));
}

#[test]
fn a_header_from_somebody_else_fails() {
    let config = bearer_server().sasl2(true).encryption(Encryption::Direct);
    let mut server = Side::server(config);
    server.secure();
    server.hear(&HEADER.replace("to=", "from='romeo@example.com' to="));
    assert_eq!(server.hear(&authenticate("")), failure("not-authorized"));
    assert!(!server.is_over());
}

#[test]
fn nothing_else_comes_between_the_steps() {
    for other in [
        " ",
        "<message/>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'/>",
        &authenticate(""),
        &format!("<next xmlns='{SASL2}' task='X'/>"),
        &format!("<enable xmlns='{SM}'/>"),
    ] {
        let mut server = bearer();
        assert!(
            server.hear(" \n").is_empty() && !server.is_over(),
            "before it that is fine"
        );
        server.hear(&format!(
            "<authenticate xmlns='{SASL2}' mechanism='OAUTHBEARER'/>"
        ));
        server.hear(other);
        assert_eq!(
            server.violation(),
            StreamCondition::PolicyViolation,
            "{other}"
        );
    }
    let mut server = bearer();
    server.hear(&format!("<response xmlns='{SASL2}'/>"));
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn authenticating_twice_ends_the_stream() {
    let mut server = bearer();
    let said = server.hear(&authenticate(""));
    assert!(
        said.contains("<authorization-identifier>juliet@example.com</authorization-identifier>")
    );
    server.hear(&authenticate(""));
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn without_bind_a_resource_is_bound_on_the_same_stream() {
    let mut server = bearer();
    let said = server.hear(&authenticate(""));
    assert!(
        said.contains("</success><stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>")
    );
    let said =
        server.hear("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    assert!(said.contains("<jid>"), "{said}");
    assert!(server.stream.is_established());
    // What may be sent has grown all the same.
    server.hear(&format!("<message>{}</message>", "x".repeat(100_000)));
    assert_eq!(server.stanzas.len(), 1);

    let mut client = plain_client(Sasl2::new(), "");
    assert!(!client.said.contains("<bind"));
    client.hear(&success("").replace("/x<", "<"));
    let said = client.hear(
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
    );
    assert!(said.starts_with("<iq type='set'"), "{said}");
}

#[test]
fn a_refused_resource_leaves_the_client_to_ask_by_itself() {
    let mut server = bearer();
    server.binder = |_| Err(StanzaCondition::ResourceConstraint.into());
    let said = server.hear(&authenticate("<bind xmlns='urn:xmpp:bind:0'/>"));
    assert!(
        said.contains("<authorization-identifier>juliet@example.com<") && !said.contains("<bound")
    );
    assert!(
        said.contains("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"),
        "{said}"
    );
}

#[test]
fn a_tag_that_cannot_be_in_a_resource_is_left_out() {
    for tag in ["\u{200B}", &"x".repeat(1_000)] {
        let mut server = bearer();
        server.hear(&authenticate(&format!(
            "<bind xmlns='urn:xmpp:bind:0'><tag>{tag}</tag></bind>"
        )));
        let resource = server.stream.jid().unwrap().resource().unwrap();
        assert_eq!(resource.len(), 32, "{resource}");
    }
}

#[test]
fn an_installation_keeps_its_resource_where_that_is_wanted() {
    let config = || {
        let config = bearer_server().encryption(Encryption::Direct);
        config.sasl2(true).stable_resources([4; 32])
    };
    assert!(!format!("{:?}", config()).contains("4, 4"));
    let resource = |agent: &str, tag: &str, seed: u8| {
        let entropy = Entropy::from_seed([seed; 32]);
        let mut server = Side::new(Stream::receiver(config(), entropy, Instant::ORIGIN));
        server.secure();
        server.hear(HEADER);
        server.hear(&authenticate(&format!(
            "{agent}<bind xmlns='urn:xmpp:bind:0'><tag>{tag}</tag></bind>"
        )));
        server.stream.jid().unwrap().resource().unwrap().to_owned()
    };
    let id = "d4565fa7-4d72-4749-b3d3-740edbf87770";
    let agent = format!("<user-agent id='{id}'/>");
    let first = resource(&agent, "Balcony", 1);
    assert_eq!(first, resource(&agent, "Balcony", 2));
    assert_eq!(first.strip_prefix("Balcony/").map(str::len), Some(32));
    assert!(!first.contains("d4565fa7"));
    let other = agent.replace("7770", "7771");
    let mut others = vec![
        resource(&agent, "Window", 1).replace("Window", "Balcony"),
        resource(&other, "Balcony", 1),
        resource("", "Balcony", 1),
        resource("", "Balcony", 2),
        first,
    ];
    others.sort();
    others.dedup();
    assert_eq!(others.len(), 5, "{others:?}");
}

#[test]
fn what_may_be_enabled_and_resumed_along_is_offered() {
    let pair = established(managed_client(), managed_server());
    assert!(pair.server.said.contains(&format!(
        "<inline><bind xmlns='urn:xmpp:bind:0'><inline><feature var='{SM}'/>\
         <feature var='urn:xmpp:csi:0'/></inline></bind><sm xmlns='{SM}'/></inline>"
    )));
    let pair = established(client(), server());
    assert!(
        pair.server
            .said
            .contains("<inline><bind xmlns='urn:xmpp:bind:0'><inline/></bind></inline>")
    );
}

#[test]
fn management_is_enabled_along_with_the_resource() {
    let mut pair = established(managed_client(), managed_server());
    let session = pair.client.stream.session().unwrap();
    let id = session.id().unwrap();
    assert!(pair.client.said.contains(&format!(
        "<bind xmlns='urn:xmpp:bind:0'><tag>Balcony</tag>\
         <enable xmlns='{SM}' resume='true' max='600'/></bind></authenticate>"
    )));
    assert!(pair.server.said.contains(&format!(
        "<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='{SM}' id='{id}' resume='true' max='600'/></bound>"
    )));
    for side in [&pair.client, &pair.server] {
        let managed = |event: &&Event| matches!(event, Event::Managed { resumable: true });
        assert_eq!(side.events.iter().filter(managed).count(), 1);
        assert_eq!(
            side.said.matches("<enable ").count(),
            usize::from(!side.said.contains("<success"))
        );
    }
    for side in [&mut pair.client, &mut pair.server] {
        side.stream.send_bytes(b"<message/>").unwrap();
    }
    pair.run();
    for side in [&pair.client, &pair.server] {
        let session = side.stream.session().unwrap();
        assert_eq!((session.sent(), session.handled()), (1, 1));
    }
}

#[test]
fn management_that_could_not_be_enabled_along_fails_inside_the_answer() {
    let mut server = bearer();
    let said = server.hear(&authenticate(&format!(
        "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='{SM}'/></bind>"
    )));
    assert!(
        said.contains(&format!(
            "<bound xmlns='urn:xmpp:bind:0'><failed xmlns='{SM}'>"
        )),
        "{said}"
    );
    assert!(server.stream.is_established());

    let inline =
        format!("<bind xmlns='urn:xmpp:bind:0'><inline><feature var='{SM}'/></inline></bind>");
    let mut client = plain_client(Sasl2::new(), &inline);
    assert!(client.said.contains("<enable "), "{}", client.said);
    client.hear(&success(&format!(
        "<bound xmlns='urn:xmpp:bind:0'><failed xmlns='{SM}'><internal-server-error \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed></bound>"
    )));
    client.hear("<stream:features/>");
    assert!(client.stream.is_established() && client.stream.session().is_none());
    let condition = StanzaCondition::InternalServerError;
    assert!(
        client.events.iter().any(
            |event| matches!(event, Event::Unmanaged { condition: told } if *told == condition)
        )
    );
}

#[test]
fn a_server_that_enables_nothing_along_is_asked_afterwards() {
    let mut client = plain_client(Sasl2::new(), "<bind xmlns='urn:xmpp:bind:0'/>");
    assert!(client.said.contains("<bind ") && !client.said.contains("<enable "));
    client.hear(&success("<bound xmlns='urn:xmpp:bind:0'/>"));
    let said = client.hear(&format!(
        "<stream:features><sm xmlns='{SM}'/></stream:features>"
    ));
    assert!(said.starts_with("<enable "), "{said}");
    assert!(client.stream.is_established());
    // And ours answers a client that asks afterwards.
    let mut server = Side::secured_server(
        bearer_server()
            .sasl2(true)
            .management(ManagementConfig::new()),
    );
    let said = server.hear(&authenticate("<bind xmlns='urn:xmpp:bind:0'/>"));
    assert!(said.contains(&format!("<sm xmlns='{SM}'/>")), "{said}");
    assert!(
        server
            .hear(&format!("<enable xmlns='{SM}'/>"))
            .starts_with("<enabled")
    );
}

#[test]
fn a_client_may_begin_inactive() {
    let sasl2 = Sasl2::new().inactive(true);
    let pair = established(client_config().sasl2(sasl2.clone()), managed_server());
    assert!(
        pair.client
            .said
            .contains("<inactive xmlns='urn:xmpp:csi:0'/></bind>")
    );
    assert!(
        pair.server
            .events
            .iter()
            .any(|event| matches!(event, Event::ClientState { active: false }))
    );
    let mut client = pair.client;
    assert_eq!(
        client.stream.set_active(false),
        Ok(false),
        "the server knows"
    );
    assert_eq!(client.stream.set_active(true), Ok(true));
    let pair = established(client_config().sasl2(sasl2), server());
    assert!(!pair.client.said.contains("inactive"));
}

#[test]
fn a_session_is_resumed_along_with_authentication() {
    let mut old = established(managed_client(), managed_server());
    old.client.stream.send_bytes(b"<message id='c'/>").unwrap();
    old.server.stream.send_bytes(b"<message id='s'/>").unwrap();
    let address = old.client.stream.jid().cloned();
    let (client, server) = sessions_of(old);
    let id = client.id().unwrap().to_owned();
    let mut pair = Pair::new(managed_client(), managed_server().announce_limits(true));
    pair.client.stream.resume(client).unwrap();
    pair.server.sessions.push(server);
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(matches!(
            side.events.last(),
            Some(Event::Established { resumed: true, .. })
        ));
        assert_eq!(side.stream.jid().cloned(), address);
    }
    assert_eq!(pair.server.stanzas, ["<message id='c'/>"]);
    assert_eq!(pair.client.stanzas, ["<message id='s'/>"]);
    // What a stranger may send does not bind the client any more, and what it may tell it still may.
    let client = &mut pair.client.stream;
    let large = format!("<message>{}</message>", "x".repeat(70_000));
    assert_eq!(client.send_bytes(large.as_bytes()), Ok(()));
    assert_eq!(client.set_active(false), Ok(true));
    // The resource that was asked for along is neither bound nor asked about, and no features follow.
    assert!(
        pair.client
            .said
            .contains(&format!("<resume xmlns='{SM}' h='0' previd='{id}'/><bind "))
    );
    assert!(
        pair.server
            .events
            .iter()
            .all(|event| !matches!(event, Event::Bind { .. }))
    );
    let said = behind_header(&pair.server);
    assert!(!said.contains("<bound"));
    assert!(said.contains(&format!(
        "<resumed xmlns='{SM}' h='0' previd='{id}'/></success><message id='s'/>"
    )));
}

#[test]
fn a_session_that_is_lost_is_followed_by_the_resource_that_was_asked_for_along() {
    let mut old = established(managed_client(), managed_server());
    old.client.stream.send_bytes(b"<message id='c'/>").unwrap();
    let (client, _) = sessions_of(old);
    let mut pair = Pair::new(managed_client(), managed_server());
    pair.client.stream.resume(client).unwrap();
    pair.run();
    let said = behind_header(&pair.server);
    let failed = format!(
        "<failed xmlns='{SM}'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    );
    assert!(
        said.contains(&format!("{failed}<bound xmlns='urn:xmpp:bind:0'><enabled ")),
        "{said}"
    );
    assert!(matches!(
        pair.client.events.last(),
        Some(Event::Established { resumed: false, .. })
    ));
    let lost = pair.client.events.iter().find_map(|event| match event {
        Event::NotResumed {
            session,
            condition: Some(StanzaCondition::ItemNotFound),
        } => Some(session),
        _ => None,
    });
    assert_eq!(lost.unwrap().unacknowledged().count(), 1);
    assert!(pair.client.stream.session().unwrap().is_resumable());

    // A server without resumption says so in the same place.
    let mut server = bearer();
    let said = server.hear(&authenticate(&format!(
        "<resume xmlns='{SM}' h='0' previd='x'/>"
    )));
    assert!(said.contains("<feature-not-implemented"), "{said}");
}

#[test]
fn a_session_that_cannot_be_resumed_along_is_resumed_afterwards() {
    let old = established(managed_client(), managed_server());
    let (client, _) = sessions_of(old);
    let id = client.id().unwrap().to_owned();
    let config = password_config("juliet", PASSWORD)
        .policy(plain_policy())
        .management(ManagementConfig::new())
        .sasl2(Sasl2::new());
    let mut side = Side::client(config.encryption(Encryption::Direct));
    side.stream.resume(client).unwrap();
    side.secure();
    side.hear(RESPONSE);
    side.hear(&format!(
        "<stream:features><authentication xmlns='{SASL2}'><mechanism>PLAIN</mechanism>\
         <inline><bind xmlns='urn:xmpp:bind:0'/></inline></authentication></stream:features>"
    ));
    assert!(
        !side.said.contains("<bind") && !side.said.contains("<resume"),
        "{}",
        side.said
    );
    side.hear(&success("").replace("/x<", "<"));
    let said = side.hear(&format!(
        "<stream:features><sm xmlns='{SM}'/></stream:features>"
    ));
    assert_eq!(said, format!("<resume xmlns='{SM}' h='0' previd='{id}'/>"));
}

#[test]
fn a_resumption_that_is_cut_at_any_byte_can_be_tried_again() {
    let start = || {
        let mut old = established(managed_client(), managed_server());
        old.client.stream.send_bytes(b"<message id='c'/>").unwrap();
        old.server.stream.send_bytes(b"<message id='s'/>").unwrap();
        sessions_of(old)
    };
    let again = |client, server, cut| {
        let mut pair = Pair::new(managed_client(), managed_server());
        pair.client.stream.resume(client).unwrap();
        pair.server.sessions.push(server);
        pair.cut = cut;
        pair.run();
        pair
    };
    let (client, server) = start();
    let length = again(client, server, None).carried;
    for cut in (length - 450..length).step_by(2) {
        let (client, server) = start();
        let mut pair = again(client, server, Some(cut));
        let heard = [pair.server.stanzas.clone(), pair.client.stanzas.clone()];
        let client = pair.client.stream.take_session().unwrap();
        let known = pair
            .server
            .sessions
            .pop()
            .or_else(|| pair.server.stream.take_session());
        let pair = again(client, known.unwrap(), None);
        let [at_server, at_client] = heard;
        assert_eq!(
            [at_server, pair.server.stanzas].concat(),
            ["<message id='c'/>"],
            "{cut}"
        );
        assert_eq!(
            [at_client, pair.client.stanzas].concat(),
            ["<message id='s'/>"],
            "{cut}"
        );
    }
}

#[test]
fn a_client_believes_no_impossible_success() {
    let inline = format!("<sm xmlns='{SM}'/><bind xmlns='urn:xmpp:bind:0'/>");
    let bound = "<bound xmlns='urn:xmpp:bind:0'/>";
    for wrong in [
        success(bound).replace("juliet@example.com/x", "@"),
        success(bound).replace("juliet@example.com/x", "juliet@example.com"),
        format!("<success xmlns='{SASL2}'/>"),
        success(&format!("<resumed xmlns='{SM}' h='0' previd='x'/>")),
    ] {
        let mut client = plain_client(Sasl2::new(), &inline);
        client.hear(&wrong);
        assert_eq!(client.violation(), StreamCondition::BadFormat, "{wrong}");
    }
    let mut client = plain_client(Sasl2::new(), &inline);
    client.hear("<message/>");
    assert_eq!(client.violation(), StreamCondition::BadFormat);
}

#[test]
fn a_client_hears_why_it_was_refused() {
    let mut client = plain_client(Sasl2::new(), "");
    client.hear(
        &failure("account-disabled")
            .replace("</failure>", "<text>ask Friar Laurence</text></failure>"),
    );
    match client.failure() {
        Error::Authentication(refusal) => {
            assert_eq!(refusal.condition, Condition::AccountDisabled);
            assert_eq!(refusal.text.as_deref(), Some("ask Friar Laurence"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn tasks_that_nobody_knows_are_not_begun() {
    let mut client = plain_client(Sasl2::new(), "");
    let said = client.hear(&format!(
        "<continue xmlns='{SASL2}'><tasks><task>TOTP</task><task>HOTP</task></tasks></continue>"
    ));
    assert!(
        said.starts_with(&format!("<abort xmlns='{SASL2}'/>")),
        "{said}"
    );
    let tasks = ["TOTP", "HOTP"].map(String::from).to_vec();
    assert_eq!(*client.failure(), Error::UnknownTasks(tasks));
    assert_eq!(client.failure().blame(), Blame::Peer);
}

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    let features = format!(
        "<authentication xmlns='{SASL2}'><mechanism>SCRAM-SHA-256</mechanism></authentication>"
    );
    let mut client = Side::secured_client(client(), &features);
    client.hear(&success(""));
    assert!(matches!(client.failure(), Error::Sasl(_)));
    assert!(
        client
            .events
            .iter()
            .all(|event| !matches!(event, Event::Authenticated { .. }))
    );
    let mut client = Side::secured_client(self::client(), &features);
    let said = client.hear(&format!("<challenge xmlns='{SASL2}'>!</challenge>"));
    assert!(said.starts_with("<abort "), "{said}");
}
