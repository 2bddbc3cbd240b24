//! One connection, in clear or over TLS.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::error::{NetError, Phase};
use crate::tls::{self, Identity, TlsClient, TlsDetails, TlsServer};

/// A TCP connection, in clear or over TLS, or [any other](Self::from_io) way for bytes, that is read and written as [`AsyncRead`] and [`AsyncWrite`].
///
/// It has no buffers of its own. Over TLS, written bytes may wait until [`poll_flush`](AsyncWrite::poll_flush), so
/// flush when there is nothing more to write for now. [`poll_shutdown`](AsyncWrite::poll_shutdown) says `close_notify`
/// over TLS and ends the own direction only: the peer may go on sending, and it can be read.
///
/// Errors of reading and writing are [`io::Error`]s, as the traits want it; `NetError::from` gets the typed error out of
/// them.
///
/// Dropping a connection closes it at once, without `close_notify`.
pub struct Connection {
    transport: Transport,
    peer_address: SocketAddr,
}

enum Transport {
    Plain(TcpStream),
    // Boxed: the state of TLS is a kilobyte and more, and an enum is as large as its largest variant.
    Tls(Box<Tls>),
    Other(Box<dyn Io>),
}

/// What bytes can be moved over.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

struct Tls {
    stream: TlsStream<TcpStream>,
    /// On a server: what it served.
    served: Option<Arc<CertifiedKey>>,
}

impl Connection {
    /// A connection over a stream that was opened elsewhere, such as one inherited from a service manager.
    ///
    /// Small writes leave at once from now on (`TCP_NODELAY`).
    ///
    /// # Errors
    /// [`NetError::Io`] when the stream is no longer connected.
    pub fn from_tcp(stream: TcpStream) -> Result<Self, NetError> {
        let peer_address = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        Ok(Self::new(stream, peer_address))
    }

    /// A connection over anything else: a tunnel, a pipe in memory. There is no TLS to be had over it.
    pub fn from_io(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer_address: SocketAddr,
    ) -> Self {
        Self {
            transport: Transport::Other(Box::new(io)),
            peer_address,
        }
    }

    pub(crate) fn new(stream: TcpStream, peer_address: SocketAddr) -> Self {
        Self {
            transport: Transport::Plain(stream),
            peer_address,
        }
    }

    /// The address of the other end.
    pub fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Whether small writes leave at once (`TCP_NODELAY`), as they should.
    ///
    /// # Errors
    /// [`NetError::Io`] when the system does not tell it.
    pub fn no_delay(&self) -> Result<bool, NetError> {
        let stream = match &self.transport {
            Transport::Plain(stream) => stream,
            Transport::Tls(tls) => tls.stream.get_ref().0,
            Transport::Other(_) => return Ok(true),
        };
        Ok(stream.nodelay()?)
    }

