//! The embedded store: one file, written by [redb](https://docs.rs/redb).
//!
//! Six tables: `xmpp-server` says whose file this is and its schema, `accounts` has credentials by address,
//! `contacts` has contacts by account and address, `values` has what the server keeps for itself, `records` has
//! those of services by account, collection and key, and `extents` how much each collection holds. Why redb: `docs/decisions/0001-embedded-store.md`.

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::{
    CommitError, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, Table,
    TableDefinition, TableError, TransactionError,
};

use super::record::{read_account, read_contact, write_account, write_contact};
use super::records::{self, Extent, Record, Span};
use super::{Account, Batch, Change, Contact, Store, StoreError};

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("xmpp-server");
const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
const CONTACTS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("contacts");
const VALUES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");
const RECORDS: TableDefinition<'_, (&str, &str, &str), &[u8]> = TableDefinition::new("records");
const EXTENTS: TableDefinition<'_, (&str, &str), (u64, u64)> = TableDefinition::new("extents");

const SCHEMA_KEY: &str = "schema";
/// Goes up by one when a table or a record changes; older files are brought up to it when they are opened.
const SCHEMA: u64 = 2;

/// Bytes of pages kept in memory at most; redb's own default is a gigabyte.
const CACHE: usize = 64 << 20;

/// Keeps everything in one file on disk.
///
/// Commits are durable when they return. After a crash the file opens again by itself, with everything that
/// was committed and nothing that was not, within milliseconds whatever its size.
pub struct Redb {
    database: Database,
}

impl Redb {
    /// Opens the store in this file, or makes one where there is no file.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] if the file is something else, [`StoreError::Newer`] if a later version wrote
    /// it, [`StoreError::InUse`] if it is open already, else what the disk says. Nothing is written to a file
    /// that is refused.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let is_new = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata.len() == 0,
            Ok(_) => return Err(StoreError::Foreign("it is a folder or a device".into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(failed(error)),
        };
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create(path)
            .map_err(open_failed)?;
        let store = Self { database };
        if is_new {
            store.initialise()?;
            sync_folder(path)?;
        } else {
            store.verify()?;
        }
        Ok(store)
    }

    fn initialise(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(failed)?;
        transaction
            .open_table(META)
            .map_err(failed)?
            .insert(SCHEMA_KEY, SCHEMA)
            .map_err(failed)?;
        transaction.open_table(ACCOUNTS).map_err(failed)?;
        transaction.open_table(CONTACTS).map_err(failed)?;
        transaction.open_table(VALUES).map_err(failed)?;
        transaction.open_table(RECORDS).map_err(failed)?;
        transaction.open_table(EXTENTS).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn verify(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let meta = match transaction.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                // Made, but killed before its first commit.
                let mut tables = transaction.list_tables().map_err(failed)?;
                return match tables.next() {
                    None => self.initialise(),
                    Some(_) => Err(StoreError::Foreign("it holds other tables".into())),
                };
            }
            Err(_) => return Err(StoreError::Foreign("it holds other tables".into())),
        };
        match meta
            .get(SCHEMA_KEY)
            .map_err(failed)?
            .map(|schema| schema.value())
        {
            Some(SCHEMA) => Ok(()),
            // What 2 added are tables, which are empty at first.
            Some(1) => self.initialise(),
            Some(found) if found > SCHEMA => Err(StoreError::Newer {
                found,
                known: SCHEMA,
            }),
            Some(found) => Err(StoreError::Damaged(format!(
                "there never was a schema {found}"
            ))),
            None => Err(StoreError::Damaged("it has no schema version".into())),
        }
    }

    fn write(&self, batches: &[Batch]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        // Without it, opening after a crash reads the whole file.
        transaction.set_quick_repair(true);
        let mut outcomes = Vec::with_capacity(batches.len());
        {
            let mut tables = Tables {
                accounts: transaction.open_table(ACCOUNTS).map_err(failed)?,
                contacts: transaction.open_table(CONTACTS).map_err(failed)?,
                values: transaction.open_table(VALUES).map_err(failed)?,
                records: Records {
                    records: transaction.open_table(RECORDS).map_err(failed)?,
                    extents: transaction.open_table(EXTENTS).map_err(failed)?,
                },
            };
            for batch in batches {
                let refusal = batch.check(
                    |address| Ok(tables.accounts.get(address).map_err(failed)?.is_some()),
                    |account, collection, key| {
                        records::besides(&tables.records, (account, collection), key)
                    },
                );
                match refusal {
                    Ok(()) => {
                        batch
                            .changes()
                            .iter()
                            .try_for_each(|change| tables.apply(change))?;
                        outcomes.push(Ok(()));
                    }
                    Err(StoreError::Failed(error)) => return Err(StoreError::Failed(error)),
                    Err(refusal) => outcomes.push(Err(refusal)),
                }
            }
        }
        // The default durability is that the commit is on the disk when it returns.
        transaction.commit().map_err(failed)?;
        Ok(outcomes)
    }
}

