//! Channel binding: who says what about it, and what follows.

use crate::common::{Stop, config, end_point, exchange, log_in, nonce, policy, tls};
use xmpp_sasl::{
    BindingKind, Channel, ChannelBinding, Client, Condition, Credentials, Error, Failure,
    Mechanism, Server, ServerConfig,
};

const PLUS: [Mechanism; 4] = [
    Mechanism::ScramSha3_512Plus,
    Mechanism::ScramSha512Plus,
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha1Plus,
];

fn credentials() -> Credentials {
    Credentials::password("user", "pencil")
}

/// The GS2 header of a client on this channel, before this offer.
fn header(offered: &[&str], channel: &Channel) -> Result<String, Error> {
    let offered = offered.iter().copied();
    let mut client = Client::select(offered, &credentials(), channel, &policy(), nonce("client"))?;
    let first = String::from_utf8(client.initial_response().unwrap()).unwrap();
    Ok(first.strip_suffix(",n=user,r=client").unwrap().to_owned())
}

fn start(config: &ServerConfig, mechanism: Mechanism, channel: &Channel) -> Server {
    Server::start(config, mechanism.name(), channel, nonce("server")).unwrap()
}

#[test]
fn an_exchange_bound_to_the_channel_succeeds_with_every_hash_and_kind() {
    let unique = ChannelBinding::new(BindingKind::TlsUnique, *b"finished").unwrap();
    for channel in [
        tls(),
        Channel::tls().binding(unique),
        Channel::tls().binding(end_point(&[5; 32])),
    ] {
        for mechanism in PLUS {
            let policy = policy().mechanisms([mechanism]);
            let (used, outcome) = log_in(&config(), &channel, &credentials(), &policy).unwrap();
            assert_eq!(used, mechanism);
            assert_eq!(outcome.user, "user");
        }
    }
}

#[test]
fn the_bound_exchange_carries_kind_and_data() {
    let mut client = Client::select(
        ["SCRAM-SHA-1-PLUS"],
        &credentials(),
        &tls(),
        &policy(),
        nonce("client"),
    )
    .unwrap();
    assert_eq!(
        client.initial_response().unwrap(),
        b"p=tls-exporter,,n=user,r=client"
    );
    let last = client
        .handle_challenge(b"r=clientx,s=c2FsdA==,i=1")
        .unwrap();
    let last = String::from_utf8(last).unwrap();
    let bound = last.strip_prefix("c=").unwrap().split_once(',').unwrap().0;
    let bound = xmpp_sasl::wire::decode(bound).unwrap();
    assert_eq!(bound, [&b"p=tls-exporter,,"[..], &[7; 32]].concat());
}