    /// Whether the connection is over TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// What the handshake agreed on; `None` in clear.
    pub fn tls(&self) -> Option<TlsDetails<'_>> {
        match &self.transport {
            Transport::Plain(_) | Transport::Other(_) => None,
            Transport::Tls(tls) => TlsDetails::of(&tls.stream),
        }
    }

    /// The `tls-exporter` channel binding of this connection (RFC 9266), the same at both ends; `None` in clear.
    ///
    /// It is there for TLS 1.3 and for TLS 1.2, as the latter is only spoken with the extended master secret. It is no
    /// secret, but use it for one authentication only.
    pub fn tls_exporter(&self) -> Option<[u8; 32]> {
        match &self.transport {
            Transport::Plain(_) | Transport::Other(_) => None,
            Transport::Tls(tls) => tls::exporter(&tls.stream),
        }
    }

    /// The server's certificate in DER, the same at both ends: the one that this server has served, or the one that
    /// this client has verified; on a resumed session that of the first handshake. `None` in clear.
    ///
    /// It is what the `tls-server-end-point` channel binding hashes (RFC 5929 §4).
    pub fn server_certificate(&self) -> Option<&[u8]> {
        let Transport::Tls(tls) = &self.transport else {
            return None;
        };
        let chain = match &tls.served {
            Some(served) => &served.cert,
            None => tls.stream.get_ref().1.peer_certificates()?,
        };
        Some(chain.first()?.as_ref())
    }

    /// Does the TLS handshake of a client after STARTTLS: call it when `<proceed/>` has been read.
    ///
    /// `domain` is the domain of the JID, not the name of the host that it led to (RFC 6120 §13.7.2.1). An
    /// internationalised one is turned into A-labels. The server's certificate must be valid for it.
    ///
    /// # Errors
    /// Ends within the handshake timeout of `tls`. The connection is closed then, without a closing stream tag, as
    /// RFC 6120 §5.4.3.2 has it.
    pub async fn start_tls_client(self, tls: &TlsClient, domain: &str) -> Result<Self, NetError> {
        self.client_handshake(tls, domain, false).await
    }

    /// Does the TLS handshake of a client on a fresh connection to a port that speaks TLS from the first byte
    /// (XEP-0368), with the ALPN name `xmpp-client`.
    ///
    /// # Errors
    /// As [`start_tls_client`](Self::start_tls_client).
    pub async fn direct_tls_client(self, tls: &TlsClient, domain: &str) -> Result<Self, NetError> {
        self.client_handshake(tls, domain, true).await
    }

    /// Does the TLS handshake of a server: after STARTTLS when `<proceed/>` has been sent and flushed, or for direct TLS
    /// (XEP-0368) on a connection that was just accepted.
    ///
    /// Run it in the task of the connection, not in the one that accepts: it takes as long as the peer likes, up to the
    /// handshake timeout of `tls`.
    ///
    /// # Errors
    /// The connection is closed then, without a closing stream tag, as RFC 6120 §5.4.3.2 has it.
    pub async fn start_tls_server(self, tls: &TlsServer) -> Result<Self, NetError> {
        let (stream, peer_address) = self.into_plain()?;
        let Identity {
            config,
            certificate,
        } = tls.identity();
        let handshake = TlsAcceptor::from(config).accept(stream);
        let limit = tls.timeout();
        match tokio::time::timeout(limit, handshake).await {
            Err(_) => Err(NetError::Timeout {
                phase: Phase::Handshake,
                limit,
            }),
            Ok(Err(error)) => Err(NetError::of_handshake(error, "")),
            Ok(Ok(stream)) => Ok(Self::over_tls(
                stream.into(),
                Some(certificate),
                peer_address,
            )),
        }
    }

    async fn client_handshake(
        self,
        tls: &TlsClient,
        domain: &str,
        direct: bool,
    ) -> Result<Self, NetError> {
        let (stream, peer_address) = self.into_plain()?;
        let name = tls::server_name(domain)?;
        let connector = TlsConnector::from(tls.config());
        let handshake = if direct {
            connector
                .with_alpn(vec![tls::ALPN_CLIENT.to_vec()])
                .connect(name, stream)
        } else {
            connector.connect(name, stream)
        };
        let limit = tls.timeout();
        match tokio::time::timeout(limit, handshake).await {
            Err(_) => Err(NetError::Timeout {
                phase: Phase::Handshake,
                limit,
            }),
            Ok(Err(error)) => Err(NetError::of_handshake(error, domain)),
            Ok(Ok(stream)) => Ok(Self::over_tls(stream.into(), None, peer_address)),
        }
    }

    fn into_plain(self) -> Result<(TcpStream, SocketAddr), NetError> {
        match self.transport {
            Transport::Plain(stream) => Ok((stream, self.peer_address)),
            Transport::Tls(_) | Transport::Other(_) => Err(NetError::AlreadyTls),
        }
    }

    fn over_tls(
        stream: TlsStream<TcpStream>,
        served: Option<Arc<CertifiedKey>>,
        peer_address: SocketAddr,
    ) -> Self {
        Self {
            transport: Transport::Tls(Box::new(Tls { stream, served })),
            peer_address,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(tls) => Poll::Ready(
                ready!(Pin::new(&mut tls.stream).poll_read(cx, buffer))
                    .map_err(NetError::typed_read_error),
            ),
            Transport::Other(io) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_write(cx, bytes),
            Transport::Other(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_write_vectored(cx, slices),
            Transport::Other(io) => Pin::new(io).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(tls) => tls.stream.is_write_vectored(),
            Transport::Other(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_flush(cx),
            Transport::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_shutdown(cx),
            Transport::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer_address", &self.peer_address)
            .field("tls", &self.tls())
            .finish()
    }
}
