//! CAs, certificates and connected pairs for the tests.

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

    /// A certificate with `common_name` as its subject, and `name` as its alternative name, if any.
    pub fn issue_with_common_name(&self, common_name: &str, name: Option<&str>) -> Issued {
        self.issue_with(name.unwrap_or("unused"), |params| {
            if name.is_none() {
                params.subject_alt_names.clear();
            }
            params
                .distinguished_name
                .push(DnType::CommonName, common_name);
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
    let (connector, addresses) = (Connector::new(), [address]);
    let (client, server) = tokio::join!(connector.connect_to(&addresses), listener.accept());
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

/// Peers on bare rustls, to do what this crate does not.
pub mod raw {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::{Authority, DOMAIN, Issued};

    pub type Versions = &'static [&'static SupportedProtocolVersion];
    pub const ALL_VERSIONS: Versions = &[&TLS13, &TLS12];
    pub const ONLY_TLS12: Versions = &[&TLS12];

    pub fn name() -> ServerName<'static> {
        ServerName::try_from(DOMAIN).unwrap()
    }

    pub fn client(authority: &Authority, versions: Versions, alpn: &[&[u8]]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.der())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    pub fn server(issued: &Issued, versions: Versions) -> TlsAcceptor {
        let chain = CertificateDer::pem_slice_iter(issued.chain.as_bytes());
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A ClientHello of TLS 1.2 (version 3, 3) or an older one, with or without the extended master secret.
    pub fn client_hello(version: [u8; 2], extended_master_secret: bool) -> Vec<u8> {
        let mut extensions = vec![
            0, 10, 0, 4, 0, 2, 0, 23, // supported groups: secp256r1
            0, 11, 0, 2, 1, 0, // point formats: uncompressed
            0, 13, 0, 4, 0, 2, 4, 3, // signature algorithms: ecdsa_secp256r1_sha256
        ];
        if extended_master_secret {
            extensions.extend([0, 23, 0, 0]);
        }
        let mut body = version.to_vec();
        body.extend([7; 32]); // random
        body.push(0); // session id
        body.extend([0, 2, 0xc0, 0x2b]); // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        body.extend([1, 0]); // no compression
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        record(1, &body)
    }

    /// A ServerHello of TLS 1.2 without the extended master secret.
    pub fn server_hello() -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([9; 32]); // random
        body.push(0); // session id
        body.extend([0xc0, 0x2b, 0]); // suite, no compression
        body.extend([0, 5, 0xff, 1, 0, 1, 0]); // renegotiation info
        record(2, &body)
    }

    /// One handshake message in one record.
    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![kind, 0];
        message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        message.extend(body);
        let mut record = vec![0x16, 3, 3];
        record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        record.extend(message);
        record
    }
}
