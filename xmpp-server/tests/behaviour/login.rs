//! Getting in: STARTTLS, direct TLS, wrong passwords, binding and its conflicts, limits before authentication.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Client, DOMAIN, HEADER, condition, config, converse, server, server_with};
use tokio::io::AsyncReadExt;
use xmpp_core::stream::{Encryption, Error, InitiatorConfig};
use xmpp_net::{Connector, TlsClient, TlsServer};
use xmpp_sasl::Credentials;
use xmpp_server::storage::{Memory, Redb, StoreError};
use xmpp_server::{AccountError, Conflict, Server, ServerConfig, ServerError};

pub fn certificate() -> (TlsServer, TlsClient) {
    let certified = rcgen::generate_simple_self_signed([DOMAIN.to_owned()]).unwrap();
    let chain = certified.cert.pem();
    let server = TlsServer::from_pem(
        chain.as_bytes(),
        certified.signing_key.serialize_pem().as_bytes(),
    );
    (
        server.unwrap(),
        TlsClient::with_ca(chain.as_bytes()).unwrap(),
    )
}

#[tokio::test]
async fn a_client_logs_in_over_starttls_with_channel_binding() {
    let (tls, trust) = certificate();
    let config = ServerConfig::new(DOMAIN)
        .unwrap()
        .tls(tls)
        .iterations(crate::support::ITERATIONS);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet"]).await;

    // The stream up to TLS is spoken by hand, so that nothing of the client has to be trusted.
    let mut io = server.raw().await;
    let answer = converse(&mut io, HEADER.as_bytes()).await;
    assert!(
        answer.contains("<starttls") && answer.contains("<required"),
        "{answer}"
    );
    assert!(
        !answer.contains("mechanism"),
        "no password before TLS: {answer}"
    );
    let answer = converse(
        &mut io,
        b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    )
    .await;
    assert!(answer.contains("<proceed"), "{answer}");
    let connection = xmpp_net::Connection::from_tcp(io).unwrap();
    let connection = connection.start_tls_client(&trust, DOMAIN).await.unwrap();
    let exporter = connection.tls_exporter();
    let mut client = bind_over_tls(connection, exporter).await;
    assert_eq!(client.jid(), "juliet@example.com/balcony");
    assert!(client.sync().await.is_empty());
}

#[tokio::test]
async fn a_client_logs_in_over_direct_tls() {
    let (tls, trust) = certificate();
    let config = ServerConfig::new(DOMAIN)
        .unwrap()
        .tls(tls)
        .iterations(crate::support::ITERATIONS);
    let server = Server::start(config, Arc::new(Memory::new()))
        .await
        .unwrap();
    server.accounts().create("juliet", "juliet").await.unwrap();
    let address = server.listen_direct_tls("127.0.0.1:0").await.unwrap();
    let connection = Connector::new()
        .connect(&address.to_string())
        .await
        .unwrap();
    let connection = connection.direct_tls_client(&trust, DOMAIN).await.unwrap();
    let exporter = connection.tls_exporter();
    let mut client = bind_over_tls(connection, exporter).await;
    assert!(client.sync().await.is_empty());
}

#[tokio::test]
async fn a_new_certificate_is_used_for_new_connections_and_the_old_ones_stay() {
    let (tls, trust) = certificate();
    let config = ServerConfig::new(DOMAIN)
        .unwrap()
        .tls(tls.clone())
        .iterations(crate::support::ITERATIONS);
    let server = Server::start(config, Arc::new(Memory::new()))
        .await
        .unwrap();
    server.accounts().create("juliet", "juliet").await.unwrap();
    let address = server.listen_direct_tls("127.0.0.1:0").await.unwrap();
    let connect = async |trust: &TlsClient| {
        let connection = Connector::new().connect(&address.to_string()).await;
        connection.unwrap().direct_tls_client(trust, DOMAIN).await
    };
    let connection = connect(&trust).await.unwrap();
    let exporter = connection.tls_exporter();
    let mut client = bind_over_tls(connection, exporter).await;

    let renewed = rcgen::generate_simple_self_signed([DOMAIN.to_owned()]).unwrap();
    let (chain, key) = (renewed.cert.pem(), renewed.signing_key.serialize_pem());
    tls.replace(chain.as_bytes(), key.as_bytes()).unwrap();
    let renewed_trust = TlsClient::with_ca(chain.as_bytes()).unwrap();
    assert!(connect(&renewed_trust).await.is_ok());
    // With the trust in the old one alone the new one is refused; a fresh client has no session to resume.
    let stranger = connect(&certificate().1).await;
    assert!(stranger.is_err());
    assert!(client.sync().await.is_empty());
}

