//! Opening connections.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::Connection;
use crate::error::{NetError, Phase};
use crate::tls::{self, TlsClient};

/// Opens connections: looks the name up and tries every address that it has, one after the other.
#[derive(Clone, Debug)]
pub struct Connector {
    timeout: Duration,
    attempt_timeout: Duration,
}

impl Connector {
    /// A connector with the default limits.
    pub fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(10),
        }
    }

    /// Limits the name lookup and all attempts together. Default: 30 s.
    ///
    /// The TLS handshake has a limit of its own ([`TlsClient::handshake_timeout`]).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Limits the attempt at each single address. Default: 10 s.
    #[must_use]
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = limit;
        self
    }

    /// Connects to `host:port`, where the host is a name, an IPv4 address or an IPv6 address in brackets.
    ///
    /// Small writes leave at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// [`NetError::InvalidAddress`], [`NetError::NameNotFound`], [`NetError::Timeout`], and what
    /// [`connect_to`](Self::connect_to) says.
    pub async fn connect(&self, address: &str) -> Result<Connection, NetError> {
        let deadline = Instant::now() + self.timeout;
        let addresses = match timeout_at(deadline, resolve(address)).await {
            Err(_) => {
                return Err(NetError::Timeout {
                    phase: Phase::Lookup,
                    limit: self.timeout,
                });
            }
            Ok(found) => found?,
        };
        self.try_all(&addresses, deadline).await
    }

    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    /// If none does, the error of the attempt that got farthest: an address that refused tells more than one that did not
    /// answer, and that more than one to which no route leads.
    pub async fn connect_to(&self, addresses: &[SocketAddr]) -> Result<Connection, NetError> {
        self.try_all(addresses, Instant::now() + self.timeout).await
    }

    /// Connects to a port that speaks TLS from the first byte (XEP-0368): [`connect`](Self::connect), then
    /// [`Connection::direct_tls_client`]. `domain` is the domain of the JID.
    ///
    /// # Errors
    /// Those of the two.
    pub async fn connect_direct_tls(
        &self,
        address: &str,
        tls: &TlsClient,
        domain: &str,
    ) -> Result<Connection, NetError> {
        self.connect(address)
            .await?
            .direct_tls_client(tls, domain)
            .await
    }

    async fn try_all(
        &self,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<Connection, NetError> {
        let mut farthest = None;
        for &address in addresses {
            let attempt = timeout(self.attempt_timeout, TcpStream::connect(address));
            let error = match timeout_at(deadline, attempt).await {
                Err(_) => {
                    return Err(NetError::Timeout {
                        phase: Phase::Connect,
                        limit: self.timeout,
                    });
                }
                Ok(Err(_)) => NetError::Timeout {
                    phase: Phase::Connect,
                    limit: self.attempt_timeout,
                },
                Ok(Ok(Ok(stream))) => {
                    stream.set_nodelay(true)?;
                    return Ok(Connection::new(stream, address));
                }
                Ok(Ok(Err(error))) => NetError::of_connect(error, address),
            };
            farthest = Some(match farthest {
                Some(before) if distance(&before) >= distance(&error) => before,
                _ => error,
            });
        }
        Err(farthest.unwrap_or(NetError::InvalidAddress {
            address: String::new(),
            reason: "no address was given",
        }))
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

/// How far an attempt got before it failed.
fn distance(error: &NetError) -> u8 {
    match error {
        NetError::Refused { .. } => 3,
        NetError::Timeout { .. } => 2,
        NetError::Unreachable { .. } => 1,
        _ => 0,
    }
}

async fn resolve(address: &str) -> Result<Vec<SocketAddr>, NetError> {
    let (host, port) = split(address)?;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let name = tls::ascii_domain(host).ok_or_else(|| invalid(address, "the host is not a name"))?;
    let not_found = |source| NetError::NameNotFound {
        name: host.to_owned(),
        source,
    };
    let found: Vec<_> = tokio::net::lookup_host((name.as_str(), port))
        .await
        .map_err(not_found)?
        .collect();
    if found.is_empty() {
        return Err(not_found(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        )));
    }
    Ok(found)
}

/// `host:port`, the brackets of an IPv6 address taken off.
fn split(address: &str) -> Result<(&str, u16), NetError> {
    let (host, port) = address
        .rsplit_once(':')
        .ok_or_else(|| invalid(address, "the port is missing"))?;
    let port = port
        .parse()
        .map_err(|_| invalid(address, "the port is not a number from 0 to 65535"))?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .ok_or_else(|| invalid(address, "a bracket is not closed"))?,
        None if host.contains(':') => {
            return Err(invalid(address, "an IPv6 address needs brackets"));
        }
        None => host,
    };
    if host.is_empty() {
        return Err(invalid(address, "the host is missing"));
    }
    Ok((host, port))
}

fn invalid(address: &str, reason: &'static str) -> NetError {
    NetError::InvalidAddress {
        address: address.to_owned(),
        reason,
    }
}
