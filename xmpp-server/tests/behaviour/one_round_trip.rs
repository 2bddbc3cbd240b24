//! SASL2 with Bind 2, and tokens (XEP-0388, XEP-0386, XEP-0484): everything in one round trip.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::login::certificate;
use crate::support::{Client, DOMAIN, ITERATIONS, now};
use xmpp_core::entropy::Entropy;
use xmpp_core::stream::{
    Encryption, Error, FastToken, InitiatorConfig, ManagedSession, ManagementConfig, Sasl2, Stream,
    TlsInfo, TokenUse, UserAgent,
};
use xmpp_net::{Connector, TlsClient, TlsServer};
use xmpp_sasl::Credentials;
use xmpp_server::storage::{Memory, Store};
use xmpp_server::{Server, ServerConfig};

const AGENT: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
const OTHER_AGENT: &str = "a1b2c3d4-4d72-4749-b3d3-740edbf87771";

struct World {
    server: Server,
    address: SocketAddr,
    trust: TlsClient,
}

/// What a client brings along.
#[derive(Default)]
struct Luggage<'l> {
    agent: Option<&'l str>,
    password: Option<&'l str>,
    inactive: bool,
    session: Option<ManagedSession>,
    token: Option<FastToken>,
}

impl World {
    async fn new(store: Arc<dyn Store>, (tls, trust): (TlsServer, TlsClient)) -> Self {
        let config = ServerConfig::new(DOMAIN).unwrap().tls(tls);
        let server = Server::start(config.iterations(ITERATIONS), store)
            .await
            .unwrap();
        let address = server.listen_direct_tls("127.0.0.1:0").await.unwrap();
        Self {
            server,
            address,
            trust,
        }
    }

    async fn with_juliet() -> Self {
        let world = Self::new(Arc::new(Memory::new()), certificate()).await;
        world
            .server
            .accounts()
            .create("juliet", "juliet")
            .await
            .unwrap();
        world
    }

    async fn client(&self, luggage: Luggage<'_>) -> Result<Client, Error> {
        let connection = Connector::new().connect(&self.address.to_string()).await;
        let connection = connection
            .unwrap()
            .direct_tls_client(&self.trust, DOMAIN)
            .await
            .unwrap();
        let agent = UserAgent::with_id(luggage.agent.unwrap_or(AGENT)).unwrap();
        let sasl2 = Sasl2::new()
            .user_agent(agent)
            .tag("balcony")
            .request_token(true);
        let password = luggage.password.unwrap_or("juliet");
        let config = InitiatorConfig::new(
            "juliet@example.com".parse().unwrap(),
            Credentials::password("juliet", password),
        );
        let config = config
            .encryption(Encryption::Direct)
            .management(ManagementConfig::new())
            .sasl2(sasl2.inactive(luggage.inactive));
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let mut stream = Stream::initiator(config, Entropy::from_seed(seed), now());
        let info = TlsInfo::new().exporter(connection.tls_exporter());
        stream.handle_tls(info, now()).unwrap();
        if let Some(session) = luggage.session {
            stream.resume(session).unwrap();
        }
        if let Some(mut token) = luggage.token {
            stream.use_token(&mut token, TokenUse::Login).unwrap();
        }
        Client::drive(Box::new(connection), stream).await
    }
}

#[tokio::test]
async fn a_client_logs_in_binds_and_enables_management_at_once() {
    let world = World::with_juliet().await;
    let mut juliet = world.client(Luggage::default()).await.unwrap();
    assert!(juliet.jid().starts_with("juliet@example.com/balcony/"));
    assert!(juliet.stream.session().unwrap().is_resumable());
    let heard = juliet.heard();
    assert!(
        heard.contains("<bound") && heard.contains("<enabled"),
        "{heard}"
    );
    assert!(heard.contains("<max-bytes>262144</max-bytes>"), "{heard}");
    assert!(juliet.sync().await.is_empty());
    let session = juliet.lose();

    // And goes on with its session, too.
    let luggage = Luggage {
        session: Some(session),
        ..Luggage::default()
    };
    let mut again = world.client(luggage).await.unwrap();
    assert!(again.resumed);
    assert!(again.sync().await.is_empty());
    assert_eq!(world.server.sessions(), 1);
}

