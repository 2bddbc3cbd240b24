//! Who is connected: accounts with their sessions, rosters and presence. No I/O and no waiting: what goes out
//! is put into outboxes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use xmpp_core::jid::{Jid, JidRef};

use crate::outbox::{Outbox, Refused, Shared, Turn};
use crate::services::blocking;
use crate::storage::Contact;

/// What the router and the task of a connection share about one session. It is there from binding to the end
/// of the connection, or, if the session can be resumed, until it is given up.
#[derive(Debug)]
pub(crate) struct Handle {
    /// Tells this session from an earlier or later one of the same address.
    pub(crate) id: u64,
    pub(crate) jid: Jid,
    pub(crate) bare: Jid,
    pub(crate) outbox: Outbox,
    /// What its client resumes it by, if it may.
    pub(crate) resumption: OnceLock<Box<str>>,
    /// It has no connection and waits for its client to come back.
    pub(crate) hibernates: AtomicBool,
}

impl Handle {
    pub(crate) fn new(id: u64, jid: Jid, outbox: Outbox) -> Self {
        Self {
            id,
            bare: jid.bare(),
            jid,
            outbox,
            resumption: OnceLock::new(),
            hibernates: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_hibernating(&self) -> bool {
        self.hibernates.load(Ordering::Relaxed)
    }
}

/// One bound resource.
pub(crate) struct Session {
    pub(crate) handle: Arc<Handle>,
    /// It has asked for the roster and gets its changes (RFC 6121 §2.1.6).
    pub(crate) interested: bool,
    /// It has asked for the list of blocked addresses and gets its changes (XEP-0191 §3.2).
    pub(crate) wants_blocklist: bool,
    /// It gets copies of what the account's other resources send and receive (XEP-0280).
    pub(crate) carbons: bool,
    /// Its last available presence; `None` while it is not available.
    pub(crate) presence: Option<Current>,
    /// Whom it has sent directed presence to (RFC 6121 §4.6).
    pub(crate) directed: BTreeSet<Jid>,
}

/// The presence that a resource has sent last.
pub(crate) struct Current {
    pub(crate) stanza: Shared,
    pub(crate) priority: i8,
    /// Goes up with every presence of the server: of equal priorities the latest is the most available.
    pub(crate) number: u64,
}

/// An account with at least one session.
pub(crate) struct Online {
    pub(crate) roster: BTreeMap<String, Contact>,
    /// The version of the roster, which every change replaces (RFC 6121 §2.6).
    pub(crate) roster_version: String,
    /// Addresses of any form that the account has blocked (XEP-0191).
    pub(crate) blocked: BTreeSet<String>,
    /// Messages wait for a resource that wants them.
    pub(crate) waiting: bool,
    pub(crate) sessions: Vec<Session>,
}

/// What the store keeps of an account that has to be at hand while it is connected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) roster: Vec<Contact>,
    pub(crate) roster_version: String,
    pub(crate) blocked: BTreeSet<String>,
    pub(crate) waiting: bool,
}

/// All accounts with sessions, by bare address.
#[derive(Default)]
pub(crate) struct Registry {
    accounts: HashMap<String, Online>,
    /// Sessions that may be resumed, by what they are resumed by.
    resumable: HashMap<Box<str>, Arc<Handle>>,
    numbers: u64,
}

impl Registry {
    pub(crate) fn online(&self, bare: &str) -> Option<&Online> {
        self.accounts.get(bare)
    }

    pub(crate) fn online_mut(&mut self, bare: &str) -> Option<&mut Online> {
        self.accounts.get_mut(bare)
    }

    /// The session with exactly this address.
    pub(crate) fn session(&self, address: JidRef<'_>) -> Option<&Session> {
        self.online(address.to_bare().as_str())?
            .session(address.resource()?)
    }

    /// The session of this handle, unless it has ended or was replaced.
    pub(crate) fn session_mut(&mut self, handle: &Handle) -> Option<&mut Session> {
        let online = self.accounts.get_mut(handle.bare.as_str())?;
        online
            .sessions
            .iter_mut()
            .find(|session| session.handle.id == handle.id)
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.accounts.values().flat_map(|online| &online.sessions)
    }

    /// A number that was never given before.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }

    /// Adds a session. `kept` is used if it is the first one of its account.
    pub(crate) fn add(&mut self, handle: Arc<Handle>, kept: Kept) {
        let bare = handle.bare.as_str().to_owned();
        let online = self.accounts.entry(bare).or_insert_with(|| Online {
            roster: kept
                .roster
                .into_iter()
                .map(|contact| (contact.address.clone(), contact))
                .collect(),
            roster_version: kept.roster_version,
            blocked: kept.blocked,
            waiting: kept.waiting,
            sessions: Vec::with_capacity(1),
        });
        let session = Session {
            handle,
            interested: false,
            wants_blocklist: false,
            carbons: false,
            presence: None,
            directed: BTreeSet::new(),
        };
        online.sessions.push(session);
    }

