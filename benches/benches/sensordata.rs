//! A readout of 500 fields, written and read: ours beside minidom with a conversion by hand, and the bare parser.
//!
//! The issue asks for five times the speed of minidom in both directions, and for half the speed of the bare parser
//! on the same bytes in reading.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xmpp_iot_sensordata::model::{Categories, Decimal, Field, NodeReference, Quality, Value};
use xmpp_iot_sensordata::payload::{Fields, FieldsRef, NodeFields, Sample};
use xmpp_xml::value::DateTime;
use xmpp_xml::{Limits, Scratch, ToXml, Writer};

criterion_group!(benches, decode, encode);
criterion_main!(benches);

const NAMESPACE: &str = "urn:xmpp:iot:sensordata";
const FIELDS: usize = 500;

/// Fifty samples of ten fields, as a meter that keeps a history by the minute sends them.
fn readout() -> Fields<'static> {
    let samples = (0..FIELDS / 10).map(|minute| {
        let time = DateTime::from_unix(1_769_860_800 + minute as i64 * 60, 0).unwrap();
        let fields = (0..10)
            .map(|index| {
                let number = (minute * 977 + index * 131) as i64;
                match index {
                    0 => Field::boolean("Valve open", minute % 2 == 0),
                    1 => Field::string("State", "All is well & quiet"),
                    2 => Field::int("Count", number as i32),
                    _ => Field::numeric(
                        format!("Temperature {index}"),
                        Decimal::from_scaled(number, 2),
                        "°C",
                    ),
                }
                .categories(Categories::HISTORICAL_MINUTE)
                .quality(Quality::AUTOMATIC_READOUT)
            })
            .collect();
        Sample { time, fields }
    });
    let node = NodeFields {
        node: NodeReference::new("meter-7"),
        samples: samples.collect(),
    };
    Fields {
        seqnr: 4711,
        done: true,
        nodes: vec![node],
    }
}

fn xml() -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    readout().to_xml(&mut writer);
    writer.finish().unwrap();
    out
}

fn decode(criterion: &mut Criterion) {
    let xml = xml();
    let text = std::str::from_utf8(&xml).unwrap();
    assert_eq!(by_hand::read(text), by_hand::Readout::from(readout()));
    let mut group = criterion.benchmark_group("sensordata/decode-500");
    group.throughput(Throughput::Bytes(xml.len() as u64));
    let limits = Limits::default();
    let mut scratch = Scratch::new();
    group.bench_function("bare parser", |bencher| {
        bencher.iter(|| {
            scratch
                .document(black_box(&xml), &limits)
                .unwrap()
                .name()
                .len()
        });
    });
    group.bench_function("walk", |bencher| {
        bencher.iter(|| {
            let element = scratch.document(black_box(&xml), &limits).unwrap();
            let fields: FieldsRef<'_> = element.read().unwrap();
            let sum: f64 = fields
                .readings()
                .filter_map(|reading| reading.unwrap().field.value.to_f64())
                .sum();
            sum
        });
    });
    group.bench_function("collect", |bencher| {
        bencher.iter(|| {
            let element = scratch.document(black_box(&xml), &limits).unwrap();
            element.read::<Fields<'_>>().unwrap().nodes.len()
        });
    });
    group.bench_function("collect, owned", |bencher| {
        bencher.iter(|| {
            let element = scratch.document(black_box(&xml), &limits).unwrap();
            let fields: FieldsRef<'_> = element.read().unwrap();
            let readings = fields
                .readings()
                .map(|reading| reading.unwrap().into_owned());
            readings.collect::<Vec<_>>()
        });
    });
    group.bench_function("minidom", |bencher| {
        bencher.iter(|| by_hand::read(black_box(text)));
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let readout = readout();
    let peer = by_hand::Readout::from(readout.clone());
    let mut out = Vec::new();
    let mut group = criterion.benchmark_group("sensordata/encode-500");
    group.throughput(Throughput::Bytes(xml().len() as u64));
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            out.clear();
            let mut writer = Writer::new(&mut out);
            black_box(&readout).to_xml(&mut writer);
            writer.finish().unwrap();
            out.len()
        });
    });
    let mut out = Vec::new();
    group.bench_function("minidom", |bencher| {
        bencher.iter(|| {
            out.clear();
            by_hand::write(black_box(&peer), &mut out);
            out.len()
        });
    });
    group.finish();
}

/// The same data as one would write it for minidom: a tree, and a conversion by hand.
mod by_hand {
    use std::sync::LazyLock;

    use minidom::Element;
    use minidom::rxml::NcName;
    use xmpp_iot_sensordata::payload;

    use super::{Categories, FIELDS, NAMESPACE, Quality, Value};

    #[derive(Debug, PartialEq)]
    pub(super) struct Readout {
        seqnr: i32,
        done: bool,
        fields: Vec<Field>,
    }

    #[derive(Debug, PartialEq)]
    struct Field {
        node: String,
        time: String,
        name: String,
        value: Measured,
        historical_minute: bool,
        automatic_readout: bool,
    }

