//! From nothing to an established stream.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_core::entropy::Entropy;
use xmpp_core::jid::Jid;
use xmpp_core::stream::{Event, Stream, TlsInfo};
use xmpp_net::{Connection, TlsClient};
use xmpp_sasl::ChannelBinding;
use xmpp_xml::Scratch;

use crate::config::Config;
use crate::error::ConnectError;
use crate::shared::Clock;

/// An established stream.
pub(crate) struct Negotiated {
    pub(crate) stream: Stream,
    pub(crate) jid: Jid,
    pub(crate) transport: Transport,
}

/// What a stream runs over.
pub(crate) struct Transport {
    pub(crate) connection: Connection,
    pub(crate) clock: Clock,
    pub(crate) scratch: Scratch,
    /// What the server sent behind the end of the negotiation.
    pub(crate) input: Vec<u8>,
}

pub(crate) async fn negotiate(
    config: &Config,
    entropy: Entropy,
) -> Result<Negotiated, ConnectError> {
    let domain = config.stream.jid().domain().to_owned();
    let tls = match &config.tls {
        Some(tls) => tls.clone(),
        None => TlsClient::system_roots().map_err(ConnectError::Roots)?,
    };
    let mut connection = config.connector.connect(&config.address()).await?;
    let clock = Clock::start();
    let mut stream = Stream::initiator(Arc::new(config.stream.clone()), entropy, clock.now());
    if config.direct_tls {
        connection = connection.direct_tls_client(&tls, &domain).await?;
        let _ = stream.handle_tls(tls_info(&connection), clock.now());
    }
    let mut scratch = Scratch::new();
    let mut output = Vec::new();
    let mut buffer = vec![0; 4_096];
    let mut received = 0;
    let mut used = 0;
    loop {
        output.clear();
        if stream.poll_transmit(&mut output) {
            // The server may have told why it hung up: that is read before the failure counts.
            let written = async {
                connection.write_all(&output).await?;
                connection.flush().await
            };
            tokio::select! {
                result = written => if result.is_err() && stream.is_closed() { stream.handle_disconnected(clock.now()) },
                () = clock.sleep_until(stream.poll_timeout()) => stream.handle_timeout(clock.now()),
            }
        }
        while let Some(event) = stream.poll_event() {
            match event {
                Event::StartTls => {
                    connection = start_tls(connection, &tls, &domain, &mut stream, clock).await?;
                    (used, received) = (0, 0);
                }
                Event::Established { jid, .. } => {
                    let input = buffer.get(used..received).unwrap_or_default().to_vec();
                    let transport = Transport {
                        connection,
                        clock,
                        scratch,
                        input,
                    };
                    return Ok(Negotiated {
                        stream,
                        jid,
                        transport,
                    });
                }
                Event::Failed(error) => {
                    output.clear();
                    if stream.poll_transmit(&mut output) {
                        // The failure is what counts, whether the server hears of it or not.
                        let _ = connection.write_all(&output).await;
                    }
                    let _ = connection.shutdown().await;
                    return Err(ConnectError::Stream(error));
                }
                // Authenticated is followed by more; the others belong to servers and to later.
                _ => {}
            }
        }
        if used < received {
            let mut input = buffer.get(used..received).unwrap_or_default();
            let before = input.len();
            // During the negotiation no stanza comes out.
            let _ = stream.handle_bytes(&mut scratch, &mut input, clock.now());
            used = used.saturating_add(before.saturating_sub(input.len()));
            continue;
        }
        if stream.buffered() > 0 {
            continue;
        }
        tokio::select! {
            result = connection.read(&mut buffer) => match result {
                Ok(0) | Err(_) => stream.handle_disconnected(clock.now()),
                Ok(count) => (used, received) = (0, count),
            },
            () = clock.sleep_until(stream.poll_timeout()) => stream.handle_timeout(clock.now()),
        }
    }
}

async fn start_tls(
    connection: Connection,
    tls: &TlsClient,
    domain: &str,
    stream: &mut Stream,
    clock: Clock,
) -> Result<Connection, ConnectError> {
    let connection = match connection.start_tls_client(tls, domain).await {
        Ok(connection) => connection,
        Err(error) => {
            stream.handle_disconnected(clock.now());
            return Err(ConnectError::Net(error));
        }
    };
    // The stream asked for this, so it takes it.
    let _ = stream.handle_tls(tls_info(&connection), clock.now());
    Ok(connection)
}

fn tls_info(connection: &Connection) -> TlsInfo {
    let info = TlsInfo::new().exporter(connection.tls_exporter());
    let certificate = connection.server_certificate();
    match certificate.map(ChannelBinding::tls_server_end_point) {
        Some(Ok(end_point)) => info.binding(end_point),
        // For some certificates this type of binding is not defined.
        _ => info,
    }
}
