//! What every store does alike, and what the one on disk refuses to open.

use std::sync::Arc;

use tempfile::TempDir;
use xmpp_server::storage::{
    Account, Batch, Contact, Extent, Memory, Overflow, Quota, Redb, Span, Store, StoreError, Writer,
};
use xmpp_server::subscription::Relation;

const JULIET: &str = "juliet@example.com";
const ROMEO: &str = "romeo@example.net";

/// The tests of this list run over each implementation.
macro_rules! for_every_store {
    ($($test:ident),* $(,)?) => {
        mod in_memory {
            $(#[test] fn $test() { super::$test(&super::Memory::new()); })*
        }
        mod on_disk {
            $(#[test] fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(&super::Redb::open(folder.path().join("store")).unwrap());
            })*
        }
    };
}

for_every_store! {
    an_account_is_found_under_its_address,
    an_address_is_given_once,
    credentials_are_replaced_only_where_there_is_an_account,
    accounts_are_listed_in_order_and_in_parts,
    a_contact_keeps_all_that_is_known_of_it,
    a_roster_is_its_owners_alone,
    a_removed_account_takes_its_roster_with_it,
    a_refused_batch_leaves_no_trace_and_harms_no_other,
    a_batch_sees_its_own_earlier_changes,
    a_value_is_kept_under_its_name,
    records_are_read_in_order_from_either_end,
    a_collection_is_its_accounts_alone_and_goes_with_it,
    a_full_collection_refuses_or_drops_its_oldest_records,
    records_before_a_key_are_removed,
    a_batch_for_nobody_is_refused,
}

