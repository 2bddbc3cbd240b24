//! What others can do, asked for once and kept as long as there is room.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use xmpp_xml::{ElementRef, IntoOwned};

use super::{Caps, HashFunction, HashSet, hash_input, verification_input};
use crate::disco::info;
use crate::form::Field;
use crate::jid::{Jid, JidRef};
use crate::stanza::{Presence, PresenceType};

/// Nodes and hashes that are longer are not looked at.
const MAX_TEXT_BYTES: usize = 1024;

/// What entities can do, by the hashes in their presence.
///
/// Drive it with every presence; send the requests that [`poll_query`](Self::poll_query) gives and hand in
/// their answers. At most 16 requests are open at a time, 4,096 entities are followed, and what is known
/// takes at most about 1 MiB, of which the oldest goes first.
#[derive(Debug)]
pub struct CapsCache {
    entity_limit: usize,
    info_bytes_limit: usize,
    query_limit: usize,
    entities: BTreeMap<Jid, Entity>,
    known: BTreeMap<Key, Known>,
    known_bytes: usize,
    uses: u64,
    /// Who is to be asked next, one for each hash.
    queue: VecDeque<Jid>,
    /// The hashes about which somebody is or will be asked.
    lined_up: BTreeSet<Key>,
    /// How many requests are open.
    asked: usize,
}