#[tokio::test]
async fn an_installation_that_comes_again_takes_the_place_of_its_old_stream() {
    let world = World::with_juliet().await;
    let mut juliet = world.client(Luggage::default()).await.unwrap();
    let other = Luggage {
        agent: Some(OTHER_AGENT),
        ..Luggage::default()
    };
    let mut other = world.client(other).await.unwrap();
    let mut again = world.client(Luggage::default()).await.unwrap();
    assert_eq!(again.jid(), juliet.jid());
    assert_eq!(juliet.ended().await.as_deref(), Some("conflict"));
    assert_ne!(again.jid(), other.jid());
    other.sync().await;
    again.sync().await;
}

#[tokio::test]
async fn a_token_logs_in_also_after_the_server_was_started_anew() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let tls = certificate();
    let world = World::new(Arc::clone(&store), tls.clone()).await;
    world
        .server
        .accounts()
        .create("juliet", "juliet")
        .await
        .unwrap();
    let token = world.client(Luggage::default()).await.unwrap().token.take();
    world.server.shutdown().await;

    let world = World::new(store, tls).await;
    let luggage = || Luggage {
        token: token.clone(),
        password: Some("wrong"),
        ..Luggage::default()
    };
    let mut juliet = world.client(luggage()).await.unwrap();
    assert!(!juliet.refused);
    juliet.sync().await;
    // It is of one installation alone.
    let elsewhere = Luggage {
        agent: Some(OTHER_AGENT),
        ..luggage()
    };
    assert!(matches!(
        world.client(elsewhere).await,
        Err(Error::Authentication(_))
    ));

    // With another password nothing of it is left.
    world
        .server
        .accounts()
        .set_password("juliet", "juliet")
        .await
        .unwrap();
    assert!(matches!(
        world.client(luggage()).await,
        Err(Error::Authentication(_))
    ));
    let luggage = Luggage {
        password: Some("juliet"),
        ..luggage()
    };
    assert!(world.client(luggage).await.unwrap().refused);
}

#[tokio::test]
async fn a_token_ends_with_its_account() {
    let world = World::with_juliet().await;
    let token = world.client(Luggage::default()).await.unwrap().token.take();
    world.server.accounts().remove("juliet").await.unwrap();
    world
        .server
        .accounts()
        .create("juliet", "other")
        .await
        .unwrap();
    let luggage = Luggage {
        token,
        ..Luggage::default()
    };
    assert!(matches!(
        world.client(luggage).await,
        Err(Error::Authentication(_))
    ));
}

#[tokio::test]
async fn only_some_installations_have_tokens() {
    let world = World::with_juliet().await;
    let mut first = None;
    for number in 0..33 {
        let agent = format!("d4565fa7-4d72-4749-b3d3-7400000000{number:02}");
        let luggage = Luggage {
            agent: Some(&agent),
            ..Luggage::default()
        };
        let mut client = world.client(luggage).await.unwrap();
        first = first.or(client.token.take());
        client.stream.close(now());
        client.flush().await;
        assert_eq!(client.ended().await, None);
    }
    let agent = "d4565fa7-4d72-4749-b3d3-740000000000";
    let luggage = Luggage {
        agent: Some(agent),
        token: first,
        ..Luggage::default()
    };
    assert!(world.client(luggage).await.unwrap().refused);
}

#[tokio::test]
async fn a_client_may_begin_inactive() {
    let world = World::with_juliet().await;
    let luggage = Luggage {
        inactive: true,
        ..Luggage::default()
    };
    let mut juliet = world.client(luggage).await.unwrap();
    let other = Luggage {
        agent: Some(OTHER_AGENT),
        ..Luggage::default()
    };
    let mut other = world.client(other).await.unwrap();
    juliet.send("<presence/>").await;
    for show in ["away", "dnd"] {
        other
            .send(&format!("<presence><show>{show}</show></presence>"))
            .await;
        other.sync().await;
    }
    // Of its own and the other's presence each the last one.
    let got = juliet.sync().await;
    assert_eq!(got.len(), 2);
    assert!(got[1].to_string().contains("dnd"), "{}", got[1]);
}
