//! Stream management (XEP-0198): sessions outlive their connections, and nothing is lost or doubled.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::support::{
    Client, Running, attribute, befriend, condition, config, kinds, server, server_with,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use xmpp_core::stream::ManagedSession;
use xmpp_server::ServerConfig;
use xmpp_server::storage::Memory;
use xmpp_xml::Element;

const USERS: [&str; 3] = ["juliet", "romeo", "mercutio"];

async fn with(config: ServerConfig) -> Running {
    server_with(config, Arc::new(Memory::new()), &USERS).await
}

/// A connection that is cut after so many bytes of either direction.
struct Cut {
    io: Option<TcpStream>,
    to_read: Arc<AtomicUsize>,
    to_write: Arc<AtomicUsize>,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let left = self.to_read.load(Ordering::Relaxed);
        if left == 0 {
            self.io = None;
        }
        let Some(io) = &mut self.io else {
            return Poll::Ready(Ok(()));
        };
        let mut part = buffer.take(left);
        let result = Pin::new(io).poll_read(context, &mut part);
        let count = part.filled().len();
        // Through `take` the outer buffer does not learn of it.
        let bytes = part.filled().to_vec();
        buffer.put_slice(&bytes);
        self.to_read.fetch_sub(count, Ordering::Relaxed);
        result
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let left = self.to_write.load(Ordering::Relaxed).min(bytes.len());
        if left == 0 {
            self.io = None;
        }
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
        };
        let result = Pin::new(io).poll_write(context, &bytes[..left]);
        if let Poll::Ready(Ok(count)) = &result {
            self.to_write.fetch_sub(*count, Ordering::Relaxed);
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Running {
    async fn managed(&self, address: &str, session: Option<ManagedSession>) -> Client {
        let io = Box::new(self.raw().await);
        Client::managed(io, address, session).await.unwrap()
    }

    /// The same over a connection that can be cut: by bytes to read and to write.
    async fn cuttable(
        &self,
        address: &str,
        session: Option<ManagedSession>,
    ) -> (Client, Arc<AtomicUsize>, Arc<AtomicUsize>) {
        let [to_read, to_write] = [(), ()].map(|()| Arc::new(AtomicUsize::new(usize::MAX)));
        let io = Cut {
            io: Some(self.raw().await),
            to_read: Arc::clone(&to_read),
            to_write: Arc::clone(&to_write),
        };
        let client = Client::managed(Box::new(io), address, session).await;
        (client.unwrap(), to_read, to_write)
    }
}

fn messages(to: &str, numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|number| format!("<message to='{to}' id='{number}'/>"))
        .collect()
}