#[test]
fn the_flag_tells_what_the_client_saw() {
    let cleartext = Channel::cleartext();
    assert_eq!(header(&["SCRAM-SHA-1"], &cleartext).unwrap(), "n,");
    assert_eq!(
        header(&["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], &cleartext).unwrap(),
        "n,"
    );
    assert_eq!(header(&["SCRAM-SHA-1"], &Channel::tls()).unwrap(), "n,");
    assert_eq!(header(&["SCRAM-SHA-1"], &tls()).unwrap(), "y,");
    assert_eq!(
        header(&["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], &tls()).unwrap(),
        "p=tls-exporter,"
    );
    // Binding counts for more than the hash.
    assert_eq!(
        header(&["SCRAM-SHA-512", "SCRAM-SHA-1-PLUS"], &tls()).unwrap(),
        "p=tls-exporter,"
    );
}

#[test]
fn the_strongest_kind_that_both_have_is_taken() {
    let both = Channel::tls()
        .binding(end_point(b"hash"))
        .binding(ChannelBinding::tls_exporter([7; 32]));
    let offer = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"];
    let kinds = ["tls-server-end-point", "tls-exporter"];
    assert_eq!(header(&offer, &both).unwrap(), "p=tls-exporter,");
    assert_eq!(
        header(&offer, &both.clone().announced(kinds)).unwrap(),
        "p=tls-exporter,"
    );
    assert_eq!(
        header(&offer, &both.clone().announced(["tls-server-end-point"])).unwrap(),
        "p=tls-server-end-point,"
    );
    assert_eq!(
        header(&offer, &both.announced([])).unwrap(),
        "p=tls-exporter,"
    );
    let kinds: Vec<_> = BindingKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(
        kinds,
        ["tls-exporter", "tls-unique", "tls-server-end-point"]
    );
}

#[test]
fn an_offer_that_contradicts_itself_is_refused() {
    let end_point = "tls-server-end-point";
    // No type in common, but the one that every server has: not bound, and said so.
    let channel = tls().announced(["tls-unique", end_point]);
    assert_eq!(
        header(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], &channel).unwrap(),
        "n,"
    );
    // Types without a mechanism.
    let channel = tls().announced(["tls-exporter", end_point]);
    assert_eq!(
        header(&["SCRAM-SHA-1"], &channel),
        Err(Error::OfferTampered)
    );
    // A client that cannot bind does not care.
    let channel = Channel::tls().announced(["tls-exporter"]);
    assert_eq!(header(&["SCRAM-SHA-1"], &channel).unwrap(), "n,");
}

#[test]
fn a_policy_without_plus_mechanisms_does_not_support_binding() {
    let bare = policy().mechanisms([Mechanism::ScramSha256]);
    let (mechanism, _) = log_in(&config(), &tls(), &credentials(), &bare).unwrap();
    assert_eq!(mechanism, Mechanism::ScramSha256);
}

#[test]
fn a_client_that_did_not_see_the_offered_binding_was_tampered_with() {
    let mut server = start(&config(), Mechanism::ScramSha256, &tls());
    let failure = server
        .handle_initial(Some(b"y,,n=user,r=client"))
        .unwrap_err();
    assert_eq!(failure, Failure::Downgrade);
    assert_eq!(failure.condition(), Condition::NotAuthorized);

    // Where none was offered, it is right.
    for (config, channel) in [
        (config(), Channel::tls()),
        (config().mechanisms([Mechanism::ScramSha256]), tls()),
    ] {
        let mut server = start(&config, Mechanism::ScramSha256, &channel);
        assert!(server.handle_initial(Some(b"y,,n=user,r=client")).is_ok());
    }
    // As is a client that cannot bind.
    let mut server = start(&config(), Mechanism::ScramSha256, &tls());
    assert!(server.handle_initial(Some(b"n,,n=user,r=client")).is_ok());
}

#[test]
fn a_stripped_offer_ends_without_success() {
    let stripped = ["SCRAM-SHA-256", "SCRAM-SHA-1"];
    let mut client =
        Client::select(stripped, &credentials(), &tls(), &policy(), nonce("client")).unwrap();
    let mut server = start(&config(), client.mechanism(), &tls());
    assert_eq!(
        exchange(&mut client, &mut server, "user", "pencil"),
        Err(Stop::Server(Failure::Downgrade))
    );
}

#[test]
fn a_flag_that_does_not_go_with_the_mechanism_is_refused() {
    let try_flag = |mechanism, flag: &str| {
        let message = format!("{flag},,n=user,r=client");
        start(&config(), mechanism, &tls())
            .handle_initial(Some(message.as_bytes()))
            .unwrap_err()
    };
    assert_eq!(
        try_flag(Mechanism::ScramSha256, "p=tls-exporter"),
        Failure::BindingFlag
    );
    assert_eq!(
        try_flag(Mechanism::ScramSha256Plus, "n"),
        Failure::BindingFlag
    );
    assert_eq!(
        try_flag(Mechanism::ScramSha256Plus, "y"),
        Failure::Downgrade
    );
    for kind in ["tls-unique", "tls-server-end-point", "TLS-EXPORTER", "x"] {
        let failure = try_flag(Mechanism::ScramSha256Plus, &format!("p={kind}"));
        assert_eq!(failure, Failure::UnsupportedBinding);
        assert_eq!(failure.condition(), Condition::NotAuthorized);
    }
}

#[test]
fn a_client_bound_to_another_channel_is_refused() {
    let theirs = Channel::tls().binding(ChannelBinding::tls_exporter([8; 32]));
    for mechanism in PLUS {
        let mut client = Client::select(
            [mechanism.name()],
            &credentials(),
            &theirs,
            &policy(),
            nonce("client"),
        )
        .unwrap();
        let mut server = start(&config(), mechanism, &tls());
        let stop = exchange(&mut client, &mut server, "user", "pencil").unwrap_err();
        assert_eq!(stop, Stop::Server(Failure::BindingMismatch));
        assert_eq!(
            Failure::BindingMismatch.condition(),
            Condition::NotAuthorized
        );
    }
}

#[test]
fn a_header_that_changed_on_the_way_is_refused() {
    // The attacker turns `y` into `n`, so that the server does not notice the stripped offer.
    let mut client = Client::select(
        ["SCRAM-SHA-256"],
        &credentials(),
        &tls(),
        &policy(),
        nonce("client"),
    )
    .unwrap();
    assert_eq!(client.initial_response().unwrap(), b"y,,n=user,r=client");
    let mut server = start(&config(), Mechanism::ScramSha256, &tls());
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let account = crate::common::account(xmpp_sasl::Hash::Sha256, "pencil");
    let xmpp_sasl::Step::Challenge(challenge) = server.handle_lookup(Some(&account)).unwrap()
    else {
        panic!("no challenge")
    };
    let last = client.handle_challenge(&challenge).unwrap();
    assert_eq!(
        server.handle_response(&last).unwrap_err(),
        Failure::BindingMismatch
    );
}

#[test]
fn binding_data_is_never_empty() {
    assert!(ChannelBinding::new(BindingKind::TlsUnique, Vec::new()).is_none());
    for kind in BindingKind::ALL {
        assert_eq!(kind.name().parse::<BindingKind>(), Ok(*kind));
        assert_eq!(ChannelBinding::new(*kind, *b"x").unwrap().kind(), *kind);
    }
    assert!("tls-Unique".parse::<BindingKind>().is_err());
}