/// Everything after the handshake; SCRAM-SHA-256-PLUS or nothing.
async fn bind_over_tls(connection: xmpp_net::Connection, exporter: Option<[u8; 32]>) -> Client {
    let jid = "juliet@example.com/balcony".parse().unwrap();
    let config = InitiatorConfig::new(jid, Credentials::password("juliet", "juliet"))
        .encryption(Encryption::Direct);
    Client::negotiate_tls(Box::new(connection), config, exporter)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_server_without_a_certificate_has_to_be_told_that_it_goes_without() {
    let config = ServerConfig::new(DOMAIN).unwrap();
    let error = Server::start(config, Arc::new(Memory::new()))
        .await
        .unwrap_err();
    assert!(matches!(error, ServerError::NoTls));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let server = server(&["juliet"]).await;
    let mut told = Vec::new();
    for (user, password) in [("juliet/x", "wrong"), ("nobody/x", "nobody")] {
        match Client::login_as(server.address, user, password).await {
            Err(Error::Authentication(failure)) => told.push(format!("{:?}", failure.condition)),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{user} got in"),
        }
    }
    assert_eq!(told, ["NotAuthorized", "NotAuthorized"]);
    assert!(Client::login(server.address, "juliet/x").await.is_ok());
}

#[tokio::test]
async fn accounts_are_made_changed_listed_and_removed() {
    let server = server(&["juliet"]).await;
    let accounts = server.server.accounts();
    let error = accounts.create("juliet", "other").await.unwrap_err();
    assert!(
        matches!(error, AccountError::Store(StoreError::AccountExists(_))),
        "{error}"
    );
    assert!(matches!(
        accounts.create("a b", "x").await,
        Err(AccountError::Address(_))
    ));
    assert!(matches!(
        accounts.create("romeo", "\u{7}").await,
        Err(AccountError::Password(_))
    ));
    assert!(accounts.exists("juliet").await.unwrap());
    assert!(!accounts.exists("romeo").await.unwrap());
    accounts.create("benvolio", "x").await.unwrap();
    assert_eq!(
        accounts.list(None, 10).await.unwrap(),
        ["benvolio@example.com", "juliet@example.com"]
    );

    accounts.set_password("juliet", "changed").await.unwrap();
    assert!(Client::login(server.address, "juliet/x").await.is_err());
    let mut client = Client::login_as(server.address, "juliet/x", "changed")
        .await
        .unwrap();
    accounts.remove("juliet").await.unwrap();
    assert_eq!(client.ended().await.as_deref(), Some("not-authorized"));
    assert!(
        Client::login_as(server.address, "juliet/x", "changed")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_server_makes_up_a_resource_where_none_is_asked_for() {
    let server = server(&["juliet"]).await;
    let one = server.client("juliet").await;
    let two = server.client("juliet").await;
    assert_ne!(one.jid(), two.jid());
    assert!(one.jid().len() > "juliet@example.com/".len() + 16);
    assert_eq!(server.server.sessions(), 2);
}

#[tokio::test]
async fn a_newcomer_replaces_the_connection_that_has_its_resource() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut old = server.available("juliet/balcony").await;
    crate::support::befriend(&mut romeo, &mut old).await;
    let mut new = server.available("juliet/balcony").await;
    assert_eq!(old.ended().await.as_deref(), Some("conflict"));
    assert_eq!(
        crate::support::kinds(&romeo.sync().await),
        ["presence:unavailable", "presence"]
    );
    romeo
        .send("<message to='juliet@example.com/balcony'><body>x</body></message>")
        .await;
    romeo.sync().await;
    let got = new.sync().await;
    assert_eq!(
        crate::support::kinds(&got).last().map(String::as_str),
        Some("message")
    );
    assert_eq!(server.server.sessions(), 2);
}

#[tokio::test]
async fn a_newcomer_may_be_refused_or_renamed_instead() {
    let refusing = config().conflict(Conflict::Refuse);
    let server = server_with(refusing, Arc::new(Memory::new()), &["juliet"]).await;
    let mut old = server.client("juliet/balcony").await;
    match Client::login(server.address, "juliet/balcony").await {
        Err(Error::Bind(error)) => assert_eq!(error.condition.to_string(), "conflict"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("two have the same address"),
    }
    assert!(old.sync().await.is_empty());

    let renaming = config().conflict(Conflict::Rename);
    let server = server_with(renaming, Arc::new(Memory::new()), &["juliet"]).await;
    let mut old = server.client("juliet/balcony").await;
    let new = server.client("juliet/balcony").await;
    assert_ne!(new.jid(), old.jid());
    assert!(old.sync().await.is_empty());
}

#[tokio::test]
async fn an_account_has_only_so_many_connections() {
    let store = Arc::new(Memory::new());
    let server = server_with(config().resources(2), store, &["juliet", "romeo"]).await;
    let _clients = [
        server.client("juliet/1").await,
        server.client("juliet/2").await,
    ];
    match Client::login(server.address, "juliet/3").await {
        Err(Error::Bind(error)) => assert_eq!(error.condition.to_string(), "resource-constraint"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a third connection"),
    }
    server.client("romeo/1").await;
}

#[tokio::test]
async fn a_stanza_before_authentication_ends_the_stream() {
    let server = server(&["juliet"]).await;
    let mut io = server.raw().await;
    let bytes = format!("{HEADER}<message to='juliet@example.com'><body>x</body></message>");
    let answer = converse(&mut io, bytes.as_bytes()).await;
    assert!(answer.contains("<not-authorized"), "{answer}");
    assert!(answer.ends_with("</stream:stream>"), "{answer}");
}

#[tokio::test]
async fn a_domain_that_is_not_served_is_refused() {
    let server = server(&[]).await;
    let mut io = server.raw().await;
    let answer = converse(
        &mut io,
        HEADER.replace("example.com", "example.org").as_bytes(),
    )
    .await;
    assert!(answer.contains("<host-unknown"), "{answer}");
}

#[tokio::test]
async fn bytes_and_time_before_authentication_are_limited() {
    let limited = config()
        .unauthenticated_bytes(2_000)
        .negotiation_timeout(Duration::from_millis(500));
    let server = server_with(limited, Arc::new(Memory::new()), &[]).await;
    let mut io = server.raw().await;
    let spaces = [HEADER, &" ".repeat(5_000)].concat();
    let answer = converse(&mut io, spaces.as_bytes()).await;
    assert!(answer.contains("<policy-violation"), "{answer}");

    // A peer that says nothing, and one that stops in the middle of its header.
    for start in ["", "<stream:stream xmlns='jab"] {
        let mut io = server.raw().await;
        tokio::io::AsyncWriteExt::write_all(&mut io, start.as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), io.read_to_string(&mut answer));
        ended.await.expect("the connection is cut").unwrap();
    }
}

#[tokio::test]
async fn failed_attempts_are_limited() {
    let store = Arc::new(Memory::new());
    let server = server_with(config().authentication_attempts(2), store, &["juliet"]).await;
    let mut io = server.raw().await;
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>AA==</auth>";
    let answer = converse(&mut io, [HEADER, auth, auth, auth].concat().as_bytes()).await;
    assert_eq!(answer.matches("<failure").count(), 2, "{answer}");
    assert!(answer.ends_with("</stream:stream>"), "{answer}");
}

#[tokio::test]
async fn accounts_and_rosters_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    {
        let server = server_with(config(), Arc::new(Redb::open(&path).unwrap()), &["juliet"]).await;
        let mut juliet = server.available("juliet/balcony").await;
        let item =
            "<query xmlns='jabber:iq:roster'><item jid='romeo@example.net' name='R'/></query>";
        juliet.ask("set", None, item).await;
        server.server.shutdown().await;
    }
    let server = server_with(config(), Arc::new(Redb::open(&path).unwrap()), &[]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let roster = juliet
        .ask("get", None, "<query xmlns='jabber:iq:roster'/>")
        .await;
    assert!(
        roster
            .to_string()
            .contains("jid='romeo@example.net' name='R'"),
        "{roster}"
    );
    let again = juliet
        .ask(
            "get",
            Some("nobody@example.com"),
            "<ping xmlns='urn:xmpp:ping'/>",
        )
        .await;
    assert_eq!(condition(&again), "service-unavailable");
}
