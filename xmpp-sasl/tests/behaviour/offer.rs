//! That nobody on the way took from what the server offers (XEP-0440, XEP-0474).

use crate::common::{Stop, account, config, end_point, exchange, nonce, policy, tls};
use xmpp_sasl::{
    BindingKind, Channel, ChannelBinding, Client, Credentials, Error, Hash, Mechanism,
    MessageError, Nonce, Policy, Server, ServerConfig, Step, StoredCredentials, wire,
};

/// XEP-0474 §6.3.
const OFFER: [&str; 2] = ["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"];
const KINDS: [&str; 2] = ["tls-server-end-point", "tls-exporter"];
const CLIENT_NONCE: &str = "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6";
const CLIENT_FIRST: &str = "p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6";
const SERVER_FIRST: &str = "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                            s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=";
const CLIENT_FINAL: &str = "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,\
                            r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
                            x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=";
const SERVER_FINAL: &str = "v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=";

fn channel() -> Channel {
    let data = *b"THIS IS FAKE CB DATA";
    Channel::tls()
        .binding(ChannelBinding::new(BindingKind::TlsExporter, data).unwrap())
        .announced(KINDS)
}

/// A client of XEP-0474's example that has sent its message, after this offer.
fn example(offer: &[&str], channel: &Channel) -> Result<Client, Error> {
    let mut client = Client::select(
        offer.iter().copied(),
        &Credentials::password("user", "pencil"),
        channel,
        &Policy::default(),
        nonce(CLIENT_NONCE),
    )?;
    client.initial_response().unwrap();
    Ok(client)
}

#[test]
fn the_server_confirms_its_offer_as_in_xep_0474() {
    let config =
        ServerConfig::new([0; 32]).mechanisms([Mechanism::ScramSha1Plus, Mechanism::ScramSha1]);
    let server_nonce = nonce("a09117a6-ac50-4f2f-93f1-93799c2bddf6");
    let mut server = Server::start(&config, "SCRAM-SHA-1-PLUS", &channel(), server_nonce).unwrap();
    let _ = server
        .handle_initial(Some(CLIENT_FIRST.as_bytes()))
        .unwrap();
    let salt = wire::decode("QSXCR+Q6sek8bf92").unwrap();
    let account = StoredCredentials::derive(Hash::Sha1, "pencil", &salt, 4096).unwrap();
    let step = server.handle_lookup(Some(&account)).unwrap();
    assert!(matches!(step, Step::Challenge(challenge) if challenge == SERVER_FIRST.as_bytes()));
    let step = server.handle_response(CLIENT_FINAL.as_bytes()).unwrap();
    assert!(matches!(step, Step::Success { data: Some(data), .. }
        if data == SERVER_FINAL.as_bytes()));
}

#[test]
fn the_client_checks_the_offer_before_it_sends_a_proof() {
    let mut client = example(&OFFER, &channel()).unwrap();
    assert!(client.handle_challenge(SERVER_FIRST.as_bytes()).is_ok());
    // The order of the lists does not count.
    let channel = channel();
    let turned = channel
        .clone()
        .announced(["tls-exporter", "tls-server-end-point"]);
    let mut client = example(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], &turned).unwrap();
    assert!(client.handle_challenge(SERVER_FIRST.as_bytes()).is_ok());

    for (offer, kinds) in [
        (&["SCRAM-SHA-1-PLUS"][..], &KINDS[..]),
        (&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"], &KINDS),
        (&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "X-UNKNOWN"], &KINDS),
        (&OFFER, &["tls-exporter"]),
        (
            &OFFER,
            &["tls-exporter", "tls-server-end-point", "tls-unique"],
        ),
        (&OFFER, &[]),
    ] {
        let mut client = example(offer, &channel.clone().announced(kinds.iter().copied())).unwrap();
        assert_eq!(
            client.handle_challenge(SERVER_FIRST.as_bytes()),
            Err(Error::OfferTampered),
            "{offer:?} {kinds:?}"
        );
    }
    // What cannot be derived elsewhere is not derived here.
    let mut client = example(&["SCRAM-SHA-1-PLUS"], &channel).unwrap();
    assert!(client.derivation(SERVER_FIRST.as_bytes()).is_err());
    assert!(client.handle_challenge(SERVER_FIRST.as_bytes()).is_err());
}

