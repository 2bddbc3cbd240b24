//! The server: listeners, their connections, and the end of both.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::ToSocketAddrs;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use xmpp_core::entropy::Entropy;
use xmpp_core::error::StreamCondition;
use xmpp_core::ns;
use xmpp_core::stream::{Encryption, ReceiverConfig};
use xmpp_core::time::Instant;
use xmpp_net::{Listener, NetError, TlsServer};
use xmpp_sasl::{Mechanism, ServerConfig as SaslConfig};

use crate::accounts::Accounts;
use crate::config::ServerConfig;
use crate::connection;
use crate::gate::Gate;
use crate::metrics::{self, Counters, Metrics};
use crate::router::Router;
use crate::storage::{Batch, Store, StoreError};
use crate::tokens;

/// Under this name the store keeps the bytes from which unknown users get a salt that stays the same.
const SECRET: &str = "unknown-users";

/// Under this name it keeps those from which installations of clients get a resource that stays the same.
const RESOURCES: &str = "resources";

/// A running server. Dropping it stops the listeners and cuts its connections; [`Server::shutdown`] ends them well.
pub struct Server {
    shared: Arc<Shared>,
    accounts: Accounts,
    listeners: Mutex<Vec<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    /// Every connection holds a copy of the sender; when the last is gone the receiver says so.
    running: mpsc::Sender<()>,
    ended: mpsc::Receiver<()>,
}

/// What all connections use.
pub(crate) struct Shared {
    pub(crate) router: Arc<Router>,
    pub(crate) tls: Option<TlsServer>,
    pub(crate) starttls: Arc<ReceiverConfig>,
    pub(crate) direct_tls: Arc<ReceiverConfig>,
    pub(crate) close_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) ping_timeout: Duration,
    pub(crate) gate: Arc<Gate>,
    pub(crate) counters: Counters,
    entropy: Mutex<Entropy>,
    origin: tokio::time::Instant,
}

impl Shared {
    pub(crate) fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    pub(crate) fn at(&self, instant: Instant) -> tokio::time::Instant {
        self.origin
            .checked_add(instant.since_origin())
            .unwrap_or_else(far_future)
    }

    pub(crate) fn entropy(&self) -> Entropy {
        self.entropy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fork()
    }
}

fn far_future() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(86_400 * 365)
}

impl Server {
    /// Starts a server on the current tokio runtime. It listens nowhere yet: see [`Server::listen`].
    ///
    /// # Errors
    /// [`ServerError::NoTls`] if the configuration has neither a certificate nor leave to do without, else what the
    /// store or the system says.
    pub async fn start(config: ServerConfig, store: Arc<dyn Store>) -> Result<Self, ServerError> {
        if config.tls.is_none() && !config.plain_text {
            return Err(ServerError::NoTls);
        }
        let router = Arc::new(Router::new(config.rules(), store)?);
        let mut mechanisms = vec![
            Mechanism::ScramSha256Plus,
            Mechanism::ScramSha1Plus,
            Mechanism::ScramSha256,
            Mechanism::ScramSha1,
        ];
        if config.tokens.is_some() {
            mechanisms.extend(tokens::MECHANISMS);
        }
        let sasl = SaslConfig::new(secret(&router, SECRET).await?)
            .unknown_users(config.iterations, 16)
            .mechanisms(mechanisms);
        let resources = secret(&router, RESOURCES).await?;
        let receiver = |encryption| {
            let mut receiver = ReceiverConfig::new(config.domain.clone(), sasl.clone())
                .encryption(encryption)
                .announce("sub", ns::PRE_APPROVAL)
                .management(config.management())
                .sasl2(true)
                .stable_resources(resources)
                .client_state(true)
                .announce_limits(true)
                .announce("ver", ns::ROSTER_VERSIONING)
                .limits(config.limits)
                .unauthenticated_bytes(config.unauthenticated_bytes)
                .authentication_attempts(config.authentication_attempts)
                .negotiation_timeout(config.negotiation_timeout)
                .close_timeout(config.close_timeout);
            if let Some(tokens) = &config.tokens {
                receiver = receiver.fast(tokens.clone());
            }
            Arc::new(receiver)
        };
        let starttls = if config.plain_text {
            Encryption::None
        } else {
            Encryption::Required
        };
        let shared = Shared {
            router: Arc::clone(&router),
            starttls: receiver(starttls),
            direct_tls: receiver(Encryption::Direct),
            tls: config.tls,
            close_timeout: config.close_timeout,
            write_timeout: config.write_timeout,
            idle_timeout: config.idle_timeout,
            ping_timeout: config.ping_timeout,
            gate: Arc::new(Gate::new(config.gate)),
            counters: Counters::default(),
            entropy: Mutex::new(Entropy::from_seed(random()?)),
            origin: tokio::time::Instant::now(),
        };
        let (stop, _) = watch::channel(false);
        let (running, ended) = mpsc::channel(1);
        Ok(Self {
            shared: Arc::new(shared),
            accounts: Accounts {
                router,
                iterations: config.iterations,
            },
            listeners: Mutex::default(),
            stop,
            running,
            ended,
        })
    }

    /// The accounts, to add and remove some.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// How many sessions there are: clients that are connected and have bound a resource, and those that may come back
    /// to resume theirs.
    pub fn sessions(&self) -> usize {
        self.shared.router.session_count()
    }