fn commit(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    let mut outcomes = store.commit(&[batch]);
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

fn account(address: &str) -> Account {
    Account::new(
        address,
        vec!["SCRAM-SHA-1,…".into(), "SCRAM-SHA-256,…".into()],
    )
}

fn addresses(roster: &[Contact]) -> Vec<&str> {
    roster
        .iter()
        .map(|contact| contact.address.as_str())
        .collect()
}

fn an_account_is_found_under_its_address(store: &dyn Store) {
    assert_eq!(store.account(JULIET).unwrap(), None);
    commit(store, Batch::new().create_account(account(JULIET))).unwrap();
    assert_eq!(store.account(JULIET).unwrap(), Some(account(JULIET)));
    assert_eq!(store.account(ROMEO).unwrap(), None);
}

fn an_address_is_given_once(store: &dyn Store) {
    commit(store, Batch::new().create_account(account(JULIET))).unwrap();
    let other = Account::new(JULIET, vec!["other".into()]);
    let error = commit(store, Batch::new().create_account(other)).unwrap_err();
    assert!(matches!(error, StoreError::AccountExists(address) if address == JULIET));
    assert_eq!(store.account(JULIET).unwrap(), Some(account(JULIET)));
}

fn credentials_are_replaced_only_where_there_is_an_account(store: &dyn Store) {
    let changed = Account::new(JULIET, vec!["changed".into()]);
    let error = commit(store, Batch::new().replace_account(changed.clone())).unwrap_err();
    assert!(matches!(error, StoreError::NoSuchAccount(address) if address == JULIET));
    commit(store, Batch::new().create_account(account(JULIET))).unwrap();
    commit(store, Batch::new().replace_account(changed.clone())).unwrap();
    assert_eq!(store.account(JULIET).unwrap(), Some(changed));
}

fn accounts_are_listed_in_order_and_in_parts(store: &dyn Store) {
    for address in ["c@x", "a@x", "b@x"] {
        commit(store, Batch::new().create_account(account(address))).unwrap();
    }
    assert_eq!(store.accounts(None, 2).unwrap(), ["a@x", "b@x"]);
    assert_eq!(store.accounts(Some("b@x"), 2).unwrap(), ["c@x"]);
    assert!(store.accounts(Some("c@x"), 2).unwrap().is_empty());
}

fn a_contact_keeps_all_that_is_known_of_it(store: &dyn Store) {
    let mut contact = Contact::new(ROMEO).name("Romeo");
    contact.groups = vec!["Friends".into(), "Verona".into()];
    contact.relation = Relation {
        to: true,
        pending_in: true,
        approved: true,
        ..Relation::default()
    };
    contact.request = Some("<presence type='subscribe' from='romeo@example.net'/>".into());
    commit(store, Batch::new().put_contact(JULIET, contact.clone())).unwrap();
    assert_eq!(store.contact(JULIET, ROMEO).unwrap(), Some(contact));

    let stranger = Contact::new(ROMEO);
    commit(store, Batch::new().put_contact(JULIET, stranger.clone())).unwrap();
    assert_eq!(store.contact(JULIET, ROMEO).unwrap(), Some(stranger));
}

fn a_roster_is_its_owners_alone(store: &dyn Store) {
    let batch = ["a@x", "a@x/", "b@x"]
        .into_iter()
        .fold(Batch::new(), |batch, owner| {
            batch
                .put_contact(owner, Contact::new("z@x"))
                .put_contact(owner, Contact::new("a@x"))
        });
    commit(store, batch).unwrap();
    assert_eq!(addresses(&store.roster("a@x").unwrap()), ["a@x", "z@x"]);
    assert!(store.roster("nobody@x").unwrap().is_empty());

    commit(store, Batch::new().remove_contact("a@x", "z@x")).unwrap();
    commit(store, Batch::new().remove_contact("a@x", "was never there")).unwrap();
    assert_eq!(addresses(&store.roster("a@x").unwrap()), ["a@x"]);
    assert_eq!(addresses(&store.roster("b@x").unwrap()), ["a@x", "z@x"]);
}

fn a_removed_account_takes_its_roster_with_it(store: &dyn Store) {
    let batch = [JULIET, "juliet@example.org"]
        .into_iter()
        .fold(Batch::new(), |batch, owner| {
            batch
                .create_account(account(owner))
                .put_contact(owner, Contact::new(ROMEO))
        });
    commit(store, batch).unwrap();
    commit(store, Batch::new().remove_account(JULIET)).unwrap();
    assert_eq!(store.account(JULIET).unwrap(), None);
    assert!(store.roster(JULIET).unwrap().is_empty());
    assert_eq!(store.roster("juliet@example.org").unwrap().len(), 1);
}

fn a_refused_batch_leaves_no_trace_and_harms_no_other(store: &dyn Store) {
    commit(store, Batch::new().create_account(account(JULIET))).unwrap();
    let outcomes = store.commit(&[
        Batch::new().put_contact(JULIET, Contact::new("first@x")),
        Batch::new()
            .put_contact(JULIET, Contact::new("refused@x"))
            .create_account(account(JULIET)),
        Batch::new().put_contact(JULIET, Contact::new("last@x")),
    ]);
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert!(matches!(outcomes[1], Err(StoreError::AccountExists(_))));
    assert_eq!(
        addresses(&store.roster(JULIET).unwrap()),
        ["first@x", "last@x"]
    );
}

fn a_batch_sees_its_own_earlier_changes(store: &dyn Store) {
    commit(store, Batch::new().create_account(account(JULIET))).unwrap();
    let anew = Batch::new()
        .remove_account(JULIET)
        .create_account(account(JULIET));
    commit(store, anew).unwrap();
    let twice = Batch::new()
        .create_account(account(ROMEO))
        .create_account(account(ROMEO));
    assert!(matches!(
        commit(store, twice),
        Err(StoreError::AccountExists(_))
    ));
    assert_eq!(store.account(ROMEO).unwrap(), None);
}

fn a_value_is_kept_under_its_name(store: &dyn Store) {
    assert_eq!(store.value("secret").unwrap(), None);
    commit(store, Batch::new().put_value("secret", [1, 2])).unwrap();
    commit(store, Batch::new().put_value("secret", [3])).unwrap();
    assert_eq!(store.value("secret").unwrap(), Some(vec![3]));
}

// Records

fn keys(store: &dyn Store, span: &Span) -> Vec<String> {
    let records = store.records(JULIET, "notes", span).unwrap();
    records.into_iter().map(|record| record.key).collect()
}

fn put(keys: &[&str]) -> Batch {
    keys.iter().fold(Batch::new(), |batch, key| {
        batch.put_record(JULIET, "notes", *key, key.as_bytes())
    })
}

fn records_are_read_in_order_from_either_end(store: &dyn Store) {
    commit(store, put(&["c", "a", "d", "b"])).unwrap();
    assert_eq!(
        store.record(JULIET, "notes", "b").unwrap(),
        Some(b"b".to_vec())
    );
    assert_eq!(store.record(JULIET, "notes", "x").unwrap(), None);
    let mut span = Span::first(10);
    assert_eq!(keys(store, &span), ["a", "b", "c", "d"]);
    span.after = Some("a".into());
    span.before = Some("d".into());
    assert_eq!(keys(store, &span), ["b", "c"]);
    span.backwards = true;
    span.limit = 1;
    assert_eq!(keys(store, &span), ["c"]);
    span.before = None;
    assert_eq!(keys(store, &span), ["d"]);
    span.before = Some("a".into());
    assert!(keys(store, &span).is_empty());
    // A key that is replaced counts once.
    commit(store, put(&["a"])).unwrap();
    let extent = store.extent(JULIET, "notes").unwrap();
    assert_eq!((extent.records, extent.bytes), (4, 4));
    commit(store, Batch::new().remove_record(JULIET, "notes", "a")).unwrap();
    assert_eq!(keys(store, &Span::first(1)), ["b"]);
    assert_eq!(store.extent(JULIET, "notes").unwrap().records, 3);
}

fn a_collection_is_its_accounts_alone_and_goes_with_it(store: &dyn Store) {
    commit(store, Batch::new().create_account(account(JULIET))).unwrap();
    let batch = put(&["a"])
        .put_record(JULIET, "notes2", "a", [1])
        .put_record(ROMEO, "notes", "r", [1]);
    commit(store, batch).unwrap();
    assert_eq!(keys(store, &Span::first(10)), ["a"]);
    commit(store, Batch::new().remove_account(JULIET)).unwrap();
    assert!(keys(store, &Span::first(10)).is_empty());
    assert_eq!(store.record(JULIET, "notes2", "a").unwrap(), None);
    assert_eq!(store.extent(JULIET, "notes").unwrap(), Extent::default());
    assert_eq!(store.record(ROMEO, "notes", "r").unwrap(), Some(vec![1]));
    assert_eq!(store.extent(ROMEO, "notes").unwrap().records, 1);
}

fn a_full_collection_refuses_or_drops_its_oldest_records(store: &dyn Store) {
    let put = |key: &str, bytes: usize, overflow| {
        let quota = Quota {
            records: 2,
            bytes: 10,
            overflow,
        };
        Batch::new().put_record_within(quota, JULIET, "notes", key, vec![0; bytes])
    };
    commit(store, put("a", 4, Overflow::Refuse)).unwrap();
    for batch in [
        put("b", 7, Overflow::Refuse),
        // Both in one batch are too many.
        put("b", 1, Overflow::Refuse).with(put("c", 1, Overflow::Refuse).changes()[0].clone()),
    ] {
        let error = commit(store, batch).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert_eq!(keys(store, &Span::first(10)), ["a"]);
    }
    commit(store, put("b", 4, Overflow::Refuse)).unwrap();
    // What is replaced needs no room of its own.
    commit(store, put("b", 6, Overflow::Refuse)).unwrap();
    commit(store, put("b", 4, Overflow::Refuse)).unwrap();
    assert!(commit(store, put("c", 1, Overflow::Refuse)).is_err());
    commit(store, put("c", 1, Overflow::DropOldest)).unwrap();
    assert_eq!(keys(store, &Span::first(10)), ["b", "c"]);
    commit(store, put("d", 10, Overflow::DropOldest)).unwrap();
    assert_eq!(keys(store, &Span::first(10)), ["d"]);
    assert_eq!(store.extent(JULIET, "notes").unwrap().bytes, 10);
}

fn records_before_a_key_are_removed(store: &dyn Store) {
    commit(store, put(&["a", "b", "c"])).unwrap();
    let batch = Batch::new().remove_records_before(JULIET, "notes", "c");
    commit(store, batch).unwrap();
    assert_eq!(keys(store, &Span::first(10)), ["c"]);
    assert_eq!(store.extent(JULIET, "notes").unwrap().records, 1);
}

fn a_batch_for_nobody_is_refused(store: &dyn Store) {
    let batch = || put(&["a"]).require_account(JULIET);
    let error = commit(store, batch()).unwrap_err();
    assert!(matches!(error, StoreError::NoSuchAccount(_)), "{error:?}");
    assert!(keys(store, &Span::first(10)).is_empty());
    commit(store, Batch::new().create_account(account(JULIET))).unwrap();
    commit(store, batch()).unwrap();
    assert_eq!(keys(store, &Span::first(10)), ["a"]);
}

// The writer

#[test]
fn many_writers_each_get_their_own_outcome() {
    let store = Arc::new(Memory::new());
    let writer = Arc::new(Writer::spawn(store.clone()).unwrap());
    let threads: Vec<_> = (0..16)
        .map(|number| {
            let writer = Arc::clone(&writer);
            // Two of each compete for the same address.
            let address = format!("user{}@example.com", number / 2);
            std::thread::spawn(move || {
                writer.commit(Batch::new().create_account(account(&address)))
            })
        })
        .collect();
    let outcomes: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 8);
    assert_eq!(store.accounts(None, 100).unwrap().len(), 8);
}

