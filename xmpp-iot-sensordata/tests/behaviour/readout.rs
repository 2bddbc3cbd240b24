//! Whole readouts between a requester and a device, in memory and with virtual time.

use std::time::Duration;

use crate::common::*;
use xmpp_core::error::{ErrorType, StanzaCondition, StanzaError};
use xmpp_iot_sensordata::device::{self, DeviceConfig};
use xmpp_iot_sensordata::model::{
    Categories, Field, NodeFailure, NodeReference, ReadoutRequest, Tokens,
};
use xmpp_iot_sensordata::requester::{Event, Outcome, RequesterConfig};

fn network(application: Application) -> Network {
    network_with(DeviceConfig::new(), application)
}

fn network_with(config: DeviceConfig, application: Application) -> Network {
    let mut network = Network::new();
    network.add_requester(READER, RequesterConfig::new());
    network.add_device(DEVICE, config, application);
    network
}

#[test]
fn a_momentary_value_is_read() {
    let mut network = network(simple_application());
    let readout = network.request(READER, DEVICE, ReadoutRequest::momentary());
    network.run();
    let events = network.events(READER);
    assert!(matches!(&events[0], Event::Accepted { readout: of, queued: false } if *of == readout));
    let Event::Fields { readout: of, part } = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!(*of, readout);
    let reading = part.readings().next().unwrap().unwrap();
    assert_eq!(reading.node, NodeReference::new("1"));
    assert_eq!(reading.time, noon());
    assert_eq!(reading.field, temperature("21.50"));
    assert!(
        matches!(
            &events[2],
            Event::Ended {
                outcome: Outcome::Done,
                fields: 1,
                failures: 0,
                ..
            }
        ),
        "{events:?}"
    );
    assert_eq!(events.len(), 3);
    assert_eq!(network.requester(READER).outstanding(), 0);
    assert_eq!(network.device(DEVICE).outstanding(), 0);
}

#[test]
fn what_is_asked_arrives_as_it_was_asked() {
    let asked = ReadoutRequest::new(Categories::PEAK | Categories::HISTORICAL)
        .from(time("2026-01-01T00:00:00Z"))
        .to(time("2026-02-01T00:00:00+01:00"))
        .node(NodeReference::new("a").source("s").partition("p"))
        .node(NodeReference::new(""))
        .field("Energy")
        .field("Power & more")
        .tokens(Tokens::new().service("s1 s2").device("d").user("u"));
    let expected = asked.clone();
    let mut network = network(Box::new(move |device, event| match event {
        device::Event::Request {
            ticket,
            peer,
            request,
        } => {
            assert_eq!(peer, jid(READER));
            assert_eq!(*request, expected);
            device.accept(ticket).unwrap();
        }
        device::Event::Readout {
            ticket, request, ..
        } => {
            assert_eq!(*request, expected);
            device.done(ticket).unwrap();
        }
        event => panic!("{event:?}"),
    }));
    network.request(READER, DEVICE, asked);
    network.run();
    let events = network.events(READER);
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Done,
            ..
        })
    ));
}

#[test]
fn a_slow_device_answers_in_parts() {
    let mut network = network(Box::new(|device, event| {
        if let device::Event::Request { ticket, .. } = event {
            device.accept(ticket).unwrap();
        }
    }));
    network.request(READER, DEVICE, ReadoutRequest::momentary());
    network.run_until(at(1));
    assert_eq!(network.events(READER).len(), 1);
    let ticket = *device_tickets(&mut network).first().unwrap();
    for (second, value) in [(20, "1.0"), (70, "2.00"), (120, "3.000")] {
        network.run_until(at(second));
        let device = network.device(DEVICE);
        device
            .add_fields(ticket, &node("1"), noon(), [temperature(value)])
            .unwrap();
        network.run_until(at(second + 1));
        let events = network.events(READER);
        assert_eq!(values(&events), [format!("{value} °C")]);
    }
    network.device(DEVICE).done(ticket).unwrap();
    network.run();
    assert!(matches!(
        &network.events(READER)[..],
        [Event::Ended {
            outcome: Outcome::Done,
            fields: 3,
            ..
        }]
    ));
}

