//! What the server keeps: accounts and rosters, behind one trait.
//!
//! [`Store`] is blocking and knows nothing of async or of XMPP's rules: it answers questions and makes
//! [`Batch`]es of changes durable, each wholly or not at all. [`Memory`] is for tests, [`Redb`] is the embedded
//! default. [`Writer`] is how a server commits: one thread that gathers what many connections want written
//! and hands it to the store in groups, so that one flush of the disk serves them all.
//!
//! ```
//! use xmpp_server::storage::{Account, Batch, Contact, Memory, Store, Writer};
//!
//! let store = std::sync::Arc::new(Memory::new());
//! let writer = Writer::spawn(store.clone())?;
//! writer.commit(Batch::new().create_account(Account::new("juliet@example.com", vec![])))?;
//! writer.commit(
//!     Batch::new().put_contact("juliet@example.com", Contact::new("romeo@example.net").name("Romeo")),
//! )?;
//! assert_eq!(store.roster("juliet@example.com")?.len(), 1);
//! # Ok::<(), xmpp_server::storage::StoreError>(())
//! ```

mod memory;
mod record;
mod redb;
mod writer;

use std::fmt;
use std::sync::Arc;

pub use self::memory::Memory;
pub use self::redb::Redb;
pub use self::writer::Writer;
use crate::subscription::Relation;

/// Where accounts and rosters are kept.
///
/// Addresses are bare JIDs in their canonical text. Every method may block on a disk.
pub trait Store: fmt::Debug + Send + Sync {
    /// The account of this address, `None` if there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn account(&self, address: &str) -> Result<Option<Account>, StoreError>;

    /// Addresses of accounts in their order: at most `limit` of those after `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError>;

    /// What is kept about one contact of an account.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn contact(&self, account: &str, contact: &str) -> Result<Option<Contact>, StoreError>;

    /// All contacts of an account in the order of their addresses, also those that are not in its roster but
    /// wait for an answer ([`Contact::listed`]). Empty for accounts that do not exist.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn roster(&self, account: &str) -> Result<Vec<Contact>, StoreError>;

    /// What was kept under a name for the server itself ([`Batch::put_value`]).
    ///
    /// # Errors
    /// When the store cannot be read.
    fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Commits batches in their order and gives one outcome for each, in the same order.
    ///
    /// A batch is written wholly or not at all. When this returns, all batches whose outcome is `Ok` survive
    /// the end of the process and the loss of power. A batch is refused without harm to the others when its
    /// condition does not hold ([`Batch::create_account`]).
    fn commit(&self, batches: &[Batch]) -> Vec<Result<(), StoreError>>;
}

/// An account: who may log in.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Its bare JID.
    pub address: String,
    /// What is stored instead of the password, one text per hash, as written by
    /// `xmpp_sasl::StoredCredentials`.
    pub credentials: Vec<String>,
}

impl Account {
    /// An account with these stored credentials.
    #[must_use]
    pub fn new(address: impl Into<String>, credentials: Vec<String>) -> Self {
        Self {
            address: address.into(),
            credentials,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Stored credentials are enough to attack a password offline.
        f.debug_struct("Account")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What an account keeps about one contact: a roster item, a waiting subscription request, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contact {
    /// The contact's address; for people and devices a bare JID.
    pub address: String,
    /// The name that the account has given it.
    pub name: Option<String>,
    /// The groups that the account has put it in.
    pub groups: Vec<String>,
    /// The subscriptions between the two.
    pub relation: Relation,
    /// It is an item of the roster. A stranger's request waits without one (RFC 6121 §3.1.3).
    pub listed: bool,
    /// The whole `subscribe` stanza that waits for an answer, to be delivered whenever a client of the
    /// account becomes available.
    pub request: Option<String>,
}

impl Contact {
    /// A contact without name, groups, subscriptions or roster item.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            ..Self::default()
        }
    }

    /// Gives it a name and a roster item.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self.listed = true;
        self
    }
}

/// Changes that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: Vec<Change>,
}

