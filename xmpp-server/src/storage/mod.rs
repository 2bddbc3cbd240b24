//! What the server keeps: accounts, rosters, and the records of its services, behind one trait.
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
mod records;
mod redb;
mod writer;

use std::fmt;
use std::sync::Arc;

pub use self::memory::Memory;
pub use self::records::{Extent, Overflow, Quota, Record, Span};
pub use self::redb::Redb;
pub use self::writer::Writer;
use crate::subscription::Relation;

/// Where accounts, rosters and records are kept.
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

    /// One record of an account: what a service keeps under a key in its collection.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn record(
        &self,
        account: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// Records of a collection in the order of their keys, or against it.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn records(
        &self,
        account: &str,
        collection: &str,
        span: &Span,
    ) -> Result<Vec<Record>, StoreError>;

    /// How much a collection holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn extent(&self, account: &str, collection: &str) -> Result<Extent, StoreError>;

    /// Commits batches in their order and gives one outcome for each, in the same order.
    ///
    /// A batch is written wholly or not at all. When this returns, all batches whose outcome is `Ok` survive
    /// the end of the process and the loss of power. A batch is refused without harm to the others when its
    /// condition does not hold ([`Batch::create_account`], [`Batch::require_account`], [`Quota`]).
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
    /// Nothing changes, but the batch is refused if there is no account of this address.
    RequireAccount(String),
    /// The account of this address goes away with its roster and records.
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
    /// A record is added or replaced.
    PutRecord {
        /// Whose record.
        account: String,
        /// Where it belongs.
        collection: String,
        /// Its key and what it holds.
        record: Record,
        /// How much the collection may hold; `None` where nothing limits it.
        quota: Option<Quota>,
    },
    /// A record goes away.
    RemoveRecord {
        /// Whose record.
        account: String,
        /// Where it belongs.
        collection: String,
        /// Its key.
        key: String,
    },
    /// The records with lower keys than this go away.
    RemoveRecordsBefore {
        /// Whose records.
        account: String,
        /// Where they belong.
        collection: String,
        /// The lowest key that stays.
        key: String,
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

    /// The whole batch fails with [`StoreError::NoSuchAccount`] if there is no account of this address.
    #[must_use]
    pub fn require_account(self, address: impl Into<String>) -> Self {
        self.with(Change::RequireAccount(address.into()))
    }

    /// Removes an account with its roster and records. Nothing happens if there is none.
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

    /// Adds or replaces a record, in a collection that nothing limits.
    #[must_use]
    pub fn put_record(
        self,
        account: impl Into<String>,
        collection: impl Into<String>,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
    ) -> Self {
        self.with_record(
            account.into(),
            collection.into(),
            key.into(),
            value.into(),
            None,
        )
    }

    /// Adds or replaces a record in a collection that may hold only so much.
    #[must_use]
    pub fn put_record_within(
        self,
        quota: Quota,
        account: impl Into<String>,
        collection: impl Into<String>,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
    ) -> Self {
        let (account, collection) = (account.into(), collection.into());
        self.with_record(account, collection, key.into(), value.into(), Some(quota))
    }

    fn with_record(
        self,
        account: String,
        collection: String,
        key: String,
        value: Vec<u8>,
        quota: Option<Quota>,
    ) -> Self {
        self.with(Change::PutRecord {
            account,
            collection,
            record: Record { key, value },
            quota,
        })
    }

    /// Removes a record. Nothing happens if there is none.
    #[must_use]
    pub fn remove_record(
        self,
        account: impl Into<String>,
        collection: impl Into<String>,
        key: impl Into<String>,
    ) -> Self {
        self.with(Change::RemoveRecord {
            account: account.into(),
            collection: collection.into(),
            key: key.into(),
        })
    }

    /// Removes the records of a collection whose keys are lower than this one.
    #[must_use]
    pub fn remove_records_before(
        self,
        account: impl Into<String>,
        collection: impl Into<String>,
        key: impl Into<String>,
    ) -> Self {
        self.with(Change::RemoveRecordsBefore {
            account: account.into(),
            collection: collection.into(),
            key: key.into(),
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

    /// Checks the conditions of the batch against the accounts that there are and what their collections hold
    /// besides the record of a key. A store calls this before it makes the first change, so that a refused batch leaves no trace.
    ///
    /// # Errors
    /// The refusal, or what `exists` and `besides` fail with.
    pub fn check(
        &self,
        mut exists: impl FnMut(&str) -> Result<bool, StoreError>,
        mut besides: impl FnMut(&str, &str, &str) -> Result<Extent, StoreError>,
    ) -> Result<(), StoreError> {
        for (index, change) in self.changes.iter().enumerate() {
            let earlier = self.changes.get(..index).unwrap_or_default();
            match change {
                Change::CreateAccount(Account { address, .. })
                    if is_there(address, earlier, &mut exists)? =>
                {
                    return Err(StoreError::AccountExists(address.clone()));
                }
                Change::ReplaceAccount(Account { address, .. })
                | Change::RequireAccount(address)
                    if !is_there(address, earlier, &mut exists)? =>
                {
                    return Err(StoreError::NoSuchAccount(address.clone()));
                }
                Change::PutRecord {
                    account,
                    collection,
                    record,
                    quota: Some(quota),
                } if quota.overflow == Overflow::Refuse => {
                    let mut size = besides(account, collection, &record.key)?;
                    let sizes = earlier.iter().filter_map(|change| match change {
                        Change::PutRecord {
                            account: owner,
                            collection: place,
                            record,
                            ..
                        } if owner == account && place == collection => {
                            Some(records::length(&record.value))
                        }
                        _ => None,
                    });
                    sizes.for_each(|bytes| size.add(bytes));
                    size.add(records::length(&record.value));
                    if size.exceeds(quota) {
                        return Err(StoreError::Full {
                            account: account.clone(),
                            collection: collection.clone(),
                        });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether there is an account once earlier changes of the batch are made.
fn is_there(
    address: &String,
    earlier: &[Change],
    exists: &mut impl FnMut(&str) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    let changed = earlier.iter().rev().find_map(|earlier| match earlier {
        Change::CreateAccount(account) if account.address == *address => Some(true),
        Change::RemoveAccount(removed) if removed == address => Some(false),
        _ => None,
    });
    changed.map_or_else(|| exists(address), Ok)
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The caller wanted to create an account whose address is taken.
    AccountExists(String),
    /// The caller named an account that does not exist.
    NoSuchAccount(String),
    /// A collection holds as much as it may.
    Full {
        /// Whose collection.
        account: String,
        /// Its name.
        collection: String,
    },
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
            StoreError::Full {
                account,
                collection,
            } => write!(f, "the collection {collection} of {account} is full"),
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