/// The tickets of a device whose application forgets them: they count from 1.
fn device_tickets(network: &mut Network) -> Vec<device::Ticket> {
    // Tickets are opaque, so a second device that is asked the same gives equal ones.
    let mut twin = device();
    for seqnr in 1..=network.device(DEVICE).outstanding() as i32 {
        twin.handle_stanza(request(seqnr, "momentary='true'", "").root(), at(0));
    }
    asked(&mut twin)
}

#[test]
fn failures_and_fields_interleave_and_both_count() {
    let mut network = network(Box::new(|device, event| match event {
        device::Event::Request { ticket, .. } => device.accept(ticket).unwrap(),
        device::Event::Readout { ticket, .. } => {
            device
                .add_fields(ticket, &node("1"), noon(), [temperature("1")])
                .unwrap();
            let failure = NodeFailure::new(node("2"), noon(), "Timeout.");
            device.fail_node(ticket, failure).unwrap();
            device
                .add_fields(ticket, &node("3"), noon(), [temperature("3")])
                .unwrap();
            device.done(ticket).unwrap();
        }
        event => panic!("{event:?}"),
    }));
    network.request(READER, DEVICE, ReadoutRequest::momentary());
    network.run();
    let events = network.events(READER);
    assert_eq!(values(&events), ["1 °C", "3 °C"]);
    let Event::Failures { failures, .. } = &events[2] else {
        panic!("{events:?}")
    };
    assert_eq!(
        failures[..],
        [NodeFailure::new(node("2"), noon(), "Timeout.")]
    );
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Failed,
            fields: 3,
            failures: 1,
            ..
        })
    ));
}

#[test]
fn a_readout_may_end_with_a_failure() {
    let mut network = network(Box::new(|device, event| match event {
        device::Event::Request { ticket, .. } => device.accept(ticket).unwrap(),
        device::Event::Readout { ticket, .. } => {
            device
                .fail_node(ticket, NodeFailure::new(node("2"), noon(), "<&>"))
                .unwrap();
            device.done(ticket).unwrap();
        }
        event => panic!("{event:?}"),
    }));
    network.request(READER, DEVICE, ReadoutRequest::momentary());
    network.run();
    let events = network.events(READER);
    assert_eq!(
        events.len(),
        3,
        "one message with the failure and the end: {events:?}"
    );
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Failed,
            ..
        })
    ));
}

#[test]
fn the_application_decides_who_may_read() {
    let mut network = network(Box::new(|device, event| {
        if let device::Event::Request { ticket, peer, .. } = event {
            if peer == jid("friend@example.org/x") {
                device.accept(ticket).unwrap();
            } else {
                let error = StanzaError::new(StanzaCondition::Forbidden).with_text("Not you.");
                device
                    .reject(ticket, error.with_kind(ErrorType::Cancel))
                    .unwrap();
            }
        }
    }));
    network.add_requester("friend@example.org/x", RequesterConfig::new());
    network.request(READER, DEVICE, ReadoutRequest::momentary());
    network.request("friend@example.org/x", DEVICE, ReadoutRequest::momentary());
    network.run_until(at(1));
    let [
        Event::Ended {
            outcome: Outcome::Rejected(error),
            ..
        },
    ] = &network.events(READER)[..]
    else {
        panic!()
    };
    assert_eq!(error.condition, StanzaCondition::Forbidden);
    assert_eq!(error.kind, ErrorType::Cancel);
    assert_eq!(error.text.as_deref(), Some("Not you."));
    let events = network.events("friend@example.org/x");
    assert!(
        matches!(&events[..], [Event::Accepted { .. }]),
        "{events:?}"
    );
}

