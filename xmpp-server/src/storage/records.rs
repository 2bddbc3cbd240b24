//! Records: what services keep for an account, in named collections, each in the order of its keys.
//!
//! The rules for them are the same in every store; a store only brings the [`Table`].

use super::{Change, StoreError};

/// One record of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key: unique in the collection, and what the collection is ordered by.
    pub key: String,
    /// What it holds.
    pub value: Vec<u8>,
}

/// Which records of a collection are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Only those whose keys come after this one.
    pub after: Option<String>,
    /// Only those whose keys come before this one.
    pub before: Option<String>,
    /// How many at most.
    pub limit: usize,
    /// From the last to the first.
    pub backwards: bool,
}

impl Span {
    /// The first records of a collection, at most so many.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self {
            after: None,
            before: None,
            limit,
            backwards: false,
        }
    }

    /// Whether no key can be in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_crossed = match (&self.after, &self.before) {
            (Some(after), Some(before)) => after >= before,
            _ => false,
        };
        is_crossed || self.limit == 0
    }
}

/// How much a collection holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Its records.
    pub records: u64,
    /// The bytes of their values.
    pub bytes: u64,
}

impl Extent {
    pub(super) fn add(&mut self, bytes: u64) {
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn subtract(&mut self, bytes: u64) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn exceeds(self, quota: &Quota) -> bool {
        self.records > quota.records || self.bytes > quota.bytes
    }
}

/// How much a collection may hold, and what happens to a record that would be too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Records at most.
    pub records: u64,
    /// Bytes of their values at most.
    pub bytes: u64,
    /// What happens when there would be more.
    pub overflow: Overflow,
}

/// What happens when a collection would hold more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The batch is refused with [`StoreError::Full`].
    Refuse,
    /// The records with the lowest keys go, never the one that is written.
    DropOldest,
}

/// What a store brings for its records.
pub(super) trait Table {
    /// The bytes of the record with this key.
    fn bytes_of(&self, collection: (&str, &str), key: &str) -> Result<Option<u64>, StoreError>;
    /// The lowest key of a collection and the bytes of its record.
    fn lowest(&self, collection: (&str, &str)) -> Result<Option<(String, u64)>, StoreError>;
    fn insert(
        &mut self,
        collection: (&str, &str),
        key: &str,
        value: &[u8],
    ) -> Result<(), StoreError>;
    fn remove(&mut self, collection: (&str, &str), key: &str) -> Result<(), StoreError>;
    fn extent(&self, collection: (&str, &str)) -> Result<Extent, StoreError>;
    fn set_extent(&mut self, collection: (&str, &str), extent: Extent) -> Result<(), StoreError>;
}

/// What a collection holds besides the record of a key.
pub(super) fn besides(
    table: &impl Table,
    collection: (&str, &str),
    key: &str,
) -> Result<Extent, StoreError> {
    let mut extent = table.extent(collection)?;
    if let Some(bytes) = table.bytes_of(collection, key)? {
        extent.subtract(bytes);
    }
    Ok(extent)
}

/// Makes a change if it is one of a record.
pub(super) fn apply(table: &mut impl Table, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::PutRecord {
            account,
            collection,
            record,
            quota,
        } => put(table, (account, collection), record, quota.as_ref()),
        Change::RemoveRecord {
            account,
            collection,
            key,
        } => remove(table, (account, collection), key),
        Change::RemoveRecordsBefore {
            account,
            collection,
            key,
        } => {
            let collection = (account.as_str(), collection.as_str());
            while let Some((lowest, _)) = table.lowest(collection)?.filter(|(low, _)| low < key) {
                remove(table, collection, &lowest)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn put(
    table: &mut impl Table,
    collection: (&str, &str),
    record: &Record,
    quota: Option<&Quota>,
) -> Result<(), StoreError> {
    let mut extent = besides(table, collection, &record.key)?;
    extent.add(length(&record.value));
    table.insert(collection, &record.key, &record.value)?;
    table.set_extent(collection, extent)?;
    let Some(quota) = quota else { return Ok(()) };
    while table.extent(collection)?.exceeds(quota) {
        match table.lowest(collection)? {
            Some((lowest, _)) if lowest != record.key => remove(table, collection, &lowest)?,
            _ => break,
        }
    }
    Ok(())
}

fn remove(table: &mut impl Table, collection: (&str, &str), key: &str) -> Result<(), StoreError> {
    let Some(bytes) = table.bytes_of(collection, key)? else {
        return Ok(());
    };
    table.remove(collection, key)?;
    let mut extent = table.extent(collection)?;
    extent.subtract(bytes);
    table.set_extent(collection, extent)
}

pub(super) fn length(value: &[u8]) -> u64 {
    u64::try_from(value.len()).unwrap_or(u64::MAX)
}
