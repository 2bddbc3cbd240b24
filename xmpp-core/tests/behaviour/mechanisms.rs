//! What the mechanisms ask the application for, and what the client believes of the offer, in both profiles of SASL.

use crate::support::{
    PASSWORD, RESPONSE, Side, bearer_server, client_config, jid, password_config, plain_policy,
    server_config,
};
use xmpp_core::jid::Jid;
use xmpp_core::stream::{
    Encryption, Error, Event, InitiatorConfig, Misuse, ReceiverConfig, Sasl2, TlsInfo,
};
use xmpp_sasl::{
    BindingKind, ChannelBinding, Condition, Credentials, Mechanism, Policy, ServerConfig,
};

/// A conversation below TLS in which somebody may change what the server says.
struct Conversation {
    client: Side,
    server: Side,
}

impl Conversation {
    fn new(client: InitiatorConfig, server: ReceiverConfig) -> Self {
        let client = Side::client(client.encryption(Encryption::Direct));
        let server = Side::server(server.encryption(Encryption::Direct));
        Self { client, server }
    }

    fn secure(mut self, client: TlsInfo, server: TlsInfo) -> Self {
        for (side, info) in [(&mut self.client, client), (&mut self.server, server)] {
            side.stream.handle_tls(info, side.now).unwrap();
            side.drain();
        }
        self
    }

    fn run(mut self, change: impl Fn(String) -> String) -> Self {
        let mut seen = 0;
        while seen < self.client.said.len() {
            let said = self.client.said[seen..].to_owned();
            seen = self.client.said.len();
            let answer = self.server.hear(&said);
            self.client.hear(&change(answer));
        }
        self
    }

    #[track_caller]
    fn account(&self) -> Jid {
        assert!(
            self.client.stream.is_established() && self.server.stream.is_established(),
            "{:?} {:?}",
            self.client.events,
            self.server.events
        );
        authenticated(&self.server).0
    }
}

fn exporter() -> TlsInfo {
    TlsInfo::new().exporter(Some([5; 32]))
}

/// Between two that have the exporter.
fn talk(
    client: InitiatorConfig,
    server: ReceiverConfig,
    change: impl Fn(String) -> String,
) -> Conversation {
    Conversation::new(client, server)
        .secure(exporter(), exporter())
        .run(change)
}

