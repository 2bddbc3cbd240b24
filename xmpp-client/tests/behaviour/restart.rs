//! What survives the program.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::support::world::{Command, World};
use xmpp_client::{Client, Config, DeliveryState, Event, FileStore, Record, Store};
use xmpp_core::stanza::{MessageBuilder, MessageType};
use xmpp_sasl::Mechanism;

fn config(world: &Arc<World>, folder: &Path) -> Config {
    let store = FileStore::new(folder).unwrap();
    world.config().store(Arc::new(store))
}

/// What is there when the program dies now.
fn copy(from: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

async fn send(client: &Client, id: &str) -> xmpp_client::Delivery {
    let message = MessageBuilder::new(MessageType::Chat).id(id).body("x");
    client.send(&message).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_the_server_has_not_acknowledged_is_sent_by_the_next_run_of_the_program() {
    let world = World::new(1);
    let folder = tempfile::tempdir().unwrap();
    let (client, mut incoming) = Client::connect(config(&world, folder.path()))
        .await
        .unwrap();
    send(&client, "1").await.acknowledged().await.unwrap();
    // The server takes these and does not get to say so.
    world.state().is_mute = true;
    for id in ["2", "3"] {
        let delivery = send(&client, id).await;
        delivery.sent().await.unwrap();
        assert_eq!(delivery.state(), DeliveryState::Sent);
    }
    world.until(|state| state.received.len() == 3).await;
    world.state().is_mute = false;
    world.state().is_down = true;
    world.command(Command::Cut);
    while !matches!(
        incoming.next_event().await.unwrap(),
        Event::Disconnected { .. }
    ) {}
    // And these never get out.
    for id in ["4", "5"] {
        drop(send(&client, id).await);
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    let copied = copy(folder.path());
    // The first run is closed while it has no connection, and keeps what it has.
    client.close().await;
    drop((client, incoming));

    world.state().is_down = false;
    let (client, mut incoming) = Client::connect(config(&world, copied.path()))
        .await
        .unwrap();
    let event = incoming.next_event().await.unwrap();
    assert!(
        matches!(event, Event::Connected { resumed: true, .. }),
        "{event:?}"
    );
    send(&client, "6").await.acknowledged().await.unwrap();
    assert_eq!(world.ids(), ["1", "2", "3", "4", "5", "6"]);
    // Only the first login took the password, and the installation is the same.
    let mechanisms = world.state().mechanisms.clone();
    assert!(!mechanisms[0].is_token());
    assert!(
        mechanisms[1..]
            .iter()
            .all(|mechanism| Mechanism::is_token(*mechanism))
    );
    client.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_gone_after_the_restart_hands_its_stanzas_to_the_new_one() {
    let world = World::new(2);
    let folder = tempfile::tempdir().unwrap();
    let (client, mut incoming) = Client::connect(config(&world, folder.path()))
        .await
        .unwrap();
    send(&client, "1").await.acknowledged().await.unwrap();
    world.state().is_down = true;
    world.command(Command::Cut);
    while !matches!(
        incoming.next_event().await.unwrap(),
        Event::Disconnected { .. }
    ) {}
    drop(send(&client, "2").await);
    tokio::time::sleep(Duration::from_secs(20)).await;
    drop((client, incoming));

    world.state().is_down = false;
    world.state().expires = 100;
    let (client, mut incoming) = Client::connect(config(&world, folder.path()))
        .await
        .unwrap();
    let event = incoming.next_event().await.unwrap();
    assert!(matches!(event, Event::Connected { resumed: false, .. }));
    send(&client, "3").await.acknowledged().await.unwrap();
    assert_eq!(world.ids(), ["1", "2", "3"]);
}

#[test]
fn a_file_store_replaces_whole_values_that_nobody_else_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("of/client")).unwrap();
    assert_eq!(store.load(Record::Token).unwrap(), None);
    store.save(Record::Token, None).unwrap();
    for value in [&b"a long value"[..], b"short", b""] {
        store.save(Record::Token, Some(value)).unwrap();
        assert_eq!(store.load(Record::Token).unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.load(Record::Outbox).unwrap(), None);
    let path = folder.path().join("of/client/token");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What a crash leaves of the next value is not taken for one.
    std::fs::write(path.with_extension("new"), b"half").unwrap();
    assert_eq!(
        store.load(Record::Token).unwrap().as_deref(),
        Some(&b""[..])
    );
    store.save(Record::Token, Some(b"whole")).unwrap();
    assert_eq!(
        store.load(Record::Token).unwrap().as_deref(),
        Some(&b"whole"[..])
    );
    store.save(Record::Token, None).unwrap();
    assert_eq!(store.load(Record::Token).unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_kept_outbox_is_left_alone() {
    let world = World::new(3);
    let folder = tempfile::tempdir().unwrap();
    for bytes in [
        &b""[..],
        b"xmpp-out\x01",
        b"xmpp-out\x01\0\0\0\0\0\0\0\0\xff\xff\xff\xff",
        b"other",
    ] {
        for record in [Record::Outbox, Record::Token, Record::Installation] {
            std::fs::write(folder.path().join(record.name()), bytes).unwrap();
        }
        let (client, _incoming) = Client::connect(config(&world, folder.path()))
            .await
            .unwrap();
        client.close().await;
    }
}
