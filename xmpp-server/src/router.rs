//! Where stanzas go (RFC 6120 §10, RFC 6121 §8), and what they change.
//!
//! [`Router::handle`] takes a stanza from a client and finishes it at once, except for what takes the store: that is a
//! [`Change`], for [`Router::apply`] to carry out. It decides (pure, in [`exchange`](crate::exchange) and in the
//! [services](crate::services)), commits, and only then tells anybody.

mod change;
mod keeping;
mod message;
pub(crate) mod output;
mod presence;
mod request;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Mutex, MutexGuard, oneshot};
use xmpp_core::error::{StanzaCondition, StanzaError, StreamCondition};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::stanza::{IqBuilder, MessageType, Stanza, StanzaKind};
use xmpp_xml::value::DateTime;
use xmpp_xml::{Element, ElementRef, Event, Limits, Parser, Scratch, ToXml, Writer};

use self::output::{push, refuse, store_refusal};
use crate::outbox::{Outbox, Turn};
use crate::registry::{Handle, Kept, Online, Registry};
use crate::roster::{self, RosterLimits, Wish};
use crate::services::archive::ArchiveRules;
use crate::services::{
    AnswerLater, Commands, ContactAddress, Order, blocking, last_activity, offline,
};
use crate::storage::{Account, Batch, Quota, Store, StoreError, Writer as StoreWriter};
use crate::subscription::Request;

/// What a router is told about the server.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) domain: Jid,
    pub(crate) outbox_bytes: usize,
    pub(crate) sessions_per_account: usize,
    pub(crate) directed: usize,
    pub(crate) waiting_requests: usize,
    pub(crate) request_bytes: usize,
    pub(crate) roster: RosterLimits,
    pub(crate) requests_need_presence: bool,
    pub(crate) conflict: Conflict,
    pub(crate) contact_addresses: Vec<(ContactAddress, String)>,
    /// What an account may have waiting; `None` where nothing is kept.
    pub(crate) offline: Option<Quota>,
    pub(crate) blocked: usize,
    pub(crate) private_bytes: u64,
    /// What is archived of each account; `None` where nothing is.
    pub(crate) archive: Option<ArchiveRules>,
    pub(crate) vcard_bytes: usize,
    /// Owners may change their passwords and give up their accounts.
    pub(crate) account_changes: bool,
    pub(crate) administrators: Vec<Jid>,
    /// Rounds of SCRAM's hash for new passwords.
    pub(crate) iterations: u32,
}

/// What happens when a client asks for a resource that another connection of its account has
/// (RFC 6120 §7.7.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// The older connection ends with the stream error `conflict`. A device whose link was lost comes back under its
    /// old address at once.
    #[default]
    Replace,
    /// The newcomer is refused with `conflict` and may ask for another one.
    Refuse,
    /// The newcomer gets a resource that the server makes up.
    Rename,
}

/// Everything that the connections of a server have in common.
pub(crate) struct Router {
    pub(crate) rules: Rules,
    registry: RwLock<Registry>,
    store: Arc<dyn Store>,
    writer: StoreWriter,
    locks: Locks,
    pushes: AtomicU64,
    /// The latest time that was given as a stamp.
    stamps: AtomicU64,
    salt: u32,
    started: std::time::Instant,
    pub(crate) commands: Commands,
    /// Messages of lost connections.
    restoring: Unawaited,
    /// When accounts were last there.
    departures: Unawaited,
}

/// Something that a stanza asks for and that takes the store.
#[derive(Debug)]
pub(crate) enum Change {
    /// Of what two accounts keep about each other.
    Roster(RosterChange),
    /// A message that has to be kept before it goes on.
    Message(Element),
    /// A resource wants messages from now on.
    Flood,
    /// A request that a service answers.
    Service { answer: AnswerLater, order: Order },
}

/// What a stanza changes in rosters.
#[derive(Debug)]
pub(crate) enum RosterChange {
    /// A roster set, with the id of its IQ.
    Set { id: String, wish: Wish },
    /// A subscription stanza to a bare address, stamped.
    Subscription {
        request: Request,
        contact: Jid,
        id: Option<String>,
        stanza: String,
    },
}

