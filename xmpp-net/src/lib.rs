//! Transports for XMPP: TCP and TLS on tokio and rustls.
//!
//! This crate moves bytes and knows who is at the other end; it reads no XML. A program opens a [`Connection`] with a
//! [`Connector`] or takes one from a [`Listener`], exchanges the first lines of the stream in clear, and then turns
//! the connection into one over TLS ([`Connection::start_tls_client`], [`Connection::start_tls_server`]). Direct TLS
//! (XEP-0368) does the same without the first lines.
//!
//! # First program
//!
//! A server and a client on the loopback interface, with STARTTLS in between:
//!
//! ```
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use xmpp_net::{Connector, Listener, TlsClient, TlsServer, TlsVersion};
//!
//! # fn certificates() -> Result<(String, String, String), rcgen::Error> {
//! #     use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
//! #     let mut ca = CertificateParams::default();
//! #     ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
//! #     let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
//! #     let key = KeyPair::generate()?;
//! #     let leaf = CertificateParams::new(["example.org".to_string()])?.signed_by(&key, &ca)?;
//! #     Ok((ca.pem(), leaf.pem(), key.serialize_pem()))
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // PEM texts: the certificate of a private CA, and a chain and key that it issued to `example.org`.
//! let (ca, chain, key) = certificates()?;
//!
//! let listener = Listener::bind("127.0.0.1:0").await?;
//! let address = listener.local_address()?;
//! let tls = TlsServer::from_pem(chain.as_bytes(), key.as_bytes())?;
//! let server = tokio::spawn(async move {
//!     let mut connection = listener.accept().await?;
//!     let mut request = [0; 8];
//!     connection.read_exact(&mut request).await?;
//!     connection.write_all(b"proceed").await?;
//!     connection.start_tls_server(&tls).await
//! });
//!
//! let mut connection = Connector::new().connect(&address.to_string()).await?;
//! connection.write_all(b"starttls").await?;
//! let mut answer = [0; 7];
//! connection.read_exact(&mut answer).await?;
//!
//! // The certificate is checked for the domain of the JID, whatever the address was.
//! let tls = TlsClient::with_ca(ca.as_bytes())?;
//! let client = connection.start_tls_client(&tls, "example.org").await?;
//! let server = server.await??;
//!
//! assert_eq!(client.tls().map(|tls| tls.version()), Some(TlsVersion::Tls13));
//! // Both ends hold the same channel binding for SCRAM-SHA-256-PLUS.
//! assert!(client.tls_exporter().is_some());
//! assert_eq!(client.tls_exporter(), server.tls_exporter());
//! # Ok(())
//! # }
//! ```
//!
//! # What can be relied on
//!
//! - **Certificates are always verified**: path, validity, purpose and name (RFC 5280, RFC 6125), against the roots of
//!   the system or the ones that were given; or, where that was asked for, the key is the one that was pinned. Nothing
//!   in this crate turns that off.
//! - **TLS 1.2 is the least** (RFC 9325), and TLS 1.2 only with the extended master secret (RFC 7627). So the channel
//!   binding of RFC 9266 is defined for every connection that this crate makes.
//! - **Nothing read in clear survives the upgrade.** A plain [`Connection`] buffers nothing, and what a peer sends in
//!   clear where its handshake should stand makes the handshake fail. What the caller has read but not used when it
//!   starts TLS is the caller's to refuse, since only an attacker or a broken peer sends it (RFC 6120 §5.4.3.3).
//! - **A cut connection is not an end.** Over TLS, end of input means that the peer said `close_notify`; anything else
//!   is [`NetError::Truncated`].
//! - **Everything has a time limit**: name lookup, each address, and the handshake in both roles.
//! - **Errors tell whom to blame** ([`NetError::blame`]).
//!
//! The runtime must have tokio's I/O and time drivers enabled.

mod connection;
mod connector;
mod error;
mod listener;
mod tls;

pub use connection::Connection;
pub use connector::Connector;
pub use error::{Blame, CertificateFault, ConfigError, NetError, Phase};
pub use listener::Listener;
pub use tls::{Roots, TlsClient, TlsDetails, TlsServer, TlsVersion};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