#[track_caller]
fn authenticated(side: &Side) -> (Jid, Mechanism) {
    let found = side.events.iter().find_map(|event| match event {
        Event::Authenticated {
            account, mechanism, ..
        } => Some((account.clone(), *mechanism)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{:?}", side.events))
}

/// The same in both profiles.
fn profiles(config: InitiatorConfig) -> [InitiatorConfig; 2] {
    [config.clone(), config.sasl2(Sasl2::new())]
}

fn bearer_client(token: &str) -> InitiatorConfig {
    InitiatorConfig::new(jid("juliet@example.com"), Credentials::bearer_token(token))
}

fn server(mechanisms: &[Mechanism]) -> ReceiverConfig {
    let sasl = ServerConfig::new([9; 32]).mechanisms(mechanisms.iter().copied());
    ReceiverConfig::new(jid("example.com"), sasl).sasl2(true)
}

#[test]
fn the_application_says_whose_bearer_token_it_is() {
    for client in profiles(bearer_client(PASSWORD)) {
        let done = talk(client, bearer_server().sasl2(true), |said| said);
        assert_eq!(done.account(), jid("juliet@example.com"));
    }
    for client in profiles(bearer_client("stolen")) {
        let done = talk(client, bearer_server().sasl2(true), |said| said);
        let Error::Authentication(refusal) = done.client.failure() else {
            panic!("{:?}", done.client.failure());
        };
        assert_eq!(refusal.condition, Condition::NotAuthorized);
        let told = refusal.bearer.as_ref().map(|error| error.status());
        assert_eq!(
            told,
            Some("invalid_token"),
            "and what the server said of it"
        );
    }
}

#[test]
fn a_bearer_token_is_not_shown_and_belongs_to_an_account_of_the_domain() {
    let mut server = Side::secured_server(bearer_server());
    server.answers = false;
    let initial = xmpp_sasl::wire::encode(b"n,,\x01auth=Bearer secret-token\x01\x01");
    server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>{initial}</auth>"
    ));
    let event = server.events.pop().unwrap();
    assert!(!format!("{event:?}").contains("secret"), "{event:?}");
    let Event::Bearer {
        ticket,
        token: Some(token),
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!(token.as_str(), "secret-token");
    let now = server.now;
    for wrong in ["example.com", "juliet@example.org", "juliet@example.com/x"] {
        let answer = server.stream.handle_bearer(ticket, Ok(jid(wrong)), now);
        assert_eq!(answer, Err(Misuse::WrongAddress), "{wrong}");
    }
    assert_eq!(
        server.stream.handle_certificate(ticket, true, now),
        Err(Misuse::UnknownTicket),
        "the ticket asks for something else"
    );
    let answer = server
        .stream
        .handle_bearer(ticket, Ok(jid("juliet@example.com")), now);
    assert_eq!(answer, Ok(()));
    server.drain();
    assert!(server.said.contains("<success"), "{}", server.said);
}

/// The certificate of the client names these; the application knows Juliet.
fn certified(client: InitiatorConfig, names: &[&str]) -> Conversation {
    let names: Vec<Jid> = names.iter().map(|name| jid(name)).collect();
    let info = names.iter().fold(exporter(), TlsInfo::identity);
    let server = server(&[Mechanism::External, Mechanism::ScramSha256]);
    Conversation::new(client, server)
        .secure(exporter(), info)
        .run(|said| said)
}

#[test]
fn a_certificate_proves_an_account_that_the_application_knows() {
    let certificate =
        || InitiatorConfig::new(jid("juliet@example.com"), Credentials::certificate());
    for client in profiles(certificate()) {
        let done = certified(client.clone(), &["juliet@example.com"]);
        assert_eq!(done.account(), jid("juliet@example.com"));
        assert_eq!(authenticated(&done.client).1, Mechanism::External);
        // Of several the one that the stream comes from.
        let done = certified(client.clone(), &["nurse@example.com", "juliet@example.com"]);
        assert_eq!(done.account(), jid("juliet@example.com"));
        // Another domain's account, somebody else's, and none.
        for names in [&["juliet@example.org"][..], &["nurse@example.com"], &[]] {
            let done = certified(client.clone(), names);
            let failure = done.client.failure();
            assert!(
                matches!(failure, Error::NoCommonMechanism { .. }),
                "{names:?} {failure:?}"
            );
        }
    }
    let unknown = InitiatorConfig::new(jid("romeo@example.com"), Credentials::certificate());
    for client in profiles(unknown) {
        let done = certified(client, &["romeo@example.com"]);
        let Error::Authentication(refusal) = done.client.failure() else {
            panic!("{:?}", done.client.failure());
        };
        assert_eq!(refusal.condition, Condition::InvalidAuthzid);
    }
}

#[test]
fn a_certificate_makes_nobody_somebody_else() {
    let credentials = Credentials::certificate().authorization("juliet@example.com");
    let config = InitiatorConfig::new(jid("nurse@example.com"), credentials);
    for client in profiles(config) {
        let done = certified(client, &["nurse@example.com"]);
        let Error::Authentication(refusal) = done.client.failure() else {
            panic!("{:?}", done.client.failure());
        };
        assert_eq!(refusal.condition, Condition::InvalidAuthzid);
        let asked = |event: &Event| matches!(event, Event::Certificate { .. });
        assert!(
            !done.server.events.iter().any(asked),
            "nor is it asked about"
        );
    }
}

#[test]
fn who_is_nobody_gets_an_account_of_its_own() {
    let config = InitiatorConfig::new(jid("example.com"), Credentials::anonymous());
    for client in profiles(config) {
        let done = talk(client, server(&[Mechanism::Anonymous]), |said| said);
        let account = done.account();
        assert_eq!(account.domain(), "example.com");
        assert_eq!(account.local().map(str::len), Some(32));
        assert_eq!(done.client.stream.jid().map(Jid::bare), Some(account));
    }
}

#[test]
fn tokens_are_not_for_the_first_profile() {
    let server = server(&[Mechanism::HtSha256Unbound, Mechanism::ScramSha256]);
    let mut server = Side::secured_server(server);
    let (_, features) = server.said.rsplit_once("<stream:features>").unwrap();
    assert!(!features.contains("HT-SHA-256"), "{features}");
    let initial = xmpp_sasl::wire::encode(&[b"juliet\0".to_vec(), vec![1; 32]].concat());
    let said = server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='HT-SHA-256-NONE'>{initial}</auth>"
    ));
    assert!(said.contains("<invalid-mechanism"), "{said}");
}