impl Store for Redb {
    fn account(&self, address: &str) -> Result<Option<Account>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let accounts = transaction.open_table(ACCOUNTS).map_err(failed)?;
        match accounts.get(address).map_err(failed)? {
            Some(record) => read_account(address, record.value()).map(Some),
            None => Ok(None),
        }
    }

    fn accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let accounts = transaction.open_table(ACCOUNTS).map_err(failed)?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = accounts
            .range::<&str>((start, Bound::Unbounded))
            .map_err(failed)?;
        range
            .take(limit)
            .map(|entry| Ok(entry.map_err(failed)?.0.value().to_owned()))
            .collect()
    }

    fn contact(&self, account: &str, contact: &str) -> Result<Option<Contact>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let contacts = transaction.open_table(CONTACTS).map_err(failed)?;
        match contacts.get((account, contact)).map_err(failed)? {
            Some(record) => read_contact(contact, record.value()).map(Some),
            None => Ok(None),
        }
    }

    fn roster(&self, account: &str) -> Result<Vec<Contact>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let contacts = transaction.open_table(CONTACTS).map_err(failed)?;
        let mut roster = Vec::new();
        for entry in contacts.range((account, "")..).map_err(failed)? {
            let (key, record) = entry.map_err(failed)?;
            let (owner, address) = key.value();
            if owner != account {
                break;
            }
            roster.push(read_contact(address, record.value())?);
        }
        Ok(roster)
    }

    fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let values = transaction.open_table(VALUES).map_err(failed)?;
        Ok(values
            .get(name)
            .map_err(failed)?
            .map(|value| value.value().to_vec()))
    }

    fn record(
        &self,
        account: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        let found = records.get((account, collection, key)).map_err(failed)?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn records(
        &self,
        account: &str,
        collection: &str,
        span: &Span,
    ) -> Result<Vec<Record>, StoreError> {
        if span.is_empty() {
            return Ok(Vec::new());
        }
        let transaction = self.database.begin_read().map_err(failed)?;
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        let behind = behind(collection);
        let start = match span.after.as_deref() {
            Some(after) => Bound::Excluded((account, collection, after)),
            None => Bound::Included((account, collection, "")),
        };
        let end = match span.before.as_deref() {
            Some(before) => Bound::Excluded((account, collection, before)),
            None => Bound::Excluded((account, behind.as_str(), "")),
        };
        let mut range = records
            .range::<(&str, &str, &str)>((start, end))
            .map_err(failed)?;
        let mut found = Vec::new();
        while found.len() < span.limit {
            let next = if span.backwards {
                range.next_back()
            } else {
                range.next()
            };
            let Some(entry) = next else { break };
            let (key, value) = entry.map_err(failed)?;
            found.push(Record {
                key: key.value().2.to_owned(),
                value: value.value().to_vec(),
            });
        }
        Ok(found)
    }

    fn extent(&self, account: &str, collection: &str) -> Result<Extent, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let extents = transaction.open_table(EXTENTS).map_err(failed)?;
        let found = extents.get((account, collection)).map_err(failed)?;
        Ok(found.map_or_else(Extent::default, |found| extent(found.value())))
    }

    fn commit(&self, batches: &[Batch]) -> Vec<Result<(), StoreError>> {
        // An aborted transaction has written nothing, so its error is everyone's.
        self.write(batches)
            .unwrap_or_else(|error| vec![Err(error); batches.len()])
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb").finish_non_exhaustive()
    }
}

struct Tables<'t> {
    accounts: Table<'t, &'static str, &'static [u8]>,
    contacts: Table<'t, (&'static str, &'static str), &'static [u8]>,
    values: Table<'t, &'static str, &'static [u8]>,
    records: Records<'t>,
}

struct Records<'t> {
    records: Table<'t, (&'static str, &'static str, &'static str), &'static [u8]>,
    extents: Table<'t, (&'static str, &'static str), (u64, u64)>,
}

