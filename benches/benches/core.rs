//! Addresses beside the crate `jid`, views of stanzas, building requests, and what stream management costs a stanza.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use xmpp_core::entropy::Entropy;
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{IqBuilder, MessageBuilder, MessageType, Stanza};
use xmpp_core::stream::{
    CredentialsAnswer, Encryption, Event, InitiatorConfig, ManagementConfig, ReceiverConfig, Stream,
};
use xmpp_core::time::Instant;
use xmpp_sasl::{Credentials, DerivedKeys, Hash, Mechanism, ServerConfig};
use xmpp_xml::{Element, Scratch, ToXml, Writer};

criterion_group!(benches, addresses, views, requests, queue);
criterion_main!(benches);

/// Reading an address: borrowed where it stands, owned, and by the crate beside it.
fn addresses(criterion: &mut Criterion) {
    for (kind, text) in [
        ("ascii", "thermometer-17@things.example.com/kitchen"),
        ("canonical", "j\u{fc}rgen@b\u{fc}cher.example/K\u{fc}che"),
        ("mapped", "J\u{dc}RGEN@B\u{fc}cher.Example/K\u{fc}che"),
    ] {
        let mut group = criterion.benchmark_group(format!("core/jid-{kind}"));
        group.throughput(Throughput::Elements(1));
        if JidRef::parse(text).is_ok() {
            group.bench_function("borrowed", |bencher| {
                bencher.iter(|| JidRef::parse(black_box(text)).unwrap().domain().len());
            });
        }
        group.bench_function("owned", |bencher| {
            bencher.iter(|| Jid::parse(black_box(text)).unwrap());
        });
        group.bench_function("jid", |bencher| {
            bencher.iter(|| jid::Jid::new(black_box(text)).unwrap());
        });
        group.finish();
    }
}

/// From an element to who, to whom and what, without a copy.
fn views(criterion: &mut Criterion) {
    let element: Element =
        "<message xmlns='jabber:client' type='chat' id='m1' from='juliet@example.com/balcony' \
         to='romeo@example.net'><body>Wherefore art thou?</body><thread>t1</thread>\
         <active xmlns='http://jabber.org/protocol/chatstates'/></message>"
            .parse()
            .unwrap();
    criterion.bench_function("core/stanza-view", |bencher| {
        bencher.iter(|| {
            let Ok(Stanza::Message(message)) = Stanza::parse(black_box(element.root())) else {
                panic!("a message");
            };
            message.body().map(|body| body.len())
        });
    });
}

/// A request straight into the output.
fn requests(criterion: &mut Criterion) {
    let to: Jid = "example.com".parse().unwrap();
    let mut out = Vec::with_capacity(1024);
    criterion.bench_function("core/iq-build", |bencher| {
        bencher.iter(|| {
            out.clear();
            let mut writer = Writer::in_stream(&mut out, xmpp_core::ns::CLIENT);
            IqBuilder::get(black_box("p1"))
                .to(&to)
                .payload(&Ping)
                .to_xml(&mut writer);
            writer.finish().unwrap();
            out.len()
        });
    });
}

/// A hundred messages that go out and are acknowledged, with stream management and without.
fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core/management-queue-100");
    group.throughput(Throughput::Elements(100));
    for (name, management) in [
        ("managed", Some(ManagementConfig::new())),
        ("unmanaged", None),
    ] {
        let mut stream = established(management.clone());
        let mut scratch = Scratch::new();
        let mut out = Vec::new();
        let mut acknowledged = 0_u32;
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    acknowledged = acknowledged.wrapping_add(100);
                    format!("<a xmlns='urn:xmpp:sm:3' h='{acknowledged}'/>")
                },
                |acknowledgement| {
                    let hello = MessageBuilder::new(MessageType::Chat).body("Wherefore art thou?");
                    for _ in 0..100 {
                        stream
                            .send(|writer| {
                                writer.payload(&hello);
                            })
                            .unwrap();
                    }
                    stream.poll_transmit(&mut out);
                    out.clear();
                    if management.is_some() {
                        let mut input = acknowledgement.as_bytes();
                        while !input.is_empty() {
                            stream.handle_bytes(&mut scratch, &mut input, Instant::ORIGIN);
                        }
                    }
                    while let Some(event) = stream.poll_event() {
                        assert!(!matches!(event, Event::Failed(_)), "{event:?}");
                    }
                },
                BatchSize::PerIteration,
            );
        });
        assert!(stream.is_established());
    }
    group.finish();
}

/// The initiator of a stream that has been negotiated.
fn established(management: Option<ManagementConfig>) -> Stream {
    let keys = DerivedKeys::derive(Hash::Sha256, "pencil", b"sixteen byte salt", 4096).unwrap();
    let credentials = Credentials::keys("juliet", keys.clone());
    let client = InitiatorConfig::new("juliet@example.com/balcony".parse().unwrap(), credentials);
    let sasl = ServerConfig::new([3; 32]).mechanisms([Mechanism::ScramSha256]);
    let server = ReceiverConfig::new("example.com".parse().unwrap(), sasl);
    let mut client = client.encryption(Encryption::None);
    let mut server = server.encryption(Encryption::None);
    if let Some(management) = management {
        client = client.management(management.clone());
        server = server.management(management);
    }
    let now = Instant::from_origin(Duration::ZERO);
    let mut client = Stream::initiator(client, Entropy::from_seed([1; 32]), now);
    let mut server = Stream::receiver(server, Entropy::from_seed([2; 32]), now);
    for _ in 0..32 {
        carry(&mut client, &mut server);
        while let Some(event) = server.poll_event() {
            match event {
                Event::Lookup { ticket, .. } => {
                    let answer = CredentialsAnswer::Found(keys.to_stored());
                    server.handle_credentials(ticket, answer, now).unwrap();
                }
                Event::Bind { ticket, jid, .. } => {
                    server.handle_bind(ticket, Ok(jid), now).unwrap();
                }
                _ => {}
            }
        }
        carry(&mut server, &mut client);
        while client.poll_event().is_some() {}
    }
    assert!(client.is_established());
    client
}

fn carry(from: &mut Stream, to: &mut Stream) {
    let mut out = Vec::new();
    from.poll_transmit(&mut out);
    let mut input = &out[..];
    let mut scratch = Scratch::new();
    while !input.is_empty() && !to.is_waiting() {
        to.handle_bytes(&mut scratch, &mut input, Instant::ORIGIN);
    }
}