#[test]
fn what_the_second_profile_does_not_offer_is_left_to_the_first() {
    let client = password_config("juliet", PASSWORD)
        .policy(plain_policy())
        .sasl2(Sasl2::new());
    let both = server(&[Mechanism::ScramSha256, Mechanism::Plain]);
    let done = talk(client.clone(), both, |said| said);
    assert_eq!(done.account(), jid("juliet@example.com"));
    assert_eq!(authenticated(&done.server).1, Mechanism::Plain);
    // The password itself is not for the second one (XEP-0388 §2.1), and without it nothing is left.
    let (_, list) = done.server.said.split_once("<authentication").unwrap();
    let (list, _) = list.split_once("</authentication>").unwrap();
    assert!(list.contains("SCRAM-SHA-256<") && !list.contains("PLAIN"));
    let done = talk(client, server(&[Mechanism::Plain]), |said| said);
    assert!(!done.server.said.contains("<authentication"));
    assert_eq!(done.account(), jid("juliet@example.com"));
}

fn offer_of_server(list: &str, mechanisms: &[&str]) -> String {
    let names = mechanisms
        .iter()
        .map(|name| format!("<mechanism>{name}</mechanism>"));
    let names: String = names.collect();
    format!(
        "<stream:features><authentication xmlns='urn:xmpp:sasl:2'>{names}</authentication>{list}</stream:features>"
    )
}

fn types(kinds: &[&str]) -> String {
    let kinds = kinds
        .iter()
        .map(|kind| format!("<channel-binding type='{kind}'/>"));
    let kinds: String = kinds.collect();
    format!("<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>{kinds}</sasl-channel-binding>")
}

/// A client with all three types that has got those features.
fn offered(features: &str) -> Side {
    let config = client_config().sasl2(Sasl2::new());
    let mut client = Side::client(config.encryption(Encryption::Direct));
    client.stream.handle_tls(bindings(), client.now).unwrap();
    client.drain();
    client.hear(RESPONSE);
    client.hear(features);
    client
}

fn bindings() -> TlsInfo {
    let of = |kind| ChannelBinding::new(kind, [6; 12]).unwrap();
    exporter()
        .binding(of(BindingKind::TlsServerEndPoint))
        .binding(of(BindingKind::TlsUnique))
}

#[test]
fn an_offer_of_channel_binding_is_whole_or_was_tampered_with() {
    let tampered = Error::Sasl(xmpp_sasl::Error::OfferTampered);
    let plus = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
    for features in [
        offer_of_server("", &plus),
        offer_of_server(&types(&[]), &plus),
        offer_of_server(&types(&["tls-exporter"]), &["SCRAM-SHA-256"]),
    ] {
        let client = offered(&features);
        assert_eq!(*client.failure(), tampered, "{features}");
        assert!(!client.said.contains("<authenticate "));
    }
    let client = offered(&offer_of_server(&types(&["tls-exporter"]), &plus));
    assert!(client.said.contains("<authenticate "));
}

#[test]
fn the_strongest_type_that_both_have_is_bound() {
    let plus = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
    for (list, chosen) in [
        (
            &["tls-server-end-point", "tls-unique", "tls-exporter"][..],
            "tls-exporter",
        ),
        (&["tls-server-end-point", "tls-unique"], "tls-unique"),
        (
            &["tls-server-end-point", "tls-something"],
            "tls-server-end-point",
        ),
    ] {
        let client = offered(&offer_of_server(&types(list), &plus));
        let (_, rest) = client.said.split_once("<initial-response>").unwrap();
        let (data, _) = rest.split_once('<').unwrap();
        let opening = xmpp_sasl::wire::decode(data).unwrap();
        assert!(
            opening.starts_with(format!("p={chosen},,").as_bytes()),
            "{chosen}"
        );
    }
    // And a server lists what it was given, for -PLUS mechanisms alone.
    let list = types(&["tls-exporter", "tls-unique", "tls-server-end-point"]);
    for (config, is_listed) in [
        (server_config().sasl2(true), true),
        (server(&[Mechanism::ScramSha256]), false),
    ] {
        let mut server = Side::server(config.encryption(Encryption::Direct));
        server.stream.handle_tls(bindings(), server.now).unwrap();
        let said = server.hear(crate::support::HEADER);
        assert_eq!(said.contains(&list), is_listed, "{said}");
    }
}

