//! A store that lives and dies with the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

    fn commit(&self, batches: &[Batch]) -> Vec<Result<(), StoreError>> {
        let mut tables = self.tables();
        batches
            .iter()
            .map(|batch| {
                batch.check(|address| Ok(tables.accounts.contains_key(address)))?;
                batch
                    .changes()
                    .iter()
                    .for_each(|change| tables.apply(change));
                Ok(())
            })
            .collect()
    }
}

impl Tables {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::CreateAccount(account) | Change::ReplaceAccount(account) => {
                self.accounts
                    .insert(account.address.clone(), account.clone());
            }
            Change::RemoveAccount(address) => {
                self.accounts.remove(address);
                self.rosters.remove(address);
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
        }
    }
}
