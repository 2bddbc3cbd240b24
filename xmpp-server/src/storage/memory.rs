//! A store that lives and dies with the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::records::{self, Extent, Record, Span};
use super::{Account, Batch, Change, Contact, Store, StoreError};

/// Keeps everything in memory: for tests and for first looks.
#[derive(Debug, Default)]
pub struct Memory {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    accounts: BTreeMap<String, Account>,
    rosters: BTreeMap<String, BTreeMap<String, Contact>>,
    values: BTreeMap<String, Vec<u8>>,
    records: Records,
}

/// Records and extents by account and collection.
#[derive(Debug, Default)]
struct Records {
    records: BTreeMap<(String, String), BTreeMap<String, Vec<u8>>>,
    extents: BTreeMap<(String, String), Extent>,
}

impl Memory {
    /// A store without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No change can be left half made: nothing in `apply` panics.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn account(&self, address: &str) -> Result<Option<Account>, StoreError> {
        Ok(self.tables().accounts.get(address).cloned())
    }

    fn accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.tables();
        let range = tables.accounts.range::<str, _>((start, Bound::Unbounded));
        Ok(range
            .take(limit)
            .map(|(address, _)| address.clone())
            .collect())
    }

    fn contact(&self, account: &str, contact: &str) -> Result<Option<Contact>, StoreError> {
        Ok(self
            .tables()
            .rosters
            .get(account)
            .and_then(|roster| roster.get(contact))
            .cloned())
    }

    fn roster(&self, account: &str) -> Result<Vec<Contact>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .rosters
            .get(account)
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect())
    }

    fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables().values.get(name).cloned())
    }

    fn record(
        &self,
        account: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let tables = self.tables();
        let records = tables.records.of((account, collection));
        Ok(records.and_then(|records| records.get(key)).cloned())
    }

    fn records(
        &self,
        account: &str,
        collection: &str,
        span: &Span,
    ) -> Result<Vec<Record>, StoreError> {
        let tables = self.tables();
        let records = tables.records.of((account, collection));
        let Some(records) = records.filter(|_| !span.is_empty()) else {
            return Ok(Vec::new());
        };
        let bounds = (
            span.after
                .as_deref()
                .map_or(Bound::Unbounded, Bound::Excluded),
            span.before
                .as_deref()
                .map_or(Bound::Unbounded, Bound::Excluded),
        );
        let record = |(key, value): (&String, &Vec<u8>)| Record {
            key: key.clone(),
            value: value.clone(),
        };
        let range = records.range::<str, _>(bounds);
        Ok(if span.backwards {
            range.rev().take(span.limit).map(record).collect()
        } else {
            range.take(span.limit).map(record).collect()
        })
    }

    fn extent(&self, account: &str, collection: &str) -> Result<Extent, StoreError> {
        records::Table::extent(&self.tables().records, (account, collection))
    }

    fn commit(&self, batches: &[Batch]) -> Vec<Result<(), StoreError>> {
        let mut tables = self.tables();
        batches
            .iter()
            .map(|batch| {
                batch.check(
                    |address| Ok(tables.accounts.contains_key(address)),
                    |account, collection, key| {
                        records::besides(&tables.records, (account, collection), key)
                    },
                )?;
                batch
                    .changes()
                    .iter()
                    .try_for_each(|change| tables.apply(change))
            })
            .collect()
    }
}

impl Tables {
    fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::CreateAccount(account) | Change::ReplaceAccount(account) => {
                self.accounts
                    .insert(account.address.clone(), account.clone());
            }
            Change::RemoveAccount(address) => {
                self.accounts.remove(address);
                self.rosters.remove(address);
                self.records
                    .records
                    .retain(|(owner, _), _| owner != address);
                self.records
                    .extents
                    .retain(|(owner, _), _| owner != address);
            }
            Change::PutContact { account, contact } => {
                let roster = self.rosters.entry(account.clone()).or_default();
                roster.insert(contact.address.clone(), contact.clone());
            }
            Change::PutValue { name, value } => {
                self.values.insert(name.clone(), value.clone());
            }
            Change::RemoveContact { account, contact } => {
                if let Some(roster) = self.rosters.get_mut(account) {
                    roster.remove(contact);
                }
            }
            Change::RequireAccount(_) => {}
            Change::PutRecord { .. }
            | Change::RemoveRecord { .. }
            | Change::RemoveRecordsBefore { .. } => records::apply(&mut self.records, change)?,
        }
        Ok(())
    }
}

impl Records {
    fn of(&self, collection: (&str, &str)) -> Option<&BTreeMap<String, Vec<u8>>> {
        self.records.get(&owned(collection))
    }
}

impl records::Table for Records {
    fn bytes_of(&self, collection: (&str, &str), key: &str) -> Result<Option<u64>, StoreError> {
        let value = self.of(collection).and_then(|records| records.get(key));
        Ok(value.map(|value| records::length(value)))
    }

    fn lowest(&self, collection: (&str, &str)) -> Result<Option<(String, u64)>, StoreError> {
        let lowest = self.of(collection).and_then(BTreeMap::first_key_value);
        Ok(lowest.map(|(key, value)| (key.clone(), records::length(value))))
    }

    fn insert(
        &mut self,
        collection: (&str, &str),
        key: &str,
        value: &[u8],
    ) -> Result<(), StoreError> {
        let records = self.records.entry(owned(collection)).or_default();
        records.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, collection: (&str, &str), key: &str) -> Result<(), StoreError> {
        if let Some(records) = self.records.get_mut(&owned(collection)) {
            records.remove(key);
        }
        Ok(())
    }

    fn extent(&self, collection: (&str, &str)) -> Result<Extent, StoreError> {
        Ok(self
            .extents
            .get(&owned(collection))
            .copied()
            .unwrap_or_default())
    }

    fn set_extent(&mut self, collection: (&str, &str), extent: Extent) -> Result<(), StoreError> {
        self.extents.insert(owned(collection), extent);
        Ok(())
    }
}

fn owned((account, collection): (&str, &str)) -> (String, String) {
    (account.to_owned(), collection.to_owned())
}
