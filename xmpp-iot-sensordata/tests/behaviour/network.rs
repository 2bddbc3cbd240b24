//! A simulated network that loses, delays and reorders stanzas, and on which devices vanish.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::*;
use xmpp_iot_sensordata::device::{self, DeviceConfig};
use xmpp_iot_sensordata::model::{NodeFailure, ReadoutRequest};
use xmpp_iot_sensordata::requester::{Event, Outcome, ReadoutId, RequesterConfig};

/// A small generator, so that a failing run can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// An application that answers in some of many ways, and sometimes not at all.
fn moody(seed: u64) -> Application {
    let mut dice = Dice(seed);
    Box::new(move |device, event| match event {
        device::Event::Request { ticket, .. } => match dice.roll(10) {
            0 => {}
            1 => {
                let error = xmpp_core::error::StanzaCondition::Forbidden.into();
                device.reject(ticket, error).unwrap();
            }
            _ => device.accept(ticket).unwrap(),
        },
        device::Event::Readout { ticket, .. } => {
            for _ in 0..dice.roll(5) {
                let fields: Vec<_> = (0..dice.roll(30)).map(|_| temperature("1")).collect();
                device
                    .add_fields(ticket, &node("1"), noon(), fields)
                    .unwrap();
            }
            if dice.roll(4) == 0 {
                let failure = NodeFailure::new(node("2"), None, "Broken.");
                device.fail_node(ticket, failure).unwrap();
            }
            if dice.roll(10) != 0 {
                device.done(ticket).unwrap();
            }
        }
        _ => {}
    })
}

fn ends(events: Vec<Event>) -> BTreeMap<ReadoutId, Vec<Outcome>> {
    let mut ends: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Ended {
                readout, outcome, ..
            } => ends.entry(readout).or_default().push(outcome),
            Event::Accepted { readout, .. }
            | Event::Started { readout }
            | Event::Fields { readout, .. }
            | Event::Failures { readout, .. } => {
                assert!(!ends.contains_key(&readout), "nothing comes behind the end");
            }
            event => panic!("{event:?}"),
        }
    }
    ends
}

#[test]
fn every_readout_ends_exactly_once_whatever_the_network_does() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let mut network = Network::new();
        let mut weather = Dice(seed + 1000);
        network.weather = Box::new(move |_| {
            let delay = Duration::from_millis(10 * weather.roll(2_000));
            (weather.roll(20) != 0).then_some(delay)
        });
        let readers: Vec<_> = (0..4)
            .map(|number| format!("reader{number}@example.org/x"))
            .collect();
        let devices: Vec<_> = (0..10)
            .map(|number| format!("device{number}@example.org/x"))
            .collect();
        for reader in &readers {
            network.add_requester(reader, RequesterConfig::new());
        }
        for device in &devices {
            let config = DeviceConfig::new().running(2).message_bytes(1000);
            network.add_device(device, config, moody(dice.roll(u64::MAX)));
        }
        let mut asked = BTreeMap::new();
        for round in 0..20 {
            network.run_until(at(round * 3));
            for reader in &readers {
                let device = &devices[dice.roll(10) as usize];
                let readout = network.request(reader, device, ReadoutRequest::all());
                asked
                    .entry(reader.clone())
                    .or_insert_with(Vec::new)
                    .push(readout);
                if dice.roll(5) == 0 {
                    let now = network.now;
                    network.requester(reader).cancel(readout, now);
                }
            }
            if dice.roll(4) == 0 {
                // A device is cut off without a word: its stanzas go nowhere.
                let gone = &devices[dice.roll(10) as usize];
                network.hosts.remove(&jid(gone));
            }
        }
        network.run();
        for (reader, readouts) in asked {
            let ends = ends(network.events(&reader));
            assert_eq!(ends.len(), readouts.len(), "seed {seed}");
            for readout in readouts {
                assert_eq!(ends[&readout].len(), 1, "seed {seed}");
            }
            assert_eq!(network.requester(&reader).outstanding(), 0);
        }
        for device in devices {
            if network.hosts.contains_key(&jid(&device)) {
                assert_eq!(network.device(&device).outstanding(), 0, "seed {seed}");
                assert_eq!(network.device(&device).running(), 0, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_thousand_devices_are_read_over_a_bad_network() {
    let mut network = Network::new();
    network.add_requester(READER, RequesterConfig::new().outstanding(1000));
    let mut weather = Dice(7);
    network.weather = Box::new(move |_| {
        // In steps, so that the simulation has fewer of them.
        let delay = Duration::from_millis(100 * weather.roll(50));
        (weather.roll(50) != 0).then_some(delay)
    });
    let mut readouts = Vec::new();
    for number in 0..1000 {
        let device = format!("device{number}@example.org/x");
        network.add_device(&device, DeviceConfig::new(), simple_application());
        readouts.push(network.request(READER, &device, ReadoutRequest::momentary()));
    }
    network.run();
    let ends = ends(network.events(READER));
    assert_eq!(ends.len(), 1000);
    let done = ends
        .values()
        .flatten()
        .filter(|outcome| matches!(outcome, Outcome::Done))
        .count();
    let lost = ends
        .values()
        .flatten()
        .filter(|outcome| matches!(outcome, Outcome::TimedOut))
        .count();
    assert_eq!(done + lost, 1000);
    assert!((900..1000).contains(&done), "{done}");
}
