//! Staying connected: what the application is told, when it is tried again and when not, and what becomes of what was
//! on its way.

use std::sync::Arc;
use std::time::Duration;

use crate::support::world::{Command, World};
use tokio::time::Instant;
use xmpp_client::{
    Backoff, Client, DeliveryError, DeliveryState, End, Event, Incoming, RequestError,
};
use xmpp_core::error::StreamCondition;
use xmpp_core::mux::Selector;
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{MessageBuilder, MessageType, Stanza};
use xmpp_core::stream::{Error, FastTokens};
use xmpp_xml::{Element, ToXml};

async fn connected(world: &Arc<World>) -> (Client, Incoming) {
    let (client, mut incoming) = Client::connect(world.config()).await.unwrap();
    assert!(is_new(&event(&mut incoming).await));
    (client, incoming)
}

async fn event(incoming: &mut Incoming) -> Event {
    let next = tokio::time::timeout(Duration::from_secs(36_000), incoming.next_event());
    next.await.expect("nothing happens").unwrap()
}

fn is_new(event: &Event) -> bool {
    matches!(event, Event::Connected { resumed: false, .. })
}

fn is_resumed(event: &Event) -> bool {
    matches!(event, Event::Connected { resumed: true, .. })
}

fn message(id: &str) -> Element {
    let message = MessageBuilder::new(MessageType::Chat).id(id).body("x");
    Element::build(|writer| message.to_xml(writer)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_is_resumed_and_a_closed_stream_begins_anew() {
    let world = World::new(1);
    let (client, mut incoming) = connected(&world).await;
    let first = client.jid();
    world.command(Command::Cut);
    let Event::Disconnected { reason, retry } = event(&mut incoming).await else {
        panic!("no loss");
    };
    assert!(matches!(reason, End::Failed(Error::Disconnected(_))));
    assert!(retry <= Duration::from_secs(1));
    assert!(is_resumed(&event(&mut incoming).await));
    assert_eq!(client.jid(), first);
    world.command(Command::Close);
    let Event::Disconnected { reason, .. } = event(&mut incoming).await else {
        panic!("no loss");
    };
    assert_eq!(reason, End::Closed);
    let Event::Connected { jid, resumed } = event(&mut incoming).await else {
        panic!("no connection");
    };
    assert!(!resumed);
    assert_eq!(client.jid(), jid);
    assert_ne!(jid, first, "the server chose another resource");
    assert_eq!(client.close().await, End::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_and_a_conflict_are_the_end() {
    for conflict in [false, true] {
        let world = World::new(2);
        let (client, mut incoming) = connected(&world).await;
        world.state().refuses = true;
        world.state().tokens = FastTokens::default();
        let command = if conflict {
            Command::Conflict
        } else {
            Command::Cut
        };
        world.command(command);
        let end = loop {
            match incoming.next_event().await {
                Ok(event) => assert!(matches!(event, Event::Disconnected { .. }), "{event:?}"),
                Err(end) => break end,
            }
        };
        let told = match &end {
            End::Failed(Error::Refused(error)) => error.condition == StreamCondition::Conflict,
            End::Failed(Error::Authentication(_)) => !conflict,
            _ => false,
        };
        assert!(told, "{end:?}");
        assert_eq!(client.end(), Some(end));
        let connections = world.state().connections.len();
        tokio::time::sleep(Duration::from_secs(36_000)).await;
        assert_eq!(world.state().connections.len(), connections);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_come_at_random_times_within_windows_that_double_up_to_a_cap() {
    let world = World::new(3);
    let (_client, mut incoming) = connected(&world).await;
    world.state().is_down = true;
    let lost = Instant::now();
    world.command(Command::Cut);
    for _ in 0..60 {
        let retry = match event(&mut incoming).await {
            Event::Disconnected { retry, .. } | Event::Retrying { retry, .. } => retry,
            other => panic!("{other:?}"),
        };
        assert!(retry <= Duration::from_secs(8));
    }
    let attempts: Vec<_> = world.state().connections[1..].to_vec();
    let mut before = lost;
    let mut gaps = Vec::new();
    for at in attempts {
        gaps.push(at - before);
        before = at;
    }
    // The clock of the runtime counts milliseconds.
    let limits = [1_u64, 2, 4, 8, 8, 8].map(|limit| limit * 1_000 + 2);
    for (gap, limit) in gaps.iter().zip(limits) {
        assert!(gap.as_millis() <= u128::from(limit), "{gaps:?}");
    }
    let late = &gaps[4..];
    assert!(late.iter().any(|gap| gap.as_secs() >= 6), "{gaps:?}");
    assert!(late.iter().any(|gap| gap.as_secs() <= 2), "{gaps:?}");
    world.state().is_down = false;
    loop {
        if is_resumed(&event(&mut incoming).await) {
            break;
        }
    }
}

#[test]
fn a_delay_is_anywhere_in_its_window_and_windows_saturate() {
    let backoff = Backoff::new();
    assert_eq!(backoff.window(0), Duration::from_secs(60));
    assert_eq!(backoff.window(1), Duration::from_secs(120));
    for attempt in [4, 31, 32, 33, u32::MAX] {
        assert_eq!(backoff.window(attempt), Duration::from_secs(600));
    }
    assert_eq!(backoff.delay(0, 0), Duration::ZERO);
    assert_eq!(backoff.delay(0, 1 << 63), Duration::from_secs(30));
    let most = backoff.delay(0, u64::MAX);
    assert!(most < Duration::from_secs(60) && most > Duration::from_secs(59));
    let endless = backoff.first(Duration::MAX).cap(Duration::MAX);
    assert!(endless.delay(9, u64::MAX) > Duration::from_secs(1 << 30));
}

#[tokio::test(start_paused = true)]
async fn a_changed_network_ends_the_waiting() {
    let world = World::new(4);
    let day = Duration::from_secs(86_400);
    let config = world
        .config()
        .reconnect(Some(Backoff::new().first(day).cap(day)));
    let (client, mut incoming) = Client::connect(config).await.unwrap();
    assert!(is_new(&event(&mut incoming).await));
    world.command(Command::Cut);
    let lost = event(&mut incoming).await;
    assert!(matches!(lost, Event::Disconnected { .. }));
    let before = Instant::now();
    client.reconnect_now();
    assert!(is_resumed(&event(&mut incoming).await));
    assert!(before.elapsed() < Duration::from_secs(1));
    // On a connection that stands it makes sure that it does: first one that does, then one that does not.
    client.reconnect_now();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.state().connections.len(), 2);
    world.state().is_mute = true;
    client.reconnect_now();
    let before = Instant::now();
    assert!(
        matches!(event(&mut incoming).await, Event::Disconnected { retry, .. } if retry.is_zero())
    );
    assert!(before.elapsed() <= Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_noticed_by_a_ping_that_only_silence_brings() {
    let world = World::new(5);
    world.state().manages = false;
    let config = world.config().ping(Some(Duration::from_secs(60)));
    let (_client, mut incoming) = Client::connect(config).await.unwrap();
    assert!(is_new(&event(&mut incoming).await));
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(50)).await;
        world.send("<message/>");
        assert!(matches!(event(&mut incoming).await, Event::Stanza(_)));
    }
    assert!(world.state().received.is_empty(), "a ping without silence");
    // Answered pings are nobody's business.
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(world.state().received.len(), 3);
    let before = Instant::now();
    world.state().is_mute = true;
    let Event::Disconnected { reason, .. } = event(&mut incoming).await else {
        panic!("no loss");
    };
    assert!(
        matches!(reason, End::Failed(Error::Timeout(_))),
        "{reason:?}"
    );
    assert!(before.elapsed() <= Duration::from_secs(91));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_tells_how_far_its_stanza_has_come() {
    let world = World::new(6);
    let (client, mut incoming) = connected(&world).await;
    world.state().is_mute = true;
    let delivery = client.send(&message("1")).await.unwrap();
    assert_eq!(delivery.state(), DeliveryState::Queued);
    delivery.sent().await.unwrap();
    assert_eq!(delivery.state(), DeliveryState::Sent);
    world.state().is_mute = false;
    delivery.acknowledged().await.unwrap();
    assert_eq!(delivery.state(), DeliveryState::Acknowledged);
    // What is sent without a connection goes out on the next one, in order and once.
    world.state().is_down = true;
    world.command(Command::Cut);
    assert!(matches!(
        event(&mut incoming).await,
        Event::Disconnected { .. }
    ));
    let mut deliveries = Vec::new();
    for id in ["2", "3"] {
        deliveries.push(client.send(&message(id)).await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(deliveries[0].state(), DeliveryState::Queued);
    world.state().is_down = false;
    for delivery in &deliveries {
        delivery.acknowledged().await.unwrap();
    }
    assert_eq!(world.ids(), ["1", "2", "3"]);
    let large = "x".repeat(2_000_000);
    let large = MessageBuilder::new(MessageType::Chat).body(&large);
    let delivery = client.send(&large).await.unwrap();
    assert_eq!(delivery.sent().await, Err(DeliveryError::TooLong));
    client.close().await;
    world.state().is_down = true;
}

#[tokio::test(start_paused = true)]
async fn without_stream_management_nobody_acknowledges_and_nothing_waits_for_it() {
    let world = World::new(7);
    world.state().manages = false;
    let (client, mut incoming) = connected(&world).await;
    let delivery = client.send(&message("1")).await.unwrap();
    assert_eq!(delivery.acknowledged().await, Err(DeliveryError::Unmanaged));
    assert_eq!(delivery.state(), DeliveryState::Sent);
    world.state().is_down = true;
    world.command(Command::Cut);
    assert!(matches!(
        event(&mut incoming).await,
        Event::Disconnected { .. }
    ));
    let delivery = client.send(&message("2")).await.unwrap();
    world.state().is_down = false;
    delivery.sent().await.unwrap();
    world.until(|state| state.received.len() == 2).await;
    assert_eq!(world.ids(), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_connection_is_bounded() {
    let world = World::new(8);
    let (client, mut incoming) = Client::connect(world.config().send_buffer(1_000))
        .await
        .unwrap();
    assert!(is_new(&event(&mut incoming).await));
    world.state().is_down = true;
    world.command(Command::Cut);
    assert!(matches!(
        event(&mut incoming).await,
        Event::Disconnected { .. }
    ));
    let mut queued = 0;
    let waiting = loop {
        let id = queued.to_string();
        let sending = client.send(&message(&id));
        tokio::pin!(sending);
        match tokio::time::timeout(Duration::from_secs(1), &mut sending).await {
            Ok(delivery) => drop(delivery.unwrap()),
            Err(_) => break id,
        }
        queued += 1;
        assert!(queued < 1_000);
    };
    assert!(queued > 5, "{waiting}");
    world.state().is_down = false;
    let last = client.send(&message("last")).await.unwrap();
    last.acknowledged().await.unwrap();
    let mut expected: Vec<_> = (0..queued).map(|number| number.to_string()).collect();
    expected.push("last".to_owned());
    assert_eq!(world.ids(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_in_the_resumed_session_and_lost_with_a_lost_one() {
    let world = World::new(9);
    let (client, mut incoming) = connected(&world).await;
    // The server has the request, but its answer does not come through.
    world.state().is_mute = true;
    let asker = client.clone();
    let asking = tokio::spawn(async move { asker.get(None, &Ping).await });
    world.until(|state| state.received.len() == 1).await;
    world.state().is_mute = false;
    world.command(Command::Cut);
    assert!(asking.await.unwrap().is_ok());
    assert!(matches!(
        event(&mut incoming).await,
        Event::Disconnected { .. }
    ));
    assert!(is_resumed(&event(&mut incoming).await));
    // Taken by the server, which then gives the session up.
    world.state().answers_nothing = true;
    let asker = client.clone();
    let asking = tokio::spawn(async move { asker.get(None, &Ping).await });
    world.until(|state| state.received.len() == 2).await;
    world.state().expires = 100;
    world.command(Command::Cut);
    assert!(matches!(asking.await.unwrap(), Err(RequestError::Lost)));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_again_is_carried_out_once_and_answered_again() {
    let world = World::new(10);
    let config = world.config().handle(Selector::iq_set("set", "urn:x"));
    let (client, mut incoming) = Client::connect(config).await.unwrap();
    let request = "<iq type='set' id='7' from='a@example.org/b'><set xmlns='urn:x'/></iq>";
    for _ in 0..2 {
        world.send(request);
    }
    let element = incoming.next().await.unwrap();
    let Ok(Stanza::Iq(iq)) = Stanza::parse(element.root()) else {
        panic!("{element}");
    };
    let delivery = client.reply(&iq, None).await.unwrap();
    delivery.acknowledged().await.unwrap();
    world.send(request);
    world.send("<message id='last'/>");
    let last = incoming.next().await.unwrap();
    assert_eq!(last.root().name(), "message");
    world.until(|state| state.received.len() >= 2).await;
    let state = world.state();
    let [first, second] = &state.received[..] else {
        panic!("{:?}", state.received);
    };
    assert_eq!(first, second);
    assert_eq!(
        first.root().attribute("to").as_deref(),
        Some("a@example.org/b")
    );
}