#[test]
fn a_hash_over_the_offer_that_is_none_is_malformed() {
    let answer = |attribute: &str| {
        let message = SERVER_FIRST.replace("h=G6k/rBLDqgOhRRaCuuatSDFkJ08=", attribute);
        let mut client = example(&OFFER, &channel()).unwrap();
        client.handle_challenge(message.as_bytes())
    };
    let right = "h=G6k/rBLDqgOhRRaCuuatSDFkJ08=";
    assert!(answer(&format!("x=y,{right}")).is_ok());
    assert!(answer(&format!("H=x,{right}")).is_ok());
    assert_eq!(
        answer(&format!("{right},{right}")),
        Err(Error::Message(MessageError::Malformed(
            "repeated attribute"
        )))
    );
    assert_eq!(
        answer("h=G6k/rBLDqgOhRRaCuuatSDFkJ08"),
        Err(Error::Message(MessageError::Base64("hash over the offer")))
    );
    assert_eq!(answer("h=AAAA"), Err(Error::OfferTampered));
    // A server that says nothing about it is an older one.
    let without = SERVER_FIRST.replace(&format!(",{right}"), "");
    let mut client = example(&OFFER, &channel()).unwrap();
    assert!(client.handle_challenge(without.as_bytes()).is_ok());
}

/// Attack model 2 of XEP-0474: no channel binding, and the stronger mechanisms taken away.
#[test]
fn a_stripped_mechanism_is_noticed_without_channel_binding() {
    let config = ServerConfig::new([1; 32]);
    let channel = Channel::tls();
    let log_in = |offer: &[&str]| {
        let mut client = Client::select(
            offer.iter().copied(),
            &Credentials::password("user", "pencil"),
            &channel,
            &policy(),
            Nonce::new([2; 18]),
        )
        .unwrap();
        let mechanism = client.mechanism().name();
        let mut server = Server::start(&config, mechanism, &channel, Nonce::new([3; 18])).unwrap();
        exchange(&mut client, &mut server, "user", "pencil").map(drop)
    };
    assert_eq!(log_in(&["SCRAM-SHA-256", "SCRAM-SHA-1"]), Ok(()));
    assert_eq!(
        log_in(&["SCRAM-SHA-1"]),
        Err(Stop::Client(Error::OfferTampered))
    );
    // An attacker who mends the hash breaks the proof.
    let mut client = Client::select(
        ["SCRAM-SHA-1"],
        &Credentials::password("user", "pencil"),
        &channel,
        &policy(),
        nonce("client"),
    )
    .unwrap();
    let mut server = Server::start(&config, "SCRAM-SHA-1", &channel, nonce("server")).unwrap();
    let first = client.initial_response();
    let _ = server.handle_initial(first.as_deref()).unwrap();
    let account = account(Hash::Sha1, "pencil");
    let Step::Challenge(challenge) = server.handle_lookup(Some(&account)).unwrap() else {
        panic!("no challenge")
    };
    let challenge = String::from_utf8(challenge).unwrap();
    let (bare, _) = challenge.split_once(",h=").unwrap();
    let last = client.handle_challenge(bare.as_bytes()).unwrap();
    assert!(server.handle_response(&last).is_err());
}

#[test]
fn types_are_announced_where_a_mechanism_can_use_them() {
    let names = |config: &ServerConfig, channel: &Channel| {
        let kinds = config.binding_kinds(channel);
        kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>()
    };
    let both = tls().binding(end_point(b"hash"));
    let default = ServerConfig::new([0; 32]);
    assert_eq!(
        names(&default, &both),
        ["tls-exporter", "tls-server-end-point"]
    );
    assert!(names(&default, &Channel::tls()).is_empty());
    let bare = default.mechanisms([Mechanism::ScramSha256]);
    assert!(names(&bare, &both).is_empty());
    let tokens = bare.mechanisms([Mechanism::HtSha256Exporter]);
    assert!(names(&tokens, &both).is_empty());

    // Announced on one side and heard on the other, the exchange is bound and confirmed.
    let config = ServerConfig::new([0; 32]);
    let kinds: Vec<_> = config
        .binding_kinds(&both)
        .iter()
        .map(|kind| kind.name())
        .collect();
    let channel = both.announced(kinds);
    let (mechanism, _) = crate::common::log_in(
        &config,
        &channel,
        &Credentials::password("user", "pencil"),
        &policy(),
    )
    .unwrap();
    assert_eq!(mechanism, Mechanism::ScramSha256Plus);
}

