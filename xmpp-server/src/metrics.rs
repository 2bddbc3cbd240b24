//! What a server has done and what it holds, for people and programs that watch it: [`Metrics`], and over HTTP in the text
//! format of Prometheus beside an answer that says that the server is well.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_net::Connection;

use crate::server::Shared;

/// How long the head of a request may be.
const HEAD_BYTES: usize = 8_192;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many requests are answered at once; more wait.
pub(crate) const REQUESTS: usize = 16;

/// What a server has done since it was started, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Sessions now, with those that wait for their client.
    pub sessions: u64,
    /// Sessions now that wait for their client.
    pub hibernating: u64,
    /// Connections of clients that were let in.
    pub connections: u64,
    /// Connections that were closed at once, as there were too many.
    pub refused_connections: u64,
    /// Attempts to log in.
    pub login_attempts: u64,
    /// Attempts that succeeded.
    pub logins: u64,
    /// Sessions that went on after their connection was lost.
    pub resumptions: u64,
    /// Stanzas from clients.
    pub received_stanzas: u64,
    /// Bytes from clients, without TLS.
    pub received_bytes: u64,
    /// Bytes to clients, without TLS.
    pub sent_bytes: u64,
}

impl Metrics {
    /// The text format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let rows = [
            (
                "sessions",
                "gauge",
                self.sessions,
                "Sessions, with those that wait for their client",
            ),
            (
                "hibernating_sessions",
                "gauge",
                self.hibernating,
                "Sessions that wait for their client",
            ),
            (
                "connections_total",
                "counter",
                self.connections,
                "Connections that were let in",
            ),
            (
                "refused_connections_total",
                "counter",
                self.refused_connections,
                "Connections that were too many",
            ),
            (
                "login_attempts_total",
                "counter",
                self.login_attempts,
                "Attempts to log in",
            ),
            (
                "logins_total",
                "counter",
                self.logins,
                "Attempts to log in that succeeded",
            ),
            (
                "resumptions_total",
                "counter",
                self.resumptions,
                "Sessions that went on",
            ),
            (
                "received_stanzas_total",
                "counter",
                self.received_stanzas,
                "Stanzas from clients",
            ),
            (
                "received_bytes_total",
                "counter",
                self.received_bytes,
                "Bytes from clients, without TLS",
            ),
            (
                "sent_bytes_total",
                "counter",
                self.sent_bytes,
                "Bytes to clients, without TLS",
            ),
        ];
        let mut text = String::new();
        for (name, kind, value, help) in rows {
            // Writing to a text cannot fail.
            let _ = write!(
                text,
                "# HELP xmpp_{name} {help}.\n# TYPE xmpp_{name} {kind}\nxmpp_{name} {value}\n"
            );
        }
        text
    }
}

/// What is counted while the server runs.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Counter,
    pub(crate) refused_connections: Counter,
    pub(crate) login_attempts: Counter,
    pub(crate) logins: Counter,
    pub(crate) resumptions: Counter,
    pub(crate) received_stanzas: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Shared {
    pub(crate) fn metrics(&self) -> Metrics {
        let counters = &self.counters;
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Metrics {
            sessions: number(self.router.session_count()),
            hibernating: number(self.router.hibernating_count()),
            connections: counters.connections.value(),
            refused_connections: counters.refused_connections.value(),
            login_attempts: counters.login_attempts.value(),
            logins: counters.logins.value(),
            resumptions: counters.resumptions.value(),
            received_stanzas: counters.received_stanzas.value(),
            received_bytes: counters.received_bytes.value(),
            sent_bytes: counters.sent_bytes.value(),
        }
    }
}

/// Answers one request: `GET /metrics` or `GET /health`.
pub(crate) async fn answer(shared: Arc<Shared>, mut connection: Connection) {
    let exchange = async {
        let head = read_head(&mut connection).await?;
        let (status, kind, body) = respond(&shared, &head);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(body.as_bytes()).await?;
        connection.shutdown().await
    };
    // Whoever asked has gone, or is too slow to be answered.
    let _ = tokio::time::timeout(PATIENCE, exchange).await;
}

/// Reads up to the empty line; what is longer than it may be is cut.
async fn read_head(connection: &mut Connection) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut rest = connection.take(u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX));
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if rest.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

fn respond(shared: &Shared, head: &[u8]) -> (&'static str, &'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let is_whole = head.ends_with(b"\r\n\r\n");
    match (words.next(), words.next()) {
        _ if !is_whole && head.len() >= HEAD_BYTES => {
            ("431 Request Header Fields Too Large", TEXT, String::new())
        }
        _ if !is_whole => ("400 Bad Request", TEXT, String::new()),
        (Some(b"GET"), Some(b"/metrics")) => (
            "200 OK",
            "text/plain; version=0.0.4; charset=utf-8",
            shared.metrics().to_prometheus(),
        ),
        (Some(b"GET"), Some(b"/health")) => ("200 OK", TEXT, "ok\n".to_owned()),
        (Some(b"GET"), Some(_)) => ("404 Not Found", TEXT, String::new()),
        (Some(_), Some(_)) => ("405 Method Not Allowed", TEXT, String::new()),
        _ => ("400 Bad Request", TEXT, String::new()),
    }
}
