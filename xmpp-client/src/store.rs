//! What a client keeps across a restart of the program.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::warn;
use xmpp_core::stream::{FastToken, ManagedSession, ManagementConfig};
use xmpp_sasl::{Mechanism, Token};

use crate::outbox::Outbox;

/// Where a client keeps what is to survive a restart: one value for each [`Record`], replaced as a whole. One store
/// belongs to one client of one account.
///
/// The client calls it on threads for blocking work, one call at a time.
pub trait Store: Send + Sync + fmt::Debug {
    /// What was kept last; `None` if there is nothing.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn load(&self, record: Record) -> io::Result<Option<Vec<u8>>>;

    /// Keeps a value in place of the one before, or forgets that. After a crash in the middle either of the two is
    /// there, whole.
    ///
    /// # Errors
    /// Where it cannot be kept. The client goes on all the same, and logs it.
    fn save(&self, record: Record, value: Option<&[u8]>) -> io::Result<()>;
}

/// The kinds of values that a client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Record {
    /// What was sent and not acknowledged, and the stream management session that it belongs to. It is saved before
    /// anything is written to the network.
    Outbox,
    /// The token for the next login (XEP-0484), worth as much as the password.
    Token,
    /// The identifier of this installation (XEP-0388 §2.3).
    Installation,
}

impl Record {
    /// A name for files and keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Token => "token",
            Self::Installation => "installation",
        }
    }
}

/// A store in a folder: one file for each record, readable by its owner alone, replaced by renaming.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    /// Keeps its files in that folder, which is made if it is not there.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref().to_owned();
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, record: Record) -> PathBuf {
        self.folder.join(record.name())
    }
}

impl Store for FileStore {
    fn load(&self, record: Record) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(record)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save(&self, record: Record, value: Option<&[u8]>) -> io::Result<()> {
        let path = self.path(record);
        let Some(value) = value else {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        };
        let fresh = path.with_extension("new");
        let mut file = private(&fresh)?;
        file.write_all(value)?;
        // Else the rename may reach the disk before what it renames.
        file.sync_data()?;
        drop(file);
        fs::rename(fresh, path)
    }
}

/// Creates a file for the owner's eyes only.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// A store, or none, that is asked without blocking the runtime.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeper(pub(crate) Option<Arc<dyn Store>>);

impl Keeper {
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) async fn load(&self, record: Record) -> Option<Vec<u8>> {
        let store = self.0.clone()?;
        let loaded = tokio::task::spawn_blocking(move || store.load(record)).await;
        match loaded {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => {
                warn!(record = record.name(), %error, "the store cannot be read");
                None
            }
            Err(_) => None,
        }
    }

    pub(crate) async fn save(&self, record: Record, value: Option<Vec<u8>>) {
        let Some(store) = self.0.clone() else {
            return;
        };
        let saving = move || store.save(record, value.as_deref());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(saving).await {
            warn!(record = record.name(), %error, "the store cannot be written");
        }
    }
}

/// The time of day, in seconds since 1970.
pub(crate) fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// A token as it is kept.
pub(crate) fn token_to_bytes(token: &FastToken) -> Vec<u8> {
    let (secret, count) = (token.token(), token.count());
    let (mechanism, expiry) = (secret.mechanism().name(), token.expiry());
    format!("{mechanism}\n{expiry}\n{count}\n{}", secret.secret()).into_bytes()
}

/// A token that was kept.
pub(crate) fn token_from_bytes(bytes: &[u8]) -> Option<FastToken> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.splitn(4, '\n');
    let mechanism: Mechanism = lines.next()?.parse().ok()?;
    let expiry = lines.next()?.parse().ok()?;
    let count = lines.next()?.parse().ok()?;
    let token = Token::new(mechanism, lines.next()?)?;
    Some(FastToken::new(token, expiry).counted(count))
}

/// What kept outboxes begin with; the last byte is the version of the format.
const MAGIC: &[u8] = b"xmpp-out\x01";

/// An outbox as it is kept; `None` when there is nothing to keep.
pub(crate) fn outbox_to_bytes(session: Option<&[u8]>, outbox: &Outbox) -> Option<Vec<u8>> {
    if session.is_none() && outbox.unsent().next().is_none() {
        return None;
    }
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&unix_time().to_be_bytes());
    let mut part = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(bytes);
    };
    part(session.unwrap_or_default());
    outbox.unsent().for_each(part);
    Some(out)
}

/// The outbox that was kept, and its session; both empty if the bytes are none.
pub(crate) fn outbox_from_bytes(
    bytes: &[u8],
    config: &ManagementConfig,
) -> Option<(Option<ManagedSession>, Outbox)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (time, mut rest) = rest.split_first_chunk()?;
    let time = i64::from_be_bytes(*time);
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length);
        let (part, behind) = behind.split_at_checked(usize::try_from(length).ok()?)?;
        parts.push(part);
        rest = behind;
    }
    let (session, waiting) = parts.split_first()?;
    let session = ManagedSession::from_bytes(session, config).ok();
    let mut outbox = Outbox::default();
    if let Some(session) = &session {
        outbox.restore(session, time);
    }
    for part in waiting {
        outbox.push(part.to_vec(), time);
    }
    Some((session, outbox))
}