    #[derive(Debug, PartialEq)]
    enum Measured {
        Boolean(bool),
        String(String),
        Int(i32),
        Numeric(String, String),
    }

    pub(super) fn read(xml: &str) -> Readout {
        let root: Element = xml.parse().unwrap();
        assert!(root.is("fields", NAMESPACE));
        let mut fields = Vec::with_capacity(FIELDS);
        for node in root.children().filter(|child| child.is("node", NAMESPACE)) {
            for sample in node
                .children()
                .filter(|child| child.is("timestamp", NAMESPACE))
            {
                for field in sample.children() {
                    let text = |name: &str| field.attr(name).unwrap().to_owned();
                    let value = match field.name() {
                        "boolean" => Measured::Boolean(text("value") == "true"),
                        "string" => Measured::String(text("value")),
                        "int" => Measured::Int(text("value").parse().unwrap()),
                        "numeric" => Measured::Numeric(text("value"), text("unit")),
                        name => panic!("{name}"),
                    };
                    fields.push(Field {
                        node: node.attr("nodeId").unwrap().to_owned(),
                        time: sample.attr("value").unwrap().to_owned(),
                        name: text("name"),
                        value,
                        historical_minute: field.attr("historicalMinute") == Some("true"),
                        automatic_readout: field.attr("automaticReadout") == Some("true"),
                    });
                }
            }
        }
        Readout {
            seqnr: root.attr("seqnr").unwrap().parse().unwrap(),
            done: root.attr("done") == Some("true"),
            fields,
        }
    }

    /// Names that minidom wants checked, checked once.
    struct Names {
        node_id: NcName,
        value: NcName,
        name: NcName,
        historical_minute: NcName,
        automatic_readout: NcName,
        unit: NcName,
        seqnr: NcName,
        done: NcName,
    }

    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        let name = |text: &str| NcName::try_from(text).unwrap();
        Names {
            node_id: name("nodeId"),
            value: name("value"),
            name: name("name"),
            historical_minute: name("historicalMinute"),
            automatic_readout: name("automaticReadout"),
            unit: name("unit"),
            seqnr: name("seqnr"),
            done: name("done"),
        }
    });

    pub(super) fn write(readout: &Readout, out: &mut Vec<u8>) {
        let names = &*NAMES;
        let name = NcName::clone;
        let mut node = Element::builder("node", NAMESPACE);
        if let Some(first) = readout.fields.first() {
            node = node.attr(name(&names.node_id), first.node.clone());
        }
        for sample in readout
            .fields
            .chunk_by(|left, right| left.time == right.time)
        {
            let mut timestamp = Element::builder("timestamp", NAMESPACE);
            if let Some(first) = sample.first() {
                timestamp = timestamp.attr(name(&names.value), first.time.clone());
            }
            for field in sample {
                let (kind, value, unit) = match &field.value {
                    Measured::Boolean(value) => ("boolean", value.to_string(), None),
                    Measured::String(text) => ("string", text.clone(), None),
                    Measured::Int(value) => ("int", value.to_string(), None),
                    Measured::Numeric(value, unit) => {
                        ("numeric", value.clone(), Some(unit.clone()))
                    }
                };
                let element = Element::builder(kind, NAMESPACE)
                    .attr(name(&names.name), field.name.clone())
                    .attr(
                        name(&names.historical_minute),
                        field.historical_minute.then_some("true"),
                    )
                    .attr(
                        name(&names.automatic_readout),
                        field.automatic_readout.then_some("true"),
                    )
                    .attr(name(&names.value), value)
                    .attr(name(&names.unit), unit);
                timestamp = timestamp.append(element);
            }
            node = node.append(timestamp);
        }
        let root = Element::builder("fields", NAMESPACE)
            .attr(name(&names.seqnr), readout.seqnr.to_string())
            .attr(name(&names.done), readout.done.then_some("true"))
            .append(node)
            .build();
        root.write_to(out).unwrap();
    }

    impl From<payload::Fields<'_>> for Readout {
        fn from(fields: payload::Fields<'_>) -> Self {
            let mut all = Vec::new();
            for node in &fields.nodes {
                for sample in &node.samples {
                    for field in &sample.fields {
                        let value = match &field.value {
                            Value::Boolean(value) => Measured::Boolean(*value),
                            Value::String(text) => Measured::String(text.to_string()),
                            Value::Int(value) => Measured::Int(*value),
                            Value::Numeric { number, unit } => {
                                Measured::Numeric(number.to_string(), unit.to_string())
                            }
                            value => panic!("{value}"),
                        };
                        all.push(Field {
                            node: node.node.id.to_string(),
                            time: sample.time.to_string(),
                            name: field.name.to_string(),
                            value,
                            historical_minute: field
                                .categories
                                .contains(Categories::HISTORICAL_MINUTE),
                            automatic_readout: field.quality.contains(Quality::AUTOMATIC_READOUT),
                        });
                    }
                }
            }
            Self {
                seqnr: fields.seqnr,
                done: fields.done,
                fields: all,
            }
        }
    }
}
