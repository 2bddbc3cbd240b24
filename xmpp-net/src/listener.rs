//! Accepting connections.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, ToSocketAddrs};
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::error::NetError;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections, and goes on when the machine is short of something for a while.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
}

impl Listener {
    /// Listens at an address; port 0 takes a free one ([`local_address`](Self::local_address) tells which).
    ///
    /// # Errors
    /// [`NetError::Io`]: the address is in use, not of this machine, or not allowed.
    pub async fn bind(address: impl ToSocketAddrs) -> Result<Self, NetError> {
        Ok(Self::from_tcp(TcpListener::bind(address).await?))
    }

    /// A listener over a socket that was opened elsewhere, such as one inherited from a service manager.
    pub fn from_tcp(inner: TcpListener) -> Self {
        Self { inner }
    }

    /// The address that this listens at.
    ///
    /// # Errors
    /// [`NetError::Io`] when the system does not tell it.
    pub fn local_address(&self) -> Result<SocketAddr, NetError> {
        Ok(self.inner.local_addr()?)
    }

    /// The next connection, in clear. Spawn a task for it, and do the TLS handshake there.
    ///
    /// Small writes leave at once (`TCP_NODELAY`). A connection that ends before it is accepted is skipped. When file
    /// descriptors or memory have run out, this logs a warning and tries again after a pause that grows from 10 ms to
    /// 1 s; peers wait in the system's queue meanwhile. The future may be dropped at any time; no connection is lost.
    ///
    /// # Errors
    /// [`NetError::Io`] only when the socket is no listening one, which trying again does not mend.
    pub async fn accept(&self) -> Result<Connection, NetError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.inner.accept().await {
                Ok((stream, peer_address)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        // Some systems say so when the peer is gone already; reading will tell.
                        debug!(%peer_address, %error, "TCP_NODELAY could not be set");
                    }
                    return Ok(Connection::new(stream, peer_address));
                }
                Err(error) => match Remedy::of(&error) {
                    Remedy::Next => debug!(%error, "a connection ended before it was accepted"),
                    Remedy::Pause => {
                        warn!(%error, ?pause, "accepting connections pauses");
                        tokio::time::sleep(pause).await;
                        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                    }
                    Remedy::None => return Err(error.into()),
                },
            }
        }
    }
}

/// What helps after `accept` failed.
#[derive(Debug, PartialEq)]
enum Remedy {
    /// The error belonged to one connection.
    Next,
    /// The machine is short of something.
    Pause,
    None,
}

impl Remedy {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted => Self::Next,
            io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Self::None,
            // Out of descriptors, buffers or memory; on Linux also network errors of the connection not yet accepted.
            _ => Self::Pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_one_connection_does_not_pause_the_others() {
        let error = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(Remedy::of(&error), Remedy::Next);
    }

    #[test]
    fn a_socket_that_does_not_listen_is_given_up() {
        let error = io::Error::from(io::ErrorKind::InvalidInput);
        assert_eq!(Remedy::of(&error), Remedy::None);
    }
}