#[test]
fn a_scheduled_readout_is_queued_and_starts_at_its_time() {
    let mut network = network(simple_application());
    network
        .device(DEVICE)
        .set_clock(time("2026-01-31T12:00:00Z"), at(0));
    // One hour later, said in another zone.
    let asked = ReadoutRequest::momentary().when(time("2026-01-31T14:00:00+01:00"));
    network.request(READER, DEVICE, asked);
    network.run_until(at(3599));
    assert!(matches!(
        &network.events(READER)[..],
        [Event::Accepted { queued: true, .. }]
    ));
    network.run_until(at(3601));
    let events = network.events(READER);
    assert!(
        matches!(
            &events[..],
            [
                Event::Started { .. },
                Event::Fields { .. },
                Event::Ended {
                    outcome: Outcome::Done,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn a_time_that_is_past_is_now() {
    let mut network = network(simple_application());
    network
        .device(DEVICE)
        .set_clock(time("2026-01-31T12:00:00Z"), at(0));
    for when in [
        "2026-01-31T11:59:59Z",
        "2026-01-31T12:00:00Z",
        "-0001-01-01T00:00:00Z",
    ] {
        network.request(READER, DEVICE, ReadoutRequest::momentary().when(time(when)));
        network.run();
        let events = network.events(READER);
        assert!(
            matches!(events[0], Event::Accepted { queued: false, .. }),
            "{when}"
        );
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, Event::Started { .. })),
            "{when}"
        );
    }
}

#[test]
fn a_time_without_a_zone_is_the_devices_own() {
    let config = DeviceConfig::new().local_offset(120);
    let mut network = network_with(config, simple_application());
    network
        .device(DEVICE)
        .set_clock(time("2026-01-31T12:00:00Z"), at(0));
    // 14:30 there is half past noon in UTC.
    network.request(
        READER,
        DEVICE,
        ReadoutRequest::momentary().when(time("2026-01-31T14:30:00")),
    );
    network.run_until(at(1799));
    assert_eq!(network.events(READER).len(), 1);
    network.run_until(at(1801));
    assert_eq!(network.events(READER).len(), 3);
}

#[test]
fn a_busy_device_queues_and_starts_in_fair_order() {
    let mut network = network_with(
        DeviceConfig::new().running(1),
        Box::new(|device, event| {
            if let device::Event::Request { ticket, .. } = event {
                device.accept(ticket).unwrap();
            }
        }),
    );
    network.add_requester("other@example.org/x", RequesterConfig::new());
    for _ in 0..3 {
        network.request(READER, DEVICE, ReadoutRequest::momentary());
    }
    network.run_until(at(1));
    network.request("other@example.org/x", DEVICE, ReadoutRequest::momentary());
    network.run_until(at(2));
    let queued: Vec<bool> = network
        .events(READER)
        .iter()
        .map(|event| matches!(event, Event::Accepted { queued: true, .. }))
        .collect();
    assert_eq!(queued, [false, true, true]);
    assert!(matches!(
        &network.events("other@example.org/x")[..],
        [Event::Accepted { queued: true, .. }]
    ));
    let tickets = device_tickets(&mut network);
    assert_eq!(network.device(DEVICE).running(), 1);
    network.device(DEVICE).done(tickets[0]).unwrap();
    network.run_until(at(3));
    assert!(matches!(
        &network.events(READER)[..],
        [Event::Ended { .. }, Event::Started { .. }] | [Event::Started { .. }, Event::Ended { .. }]
    ));
    network.device(DEVICE).done(tickets[1]).unwrap();
    network.run_until(at(4));
    network.device(DEVICE).done(tickets[2]).unwrap();
    network.run_until(at(5));
    assert!(matches!(
        &network.events("other@example.org/x")[..],
        [Event::Started { .. }]
    ));
}

#[test]
fn a_reader_with_nothing_running_goes_before_one_with_something() {
    let mut device = xmpp_iot_sensordata::device::Device::new(DeviceConfig::new().running(2));
    for seqnr in 1..=4 {
        device.handle_stanza(request(seqnr, "momentary='true'", "").root(), at(0));
    }
    device.handle_stanza(
        request_from("b@example.org/x", 1, "all='true'", "").root(),
        at(0),
    );
    let tickets = asked(&mut device);
    for ticket in &tickets {
        device.accept(*ticket).unwrap();
    }
    device_events(&mut device);
    device.done(tickets[0]).unwrap();
    device.drain();
    let started = device_events(&mut device);
    assert!(
        matches!(&started[..], [device::Event::Readout { peer, .. }] if *peer == jid("b@example.org/x")),
        "{started:?}"
    );
}

#[test]
fn a_queued_readout_is_cancelled() {
    let mut network = network(simple_application());
    network
        .device(DEVICE)
        .set_clock(time("2026-01-31T12:00:00Z"), at(0));
    let asked = ReadoutRequest::momentary().when(time("2026-02-28T12:00:00Z"));
    let readout = network.request(READER, DEVICE, asked);
    network.run_until(at(1));
    network.requester(READER).cancel(readout, at(1));
    network.run_until(at(2));
    let events = network.events(READER);
    assert!(
        matches!(
            &events[..],
            [
                Event::Accepted { .. },
                Event::Ended {
                    outcome: Outcome::Cancelled,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert_eq!(network.device(DEVICE).outstanding(), 0);
    assert_eq!(network.device(DEVICE).poll_timeout(), None);
}

#[test]
fn a_running_readout_is_cancelled() {
    let mut network = network(Box::new(|device, event| match event {
        device::Event::Request { ticket, .. } => device.accept(ticket).unwrap(),
        device::Event::Readout { ticket, .. } => {
            device
                .add_fields(ticket, &node("1"), noon(), [temperature("1")])
                .unwrap();
        }
        device::Event::Cancelled { ticket, reason } => {
            assert_eq!(reason, device::CancelReason::Reader);
            assert_eq!(device.done(ticket), Err(device::AnswerError::Over));
        }
        event => panic!("{event:?}"),
    }));
    let readout = network.request(READER, DEVICE, ReadoutRequest::momentary());
    network.run_until(at(1));
    network.requester(READER).cancel(readout, at(1));
    network.run();
    let events = network.events(READER);
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Cancelled,
            fields: 1,
            ..
        })
    ));
    assert_eq!(network.device(DEVICE).running(), 0);
}

#[test]
fn the_same_number_from_several_readers_is_several_readouts() {
    let mut network = network(Box::new(|device, event| match event {
        device::Event::Request { ticket, .. } => device.accept(ticket).unwrap(),
        device::Event::Readout { ticket, peer, .. } => {
            let own = Field::string("Reader", peer.to_string()).categories(Categories::MOMENTARY);
            device
                .add_fields(ticket, &node("1"), noon(), [own])
                .unwrap();
            device.done(ticket).unwrap();
        }
        event => panic!("{event:?}"),
    }));
    // Two resources of one account are two readers as well.
    let readers = [
        READER,
        "reader@example.org/phone",
        "b@example.net/x",
        "c@example.com/y",
    ];
    for reader in &readers[1..] {
        network.add_requester(reader, RequesterConfig::new());
    }
    for reader in readers {
        let readout = network.request(reader, DEVICE, ReadoutRequest::momentary());
        assert_eq!(network.requester(reader).seqnr(readout), Some(1));
    }
    network.run();
    for reader in readers {
        let events = network.events(reader);
        assert_eq!(values(&events), [reader], "{events:?}");
        assert!(matches!(
            events.last(),
            Some(Event::Ended {
                outcome: Outcome::Done,
                ..
            })
        ));
    }
}

#[test]
fn one_reader_reads_many_devices_at_once() {
    let mut network = Network::new();
    network.add_requester(READER, RequesterConfig::new());
    let mut readouts = Vec::new();
    for number in 0..50 {
        let address = format!("meter{number}@example.org/x");
        network.add_device(
            &address,
            DeviceConfig::new(),
            Box::new(move |device, event| match event {
                device::Event::Request { ticket, .. } => device.accept(ticket).unwrap(),
                device::Event::Readout { ticket, .. } => {
                    let own = Field::int("Number", number).categories(Categories::IDENTITY);
                    device
                        .add_fields(ticket, &node("1"), noon(), [own])
                        .unwrap();
                    device.done(ticket).unwrap();
                }
                event => panic!("{event:?}"),
            }),
        );
        let asked = ReadoutRequest::new(Categories::IDENTITY);
        readouts.push((network.request(READER, &address, asked), number));
    }
    network.weather = Box::new(|count| Some(Duration::from_millis(count * 7919 % 1000)));
    network.run();
    let events = network.events(READER);
    for (readout, number) in readouts {
        let own: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Fields { readout: of, part } if *of == readout => Some(part),
                _ => None,
            })
            .flat_map(|part| part.readings())
            .map(|reading| reading.unwrap().field.value.to_string())
            .collect();
        assert_eq!(own, [number.to_string()]);
    }
}

