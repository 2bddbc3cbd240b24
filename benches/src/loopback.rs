//! A server on loopback, and clients of it, over TLS.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use xmpp_client::{Client, Config, Incoming};
use xmpp_net::{TlsClient, TlsServer};
use xmpp_server::storage::Memory;
use xmpp_server::{Server, ServerConfig};

/// The domain that is served.
pub const DOMAIN: &str = "bench.example";
const PASSWORD: &str = "correct horse battery staple";

/// A running server with accounts `user0`, `user1` and so on.
#[derive(Debug)]
pub struct Loopback {
    server: Server,
    address: SocketAddr,
    trust: TlsClient,
}

impl Loopback {
    /// Starts it.
    ///
    /// # Errors
    /// Whatever keeps a server from starting.
    pub async fn start(accounts: usize) -> Result<Self, Box<dyn Error>> {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new([DOMAIN.to_string()])?.signed_by(&key, &ca)?;
        let tls = TlsServer::from_pem(leaf.pem().as_bytes(), key.serialize_pem().as_bytes())?;
        // The fewest iterations that clients accept: key derivation is not what is measured here.
        let config = ServerConfig::new(DOMAIN)?.tls(tls).iterations(4_096);
        let server = Server::start(config, Arc::new(Memory::new())).await?;
        for number in 0..accounts {
            server
                .accounts()
                .create(&format!("user{number}"), PASSWORD)
                .await?;
        }
        let address = server.listen("127.0.0.1:0").await?;
        let trust = TlsClient::with_ca(ca.pem().as_bytes())?;
        Ok(Self {
            server,
            address,
            trust,
        })
    }

    /// Logs in.
    ///
    /// # Errors
    /// Whatever keeps a client from logging in.
    pub async fn client(&self, number: usize) -> Result<(Client, Incoming), Box<dyn Error>> {
        let config = Config::new(format!("user{number}@{DOMAIN}/bench").parse()?, PASSWORD)
            .server(self.address.to_string())
            .tls(self.trust.clone());
        Ok(Client::connect(config).await?)
    }

    /// Stops it.
    pub async fn stop(self) {
        self.server.shutdown().await;
    }
}