impl Router {
    pub(crate) fn new(rules: Rules, store: Arc<dyn Store>) -> Result<Self, StoreError> {
        Ok(Self {
            rules,
            registry: RwLock::default(),
            writer: StoreWriter::spawn(Arc::clone(&store))?,
            store,
            locks: Locks::default(),
            pushes: AtomicU64::new(0),
            stamps: AtomicU64::new(0),
            salt: salt()?,
            started: std::time::Instant::now(),
            commands: Commands::new(seed()?),
            restoring: Unawaited::default(),
            departures: Unawaited::default(),
        })
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Registry> {
        // Nothing in the registry can be left half changed.
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    // Sessions

    /// Binds a resource: `wanted`, or `made_up` if there is no wish (RFC 6120 §7). From here on the session
    /// gets stanzas.
    pub(crate) async fn bind(
        &self,
        account: &Jid,
        wanted: Option<&str>,
        made_up: &str,
    ) -> Result<Arc<Handle>, StanzaError> {
        let bare = account.bare();
        // No roster change may slip in between reading the roster and having it here.
        let _guard = self.locks.lock([bare.as_str(), bare.as_str()]).await;
        let kept = if self.read().online(bare.as_str()).is_some() {
            Kept::default()
        } else {
            self.settle(&self.restoring).await;
            // It may have been removed since it was authenticated.
            let load = self.load(bare.clone(), |store, bare| {
                let is_there = store.account(bare.as_str())?.is_some();
                let kept = Kept {
                    roster: store.roster(bare.as_str())?,
                    roster_version: roster::kept_version(store, bare.as_str())?,
                    blocked: blocking::kept(store, bare.as_str())?,
                    waiting: offline::is_waiting(store, bare.as_str())?,
                };
                Ok(is_there.then_some(kept))
            });
            let kept = load.await.map_err(|error| store_refusal(&error))?;
            kept.ok_or_else(|| StanzaError::new(StanzaCondition::NotAllowed))?
        };

        let mut turn = Turn::new();
        let mut registry = self.write();
        let resource = wanted.unwrap_or(made_up);
        let address = |resource: &str| {
            bare.with_resource(resource).map_err(|error| {
                StanzaError::new(StanzaCondition::BadRequest).with_text(error.to_string())
            })
        };
        let mut jid = address(resource)?;
        let count = registry
            .online(bare.as_str())
            .map_or(0, |online| online.sessions.len());
        let older = registry
            .session(jid.as_ref())
            .map(|session| Arc::clone(&session.handle));
        // What the server makes up it gives to the same installation of a client only (XEP-0386 §3.2.1), and one that
        // has lost its connection is not there to be preferred.
        let is_contested = older
            .as_ref()
            .is_some_and(|older| wanted.is_some() && !older.is_hibernating());
        let mut replaced = match (older, self.rules.conflict) {
            (Some(_), Conflict::Refuse) if is_contested => {
                return Err(StanzaError::new(StanzaCondition::Conflict));
            }
            (Some(_), Conflict::Rename) if is_contested => {
                jid = address(made_up)?;
                None
            }
            (older, _) => older,
        };
        if replaced.is_none() && count >= self.rules.sessions_per_account {
            // A client that comes back without resuming must not lock its account out.
            let hibernating = registry.online(bare.as_str()).and_then(Online::hibernating);
            replaced = hibernating.map(|session| Arc::clone(&session.handle));
            if replaced.is_none() {
                return Err(StanzaError::new(StanzaCondition::ResourceConstraint));
            }
        }
        let number = registry.number();
        let handle = Handle::new(number, jid, Outbox::new(self.rules.outbox_bytes));
        let handle = Arc::new(handle);
        // The new session comes before the old one goes, so that the account stays online.
        registry.add(Arc::clone(&handle), kept);
        if let Some(older) = replaced {
            older.outbox.close(&mut turn, StreamCondition::Conflict);
            end(&mut registry, &older, &mut turn);
        }
        Ok(handle)
    }

    /// From here on a session can be resumed by this identifier.
    pub(crate) fn allow_resumption(&self, handle: &Arc<Handle>, id: &str) {
        self.write().allow_resumption(handle, id);
    }

    /// The session of that account that is resumed by this identifier.
    pub(crate) fn resumable(&self, account: &Jid, id: &str) -> Option<Arc<Handle>> {
        self.read().resumable(account, id).map(Arc::clone)
    }

    /// A session has ended: everybody who saw it is told, and what did not reach its client goes to another resource,
    /// is kept, or is answered. `queued` are whole stanzas, of which that many bytes are known to have been written.
    pub(crate) fn leave(&self, handle: &Handle, queued: &[u8], written: usize, turn: &mut Turn) {
        {
            let mut registry = self.write();
            let session = registry.session_mut(handle);
            let was_available = session.is_some_and(|session| session.presence.is_some());
            end(&mut registry, handle, turn);
            if was_available {
                self.note_departure(&registry, handle, None);
            }
        }
        if queued.len() > written {
            self.bounce(handle, queued, written, turn);
        }
    }

    /// A resource is not available any more; if it was the last one, that is kept.
    fn note_departure(&self, registry: &Registry, handle: &Handle, status: Option<&str>) {
        let online = registry.online(handle.bare.as_str());
        if online.is_some_and(|online| online.available().next().is_some()) {
            return;
        }
        let batch = last_activity::departed(handle.bare.as_str(), status);
        let submitted = self.departures.begin();
        self.writer.submit(batch, move |outcome| {
            drop(submitted);
            if let Err(error) = outcome {
                tracing::debug!(%error, "a departure was not kept");
            }
        });
    }

    /// Keeps messages that were accepted for a client and can no longer be delivered, and answers what cannot wait.
    fn bounce(&self, handle: &Handle, queued: &[u8], written: usize, turn: &mut Turn) {
        let mut scratch = Scratch::new();
        let mut parser = Parser::new(Limits::new().stanza_bytes(u32::MAX));
        let mut header = Vec::new();
        // A header is written from constants.
        let _ = Writer::stream_header(&mut header, ns::CLIENT).finish();
        let mut input = header.as_slice();
        while parser
            .next(&mut scratch, &mut input)
            .is_ok_and(|event| event.is_some())
        {}
        let mut input = queued;
        loop {
            let before = queued.len().saturating_sub(input.len());
            let Ok(Some(event)) = parser.next(&mut scratch, &mut input) else {
                break;
            };
            let Event::Element(element) = event else {
                continue;
            };
            if before.saturating_add(element.bytes().len()) <= written {
                continue;
            }
            let Ok(stanza) = Stanza::parse(element) else {
                continue;
            };
            let is_lost = match &stanza {
                Stanza::Message(message) => {
                    message.kind() != MessageType::Headline && !self.restore(handle, message, turn)
                }
                Stanza::Iq(iq) => iq.kind().is_request(),
                Stanza::Presence(_) => false,
            };
            let Some(sender) = stanza.from().filter(|_| is_lost) else {
                continue;
            };
            let registry = self.read();
            if let Some(sender) = registry.session(sender) {
                let error = StanzaError::new(StanzaCondition::ServiceUnavailable);
                refuse(&sender.handle, element, &error, turn);
            }
        }
    }

    /// Asks a client for a sign of life (XEP-0199).
    pub(crate) fn ping(&self, handle: &Handle, turn: &mut Turn) {
        let id = self.push_id();
        push(handle, turn, |writer| {
            let iq = IqBuilder::get(&id).from(&self.rules.domain).to(&handle.jid);
            iq.payload(&Ping).to_xml(writer);
        });
    }

    /// Asks every connection to end its stream.
    pub(crate) fn close_all(&self, condition: StreamCondition) {
        let mut turn = Turn::new();
        for session in self.read().sessions() {
            session.handle.outbox.close(&mut turn, condition);
        }
    }

    /// How long the server has been running.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// A stamp that is later than all before.
    pub(crate) fn stamp(&self) -> Stamp {
        let now = u64::try_from(unix_time().as_micros()).unwrap_or(u64::MAX);
        let later = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self
            .stamps
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        let (Ok(last) | Err(last)) = last;
        Stamp::of(now.max(last.saturating_add(1)), self.salt)
    }

    /// An id for something that the server sends to a client unasked.
    pub(crate) fn push_id(&self) -> String {
        format!("push-{}", self.pushes.fetch_add(1, Ordering::Relaxed))
    }

    /// Locks two accounts, which may be the same one, against changes of what is kept of them.
    pub(crate) async fn lock(&self, accounts: [&str; 2]) -> Guards<'_> {
        self.locks.lock(accounts).await
    }

    fn store_writer(&self) -> &StoreWriter {
        &self.writer
    }

    pub(crate) fn session_count(&self) -> usize {
        self.read().sessions().count()
    }

    pub(crate) fn hibernating_count(&self) -> usize {
        let registry = self.read();
        let sessions = registry.sessions();
        sessions.filter(|s| s.handle.is_hibernating()).count()
    }

    // Stanzas

    /// Takes a stanza from a bound client. What it gives back is to be applied before the client's next stanza.
    pub(crate) fn handle(
        &self,
        handle: &Arc<Handle>,
        element: ElementRef<'_>,
        turn: &mut Turn,
    ) -> Option<Change> {
        if StanzaKind::of(element).is_none() {
            handle
                .outbox
                .close(turn, StreamCondition::UnsupportedStanzaType);
            return None;
        }
        let result = match Stanza::parse(element) {
            Ok(Stanza::Message(message)) => self.message(handle, &message, turn),
            Ok(Stanza::Presence(presence)) => self.presence(handle, &presence, turn),
            Ok(Stanza::Iq(iq)) => self.iq(handle, &iq, turn),
            Err(fault) => Err(fault.into()),
        };
        result.unwrap_or_else(|error| {
            refuse(handle, element, &error, turn);
            None
        })
    }

    fn expect_local(&self, to: JidRef<'_>) -> Result<(), StanzaError> {
        if to.domain() == self.rules.domain.domain() {
            return Ok(());
        }
        // There are no connections to other servers.
        Err(StanzaError::new(StanzaCondition::RemoteServerNotFound))
    }

    // The store

    /// Commits without blocking the thread.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.writer.submit(batch, move |outcome| {
            // Nobody waits any more when the connection has ended; the batch is written all the same.
            let _ = sender.send(outcome);
        });
        receiver.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits until it is known when accounts were last there.
    pub(crate) async fn await_departures(&self) {
        self.settle(&self.departures).await;
    }

    /// What was submitted is written before anything that is submitted now, so waiting for nothing waits for it.
    async fn settle(&self, unawaited: &Unawaited) {
        if !unawaited.is_empty() {
            // Whether it was written, its own submission is told.
            let _: Result<(), StoreError> = self.commit(Batch::new()).await;
        }
    }

    /// The account of this address.
    pub(crate) async fn account(&self, address: Jid) -> Result<Option<Account>, StoreError> {
        self.load(address, |store, address| store.account(address.as_str()))
            .await
    }

    /// Reads from the store on a thread that may block.
    pub(crate) async fn load<K, T>(
        &self,
        key: K,
        read: impl FnOnce(&dyn Store, &K) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>
    where
        K: Send + 'static,
        T: Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let task = tokio::task::spawn_blocking(move || read(store.as_ref(), &key));
        task.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Removes an account with its roster, and ends its sessions.
    pub(crate) async fn remove_account(&self, bare: &Jid) -> Result<(), StoreError> {
        // Neither a login nor a change of its roster may come between.
        let _guards = self.locks.lock([bare.as_str(), bare.as_str()]).await;
        let tokens = crate::tokens::key(bare.as_str());
        let batch = Batch::new().remove_account(bare.as_str());
        self.commit(batch.put_value(tokens, [])).await?;
        self.end_sessions(bare, &mut Turn::new());
        Ok(())
    }

    /// Ends the sessions of an account.
    pub(crate) fn end_sessions(&self, bare: &Jid, turn: &mut Turn) {
        let mut registry = self.write();
        let sessions = registry
            .online(bare.as_str())
            .map_or(&[][..], |online| &online.sessions);
        let handles: Vec<_> = sessions
            .iter()
            .map(|session| Arc::clone(&session.handle))
            .collect();
        for handle in handles {
            handle.outbox.close(turn, StreamCondition::NotAuthorized);
            end(&mut registry, &handle, turn);
        }
    }
}