    /// How many of the sessions have no connection and wait for their client.
    pub fn hibernating(&self) -> usize {
        self.shared.router.hibernating_count()
    }

    /// Listens for clients, which begin in clear text and turn to TLS (STARTTLS; port 5222). Gives the address, which
    /// tells the port if that was 0.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> Result<SocketAddr, ServerError> {
        self.listen_as(address, false).await
    }

    /// Listens for clients that begin with TLS (XEP-0368; port 5223).
    ///
    /// # Errors
    /// [`ServerError::NoTls`] without a certificate, or when the address cannot be listened at.
    pub async fn listen_direct_tls(
        &self,
        address: impl ToSocketAddrs,
    ) -> Result<SocketAddr, ServerError> {
        if self.shared.tls.is_none() {
            return Err(ServerError::NoTls);
        }
        self.listen_as(address, true).await
    }

    /// What the server has done and what it holds.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// Listens for programs that watch the server: over HTTP without TLS, `GET /metrics` gives [`Server::metrics`] in the
    /// text format of Prometheus, and `GET /health` says `ok`. Nobody is asked who he is: choose an address that only
    /// those can reach who may know. Requests of 8,192 bytes at most are answered, 16 at once, within 10 s.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn listen_metrics(
        &self,
        address: impl ToSocketAddrs,
    ) -> Result<SocketAddr, ServerError> {
        let listener = Listener::bind(address).await?;
        let address = listener.local_address()?;
        let shared = Arc::clone(&self.shared);
        let places = Arc::new(Semaphore::new(metrics::REQUESTS));
        let task = tokio::spawn(async move {
            // The semaphore is never closed.
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                let Ok(connection) = listener.accept().await else {
                    tracing::error!(%address, "the listener for metrics has failed");
                    return;
                };
                let answer = metrics::answer(Arc::clone(&shared), connection);
                tokio::spawn(async move {
                    answer.await;
                    drop(place);
                });
            }
        });
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
        Ok(address)
    }

    async fn listen_as(
        &self,
        address: impl ToSocketAddrs,
        is_direct: bool,
    ) -> Result<SocketAddr, ServerError> {
        let listener = Listener::bind(address).await?;
        let address = listener.local_address()?;
        let shared = Arc::clone(&self.shared);
        let stop = self.stop.subscribe();
        let running = self.running.clone();
        let task = tokio::spawn(async move {
            loop {
                let connection = match listener.accept().await {
                    Ok(connection) => connection,
                    Err(error) => {
                        tracing::error!(%error, %address, "the listener has failed");
                        return;
                    }
                };
                let peer = connection.peer_address();
                let admission = match shared.gate.enter(peer.ip()) {
                    Ok(admission) => admission,
                    Err(full) => {
                        shared.counters.refused_connections.add(1);
                        tracing::debug!(%peer, ?full, "a connection too many");
                        continue;
                    }
                };
                shared.counters.connections.add(1);
                let (shared, stop, running) = (Arc::clone(&shared), stop.clone(), running.clone());
                tokio::spawn(async move {
                    connection::serve(shared, connection, is_direct, admission, stop).await;
                    drop(running);
                });
            }
        });
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
        Ok(address)
    }

    /// Stops listening, ends all streams with `system-shutdown`, and waits until they have ended: at most as long as
    /// the close timeout allows. All changes that were answered are on the disk.
    pub async fn shutdown(mut self) {
        self.stop_listening();
        self.stop.send_replace(true);
        self.shared
            .router
            .close_all(StreamCondition::SystemShutdown);
        let (nobody, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.running, nobody));
        let limit = self.shared.close_timeout.saturating_mul(2);
        if tokio::time::timeout(limit, self.ended.recv())
            .await
            .is_err()
        {
            tracing::warn!("some connections did not end in time");
        }
    }

    fn stop_listening(&self) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.drain(..).for_each(|listener| listener.abort());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_listening();
        self.stop.send_replace(true);
        self.shared
            .router
            .close_all(StreamCondition::SystemShutdown);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("domain", &self.shared.router.rules.domain)
            .field("sessions", &self.sessions())
            .finish_non_exhaustive()
    }
}

/// A secret that the store keeps under that name; made at the first start.
async fn secret(router: &Router, name: &'static str) -> Result<[u8; 32], ServerError> {
    let stored = router.load((), move |store, ()| store.value(name)).await?;
    if let Some(secret) = stored.and_then(|secret| secret.try_into().ok()) {
        return Ok(secret);
    }
    let secret = random()?;
    router.commit(Batch::new().put_value(name, secret)).await?;
    Ok(secret)
}

fn random() -> Result<[u8; 32], ServerError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| ServerError::NoRandomness)?;
    Ok(bytes)
}

/// Why a server did not start or listen.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// There is no certificate, and nobody said that it goes without.
    NoTls,
    /// The system gives no random bytes.
    NoRandomness,
    /// The address cannot be listened at.
    Network(NetError),
    /// The store refused or failed.
    Store(StoreError),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerError::NoTls => f.write_str("there is no TLS certificate"),
            ServerError::NoRandomness => f.write_str("the system gives no random bytes"),
            ServerError::Network(error) => error.fmt(f),
            ServerError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ServerError::Network(error) => Some(error),
            ServerError::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<NetError> for ServerError {
    fn from(error: NetError) -> Self {
        Self::Network(error)
    }
}

impl From<StoreError> for ServerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
