//! `kill -9` of a server while clients change rosters and write messages: what was answered or accepted is there
//! when it comes back.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::support::{Client, attribute, config, server_with};
use xmpp_server::storage::{Redb, Store};

const PATH: &str = "XMPP_SERVER_TEST_KILLED";
const USERS: [&str; 3] = ["juliet", "romeo", "nurse"];
/// How many answers each user waits for before the server is killed.
const ANSWERS: usize = 10;

#[tokio::test]
async fn a_killed_server_loses_no_roster_change_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut answered: Vec<(String, String)> = Vec::new();
    for round in 0..3 {
        let (mut child, address) = start(&path);
        let (busy, mut are_busy) = mpsc::unbounded_channel();
        let changes = USERS.map(|user| {
            let busy = busy.clone();
            tokio::spawn(async move {
                let address = address.parse().unwrap();
                let mut client = Client::login(address, &format!("{user}/x")).await.unwrap();
                let mut answered = Vec::new();
                for number in 0.. {
                    let contact = format!("{round}-{number}@example.net");
                    let set = format!(
                        "<iq type='set' id='{number}'><query xmlns='jabber:iq:roster'>\
                         <item jid='{contact}' name='{contact}'/></query></iq>"
                    );
                    client.send(&set).await;
                    if client.answer().await.is_none() {
                        break;
                    }
                    answered.push((format!("{user}@example.com"), contact));
                    if answered.len() == ANSWERS {
                        busy.send(()).unwrap();
                    }
                }
                answered
            })
        });
        for _ in USERS {
            are_busy.recv().await.unwrap();
        }
        // SIGKILL on Unix.
        child.kill().unwrap();
        child.wait().unwrap();
        for change in changes {
            answered.extend(change.await.unwrap());
        }
        let store = Redb::open(&path).unwrap();
        for (account, contact) in &answered {
            let kept = store.contact(account, contact).unwrap();
            assert!(
                kept.is_some_and(|kept| kept.listed && kept.name.as_ref() == Some(contact)),
                "{contact} of {account} was answered and is lost"
            );
        }
    }
}

#[tokio::test]
async fn a_killed_server_loses_no_message_that_was_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut accepted = Vec::new();
    for round in 0..2 {
        let (mut child, address) = start(&path);
        let mut romeo = Client::login(address.parse().unwrap(), "romeo/x")
            .await
            .unwrap();
        for number in 0..ANSWERS {
            let id = format!("{round}-{number}");
            romeo
                .send(&format!(
                    "<message to='juliet@example.com' id='{id}'><body>{id}</body></message>"
                ))
                .await;
            // What comes after it is answered, so it was accepted.
            assert!(romeo.sync().await.is_empty());
            accepted.push(id);
        }
        // One more is under way.
        romeo
            .send("<message to='juliet@example.com' id='last'><body>x</body></message>")
            .await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (mut child, address) = start(&path);
    let mut juliet = Client::login(address.parse().unwrap(), "juliet/x")
        .await
        .unwrap();
    juliet.send("<presence/>").await;
    let got = juliet.sync().await;
    let mut got: Vec<_> = got
        .iter()
        .filter(|stanza| stanza.root().name() == "message")
        .map(|stanza| attribute(stanza, "id").unwrap())
        .collect();
    got.retain(|id| id != "last");
    assert_eq!(got, accepted);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts this program again as a server; gives the address at which it listens.
fn start(path: &Path) -> (Child, &'static str) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "server_kill::the_server_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("listening at ")?.1.to_owned()))
        .expect("the server has started");
    (child, String::leak(address))
}

#[tokio::test]
#[ignore = "runs as the server that the other test kills"]
async fn the_server_that_is_killed() {
    let path = std::env::var_os(PATH).expect("the other test names the store");
    let store = Arc::new(Redb::open(path).unwrap());
    let is_new = store.accounts(None, 1).unwrap().is_empty();
    let users: &[&str] = if is_new { &USERS } else { &[] };
    let server = server_with(config(), store, users).await;
    let line = format!("listening at {}\n", server.address);
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    std::future::pending::<()>().await;
}