/// The payload of a ping.
struct Ping;

impl ToXml for Ping {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.empty("ping", ns::PING);
    }
}

/// What is on its way to the store and that nobody waits for until he asks for it.
#[derive(Debug, Default)]
struct Unawaited(Arc<AtomicUsize>);

impl Unawaited {
    /// Something is submitted. It is on its way as long as the answer is there.
    fn begin(&self) -> Submitted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Submitted(Arc::clone(&self.0))
    }

    fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

struct Submitted(Arc<AtomicUsize>);

impl Drop for Submitted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type Guards<'l> = (Option<MutexGuard<'l, ()>>, Option<MutexGuard<'l, ()>>);

/// Locks for accounts whose roster is being changed. There are fewer locks than accounts; two that share one wait
/// for each other without need, which is rare and harmless.
struct Locks([Mutex<()>; 64]);

impl Default for Locks {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Locks {
    /// Locks two accounts, which may be the same one, in an order that all agree on.
    async fn lock(&self, accounts: [&str; 2]) -> Guards<'_> {
        let mut places = accounts.map(|account| self.place(account));
        places.sort_unstable();
        let [first, second] = places;
        let first_guard = match self.0.get(first) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let second_guard = match self.0.get(second).filter(|_| second != first) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        (first_guard, second_guard)
    }

