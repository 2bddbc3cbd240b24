//! From nothing to an established stream.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_core::entropy::Entropy;
use xmpp_core::jid::Jid;
use xmpp_core::stream::{
    Event, FastToken, InitiatorConfig, ManagedSession, Stream, TlsInfo, TokenUse,
};
use xmpp_net::{Connection, TlsClient};
use xmpp_sasl::ChannelBinding;
use xmpp_xml::Scratch;

use crate::config::Config;
use crate::error::ConnectError;
use crate::shared::Clock;
use crate::store::{Record, token_to_bytes, unix_time};

/// What one connection leaves to the next.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) session: Option<ManagedSession>,
    pub(crate) token: Option<FastToken>,
    pub(crate) entropy: Entropy,
}

/// An established stream.
pub(crate) struct Negotiated {
    pub(crate) stream: Stream,
    pub(crate) jid: Jid,
    pub(crate) resumed: bool,
    /// The session that was to be resumed and is lost.
    pub(crate) lost: Option<ManagedSession>,
    pub(crate) transport: Transport,
}

/// What a stream runs over.
pub(crate) struct Transport {
    pub(crate) connection: Connection,
    pub(crate) scratch: Scratch,
    /// What the server sent behind the end of the negotiation.
    pub(crate) input: Vec<u8>,
}

/// Connects and negotiates. A session that was to be resumed comes back when that fails.
pub(crate) async fn negotiate(
    config: &Config,
    initiator: &Arc<InitiatorConfig>,
    kept: &mut Kept,
    clock: Clock,
) -> Result<Negotiated, ConnectError> {
    let Reached {
        connection,
        tls,
        is_secure,
    } = reach(config).await?;
    let now = clock.now();
    let mut stream = Stream::initiator(Arc::clone(initiator), kept.entropy.fork(), now);
    if is_secure {
        let _ = stream.handle_tls(tls_info(&connection), now);
    }
    if let Some(session) = kept.session.take()
        && let Err((_, session)) = stream.resume(session)
    {
        kept.session = Some(session);
    }
    kept.token
        .take_if(|token| token.expiry().unix_seconds() <= unix_time());
    if let Some(token) = &mut kept.token
        && stream.use_token(token, TokenUse::Login).is_ok()
    {
        // An attempt that is not counted could be counted twice.
        let bytes = token_to_bytes(token);
        config.store.save(Record::Token, Some(bytes)).await;
    }
    let result = drive(config, &mut stream, connection, tls, kept, clock).await;
    match result {
        Ok(Established {
            jid,
            resumed,
            lost,
            transport,
        }) => Ok(Negotiated {
            // A session that the configuration could not resume is lost as well.
            lost: lost.or_else(|| kept.session.take()),
            stream,
            jid,
            resumed,
            transport,
        }),
        Err(error) => {
            let session = stream.take_session();
            kept.session = kept.session.take().or(session);
            Err(error)
        }
    }
}

struct Reached {
    connection: Connection,
    tls: Option<TlsClient>,
    /// Whether there is no STARTTLS to come.
    is_secure: bool,
}

async fn reach(config: &Config) -> Result<Reached, ConnectError> {
    if let Some(dial) = &config.dial {
        return Ok(Reached {
            connection: dial.dial().await?,
            tls: None,
            is_secure: true,
        });
    }
    let tls = match &config.tls {
        Some(tls) => tls.clone(),
        None => TlsClient::system_roots().map_err(ConnectError::Roots)?,
    };
    let mut connection = config.connector.connect(&config.address()).await?;
    if config.direct_tls {
        let domain = config.stream.jid().domain();
        connection = connection.direct_tls_client(&tls, domain).await?;
    }
    Ok(Reached {
        connection,
        tls: Some(tls),
        is_secure: config.direct_tls,
    })
}

struct Established {
    jid: Jid,
    resumed: bool,
    lost: Option<ManagedSession>,
    transport: Transport,
}

async fn drive(
    config: &Config,
    stream: &mut Stream,
    mut connection: Connection,
    mut tls: Option<TlsClient>,
    kept: &mut Kept,
    clock: Clock,
) -> Result<Established, ConnectError> {
    let mut scratch = Scratch::new();
    let mut output = Vec::new();
    let mut buffer = vec![0; 4_096];
    let mut received = 0;
    let mut used = 0;
    let mut lost = None;
    loop {
        output.clear();
        // What an established stream has to say goes out while it is read.
        if !stream.is_established() && stream.poll_transmit(&mut output) {
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
                    // It asks once.
                    let Some(tls) = tls.take() else { continue };
                    let domain = config.stream.jid().domain();
                    connection = match connection.start_tls_client(&tls, domain).await {
                        Ok(connection) => connection,
                        Err(error) => {
                            stream.handle_disconnected(clock.now());
                            return Err(ConnectError::Net(error));
                        }
                    };
                    // The stream asked for this, so it takes it.
                    let _ = stream.handle_tls(tls_info(&connection), clock.now());
                    (used, received) = (0, 0);
                }
                Event::Token { token } => {
                    let bytes = token_to_bytes(&token);
                    kept.token = Some(*token);
                    config.store.save(Record::Token, Some(bytes)).await;
                }
                Event::TokenRefused { .. } => {
                    kept.token = None;
                    config.store.save(Record::Token, None).await;
                }
                Event::NotResumed { session, .. } => lost = Some(session),
                Event::Established { jid, resumed } => {
                    let input = buffer.get(used..received).unwrap_or_default().to_vec();
                    let transport = Transport {
                        connection,
                        scratch,
                        input,
                    };
                    return Ok(Established {
                        jid,
                        resumed,
                        lost,
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
                    kept.session = kept.session.take().or(lost);
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

fn tls_info(connection: &Connection) -> TlsInfo {
    let info = TlsInfo::new().exporter(connection.tls_exporter());
    let certificate = connection.server_certificate();
    match certificate.map(ChannelBinding::tls_server_end_point) {
        Some(Ok(end_point)) => info.binding(end_point),
        // For some certificates this type of binding is not defined.
        _ => info,
    }
}