#[test]
fn dropping_the_writer_writes_what_is_queued() {
    let store = Arc::new(Memory::new());
    let writer = Writer::spawn(store.clone()).unwrap();
    for number in 0..3000 {
        writer.submit(
            Batch::new().create_account(account(&format!("{number:04}@x"))),
            |outcome| {
                assert!(outcome.is_ok());
            },
        );
    }
    drop(writer);
    assert_eq!(store.accounts(None, 5000).unwrap().len(), 3000);
}

// The file

fn path(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("store")
}

#[test]
fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Redb::open(path(&folder)).unwrap();
    commit(&store, Batch::new().create_account(account(JULIET))).unwrap();
    drop(store);
    let store = Redb::open(path(&folder)).unwrap();
    assert_eq!(store.account(JULIET).unwrap(), Some(account(JULIET)));
}

#[test]
fn a_store_is_opened_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Redb::open(path(&folder)).unwrap();
    assert!(matches!(Redb::open(path(&folder)), Err(StoreError::InUse)));
}

#[test]
fn a_file_that_is_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = "listen = \"[::]:5222\"\n".repeat(1000);
    std::fs::write(path(&folder), &text).unwrap();
    let error = Redb::open(path(&folder)).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
    assert_eq!(std::fs::read_to_string(path(&folder)).unwrap(), text);

    let error = Redb::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let table: redb::TableDefinition<'_, &str, &str> = redb::TableDefinition::new("recipes");
    write_foreign(&folder, |transaction| {
        transaction
            .open_table(table)
            .unwrap()
            .insert("soup", "water")
            .unwrap();
    });
    let error = Redb::open(path(&folder)).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error:?}");
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Redb::open(path(&folder)).unwrap());
    let table: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("xmpp-server");
    write_foreign(&folder, |transaction| {
        transaction
            .open_table(table)
            .unwrap()
            .insert("schema", 99)
            .unwrap();
    });
    let error = Redb::open(path(&folder)).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 99,
                known: 2
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("later version"));
}

