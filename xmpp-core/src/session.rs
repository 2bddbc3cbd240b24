//! Sessions that a responder keeps for its peers: of commands, and of forms that change while they are
//! filled in.
//!
//! A session belongs to one peer, has an id that nobody guesses, and is over after a time without
//! activity. How many there may be, in all and for one peer, is bounded; time comes in as an argument.
//!
//! ```
//! use std::time::Duration;
//! use xmpp_core::entropy::Entropy;
//! use xmpp_core::jid::Jid;
//! use xmpp_core::session::Sessions;
//! use xmpp_core::time::Instant;
//!
//! let mut sessions = Sessions::new(Duration::from_secs(900));
//! let (juliet, romeo): (Jid, Jid) = ("juliet@example.com/b".parse()?, "romeo@example.net/o".parse()?);
//! let mut entropy = Entropy::from_seed([1; 32]);
//!
//! let now = Instant::ORIGIN;
//! let id = sessions.open(juliet.as_ref(), entropy.token(), "page 1", now)?;
//! assert_eq!(sessions.find(juliet.as_ref(), &id, now), Some(&mut "page 1"));
//! assert_eq!(sessions.find(romeo.as_ref(), &id, now), None);
//!
//! // Nothing happens for a quarter of an hour: the session is given back, and gone.
//! let later = sessions.poll_timeout().unwrap();
//! assert_eq!(sessions.handle_timeout(later), ["page 1"]);
//! assert_eq!(sessions.find(juliet.as_ref(), &id, later), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::jid::{Jid, JidRef};
use crate::time::Instant;

/// The open sessions of all peers, with a state `S` each.
#[derive(Debug, Clone)]
pub struct Sessions<S> {
    lifetime: Duration,
    limit: usize,
    peer_limit: usize,
    open: BTreeMap<(Jid, String), Session<S>>,
    earliest: Option<Instant>,
}

impl<S> Sessions<S> {
    /// No sessions yet; each is over after that time without activity. 1,024 may be open, and 16 of one
    /// peer.
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            limit: 1024,
            peer_limit: 16,
            open: BTreeMap::new(),
            earliest: None,
        }
    }

    /// How many sessions may be open. Default: 1,024. Each costs its id, the peer's address and its state.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// How many sessions of one peer, by its full address, may be open. Default: 16.
    #[must_use]
    pub fn peer_limit(mut self, limit: usize) -> Self {
        self.peer_limit = limit;
        self
    }

    /// How many sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many sessions of that peer are open.
    #[must_use]
    pub fn count(&self, peer: JidRef<'_>) -> usize {
        self.of(peer).count()
    }

    /// The states of the sessions of that peer.
    pub fn of(&self, peer: JidRef<'_>) -> impl Iterator<Item = &S> {
        let owner = peer.to_jid();
        let sessions = self.open.range((owner.clone(), String::new())..);
        sessions
            .take_while(move |((peer, _), _)| *peer == owner)
            .map(|(_, session)| &session.state)
    }

    /// Time has passed: gives the states of the sessions that are over by now.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<S> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        let over = self.open.extract_if(.., |_, session| session.until <= now);
        let states = over.map(|(_, session)| session.state).collect();
        self.earliest = self.open.values().map(|session| session.until).min();
        states
    }

    /// The peer is gone: gives the states of its sessions, which are over.
    pub fn handle_gone(&mut self, peer: JidRef<'_>) -> Vec<S> {
        let from = (peer.to_jid(), String::new());
        let gone = self
            .open
            .extract_if(from.., |(owner, _), _| owner.as_ref() == peer);
        gone.map(|(_, session)| session.state).collect()
    }

    /// The state of a session of that peer; it stays open for its lifetime from now on.
    pub fn find(&mut self, peer: JidRef<'_>, id: &str, now: Instant) -> Option<&mut S> {
        let session = self.open.get_mut(&(peer.to_jid(), String::from(id)))?;
        if session.until <= now {
            return None;
        }
        session.until = now + self.lifetime;
        Some(&mut session.state)
    }

    /// Opens a session of that peer under an id that nobody can guess, for instance
    /// [`Entropy::token`](crate::entropy::Entropy::token). Gives the id.
    ///
    /// # Errors
    /// [`TooManySessions`], when as many are open as may be. A session that is over counts until
    /// [`handle_timeout`](Self::handle_timeout).
    pub fn open(
        &mut self,
        peer: JidRef<'_>,
        id: String,
        state: S,
        now: Instant,
    ) -> Result<String, TooManySessions> {
        if self.open.len() >= self.limit || self.count(peer) >= self.peer_limit {
            return Err(TooManySessions);
        }
        let until = now + self.lifetime;
        self.earliest = Some(self.earliest.map_or(until, |earliest| earliest.min(until)));
        self.open
            .insert((peer.to_jid(), id.clone()), Session { state, until });
        Ok(id)
    }

    /// Ends a session of that peer; gives its state.
    pub fn close(&mut self, peer: JidRef<'_>, id: &str) -> Option<S> {
        let session = self.open.remove(&(peer.to_jid(), String::from(id)))?;
        if self.open.is_empty() {
            self.earliest = None;
        }
        Some(session.state)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.earliest
    }
}

/// As many sessions are open as may be; to a peer that asks for one the answer is `resource-constraint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManySessions;

impl fmt::Display for TooManySessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many sessions are open")
    }
}

impl core::error::Error for TooManySessions {}

#[derive(Debug, Clone)]
struct Session<S> {
    state: S,
    until: Instant,
}
