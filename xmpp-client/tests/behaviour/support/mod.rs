//! A server for one account, whose behaviour a test scripts.

pub mod world;

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant as Clock;
use xmpp_client::Config;
use xmpp_core::entropy::Entropy;
use xmpp_core::stream::{CredentialsAnswer, Encryption, Event, ReceiverConfig, Stream, TlsInfo};
use xmpp_core::time::Instant;
use xmpp_net::{Connection, Listener, TlsClient, TlsServer};
use xmpp_sasl::{Hash, ServerConfig, StoredCredentials};
use xmpp_xml::{Element, Scratch};

pub const PASSWORD: &str = "r0m30myr0m30";

/// Certificates for `example.org` and whoever trusts them.
pub struct Trust {
    pub client: TlsClient,
    pub server: TlsServer,
}

impl Trust {
    pub fn new() -> Self {
        Self::of("example.org")
    }

    pub fn of(domain: &str) -> Self {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([domain.to_string()]).unwrap();
        let leaf = leaf.signed_by(&key, &ca).unwrap();
        let client = TlsClient::with_ca(ca.pem().as_bytes()).unwrap();
        let server =
            TlsServer::from_pem(leaf.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        Self { client, server }
    }
}

/// What a test makes the server do once the stream is established.
pub enum Command {
    Send(String),
    /// Stops reading for good.
    StopReading,
    /// Closes the stream.
    Close,
    /// Drops the connection.
    Cut,
}

/// A running server: what it received, and how to command it.
pub struct Server {
    pub address: String,
    pub received: mpsc::UnboundedReceiver<Element>,
    pub commands: mpsc::UnboundedSender<Command>,
}

impl Server {
    /// Serves one connection.
    pub async fn start(trust: &Trust, direct: bool) -> Self {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_address().unwrap().to_string();
        let (stanzas, received) = mpsc::unbounded_channel();
        let (commands, orders) = mpsc::unbounded_channel();
        let tls = trust.server.clone();
        tokio::spawn(async move {
            if let Ok(connection) = listener.accept().await {
                serve(connection, tls, direct, stanzas, orders).await;
            }
        });
        Self {
            address,
            received,
            commands,
        }
    }

    pub fn config(&self, trust: &Trust) -> Config {
        config("juliet@example.org/balcony", PASSWORD)
            .server(&self.address)
            .tls(trust.client.clone())
    }

    pub fn send(&self, xml: &str) {
        self.commands
            .send(Command::Send(xml.to_owned()))
            .ok()
            .unwrap();
    }

    /// The next stanza that the client sent.
    pub async fn next(&mut self) -> Element {
        let next = tokio::time::timeout(Duration::from_secs(10), self.received.recv());
        next.await
            .expect("nothing came in time")
            .expect("the server has gone")
    }
}

pub fn config(jid: &str, password: &str) -> Config {
    Config::new(jid.parse().unwrap(), password).reconnect(None)
}

async fn serve(
    mut connection: Connection,
    tls: TlsServer,
    direct: bool,
    stanzas: mpsc::UnboundedSender<Element>,
    mut orders: mpsc::UnboundedReceiver<Command>,
) {
    let sasl = ServerConfig::new([7; 32]).unknown_users(4096, 16);
    let mut config = ReceiverConfig::new("example.org".parse().unwrap(), sasl);
    if direct {
        config = config.encryption(Encryption::Direct);
    }
    let clock = Clock::now();
    let now = || Instant::from_origin(clock.elapsed());
    let mut stream = Stream::receiver(Arc::new(config), Entropy::from_seed([3; 32]), now());
    if direct {
        let Ok(secured) = connection.start_tls_server(&tls).await else {
            return;
        };
        connection = secured;
        let info = TlsInfo::new().exporter(connection.tls_exporter());
        stream.handle_tls(info, now()).unwrap();
    }
    let mut scratch = Scratch::new();
    let mut buffer = vec![0; 4096];
    let mut out = Vec::new();
    let mut reading = true;
    loop {
        let mut over = false;
        let mut handshake = false;
        while let Some(event) = stream.poll_event() {
            match event {
                Event::StartTls => handshake = true,
                Event::Lookup {
                    ticket,
                    account,
                    hash,
                    ..
                } => {
                    let known = account.local() == Some("juliet");
                    let hash = hash.unwrap_or(Hash::Sha256);
                    let answer = match known {
                        true => CredentialsAnswer::Found(
                            StoredCredentials::derive(hash, PASSWORD, b"0123456789abcdef", 4096)
                                .unwrap(),
                        ),
                        false => CredentialsAnswer::Unknown,
                    };
                    stream.handle_credentials(ticket, answer, now()).unwrap();
                }
                Event::Bind { ticket, jid, .. } => {
                    stream.handle_bind(ticket, Ok(jid), now()).unwrap()
                }
                Event::Closed { .. } | Event::Failed(_) => over = true,
                _ => {}
            }
        }
        out.clear();
        if stream.poll_transmit(&mut out) {
            let _ = connection.write_all(&out).await;
            let _ = connection.flush().await;
        }
        if over {
            let _ = connection.shutdown().await;
            return;
        }
        if handshake {
            let Ok(secured) = connection.start_tls_server(&tls).await else {
                return;
            };
            connection = secured;
            let info = TlsInfo::new().exporter(connection.tls_exporter());
            stream.handle_tls(info, now()).unwrap();
        }
        tokio::select! {
            read = connection.read(&mut buffer), if reading => {
                let count = read.unwrap_or(0);
                if count == 0 {
                    stream.handle_disconnected(now());
                }
                let mut input = &buffer[..count];
                while !input.is_empty() {
                    if let Some(stanza) = stream.handle_bytes(&mut scratch, &mut input, now()) {
                        let _ = stanzas.send(stanza.to_element());
                    }
                    if stream.is_waiting() {
                        // Our clients wait for their answers.
                        assert!(input.is_empty());
                        break;
                    }
                }
            }
            order = orders.recv(), if stream.is_established() => match order {
                Some(Command::Send(xml)) => stream.send_bytes(xml.as_bytes()).unwrap(),
                Some(Command::StopReading) => reading = false,
                Some(Command::Close) => stream.close(now()),
                Some(Command::Cut) | None => return,
            },
        }
    }
}
