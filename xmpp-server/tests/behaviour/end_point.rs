//! Binding a login to the server's certificate (RFC 5929 §4).

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_core::entropy::Entropy;
use xmpp_core::stream::{Encryption, Event, InitiatorConfig, Stream, TlsInfo};
use xmpp_net::{Connector, TlsClient, TlsServer};
use xmpp_sasl::{ChannelBinding, Credentials};
use xmpp_server::{Server, ServerConfig, storage::Memory};
use xmpp_xml::Scratch;

use crate::support::{DOMAIN, ITERATIONS, now};

#[tokio::test]
async fn a_client_that_knows_nothing_but_the_certificate_binds_its_login_to_it() {
    let certified = rcgen::generate_simple_self_signed([DOMAIN.to_owned()]).unwrap();
    let (chain, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let tls = TlsServer::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let trust = TlsClient::with_ca(chain.as_bytes()).unwrap();
    let config = ServerConfig::new(DOMAIN).unwrap();
    let server = Server::start(
        config.tls(tls).iterations(ITERATIONS),
        Arc::new(Memory::new()),
    )
    .await
    .unwrap();
    server.accounts().create("juliet", "juliet").await.unwrap();
    let address = server.listen_direct_tls("127.0.0.1:0").await.unwrap();
    let connection = Connector::new()
        .connect(&address.to_string())
        .await
        .unwrap();
    let mut connection = connection.direct_tls_client(&trust, DOMAIN).await.unwrap();
    let jid = "juliet@example.com/balcony".parse().unwrap();
    let config = InitiatorConfig::new(jid, Credentials::password("juliet", "juliet"))
        .encryption(Encryption::Direct);
    let mut stream = Stream::initiator(config, Entropy::from_seed([1; 32]), now());
    let certificate = connection.server_certificate().unwrap();
    let binding = ChannelBinding::tls_server_end_point(certificate).unwrap();
    stream
        .handle_tls(TlsInfo::new().binding(binding), now())
        .unwrap();
    let mut used = None;
    while !stream.is_established() {
        let mut out = Vec::new();
        stream.poll_transmit(&mut out);
        connection.write_all(&out).await.unwrap();
        connection.flush().await.unwrap();
        let mut bytes = [0; 4096];
        let count = connection.read(&mut bytes).await.unwrap();
        let mut input = &bytes[..count];
        while !input.is_empty() {
            stream.handle_bytes(&mut Scratch::new(), &mut input, now());
            while let Some(event) = stream.poll_event() {
                match event {
                    Event::Authenticated { mechanism, .. } => used = Some(mechanism),
                    Event::Failed(error) => panic!("{error}"),
                    _ => {}
                }
            }
        }
    }
    assert!(used.unwrap().name().ends_with("-PLUS"), "{used:?}");
}
