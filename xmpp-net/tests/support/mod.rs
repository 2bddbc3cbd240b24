//! CAs, certificates and connected pairs for the tests.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use xmpp_net::{Connection, Connector, Listener, NetError, TlsClient, TlsServer};

pub const DOMAIN: &str = "example.org";

/// A private CA.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, in PEM.
pub struct Issued {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "test CA");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    pub fn client(&self) -> TlsClient {
        TlsClient::with_ca(self.pem().as_bytes()).unwrap()
    }

    pub fn server(&self, name: &str) -> TlsServer {
        self.issue(name).server()
    }

    pub fn issue(&self, name: &str) -> Issued {
        self.issue_with(name, |_| ())
    }

    pub fn issue_expired(&self, name: &str) -> Issued {
        self.issue_with(name, |params| {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        })
    }

    pub fn issue_for_the_future(&self, name: &str) -> Issued {
        self.issue_with(name, |params| {
            params.not_before = date_time_ymd(2999, 1, 1);
            params.not_after = date_time_ymd(3000, 1, 1);
        })
    }

    fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        Issued {
            chain,
            key: key.serialize_pem(),
        }
    }
}

impl Issued {
    pub fn server(&self) -> TlsServer {
        TlsServer::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

/// Both ends of a loopback connection in clear: client, server.
pub async fn pair() -> (Connection, Connection) {
    let (listener, address) = listen().await;
    let (client, server) = tokio::join!(Connector::new().connect_to(&[address]), listener.accept());
    (client.unwrap(), server.unwrap())
}

/// What both ends of a STARTTLS handshake come to.
pub async fn starttls(
    client: &TlsClient,
    server: &TlsServer,
    domain: &str,
) -> (Result<Connection, NetError>, Result<Connection, NetError>) {
    let (near, far) = pair().await;
    tokio::join!(
        near.start_tls_client(client, domain),
        far.start_tls_server(server)
    )
}

/// Both ends of a connection over TLS 1.3.
pub async fn tls_pair() -> (Connection, Connection) {
    let authority = Authority::new();
    let (client, server) = starttls(&authority.client(), &authority.server(DOMAIN), DOMAIN).await;
    (client.unwrap(), server.unwrap())
}

pub async fn listen() -> (Listener, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap();
    (listener, address)
}

/// Waits for something that must not take long.
pub async fn soon<F: Future>(future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(output) => output,
        Err(_) => panic!("the test waits for something that does not come"),
    }
}

/// This test program, to be run again for the one ignored test `name`.
pub fn itself(name: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    ["--ignored", "--exact", name, "--nocapture"].iter().fold(
        vec![program.to_str().unwrap().to_owned()],
        |mut all, argument| {
            all.push((*argument).to_owned());
            all
        },
    )
}

pub fn command(arguments: &[String]) -> Command {
    let (program, rest) = arguments.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(rest);
    command
}