fn ids(stanzas: &[Element]) -> Vec<String> {
    stanzas
        .iter()
        .filter_map(|stanza| attribute(stanza, "id"))
        .collect()
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn nothing_sent_to_a_client_is_lost_or_doubled_whatever_byte_the_connection_is_cut_at() {
    let server = server(&USERS).await;
    let mut romeo = server.client("romeo/orchard").await;
    let (mut session, mut cuts) = (None, 0);
    for place in 0.. {
        let (mut juliet, to_read, _) = server.cuttable("juliet/balcony", session.take()).await;
        assert_eq!(juliet.resumed, place > 0, "{place}");
        assert!(juliet.sync().await.is_empty(), "{place}");
        to_read.store(place, Ordering::Relaxed);
        let numbers = place * 3..place * 3 + 3;
        romeo
            .send(&messages("juliet@example.com/balcony", numbers.clone()))
            .await;
        let mut got = Vec::new();
        while got.len() < 3 && !juliet.stream.is_closed() {
            juliet.turn().await;
            got.extend(juliet.taken());
        }
        let is_whole = got.len() == 3;
        let mut again = server.managed("juliet/balcony", Some(juliet.lose())).await;
        assert!(again.resumed, "{place}");
        got.extend(again.sync().await);
        assert_eq!(ids(&got), expected(numbers), "cut after {place} bytes");
        assert!(romeo.sync().await.is_empty(), "nobody is told of an error");
        if is_whole {
            break;
        }
        cuts += 1;
        session = Some(again.lose());
    }
    assert!(cuts > 100, "{cuts}");
}

#[tokio::test]
async fn nothing_that_a_client_sends_is_lost_or_doubled_whatever_byte_the_connection_is_cut_at() {
    let server = server(&USERS).await;
    let mut romeo = server.client("romeo/orchard").await;
    let mut session = None;
    let length = messages("romeo@example.com/orchard", 100..103).len();
    for place in 0..length {
        let (mut juliet, _, to_write) = server.cuttable("juliet/balcony", session.take()).await;
        assert_eq!(juliet.resumed, place > 0, "{place}");
        to_write.store(place, Ordering::Relaxed);
        let numbers = 100 + place * 3..103 + place * 3;
        juliet
            .send(&messages("romeo@example.com/orchard", numbers.clone()))
            .await;
        let mut again = server.managed("juliet/balcony", Some(juliet.lose())).await;
        assert!(again.resumed, "{place}");
        assert!(again.sync().await.is_empty());
        let got = romeo.sync().await;
        assert_eq!(ids(&got), expected(numbers), "cut after {place} bytes");
        session = Some(again.lose());
    }
}

#[tokio::test]
async fn a_session_that_is_resumed_takes_its_old_connection_over() {
    let server = server(&USERS).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut juliet = server.managed("juliet/balcony", None).await;
    befriend(&mut juliet, &mut romeo).await;
    juliet.send("<presence/>").await;
    juliet.sync().await;
    assert_eq!(kinds(&romeo.sync().await), ["presence"]);

    // The client believes that its connection is dead; the server knows nothing of it.
    juliet.stream.handle_disconnected(crate::support::now());
    let session = juliet.stream.take_session();
    let mut again = server.managed("juliet/balcony", session).await;
    assert!(again.resumed);
    let mut told = String::new();
    juliet.io.read_to_string(&mut told).await.unwrap();
    assert!(told.contains("<conflict"), "{told}");
    romeo
        .send("<message to='juliet@example.com' type='chat' id='1'/>")
        .await;
    romeo.sync().await;
    assert_eq!(ids(&again.sync().await), ["1"], "its presence goes on");
    assert!(romeo.sync().await.is_empty(), "and nobody noticed");
    assert_eq!(server.server.sessions(), 2);
}

#[tokio::test]
async fn a_session_that_is_not_resumed_in_time_ends_and_its_stanzas_find_their_way() {
    let server = with(config().resumption(Some(Duration::from_secs(1)))).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut chamber = server.client("juliet/chamber").await;
    let mut juliet = server.managed("juliet/balcony", None).await;
    befriend(&mut juliet, &mut romeo).await;
    juliet
        .send("<presence><priority>5</priority></presence>")
        .await;
    juliet.sync().await;
    romeo.sync().await;
    let session = juliet.lose();
    romeo
        .send(
            "<message to='juliet@example.com/balcony' type='chat' id='chat'><body>b</body></message>\
             <message to='juliet@example.com/balcony' type='groupchat' id='group'><body>b</body></message>\
             <message to='juliet@example.com/balcony' type='headline' id='headline'/>\
             <iq to='juliet@example.com/balcony' type='get' id='asked'><ping xmlns='urn:xmpp:ping'/></iq>\
             <presence to='juliet@example.com/balcony'/>",
        )
        .await;
    assert!(romeo.sync().await.is_empty(), "it may still come back");
    chamber.send("<presence/>").await;
    chamber.sync().await;

    // The end of the session is told, the chat goes to the other resource, and the rest is answered.
    let mut told = Vec::new();
    while told.len() < 4 {
        told.push(romeo.next().await);
    }
    let of = |id: &str| {
        told.iter()
            .find(|s| attribute(s, "id").as_deref() == Some(id))
    };
    for id in ["group", "asked"] {
        assert_eq!(condition(of(id).unwrap()), "service-unavailable", "{id}");
    }
    let mut presences = kinds(&told);
    presences.retain(|kind| kind.starts_with("presence"));
    assert_eq!(presences, ["presence", "presence:unavailable"]);
    assert!(romeo.sync().await.is_empty());
    let mut got = chamber.sync().await;
    got.retain(|stanza| stanza.root().name() == "message");
    assert_eq!(ids(&got), ["chat"]);

    let again = server.managed("juliet/balcony", Some(session)).await;
    assert!(!again.resumed);
}

#[tokio::test]
async fn a_waiting_session_with_too_much_to_wait_for_ends() {
    let server = with(config().send_queue_bytes(20_000).offline_messages(0, 0)).await;
    let mut romeo = server.client("romeo/orchard").await;
    let session = server.managed("juliet/balcony", None).await.lose();
    let body = "x".repeat(1_000);
    for number in 0..30 {
        romeo
            .send(&format!(
                "<message to='juliet@example.com/balcony' id='{number}'><body>{body}</body></message>"
            ))
            .await;
    }
    // Each is answered once, in whatever order: the one too many at once, the others by the end of the session.
    let mut told = Vec::new();
    while told.len() < 30 {
        let stanza = romeo.next().await;
        assert!(
            ["resource-constraint", "service-unavailable"].contains(&condition(&stanza).as_str())
        );
        told.push(attribute(&stanza, "id").unwrap().parse::<u32>().unwrap());
    }
    told.sort_unstable();
    assert_eq!(told, (0..30).collect::<Vec<_>>());
    let again = server.managed("juliet/balcony", Some(session)).await;
    assert!(!again.resumed);
}

#[tokio::test]
async fn what_a_client_does_not_acknowledge_counts_against_the_limit() {
    let server = with(config().send_queue_bytes(20_000)).await;
    let mut romeo = server.client("romeo/orchard").await;
    let mut juliet = server.managed("juliet/balcony", None).await;
    let body = "x".repeat(1_000);
    let mut refused = 0;
    for number in 0..40 {
        romeo
            .send(&format!(
                "<message to='juliet@example.com/balcony' id='{number}'><body>{body}</body></message>"
            ))
            .await;
        refused += romeo.sync().await.len();
        // It reads all of it, and never says so.
        let mut buffer = [0; 64 * 1024];
        if refused == 0 {
            assert!(juliet.io.read(&mut buffer).await.unwrap() > 0);
        }
    }
    assert!(refused > 15, "{refused}");
}

#[tokio::test]
async fn what_is_acknowledged_frees_its_room() {
    let server = with(config().send_queue_bytes(20_000)).await;
    let mut romeo = server.client("romeo/orchard").await;
    let mut juliet = server.managed("juliet/balcony", None).await;
    let body = "x".repeat(1_000);
    for number in 0..100 {
        romeo
            .send(&format!(
                "<message to='juliet@example.com/balcony' id='{number}'><body>{body}</body></message>"
            ))
            .await;
        assert!(romeo.sync().await.is_empty());
        assert_eq!(ids(&juliet.sync().await), [number.to_string()]);
    }
}

#[tokio::test]
async fn a_session_belongs_to_its_account() {
    let server = server(&USERS).await;
    let session = server.managed("juliet/balcony", None).await.lose();
    let id = session.id().unwrap().to_owned();
    // Another account asks for it by name, with the counts of its own.
    let own = server.managed("romeo/orchard", None).await.lose();
    let bytes = own.to_bytes();
    let place = bytes
        .windows(id.len())
        .position(|window| window == own.id().unwrap().as_bytes());
    let (mut forged, place) = (bytes.clone(), place.unwrap());
    forged[place..place + id.len()].copy_from_slice(id.as_bytes());
    let config = xmpp_core::stream::ManagementConfig::new();
    let forged = ManagedSession::from_bytes(&forged, &config).unwrap();
    let romeo = server.managed("romeo/orchard", Some(forged)).await;
    assert!(!romeo.resumed);
    // Its owner still gets it.
    assert!(
        server
            .managed("juliet/balcony", Some(session))
            .await
            .resumed
    );
}

#[tokio::test]
async fn a_closing_tag_ends_the_session_at_once() {
    let server = server(&USERS).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut juliet = server.managed("juliet/balcony", None).await;
    befriend(&mut juliet, &mut romeo).await;
    juliet.send("<presence/>").await;
    juliet.sync().await;
    romeo.sync().await;
    juliet.stream.close(crate::support::now());
    juliet.flush().await;
    assert_eq!(kinds(&[romeo.next().await]), ["presence:unavailable"]);
    assert_eq!(server.server.sessions(), 1);
}

#[tokio::test]
async fn a_waiting_session_gives_way_when_its_account_has_too_many() {
    let server = with(config().resources(2)).await;
    let oldest = server.managed("juliet/one", None).await.lose();
    let newer = server.managed("juliet/two", None).await.lose();
    let mut romeo = server.client("romeo/orchard").await;
    while server.server.hibernating() < 2 {
        romeo.sync().await;
    }
    let _third = server.client("juliet/three").await;
    let fourth = server.managed("juliet/four", Some(oldest)).await;
    assert!(!fourth.resumed);
    // That took the place of the other one, and those that are connected keep theirs.
    assert!(Client::login(server.address, "juliet/five").await.is_err());
    drop(newer);
}

#[tokio::test]
async fn a_client_that_lost_its_session_gets_its_resource_back_whatever_the_policy() {
    for policy in [xmpp_server::Conflict::Refuse, xmpp_server::Conflict::Rename] {
        let server = with(config().conflict(policy)).await;
        let mut romeo = server.client("romeo/orchard").await;
        let session = server.managed("juliet/balcony", None).await.lose();
        while server.server.hibernating() == 0 {
            romeo.sync().await;
        }
        drop(session);
        let juliet = server.client("juliet/balcony").await;
        assert_eq!(juliet.jid(), "juliet@example.com/balcony");
    }
}

#[tokio::test]
async fn without_resumption_stanzas_are_still_acknowledged() {
    let server = with(config().resumption(None)).await;
    let mut romeo = server.client("romeo/orchard").await;
    let mut juliet = server.client("juliet/balcony").await;
    juliet
        .send("<message to='romeo@example.com/orchard'/>")
        .await;
    // By hand, as a client that wants no resumption.
    use tokio::io::AsyncWriteExt;
    juliet
        .io
        .write_all(b"<enable xmlns='urn:xmpp:sm:3' resume='true'/><r xmlns='urn:xmpp:sm:3'/>")
        .await
        .unwrap();
    let mut told = String::new();
    let mut buffer = [0; 1024];
    while !told.contains("<a ") {
        let count = juliet.io.read(&mut buffer).await.unwrap();
        told.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert!(
        told.contains("<enabled") && !told.contains("resume"),
        "{told}"
    );
    drop(juliet);
    romeo.sync().await;
    while server.server.sessions() > 1 {
        romeo.sync().await;
    }
}

#[tokio::test]
async fn waiting_sessions_do_not_keep_a_server_from_ending() {
    let server = with(config().close_timeout(Duration::from_secs(60))).await;
    let _session = server.managed("juliet/balcony", None).await.lose();
    let begin = std::time::Instant::now();
    server.server.shutdown().await;
    assert!(begin.elapsed() < Duration::from_secs(20));
}