#[test]
fn a_mechanism_that_was_taken_from_the_offer_is_missed() {
    let mechanisms = [
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::OAuthBearer,
        Mechanism::Plain,
    ];
    let bearer = "<mechanism>OAUTHBEARER</mechanism>";
    let plain = "<mechanism>PLAIN</mechanism>";
    let tampered = Error::Sasl(xmpp_sasl::Error::OfferTampered);
    for (client, is_second) in profiles(client_config()).into_iter().zip([false, true]) {
        let done = talk(client.clone(), server(&mechanisms), |said| said);
        assert_eq!(done.account(), jid("juliet@example.com"));
        let done = talk(client.clone(), server(&mechanisms), |said| {
            said.replace(bearer, "")
        });
        assert_eq!(*done.client.failure(), tampered);
        // So is a type of binding that was added.
        let add = |said: String| {
            said.replace(
                "</sasl-channel-binding>",
                "<channel-binding type='tls-x'/></sasl-channel-binding>",
            )
        };
        let done = talk(client.clone(), server(&mechanisms), add);
        assert_eq!(*done.client.failure(), tampered);
        // Only the profile in use counts: the password itself is in the other list.
        let done = talk(client.clone(), server(&mechanisms), |said| {
            said.replace(plain, "")
        });
        assert_eq!(done.client.stream.is_established(), is_second);
        // A server that confirms nothing is believed.
        let sasl = ServerConfig::new([9; 32])
            .mechanisms(mechanisms)
            .confirm_offer(false);
        let silent = ReceiverConfig::new(jid("example.com"), sasl).sasl2(true);
        let done = talk(client, silent, |said| said.replace(bearer, ""));
        assert_eq!(done.account(), jid("juliet@example.com"));
    }
}

#[test]
fn a_pinned_mechanism_is_not_followed_by_a_weaker_one() {
    let mechanisms = [
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::Plain,
    ];
    let careless = Policy::default().allow_plain(true);
    for client in profiles(password_config("juliet", PASSWORD).policy(careless.clone())) {
        let done = talk(client.clone(), server(&mechanisms), |said| said);
        assert_eq!(done.account(), jid("juliet@example.com"));
        let (_, seen) = authenticated(&done.client);
        let pinned = client.policy(careless.clone().weakest(seen));
        let done = talk(pinned, server(&[Mechanism::Plain]), |said| said);
        let failure = done.client.failure();
        assert!(
            matches!(failure, Error::NoCommonMechanism { .. }),
            "{failure:?}"
        );
        assert!(
            done.server
                .events
                .iter()
                .all(|event| !matches!(event, Event::Lookup { .. } | Event::Authenticated { .. }))
        );
    }
}

/// SASLprep keeps case, the localpart of an address does not (RFC 7622 §3.3).
#[test]
fn names_that_differ_in_case_are_one_account() {
    for name in ["juliet", "JULIET", "Jul\u{ad}iet"] {
        let mut server = Side::secured_server(server(&[Mechanism::Plain]));
        let initial = xmpp_sasl::wire::encode(format!("\0{name}\0{PASSWORD}").as_bytes());
        server.hear(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{initial}</auth>"
        ));
        assert_eq!(
            authenticated(&server).0,
            jid("juliet@example.com"),
            "{name}"
        );
    }
    // What is no localpart is nobody's name.
    for name in ["ju liet", "juliet@example.com", "ju/liet"] {
        let mut server = Side::secured_server(server(&[Mechanism::Plain]));
        let initial = xmpp_sasl::wire::encode(format!("\0{name}\0{PASSWORD}").as_bytes());
        let said = server.hear(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{initial}</auth>"
        ));
        assert!(said.contains("<not-authorized"), "{name} {said}");
    }
}
