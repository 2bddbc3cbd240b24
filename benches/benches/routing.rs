//! Messages through the server: two clients, TLS, everything in this process.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use xmpp_benches::loopback::Loopback;
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{MessageBuilder, MessageType};
use xmpp_xml::{Element, ToXml};

fn routing(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let loopback = runtime.block_on(Loopback::start(2)).expect("a server");
    let (sender, _kept) = runtime.block_on(loopback.client(0)).expect("a login");
    let (receiver, mut incoming) = runtime.block_on(loopback.client(1)).expect("a login");

    let mut group = criterion.benchmark_group("routing");
    group.throughput(Throughput::Elements(1));
    group.bench_function("message-pipelined", |b| {
        b.iter_custom(|count| {
            let (sender, to) = (sender.clone(), receiver.jid().clone());
            let message = MessageBuilder::new(MessageType::Chat)
                .to(&to)
                .body("a message of usual length, as people write");
            let message = Element::build(|writer| message.to_xml(writer)).expect("writable");
            let begin = Instant::now();
            runtime.block_on(async {
                let sending = tokio::spawn(async move {
                    for _ in 0..count {
                        let sent = sender.send(&message);
                        drop(sent.await.expect("sent"));
                    }
                });
                for _ in 0..count {
                    incoming.next().await.expect("received");
                }
                sending.await.expect("no panic");
            });
            begin.elapsed()
        });
    });
    group.bench_function("ping-server-round-trip", |b| {
        let server = xmpp_benches::loopback::DOMAIN.parse().expect("an address");
        b.iter(|| {
            runtime
                .block_on(sender.get(Some(&server), &Ping))
                .expect("an answer")
        });
    });
    group.finish();
    runtime.block_on(loopback.stop());
}

criterion_group!(benches, routing);
criterion_main!(benches);