#[test]
fn over_sasl2_a_bound_mechanism_needs_announced_types() {
    let select = |offer: &[&str], channel: &Channel| {
        Client::select(
            offer.iter().copied(),
            &Credentials::password("user", "pencil"),
            channel,
            &policy().allow_plain(true),
            nonce("client"),
        )
        .map(|client| client.mechanism())
    };
    let offer = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
    // Rule 4; without SASL2 the type is tried.
    assert_eq!(select(&offer, &tls().sasl2()), Err(Error::OfferTampered));
    assert_eq!(
        select(&offer, &tls().sasl2().announced([])),
        Err(Error::OfferTampered)
    );
    assert_eq!(select(&offer, &tls()), Ok(Mechanism::ScramSha256Plus));
    let announced = tls().announced(["tls-exporter", "tls-server-end-point"]);
    assert_eq!(
        select(&offer, &announced.clone().sasl2()),
        Ok(Mechanism::ScramSha256Plus)
    );
    // Rule 5, for SASL1 as well.
    for channel in [announced.clone(), announced.sasl2()] {
        assert_eq!(
            select(&["SCRAM-SHA-256"], &channel),
            Err(Error::OfferTampered)
        );
        assert_eq!(select(&["PLAIN"], &channel), Err(Error::OfferTampered));
    }
    // Rule 3, and rule 2.
    assert_eq!(
        select(&["SCRAM-SHA-256"], &tls().sasl2()),
        Ok(Mechanism::ScramSha256)
    );
    assert_eq!(
        select(&offer, &Channel::tls().sasl2()),
        Ok(Mechanism::ScramSha256)
    );
}

/// Rule 6 of XEP-0440 §3 as XEP-0474 §7 has it.
#[test]
fn an_announcement_without_any_common_type_has_to_be_confirmed() {
    let offer = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"];
    let theirs = Channel::tls()
        .binding(ChannelBinding::tls_unique(b"finished").unwrap())
        .announced(["tls-unique"]);
    let ours = tls().announced(["tls-unique"]);
    let config =
        ServerConfig::new([1; 32]).mechanisms([Mechanism::ScramSha1Plus, Mechanism::ScramSha1]);
    let log_in = |config: &ServerConfig, ours: &Channel| {
        let mut client = Client::select(
            offer,
            &Credentials::password("user", "pencil"),
            ours,
            &policy(),
            nonce("client"),
        )
        .unwrap();
        assert_eq!(client.mechanism(), Mechanism::ScramSha1);
        let mut server = Server::start(config, "SCRAM-SHA-1", &theirs, nonce("server")).unwrap();
        exchange(&mut client, &mut server, "user", "pencil").map(drop)
    };
    assert_eq!(log_in(&config, &ours), Ok(()));
    // A server that does not confirm it, and an attacker who made it up.
    assert_eq!(
        log_in(&config.clone().confirm_offer(false), &ours),
        Err(Stop::Client(Error::OfferTampered))
    );
    assert_eq!(
        log_in(&config, &tls().announced(["x-dummy"])),
        Err(Stop::Client(Error::OfferTampered))
    );
    // With the type that every server has, the list is plausible by itself.
    assert_eq!(
        log_in(
            &config.confirm_offer(false),
            &tls().announced(["tls-unique", "tls-server-end-point"])
        ),
        Ok(())
    );
    // PLAIN confirms nothing, so it is not sent at all.
    let plain = Client::select(
        ["SCRAM-SHA-1-PLUS", "PLAIN"],
        &Credentials::password("user", "pencil"),
        &ours,
        &policy().allow_plain(true),
        nonce("client"),
    );
    assert_eq!(plain.unwrap_err(), Error::OfferTampered);
}

#[test]
fn nothing_is_confirmed_when_told_not_to() {
    let challenge = |config: &ServerConfig| {
        let mut server =
            Server::start(config, "SCRAM-SHA-256", &Channel::tls(), nonce("s")).unwrap();
        let _ = server.handle_initial(Some(b"n,,n=user,r=c")).unwrap();
        let Step::Challenge(challenge) = server.handle_lookup(None).unwrap() else {
            panic!("no challenge")
        };
        String::from_utf8(challenge).unwrap()
    };
    assert!(!challenge(&config()).contains(",h="));
    assert!(challenge(&config().confirm_offer(true)).contains(",h="));
}
