//! `kill -9` in the middle of writes: what was answered is there afterwards.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use xmpp_server::storage::{Batch, Contact, Redb, Store, Writer};

const PATH: &str = "XMPP_SERVER_TEST_STORE";
const OWNER: &str = "juliet@example.com";

#[test]
fn a_killed_server_loses_no_roster_change_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut answered = Vec::new();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "storage_kill::the_process_that_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The test harness prints lines of its own; those of ours begin with the mark.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("answered ")?
                .strip_suffix(" .")
                .map(str::to_owned)
        });
        let fresh: Vec<String> = addresses.by_ref().take(20 + 30 * round).collect();
        // SIGKILL on Unix.
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!fresh.is_empty(), "the process has written nothing");
        answered.extend(fresh);
        // What stood in the pipe was answered too.
        answered.extend(addresses);

        let store = Redb::open(&path).unwrap();
        for address in &answered {
            let contact = store.contact(OWNER, address).unwrap();
            assert!(
                contact.is_some_and(|contact| contact.listed),
                "{address} was answered and is lost"
            );
        }
        let roster = store.roster(OWNER).unwrap();
        assert!(
            roster
                .iter()
                .all(|contact| contact.name.as_deref() == Some(&contact.address))
        );
    }
}

#[test]
#[ignore = "runs as the process that the other test kills"]
fn the_process_that_is_killed() {
    let path = std::env::var_os(PATH).expect("the other test names the store");
    let writer = Arc::new(Writer::spawn(Arc::new(Redb::open(path).unwrap())).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let writer = Arc::clone(&writer);
            std::thread::spawn(move || {
                for number in 0.. {
                    let address = format!("{}-{thread}-{number}@example.net", std::process::id());
                    let contact = Contact::new(&address).name(&address);
                    writer
                        .commit(Batch::new().put_contact(OWNER, contact))
                        .unwrap();
                    // Past the harness' capture, in one piece.
                    let line = format!("answered {address} .\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
