//! How many may come, how often they may fail, how fast they may talk, and how long they may be silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{Client, HEADER, Running, config, converse, kinds, server_with};
use tokio::io::AsyncReadExt;
use xmpp_core::stream::Error;
use xmpp_sasl::Condition;
use xmpp_server::storage::Memory;
use xmpp_server::{Rate, ServerConfig};

async fn limited(config: ServerConfig) -> Running {
    server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await
}

/// Whether the server lets another connection in: it answers, or hangs up.
async fn lets_in(server: &Running) -> bool {
    let mut io = server.raw().await;
    let header = tokio::io::AsyncWriteExt::write_all(&mut io, HEADER.as_bytes()).await;
    let answer = io.read(&mut [0; 1]).await;
    header.is_ok() && answer.is_ok_and(|count| count > 0)
}

#[tokio::test]
async fn an_address_may_have_only_so_many_connections() {
    let server = limited(config().connections_per_address(Some(2))).await;
    let juliet = server.client("juliet/balcony").await;
    let _romeo = server.client("romeo/orchard").await;
    assert!(!lets_in(&server).await);
    // When one goes there is room again.
    drop(juliet);
    while !lets_in(&server).await {}
}

#[tokio::test]
async fn a_session_that_waits_takes_no_connection() {
    let server = limited(config().connections_per_address(Some(1))).await;
    let session = Client::managed(Box::new(server.raw().await), "juliet/balcony", None).await;
    let session = session.unwrap().lose();
    while server.server.hibernating() == 0 {
        tokio::task::yield_now().await;
    }
    let again = Client::managed(
        Box::new(server.raw().await),
        "juliet/balcony",
        Some(session),
    )
    .await;
    assert!(again.unwrap().resumed);
}

#[tokio::test]
async fn only_so_many_connections_stand_before_authentication() {
    let server = limited(config().unauthenticated_connections(Some(1))).await;
    // Those that are authenticated do not count.
    let _juliet = server.client("juliet/balcony").await;
    let mut romeo = server.raw().await;
    converse(&mut romeo, HEADER.as_bytes()).await;
    assert!(!lets_in(&server).await);
    drop(romeo);
    while !lets_in(&server).await {}
}

async fn login(server: &Running, user: &str, password: &str) -> Option<Condition> {
    match Client::login_as(server.address, user, password).await {
        Ok(_) => None,
        Err(Error::Authentication(failure)) => Some(failure.condition),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_account_at_which_somebody_guesses_is_closed_for_a_while() {
    let rate = Rate::new(1, Duration::from_secs(3600)).burst(2);
    let server = limited(config().failed_logins_per_account(Some(rate))).await;
    // What succeeds does not count.
    for _ in 0..4 {
        assert_eq!(login(&server, "juliet/x", "juliet").await, None);
    }
    for _ in 0..2 {
        assert_eq!(
            login(&server, "juliet/x", "wrong").await,
            Some(Condition::NotAuthorized)
        );
    }
    let refused = Some(Condition::TemporaryAuthFailure);
    assert_eq!(login(&server, "juliet/x", "juliet").await, refused);
    // An account that does not exist looks the same, and others are not concerned.
    for _ in 0..2 {
        assert_eq!(
            login(&server, "nobody/x", "x").await,
            Some(Condition::NotAuthorized)
        );
    }
    assert_eq!(login(&server, "nobody/x", "x").await, refused);
    assert_eq!(login(&server, "romeo/x", "romeo").await, None);
}

#[tokio::test]
async fn an_address_that_guesses_is_refused_for_a_while() {
    let rate = Rate::new(1, Duration::from_secs(3600)).burst(3);
    let server = limited(config().failed_logins_per_address(Some(rate))).await;
    for user in ["juliet/x", "nobody/x", "romeo/x"] {
        assert_eq!(
            login(&server, user, "wrong").await,
            Some(Condition::NotAuthorized)
        );
    }
    assert_eq!(
        login(&server, "romeo/x", "romeo").await,
        Some(Condition::TemporaryAuthFailure)
    );
}

async fn time_of_messages(server: &Running, count: usize) -> Duration {
    let mut juliet = server.client("juliet/balcony").await;
    let begin = Instant::now();
    for _ in 0..count {
        juliet
            .send("<message to='romeo@example.com/orchard' type='headline'/>")
            .await;
        juliet.sync().await;
    }
    begin.elapsed()
}

#[tokio::test]
async fn who_sends_too_many_stanzas_is_read_from_later() {
    let rate = Rate::new(20, Duration::from_secs(1)).burst(4);
    let server = limited(config().stanza_rate(Some(rate))).await;
    // Twelve stanzas, four of them at once, the last two perhaps in one read.
    let taken = time_of_messages(&server, 6).await;
    assert!(taken >= Duration::from_millis(250), "{taken:?}");
}

#[tokio::test]
async fn who_sends_too_many_bytes_is_read_from_later() {
    let rate = Rate::new(2_000, Duration::from_secs(1)).burst(1_500);
    let server = limited(config().byte_rate(Some(rate))).await;
    let mut juliet = server.client("juliet/balcony").await;
    let begin = Instant::now();
    juliet
        .send(&format!(
            "<presence><status>{}</status></presence>",
            "x".repeat(2_500)
        ))
        .await;
    juliet.sync().await;
    assert!(begin.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn the_connections_of_an_account_are_slow_together() {
    let rate = Rate::new(10, Duration::from_secs(1)).burst(4);
    let server = limited(config().account_stanza_rate(Some(rate))).await;
    let mut chamber = server.client("juliet/chamber").await;
    let begin = Instant::now();
    for _ in 0..4 {
        chamber.sync().await;
    }
    // Of twelve stanzas together the last two are read 600 ms after the first; of these eight alone it were 200 ms.
    time_of_messages(&server, 4).await;
    assert!(begin.elapsed() >= Duration::from_millis(550));
}

#[tokio::test]
async fn a_silent_client_is_asked_for_a_sign_of_life_and_given_up_without() {
    let timeout = Duration::from_millis(200);
    let server = limited(config().idle_timeout(Some(timeout)).resumption(None)).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    // The one who answers stays.
    for _ in 0..3 {
        let asked = romeo.next().await;
        assert_eq!(kinds(std::slice::from_ref(&asked)), ["iq:get"]);
        assert!(asked.to_string().contains("urn:xmpp:ping"), "{asked}");
        let id = crate::support::attribute(&asked, "id").unwrap();
        romeo
            .send(&format!("<iq type='result' to='example.com' id='{id}'/>"))
            .await;
    }
    let asked = juliet.answer().await.unwrap();
    assert!(asked.to_string().contains("urn:xmpp:ping"), "{asked}");
    assert!(juliet.answer().await.is_none(), "cut after one question");
    romeo.sync().await;
}
