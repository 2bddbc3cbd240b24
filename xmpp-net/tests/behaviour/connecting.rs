//! Finding and reaching a machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::{listen, soon};
use tokio::net::{TcpSocket, TcpStream};
use xmpp_net::{Blame, Connection, Connector, NetError, Phase};

/// An address where nothing listens.
async fn closed_port() -> SocketAddr {
    listen().await.1
}

/// An address that answers nothing: the queue of its listener is full. Lives as long as what comes with it.
async fn mute_port() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(stream.unwrap());
        assert!(waiting.len() < 16, "the queue takes everybody");
    }
    (address, (listener, waiting))
}

#[tokio::test]
async fn a_name_leads_to_the_listener() {
    let (listener, address) = listen().await;
    let connector = Connector::new();
    let localhost = format!("localhost:{}", address.port());
    for text in [address.to_string(), localhost] {
        let (near, far) =
            soon(async { tokio::join!(connector.connect(&text), listener.accept()) }).await;
        let (near, far) = (near.unwrap(), far.unwrap());
        assert_eq!(near.peer_address(), address);
        assert!(far.peer_address().ip().is_loopback());
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_found() {
    let error = Connector::new()
        .connect("does-not-exist.invalid:5222")
        .await
        .unwrap_err();
    match &error {
        NetError::NameNotFound { name, .. } => assert_eq!(name, "does-not-exist.invalid"),
        error => panic!("{error:?}"),
    }
    assert_eq!(error.blame(), Blame::Network);
}

#[tokio::test]
async fn a_port_where_nothing_listens_refuses() {
    let address = closed_port().await;
    let error = soon(Connector::new().connect(&address.to_string()))
        .await
        .unwrap_err();
    match error {
        NetError::Refused { address: tried } => assert_eq!(tried, address),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn every_address_is_tried() {
    let (listener, address) = listen().await;
    let (mute, _kept) = mute_port().await;
    let addresses = [closed_port().await, mute, address];
    let connector = Connector::new().attempt_timeout(Duration::from_millis(200));
    let (near, far) =
        soon(async { tokio::join!(connector.connect_to(&addresses), listener.accept()) }).await;
    assert_eq!(near.unwrap().peer_address(), address);
    far.unwrap();
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_given_up() {
    let (mute, _kept) = mute_port().await;
    let limit = Duration::from_millis(200);
    let error = soon(Connector::new().attempt_timeout(limit).connect_to(&[mute]))
        .await
        .unwrap_err();
    match error {
        NetError::Timeout {
            phase: Phase::Connect,
            limit: reached,
        } => assert_eq!(reached, limit),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn all_attempts_together_have_a_limit() {
    let (mute, _kept) = mute_port().await;
    let limit = Duration::from_millis(300);
    let begin = Instant::now();
    let error = soon(Connector::new().timeout(limit).connect_to(&[mute; 16]))
        .await
        .unwrap_err();
    match error {
        NetError::Timeout {
            phase: Phase::Connect,
            limit: reached,
        } => assert_eq!(reached, limit),
        error => panic!("{error:?}"),
    }
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn of_several_errors_the_one_that_got_farthest_is_told() {
    let (mute, _kept) = mute_port().await;
    let closed = closed_port().await;
    let connector = Connector::new().attempt_timeout(Duration::from_millis(200));
    for addresses in [[mute, closed], [closed, mute]] {
        let error = soon(connector.connect_to(&addresses)).await.unwrap_err();
        assert!(matches!(error, NetError::Refused { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_the_callers_mistake() {
    for text in [
        "",
        "example.org",
        ":5222",
        "example.org:",
        "example.org:70000",
        "::1:5222",
        "[::1:5222",
    ] {
        let error = soon(Connector::new().connect(text)).await.unwrap_err();
        assert!(
            matches!(error, NetError::InvalidAddress { .. }),
            "{text}: {error:?}"
        );
        assert_eq!(error.blame(), Blame::Caller);
    }
    let error = soon(Connector::new().connect_to(&[])).await.unwrap_err();
    assert!(
        matches!(error, NetError::InvalidAddress { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn small_writes_are_not_delayed() {
    let (listener, address) = listen().await;
    let connector = Connector::new();
    let addresses = [address];
    let (near, far) =
        soon(async { tokio::join!(connector.connect_to(&addresses), listener.accept()) }).await;
    assert!(near.unwrap().no_delay().unwrap());
    assert!(far.unwrap().no_delay().unwrap());
    let (stream, _far) =
        soon(async { tokio::join!(TcpStream::connect(address), listener.accept()) }).await;
    assert!(
        Connection::from_tcp(stream.unwrap())
            .unwrap()
            .no_delay()
            .unwrap()
    );
}