#[test]
fn history_stays_inside_the_interval_on_both_sides() {
    let history: Vec<_> = (0..24)
        .map(|hour| time(&format!("2026-01-31T{hour:02}:00:00Z")))
        .collect();
    let mut network = network(Box::new(move |device, event| match event {
        device::Event::Request { ticket, .. } => device.accept(ticket).unwrap(),
        device::Event::Readout { ticket, .. } => {
            for time in &history {
                let value = Field::int("Hour", i32::from(time.civil().hour));
                let value = value.categories(Categories::HISTORICAL_HOUR);
                device
                    .add_fields(ticket, &node("1"), *time, [value])
                    .unwrap();
            }
            device.done(ticket).unwrap();
        }
        event => panic!("{event:?}"),
    }));
    let asked = ReadoutRequest::new(Categories::HISTORICAL)
        .from(time("2026-01-31T03:00:00Z"))
        .to(time("2026-01-31T06:00:00Z"));
    network.request(READER, DEVICE, asked);
    network.run();
    let events = network.events(READER);
    assert_eq!(values(&events), ["3", "4", "5", "6"]);
    assert!(
        matches!(events.last(), Some(Event::Ended { fields: 4, .. })),
        "the device left the others out: {events:?}"
    );

    let upside_down = ReadoutRequest::new(Categories::HISTORICAL)
        .from(time("2026-01-31T06:00:00Z"))
        .to(time("2026-01-31T03:00:00Z"));
    network.request(READER, DEVICE, upside_down);
    network.run();
    let events = network.events(READER);
    assert!(
        matches!(
            events.last(),
            Some(Event::Ended {
                outcome: Outcome::Done,
                fields: 0,
                ..
            })
        ),
        "{events:?}"
    );
}

#[test]
fn a_request_for_no_category_brings_nothing_and_ends() {
    let mut network = network(simple_application());
    network.request(READER, DEVICE, ReadoutRequest::new(Categories::NONE));
    network.run();
    let events = network.events(READER);
    assert!(
        matches!(
            &events[..],
            [
                Event::Accepted { .. },
                Event::Ended {
                    outcome: Outcome::Done,
                    fields: 0,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn a_separate_done_ends_a_readout_just_as_well() {
    let mut network = network_with(
        DeviceConfig::new().separate_done(true),
        simple_application(),
    );
    network.request(READER, DEVICE, ReadoutRequest::momentary());
    network.run();
    let events = network.events(READER);
    assert_eq!(values(&events), ["21.50 °C"]);
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Done,
            ..
        })
    ));
}