impl CapsCache {
    /// A cache that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            entity_limit: 4096,
            info_bytes_limit: 1 << 20,
            query_limit: 16,
            entities: BTreeMap::new(),
            known: BTreeMap::new(),
            known_bytes: 0,
            uses: 0,
            queue: VecDeque::new(),
            lined_up: BTreeSet::new(),
            asked: 0,
        }
    }

    /// How many entities are followed; presence of more is passed over. Default: 4,096. Each costs its
    /// address, its node and its hash, at most 3 KiB.
    #[must_use]
    pub fn entity_limit(mut self, entities: usize) -> Self {
        self.entity_limit = entities;
        self
    }

    /// How many bytes the descriptions may take. Default: 1 MiB.
    #[must_use]
    pub fn info_bytes_limit(mut self, bytes: usize) -> Self {
        self.info_bytes_limit = bytes;
        self
    }

    /// How many requests may be open at a time. Default: 16.
    #[must_use]
    pub fn query_limit(mut self, queries: usize) -> Self {
        self.query_limit = queries;
        self
    }

    /// How many bytes the descriptions take, about.
    #[must_use]
    pub fn info_bytes(&self) -> usize {
        self.known_bytes
    }

    /// How many entities are followed.
    #[must_use]
    pub fn entities(&self) -> usize {
        self.entities.len()
    }

    /// A presence has arrived: follows who is there, and forgets who is gone. A presence without
    /// capabilities changes nothing (XEP-0115 §8.4).
    pub fn handle_presence(&mut self, presence: &Presence<'_>) {
        let Some(from) = presence.from() else { return };
        match presence.kind() {
            PresenceType::Unavailable | PresenceType::Error => self.forget(from),
            PresenceType::Available => {
                let children = presence.element().children();
                if let Some((key, node)) = announced(children) {
                    self.follow(from, key, node);
                }
            }
            _ => {}
        }
    }

    /// The answer to a request has arrived: the element inside the result. It is believed for all who have
    /// the same hash if it fits the hash, and for who gave it in any case (XEP-0115 §5.4).
    pub fn handle_info(&mut self, from: JidRef<'_>, answer: ElementRef<'_>) {
        let Some(key) = self.take_asked(from) else {
            return;
        };
        let Ok(mut info) = answer.read::<info::Query<'_>>() else {
            return self.settle(from, &key, State::Failed);
        };
        let lang = answer.lang();
        let fits = key.fits(&info, lang.as_deref());
        // Where it is kept it stands alone: what was implied is made explicit (XEP-0390 §6.2.1).
        for identity in &mut info.identities {
            identity.lang = identity.lang.take().or_else(|| lang.clone());
        }
        info.node = None;
        let (info, bytes) = (Arc::new(info.into_owned()), memory_of(answer));
        if fits {
            self.keep(key, info, bytes);
        } else {
            self.keep(Key::Entity(from.to_jid()), info, bytes);
            self.settle(from, &key, State::Answered);
        }
    }

    /// A request was refused, or not answered in time. Who was asked is not asked again until its hash
    /// changes.
    pub fn handle_failed(&mut self, from: JidRef<'_>) {
        if let Some(key) = self.take_asked(from) {
            self.settle(from, &key, State::Failed);
        }
    }

    /// The stream is gone, and nobody is there any more. What is known by its hash stays known.
    pub fn handle_disconnected(&mut self) {
        self.entities.clear();
        self.queue.clear();
        self.lined_up.clear();
        self.asked = 0;
        let own = self
            .known
            .keys()
            .filter(|key| matches!(key, Key::Entity(_)));
        for key in own.cloned().collect::<Vec<_>>() {
            self.drop_known(&key);
        }
    }

    /// What an entity can do. `None` when it has not told a hash, or when its kind is not known (any
    /// more): then it is asked, if it may be.
    pub fn info(&mut self, jid: JidRef<'_>) -> Option<Arc<info::Query<'static>>> {
        let entity = self.entities.get(jid.as_str())?;
        self.uses = self.uses.saturating_add(1);
        let own = Key::Entity(jid.to_jid());
        for key in [&entity.key, &own] {
            if let Some(known) = self.known.get_mut(key) {
                known.used = self.uses;
                return Some(known.info.clone());
            }
        }
        if matches!(entity.state, State::Idle | State::Answered) {
            let key = entity.key.clone();
            self.want(jid, &key);
        }
        None
    }

    /// The next request to send, if any: disco#info to that address about that node. Its answer goes to
    /// [`handle_info`](Self::handle_info), an error to [`handle_failed`](Self::handle_failed).
    pub fn poll_query(&mut self) -> Option<Query> {
        if self.asked >= self.query_limit {
            return None;
        }
        let to = self.queue.pop_front()?;
        let entity = self.entities.get_mut(&to)?;
        entity.state = State::Asked;
        self.asked = self.asked.saturating_add(1);
        let node = entity.node.clone();
        Some(Query { to, node })
    }

    fn follow(&mut self, from: JidRef<'_>, key: Key, node: String) {
        let before = self.entities.get(from.as_str());
        if before.is_some_and(|entity| entity.key == key) {
            return;
        }
        if before.is_none() && self.entities.len() >= self.entity_limit {
            return;
        }
        self.forget(from);
        let entity = Entity {
            key: key.clone(),
            node,
            state: State::Idle,
        };
        self.entities.insert(from.to_jid(), entity);
        self.want(from, &key);
    }

    /// Lines up to ask, unless it is known or somebody with the same hash is in the line.
    fn want(&mut self, jid: JidRef<'_>, key: &Key) {
        if self.known.contains_key(key) || self.lined_up.contains(key) {
            return;
        }
        if let Some(entity) = self.entities.get_mut(jid.as_str()) {
            entity.state = State::Queued;
            self.lined_up.insert(key.clone());
            self.queue.push_back(jid.to_jid());
        }
    }

    /// The hash that this entity was asked about, which it is not any more; `None` if it was not.
    fn take_asked(&mut self, from: JidRef<'_>) -> Option<Key> {
        let entity = self.entities.get_mut(from.as_str())?;
        if entity.state != State::Asked {
            return None;
        }
        entity.state = State::Idle;
        self.asked = self.asked.saturating_sub(1);
        self.lined_up.remove(&entity.key);
        Some(entity.key.clone())
    }

    /// Who was asked did not prove the hash: another who has it may (XEP-0115 §5.4).
    fn settle(&mut self, jid: JidRef<'_>, key: &Key, state: State) {
        if let Some(entity) = self.entities.get_mut(jid.as_str()) {
            entity.state = state;
        }
        self.ask_another(key);
    }

    fn ask_another(&mut self, key: &Key) {
        let mut others = self.entities.iter();
        let other = others.find(|(_, entity)| entity.key == *key && entity.state == State::Idle);
        if let Some((jid, _)) = other {
            let jid = jid.clone();
            self.want(jid.as_ref(), key);
        }
    }

    fn forget(&mut self, jid: JidRef<'_>) {
        let Some(entity) = self.entities.remove(jid.as_str()) else {
            return;
        };
        self.drop_known(&Key::Entity(jid.to_jid()));
        match entity.state {
            State::Asked => self.asked = self.asked.saturating_sub(1),
            State::Queued => self.queue.retain(|queued| queued.as_ref() != jid),
            State::Idle | State::Answered | State::Failed => return,
        }
        self.lined_up.remove(&entity.key);
        self.ask_another(&entity.key);
    }

    fn keep(&mut self, key: Key, info: Arc<info::Query<'static>>, bytes: usize) {
        if bytes > self.info_bytes_limit {
            return;
        }
        self.drop_known(&key);
        while self.known_bytes.saturating_add(bytes) > self.info_bytes_limit {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.drop_known(&oldest);
        }
        self.uses = self.uses.saturating_add(1);
        self.known_bytes = self.known_bytes.saturating_add(bytes);
        let used = self.uses;
        self.known.insert(key, Known { info, bytes, used });
    }

    fn drop_known(&mut self, key: &Key) {
        if let Some(known) = self.known.remove(key) {
            self.known_bytes = self.known_bytes.saturating_sub(known.bytes);
        }
    }
}