/// One change of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A new account; the batch is refused if its address is taken.
    CreateAccount(Account),
    /// New credentials of an account; the batch is refused if there is no such account.
    ReplaceAccount(Account),
    /// The account of this address and its roster go away.
    RemoveAccount(String),
    /// A contact is added or replaced.
    PutContact {
        /// Whose contact.
        account: String,
        /// What is known of it now.
        contact: Contact,
    },
    /// A value of the server is added or replaced.
    PutValue {
        /// Its name.
        name: String,
        /// What it is.
        value: Vec<u8>,
    },
    /// All that is kept about a contact goes away.
    RemoveContact {
        /// Whose contact.
        account: String,
        /// The contact's address.
        contact: String,
    },
}

impl Batch {
    /// A batch without changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account. The whole batch fails with [`StoreError::AccountExists`] if there is one already.
    #[must_use]
    pub fn create_account(self, account: Account) -> Self {
        self.with(Change::CreateAccount(account))
    }

    /// Replaces an account. The whole batch fails with [`StoreError::NoSuchAccount`] if there is none.
    #[must_use]
    pub fn replace_account(self, account: Account) -> Self {
        self.with(Change::ReplaceAccount(account))
    }

    /// Removes an account and its roster. Nothing happens if there is none.
    #[must_use]
    pub fn remove_account(self, address: impl Into<String>) -> Self {
        self.with(Change::RemoveAccount(address.into()))
    }

    /// Adds or replaces a contact.
    #[must_use]
    pub fn put_contact(self, account: impl Into<String>, contact: Contact) -> Self {
        self.with(Change::PutContact {
            account: account.into(),
            contact,
        })
    }

    /// Removes a contact. Nothing happens if there is none.
    #[must_use]
    pub fn remove_contact(self, account: impl Into<String>, contact: impl Into<String>) -> Self {
        self.with(Change::RemoveContact {
            account: account.into(),
            contact: contact.into(),
        })
    }

    /// Keeps a value for the server itself, such as a secret that must survive restarts.
    #[must_use]
    pub fn put_value(self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.with(Change::PutValue {
            name: name.into(),
            value: value.into(),
        })
    }

    /// Adds any change.
    #[must_use]
    pub fn with(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes in the order in which they are made.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Checks the conditions of the batch against the accounts that there are. A store calls this before it
    /// makes the first change, so that a refused batch leaves no trace.
    ///
    /// # Errors
    /// The refusal, or what `exists` fails with.
    pub fn check(
        &self,
        mut exists: impl FnMut(&str) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        for (index, change) in self.changes.iter().enumerate() {
            let (address, wanted) = match change {
                Change::CreateAccount(account) => (&account.address, false),
                Change::ReplaceAccount(account) => (&account.address, true),
                _ => continue,
            };
            // Changes of this batch that come before count as made.
            let earlier = self
                .changes
                .iter()
                .take(index)
                .rev()
                .find_map(|earlier| match earlier {
                    Change::CreateAccount(account) if account.address == *address => Some(true),
                    Change::RemoveAccount(removed) if removed == address => Some(false),
                    _ => None,
                });
            let found = match earlier {
                Some(found) => found,
                None => exists(address)?,
            };
            match (wanted, found) {
                (false, true) => return Err(StoreError::AccountExists(address.clone())),
                (true, false) => return Err(StoreError::NoSuchAccount(address.clone())),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The caller wanted to create an account whose address is taken.
    AccountExists(String),
    /// The caller named an account that does not exist.
    NoSuchAccount(String),
    /// The file is not a store of this server.
    Foreign(String),
    /// The file was written by a later version of this crate.
    Newer {
        /// The schema of the file.
        found: u64,
        /// The latest schema that this version reads.
        known: u64,
    },
    /// Another process, or another part of this one, has the store open.
    InUse,
    /// A record cannot be read.
    Damaged(String),
    /// The disk or the engine failed.
    Failed(Arc<dyn std::error::Error + Send + Sync>),
    /// The writer has ended, so nothing is written any more.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::AccountExists(address) => write!(f, "the account {address} exists already"),
            StoreError::NoSuchAccount(address) => write!(f, "there is no account {address}"),
            StoreError::Foreign(reason) => {
                write!(f, "the file is not a store of this server: {reason}")
            }
            StoreError::Newer { found, known } => write!(
                f,
                "the store has schema {found}, this version reads up to {known}: it was written by a later version"
            ),
            StoreError::InUse => f.write_str("the store is in use by another process"),
            StoreError::Damaged(what) => write!(f, "the store is damaged: {what}"),
            StoreError::Failed(error) => write!(f, "the store failed: {error}"),
            StoreError::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Failed(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}