#[test]
fn a_store_of_the_first_schema_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let store = Redb::open(path(&folder)).unwrap();
    commit(&store, Batch::new().create_account(account(JULIET))).unwrap();
    drop(store);
    let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("xmpp-server");
    let records: redb::TableDefinition<'_, (&str, &str, &str), &[u8]> =
        redb::TableDefinition::new("records");
    let extents: redb::TableDefinition<'_, (&str, &str), (u64, u64)> =
        redb::TableDefinition::new("extents");
    write_foreign(&folder, |transaction| {
        let mut meta = transaction.open_table(meta).unwrap();
        meta.insert("schema", 1).unwrap();
        assert!(transaction.delete_table(records).unwrap());
        assert!(transaction.delete_table(extents).unwrap());
    });
    let store = Redb::open(path(&folder)).unwrap();
    assert_eq!(store.account(JULIET).unwrap(), Some(account(JULIET)));
    commit(&store, put(&["a"])).unwrap();
    assert_eq!(keys(&store, &Span::first(10)), ["a"]);
}

#[test]
fn a_file_whose_first_commit_never_came_is_a_new_store() {
    let folder = tempfile::tempdir().unwrap();
    drop(redb::Database::create(path(&folder)).unwrap());
    let store = Redb::open(path(&folder)).unwrap();
    commit(&store, Batch::new().create_account(account(JULIET))).unwrap();
}

fn write_foreign(folder: &TempDir, write: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::create(path(folder)).unwrap();
    let transaction = database.begin_write().unwrap();
    write(&transaction);
    transaction.commit().unwrap();
}