impl Default for CapsCache {
    fn default() -> Self {
        Self::new()
    }
}

/// A request to send: disco#info about that node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whom to ask.
    pub to: Jid,
    /// What about.
    pub node: String,
}

/// The strongest hash among the payloads of a presence, and the node that stands for it. Of XEP-0115 a
/// hash by a function that is not understood is worth asking too, but proves nothing (§5.4).
fn announced<'a>(children: impl Iterator<Item = ElementRef<'a>>) -> Option<(Key, String)> {
    let mut found: Option<(Key, String)> = None;
    for child in children {
        let candidates = if let Ok(set) = child.read::<HashSet<'_>>() {
            let hashes = set.hashes.iter().filter_map(|hash| {
                let function = HashFunction::from_name(&hash.function)?;
                let value = String::from(hash.value.trim());
                let fits = value.len() <= MAX_TEXT_BYTES;
                fits.then(|| (Key::Hash(function, value), hash.query_node()))
            });
            hashes.max_by(|(one, _), (other, _)| one.cmp(other))
        } else if let Ok(caps) = child.read::<Caps<'_>>() {
            let fits = caps.ver.len() <= MAX_TEXT_BYTES && caps.node.len() <= MAX_TEXT_BYTES;
            let name = caps.hash.as_deref().filter(|_| fits);
            name.map(|name| {
                let ver = String::from(&*caps.ver);
                let key = match HashFunction::from_name(name) {
                    Some(function) => Key::Ver(function, ver),
                    None => Key::Unproven(caps.query_node()),
                };
                (key, caps.query_node())
            })
        } else {
            None
        };
        if let Some(candidate) = candidates
            && found.as_ref().is_none_or(|(key, _)| *key < candidate.0)
        {
            found = Some(candidate);
        }
    }
    found
}

/// What a description is known by, in the order of what it is worth.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// By the one entity that gave it.
    Entity(Jid),
    /// By a hash that cannot be checked here.
    Unproven(String),
    /// By a hash of XEP-0115.
    Ver(HashFunction, String),
    /// By a hash of XEP-0390.
    Hash(HashFunction, String),
}

impl Key {
    fn fits(&self, info: &info::Query<'_>, lang: Option<&str>) -> bool {
        match self {
            Self::Entity(_) | Self::Unproven(_) => false,
            Self::Ver(function, ver) => {
                verification_input(info).is_ok_and(|input| function.hash(input.as_bytes()) == *ver)
            }
            Self::Hash(function, value) => {
                hash_input(info, lang).is_ok_and(|input| function.hash(&input) == *value)
            }
        }
    }
}

#[derive(Debug)]
struct Entity {
    key: Key,
    node: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It need not be asked.
    Idle,
    Queued,
    Asked,
    /// Its answer did not fit its hash, and counts for itself alone.
    Answered,
    /// It gave no answer.
    Failed,
}

#[derive(Debug)]
struct Known {
    info: Arc<info::Query<'static>>,
    bytes: usize,
    /// The number of its last use.
    used: u64,
}

/// About what a description takes in memory: its texts, and its parts, of which form fields are the
/// largest.
fn memory_of(answer: ElementRef<'_>) -> usize {
    fn parts(element: ElementRef<'_>) -> usize {
        element
            .children()
            .fold(1, |count: usize, child| count.saturating_add(parts(child)))
    }
    let field = size_of::<Field<'_>>();
    answer
        .bytes()
        .len()
        .saturating_add(parts(answer).saturating_mul(field))
}
