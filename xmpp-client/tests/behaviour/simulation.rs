//! Connections that are cut again and again, in virtual time: no stanza is lost, none comes twice, and all are in order.

use std::time::Duration;

use crate::support::world::{Command, World};
use xmpp_client::{Client, DeliveryState, Incoming};
use xmpp_core::stanza::{MessageBuilder, MessageType};
use xmpp_sasl::Mechanism;

/// Of virtual time.
const HOUR: Duration = Duration::from_secs(3_600);

const SEEDS: [u64; 2] = [1, 20_261_122];

/// Tells the seed when the test fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {}", self.0);
        }
    }
}

fn message(number: usize) -> String {
    format!("m{number}")
}

/// Sends messages until `cuts` connections were cut, and gives how many there were.
async fn send_until(world: &World, client: &Client, cuts: usize) -> usize {
    let mut sent = 0;
    let mut deliveries = Vec::new();
    let deadline = tokio::time::Instant::now() + 100 * HOUR;
    while world.state().cuts < cuts {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} cuts",
            world.state().cuts
        );
        let id = message(sent);
        let body = "x".repeat(world.state().below(200) as usize);
        let stanza = MessageBuilder::new(MessageType::Chat).id(&id).body(&body);
        deliveries.push(client.send(&stanza).await.unwrap());
        sent += 1;
        let pause = world.state().below(400);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    world.state().carries = None;
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let acknowledged = tokio::time::timeout(HOUR, delivery.acknowledged());
        assert!(
            acknowledged.await.is_ok(),
            "{number} of {sent}: {:?}",
            delivery.state()
        );
        assert_eq!(delivery.state(), DeliveryState::Acknowledged);
    }
    sent
}

/// Takes messages until all have come, and gives their ids.
async fn take(mut incoming: Incoming, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let next = tokio::time::timeout(100 * HOUR, incoming.next()).await;
        let element = next.expect("nothing more comes").unwrap();
        ids.push(element.root().attribute("id").unwrap().into_owned());
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cut_connections_lose_double_and_reorder_nothing() {
    for seed in SEEDS.into_iter().take(1) {
        let _told = Told(seed);
        let world = World::new(seed);
        let (client, incoming) = Client::connect(world.config()).await.unwrap();
        world.state().carries = Some(4_000);
        world.command(Command::Cut);
        let from_server = 3_000;
        let taking = tokio::spawn(take(incoming, from_server));
        let sender = world.clone();
        let sending = tokio::spawn(async move {
            for number in 0..from_server {
                sender.send(format!(
                    "<message id='{}'><body>x</body></message>",
                    message(number)
                ));
                let pause = sender.state().below(200);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        });
        let sent = send_until(&world, &client, 1_000).await;
        sending.await.unwrap();
        let expected: Vec<_> = (0..sent).map(message).collect();
        assert_eq!(world.ids(), expected);
        let expected: Vec<_> = (0..from_server).map(message).collect();
        assert_eq!(taking.await.unwrap(), expected);
        let state = world.state();
        assert!(state.resumed >= 300, "{}", state.resumed);
        // The password was needed once, and the token after that.
        let by_token = |mechanism: &&Mechanism| mechanism.is_token();
        assert!(state.mechanisms.iter().filter(by_token).count() >= 300);
        let others = state.mechanisms.iter().filter(|known| !known.is_token());
        assert_eq!(others.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_that_the_server_gives_up_lose_and_double_nothing_that_it_has_counted() {
    for seed in SEEDS {
        let _told = Told(seed);
        let world = World::new(seed);
        let (client, incoming) = Client::connect(world.config()).await.unwrap();
        world.state().carries = Some(4_000);
        world.command(Command::Cut);
        world.state().expires = 30;
        let sent = send_until(&world, &client, 300).await;
        let expected: Vec<_> = (0..sent).map(message).collect();
        assert_eq!(world.ids(), expected);
        let state = world.state();
        let is_late = |element: &&xmpp_xml::Element| element.to_string().contains("urn:xmpp:delay");
        let late = state.received.iter().filter(is_late).count();
        assert!(late > 0 && late < sent, "{late} of {sent}");
        drop(incoming);
    }
}