    fn place(&self, account: &str) -> usize {
        // FNV-1a: nothing depends on it but how evenly accounts are spread.
        let hash = account
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        usize::try_from(hash % 64).unwrap_or_default()
    }
}

/// A session ends: everybody who saw it is told.
fn end(registry: &mut Registry, handle: &Handle, turn: &mut Turn) {
    crate::presence::unavailable(
        registry,
        handle,
        &crate::presence::gone(handle.jid.as_ref()),
        turn,
    );
    registry.remove(handle);
}

/// The time since 1970, as far as the system knows it.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// When something was kept, as the key under which it is kept: later things come later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    micros: u64,
    salt: u32,
}

impl Stamp {
    /// So many microseconds after 1970. The salt is of one run of the server, so that a clock that was set back gives
    /// no key twice.
    pub(crate) fn of(micros: u64, salt: u32) -> Self {
        Self { micros, salt }
    }

    pub(crate) fn key(&self) -> String {
        format!("{:016x}{:08x}", self.micros, self.salt)
    }

    /// What all keys at a time begin with, which comes before them.
    pub(crate) fn first_key_at(micros: u64) -> String {
        format!("{micros:016x}")
    }

    /// Reads a key.
    pub(crate) fn of_key(key: &str) -> Option<Self> {
        let (micros, salt) = key.split_at_checked(16)?;
        Some(Self {
            micros: u64::from_str_radix(micros, 16).ok()?,
            salt: u32::from_str_radix(salt, 16).ok()?,
        })
    }

    /// So many microseconds before.
    pub(crate) fn earlier(&self, micros: u64) -> Self {
        Self {
            micros: self.micros.saturating_sub(micros),
            salt: 0,
        }
    }

    /// The time to the microsecond, by which things are searched.
    pub(crate) fn exact_time(&self) -> DateTime {
        let seconds = i64::try_from(self.micros / 1_000_000).unwrap_or(i64::MAX);
        let nanos = u32::try_from(self.micros % 1_000_000).unwrap_or_default();
        DateTime::from_unix(seconds, nanos.saturating_mul(1_000)).unwrap_or(DateTime::MAX)
    }

    pub(crate) fn time(&self) -> DateTime {
        let seconds = i64::try_from(self.micros / 1_000_000).unwrap_or(i64::MAX);
        // Whole seconds are enough for people, and say less about the machine.
        DateTime::from_unix(seconds, 0).unwrap_or(DateTime::MAX)
    }
}

fn seed() -> Result<[u8; 32], StoreError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| StoreError::Failed(Arc::new(error)))?;
    Ok(seed)
}

fn salt() -> Result<u32, StoreError> {
    getrandom::u32().map_err(|error| StoreError::Failed(Arc::new(error)))
}