    /// From here on a session may be resumed by this identifier, which is never used twice.
    pub(crate) fn allow_resumption(&mut self, handle: &Arc<Handle>, id: &str) {
        if self.session_mut(handle).is_some() && handle.resumption.set(Box::from(id)).is_ok() {
            self.resumable.insert(Box::from(id), Arc::clone(handle));
        }
    }

    /// The session that is resumed by this identifier. Those of others are none.
    pub(crate) fn resumable(&self, account: &Jid, id: &str) -> Option<&Arc<Handle>> {
        let handle = self.resumable.get(id)?;
        (handle.bare == *account).then_some(handle)
    }

    /// Removes a session, and its account with the last one.
    pub(crate) fn remove(&mut self, handle: &Handle) -> Option<Session> {
        if let Some(id) = handle.resumption.get() {
            self.resumable.remove(id);
        }
        let online = self.accounts.get_mut(handle.bare.as_str())?;
        let place = online
            .sessions
            .iter()
            .position(|session| session.handle.id == handle.id)?;
        let session = online.sessions.swap_remove(place);
        if online.sessions.is_empty() {
            self.accounts.remove(handle.bare.as_str());
        }
        Some(session)
    }
}

impl Online {
    pub(crate) fn session(&self, resource: &str) -> Option<&Session> {
        self.sessions
            .iter()
            .find(|session| session.handle.jid.resource() == Some(resource))
    }

    /// The session that has been without a connection for longest; sessions begin in the order of their numbers.
    pub(crate) fn hibernating(&self) -> Option<&Session> {
        let hibernating = self.sessions.iter().filter(|s| s.handle.is_hibernating());
        hibernating.min_by_key(|session| session.handle.id)
    }

    /// Sessions that are available.
    pub(crate) fn available(&self) -> impl Iterator<Item = (&Session, &Current)> {
        self.sessions
            .iter()
            .filter_map(|session| Some((session, session.presence.as_ref()?)))
    }

    /// Sessions that messages for the account may go to: available, with a priority that is not negative.
    pub(crate) fn willing(&self) -> impl Iterator<Item = (&Session, &Current)> {
        self.available()
            .filter(|(_, presence)| presence.priority >= 0)
    }

    /// The willing session with the highest priority, of equals the one that has sent presence last.
    pub(crate) fn most_available(&self) -> Option<&Session> {
        let best = self
            .willing()
            .max_by_key(|(_, presence)| (presence.priority, presence.number));
        best.map(|(session, _)| session)
    }

    /// Whether this account lets the owner of a bare address see its presence.
    pub(crate) fn lets_see(&self, bare: &str) -> bool {
        let subscribed = self.roster.get(bare);
        subscribed.is_some_and(|contact| contact.relation.from)
            && !blocking::is_listed_text(&self.blocked, bare)
    }

    /// Whether this account has blocked an address (XEP-0191 §6).
    pub(crate) fn blocks(&self, address: JidRef<'_>) -> bool {
        blocking::is_listed(&self.blocked, address)
    }

    /// The contacts that see this account's presence.
    pub(crate) fn subscribers(&self) -> impl Iterator<Item = &str> {
        let seeing = self.roster.values().filter(|contact| contact.relation.from);
        seeing.map(|contact| contact.address.as_str())
    }
}

impl Session {
    /// Whether this resource has sent directed presence to an address or to its account.
    pub(crate) fn has_directed_to(&self, address: JidRef<'_>) -> bool {
        !self.directed.is_empty()
            && self
                .directed
                .iter()
                .any(|target| target.as_ref() == address || target.as_ref() == address.to_bare())
    }

    /// Queues a stanza that others get too. Presence is not answered, so nobody is told when it cannot be.
    pub(crate) fn push_shared(&self, turn: &mut Turn, stanza: &Shared, to: &str) {
        // A full outbox ends its connection by itself.
        let _: Result<(), Refused> = self.handle.outbox.push_shared(turn, stanza, to);
    }

    /// Queues bytes as they are.
    pub(crate) fn push_bytes(&self, turn: &mut Turn, bytes: &[u8]) {
        let _: Result<(), Refused> = self
            .handle
            .outbox
            .push(turn, |buffer| buffer.extend_from_slice(bytes));
    }
}