impl Tables<'_> {
    fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::CreateAccount(account) | Change::ReplaceAccount(account) => {
                let record = write_account(account);
                self.accounts
                    .insert(account.address.as_str(), record.as_slice())
                    .map_err(failed)?;
            }
            Change::RemoveAccount(address) => {
                self.accounts.remove(address.as_str()).map_err(failed)?;
                self.remove_roster(address)?;
                self.records.remove_all(address)?;
            }
            Change::PutContact { account, contact } => {
                let key = (account.as_str(), contact.address.as_str());
                self.contacts
                    .insert(key, write_contact(contact).as_slice())
                    .map_err(failed)?;
            }
            Change::PutValue { name, value } => {
                self.values
                    .insert(name.as_str(), value.as_slice())
                    .map_err(failed)?;
            }
            Change::RemoveContact { account, contact } => {
                self.contacts
                    .remove((account.as_str(), contact.as_str()))
                    .map_err(failed)?;
            }
            Change::RequireAccount(_) => {}
            Change::PutRecord { .. }
            | Change::RemoveRecord { .. }
            | Change::RemoveRecordsBefore { .. } => records::apply(&mut self.records, change)?,
        }
        Ok(())
    }

    fn remove_roster(&mut self, account: &str) -> Result<(), StoreError> {
        let mut addresses = Vec::new();
        for entry in self.contacts.range((account, "")..).map_err(failed)? {
            let (key, _) = entry.map_err(failed)?;
            let (owner, address) = key.value();
            if owner != account {
                break;
            }
            addresses.push(address.to_owned());
        }
        for address in addresses {
            self.contacts
                .remove((account, address.as_str()))
                .map_err(failed)?;
        }
        Ok(())
    }
}

impl Records<'_> {
    fn remove_all(&mut self, account: &str) -> Result<(), StoreError> {
        let behind = behind(account);
        let (from, to) = ((account, "", ""), (behind.as_str(), "", ""));
        self.records
            .retain_in::<(&str, &str, &str), _>(from..to, |_, _| false)
            .map_err(failed)?;
        self.extents
            .retain_in::<(&str, &str), _>((account, "")..(behind.as_str(), ""), |_, _| false)
            .map_err(failed)
    }
}

impl records::Table for Records<'_> {
    fn bytes_of(
        &self,
        (account, collection): (&str, &str),
        key: &str,
    ) -> Result<Option<u64>, StoreError> {
        let found = self
            .records
            .get((account, collection, key))
            .map_err(failed)?;
        Ok(found.map(|value| records::length(value.value())))
    }

    fn lowest(
        &self,
        (account, collection): (&str, &str),
    ) -> Result<Option<(String, u64)>, StoreError> {
        let behind = behind(collection);
        let span = (account, collection, "")..(account, behind.as_str(), "");
        let mut range = self
            .records
            .range::<(&str, &str, &str)>(span)
            .map_err(failed)?;
        let Some(entry) = range.next() else {
            return Ok(None);
        };
        let (key, value) = entry.map_err(failed)?;
        Ok(Some((
            key.value().2.to_owned(),
            records::length(value.value()),
        )))
    }

    fn insert(
        &mut self,
        (account, collection): (&str, &str),
        key: &str,
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.records
            .insert((account, collection, key), value)
            .map_err(failed)?;
        Ok(())
    }

    fn remove(&mut self, (account, collection): (&str, &str), key: &str) -> Result<(), StoreError> {
        self.records
            .remove((account, collection, key))
            .map_err(failed)?;
        Ok(())
    }

    fn extent(&self, collection: (&str, &str)) -> Result<Extent, StoreError> {
        let found = self.extents.get(collection).map_err(failed)?;
        Ok(found.map_or_else(Extent::default, |found| extent(found.value())))
    }

    fn set_extent(&mut self, collection: (&str, &str), extent: Extent) -> Result<(), StoreError> {
        self.extents
            .insert(collection, (extent.records, extent.bytes))
            .map_err(failed)?;
        Ok(())
    }
}

fn extent((records, bytes): (u64, u64)) -> Extent {
    Extent { records, bytes }
}

/// The least text that comes after another one: where what belongs to it ends.
fn behind(text: &str) -> String {
    format!("{text}\0")
}

fn open_failed(error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse
        }
        DatabaseError::UpgradeRequired(version) => StoreError::Foreign(format!(
            "its file format {version} is not the one of this version"
        )),
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::InvalidData =>
        {
            StoreError::Foreign(error.to_string())
        }
        error => failed(error),
    }
}

fn failed(error: impl Into<EngineError>) -> StoreError {
    match error.into() {
        EngineError(redb::Error::Corrupted(what)) => StoreError::Damaged(what),
        EngineError(error) => StoreError::Failed(Arc::new(error)),
    }
}

/// What the engine's several error types have in common.
struct EngineError(redb::Error);

macro_rules! engine_error {
    ($($error:ty),*) => {
        $(impl From<$error> for EngineError {
            fn from(error: $error) -> Self {
                Self(error.into())
            }
        })*
    };
}

engine_error!(
    std::io::Error,
    CommitError,
    DatabaseError,
    StorageError,
    TableError,
    TransactionError
);

/// A new file is only there for good when its folder is on the disk too.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = std::fs::File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        folder.sync_all().map_err(failed)?;
    }
    Ok(())
}
