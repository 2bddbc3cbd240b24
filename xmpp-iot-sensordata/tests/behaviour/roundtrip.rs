//! Whatever the model can say is written and read back as the same.

use proptest::prelude::*;
use xmpp_iot_sensordata::model::{
    Categories, Date, Decimal, Field, NodeFailure, NodeReference, Quality, ReadoutRequest, Step,
    StringIds, Time, Tokens, Value,
};
use xmpp_iot_sensordata::payload::{Failure, Fields, NodeError, NodeFields, Request, Sample};
use xmpp_xml::value::{DateTime, Duration};
use xmpp_xml::{Element, ToXml};

/// Any text that XML can hold.
fn text() -> impl Strategy<Value = String> {
    let any = prop::collection::vec(any::<char>(), 0..12);
    let awkward = prop::collection::vec(
        prop::sample::select(vec!['<', '&', '\'', '"', '\n', '\r', '\t', ' ', ']', '>']),
        0..6,
    );
    prop_oneof![any, awkward].prop_map(|characters| {
        let is_written = |each: &char| {
            matches!(each, '\t' | '\n' | '\r')
                || (*each >= ' ' && !matches!(each, '\u{FFFE}' | '\u{FFFF}'))
        };
        characters.into_iter().filter(is_written).collect()
    })
}

fn date_time() -> impl Strategy<Value = DateTime> {
    let zone = prop::option::of(-840i32..=840);
    (
        -60_000_000_000i64..250_000_000_000,
        0u32..1_000_000_000,
        zone,
    )
        .prop_filter_map("within the years", |(seconds, nanoseconds, zone)| {
            let mut civil = DateTime::from_unix(seconds, nanoseconds).ok()?.civil();
            civil.offset = zone.map(|minutes| minutes as i16);
            DateTime::from_civil(civil).ok()
        })
}

fn categories() -> impl Strategy<Value = Categories> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(&Categories::EACH[..]), 0..14)
            .prop_map(|each| each.into_iter().collect()),
        Just(Categories::ALL),
        Just(Categories::HISTORICAL),
        Just(Categories::HISTORICAL | Categories::PEAK),
    ]
}

fn quality() -> impl Strategy<Value = Quality> {
    prop::collection::vec(prop::sample::select(&Quality::EACH[..]), 0..14)
        .prop_map(|each| each.into_iter().collect())
}

fn node() -> impl Strategy<Value = NodeReference<'static>> {
    (text(), prop::option::of(text()), prop::option::of(text())).prop_map(
        |(id, source, partition)| {
            let mut node = NodeReference::new(id);
            node.source = source.map(Into::into);
            node.partition = partition.map(Into::into);
            node
        },
    )
}

fn offset() -> impl Strategy<Value = Option<i16>> {
    prop::option::of(-840i16..=840)
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let decimal = prop_oneof![
        (any::<i64>(), 0u8..25)
            .prop_map(|(unscaled, decimals)| Decimal::from_scaled(unscaled, decimals)),
        (any::<f64>(), 0u8..20).prop_map(|(number, decimals)| Decimal::from_f64(number, decimals)),
    ];
    let date = (-9999i32..=9999, 1u8..=12, 1u8..=28, offset())
        .prop_filter_map("a date", |(y, m, d, z)| Date::new(y, m, d, z).ok());
    let time = (0u8..24, 0u8..60, 0u8..60, 0u32..1_000_000_000, offset())
        .prop_filter_map("a time", |(h, m, s, n, z)| Time::new(h, m, s, n, z).ok());
    let duration = (
        any::<bool>(),
        any::<u32>(),
        any::<u32>(),
        0u32..1_000_000_000,
    )
        .prop_map(|(negative, months, seconds, nanoseconds)| {
            let time = std::time::Duration::new(seconds.into(), nanoseconds);
            let duration = Duration::new(months.into(), time);
            if negative {
                duration.negated()
            } else {
                duration
            }
        });
    prop_oneof![
        (decimal, text()).prop_map(|(number, unit)| Value::Numeric {
            number,
            unit: unit.into()
        }),
        text().prop_map(|text| Value::String(text.into())),
        any::<bool>().prop_map(Value::Boolean),
        (text(), text()).prop_map(|(value, data_type)| Value::Enumeration {
            value: value.into(),
            data_type: data_type.into()
        }),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        date.prop_map(Value::Date),
        time.prop_map(Value::Time),
        date_time().prop_map(Value::DateTime),
        duration.prop_map(Value::Duration),
    ]
}

fn string_ids() -> impl Strategy<Value = StringIds<'static>> {
    let step = (
        "[0-9]{1,4}",
        prop_oneof![Just(String::new()), "[a-z_]{1,3}(\\.[a-z]{1,3})?"],
        text(),
    );
    prop::collection::vec(step, 1..4).prop_filter_map("steps", |steps| {
        let steps: Vec<_> = steps
            .iter()
            .map(|(id, module, seed)| Step::new(id).module(module).seed(seed))
            .collect();
        StringIds::new(steps).ok()
    })
}

fn field() -> impl Strategy<Value = Field<'static>> {
    let rest = (
        prop::option::of(any::<bool>()),
        prop::option::of(text()),
        prop::option::of(string_ids()),
    );
    (text(), value(), categories(), quality(), rest).prop_map(
        |(name, value, categories, quality, (writable, module, ids))| {
            let mut field = Field::new(name, value)
                .categories(categories)
                .quality(quality);
            field.writable = writable;
            field.module = module.map(Into::into);
            field.string_ids = ids;
            field
        },
    )
}

fn fields() -> impl Strategy<Value = Fields<'static>> {
    let sample = (date_time(), prop::collection::vec(field(), 0..4))
        .prop_map(|(time, fields)| Sample { time, fields });
    let node = (node(), prop::collection::vec(sample, 0..3))
        .prop_map(|(node, samples)| NodeFields { node, samples });
    (
        any::<i32>(),
        any::<bool>(),
        prop::collection::vec(node, 0..3),
    )
        .prop_map(|(seqnr, done, nodes)| Fields { seqnr, done, nodes })
}

fn request() -> impl Strategy<Value = Request> {
    let times = (
        prop::option::of(date_time()),
        prop::option::of(date_time()),
        prop::option::of(date_time()),
    );
    let tokens = (
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(text()),
    );
    let lists = (
        prop::collection::vec(node(), 0..4),
        prop::collection::vec(text(), 0..4),
    );
    (any::<i32>(), categories(), times, tokens, lists).prop_map(
        |(seqnr, categories, (from, to, when), (service, device, user), (nodes, fields))| {
            let mut readout = ReadoutRequest::new(categories);
            readout.from = from;
            readout.to = to;
            readout.when = when;
            readout.nodes = nodes;
            readout.fields = fields;
            let mut tokens = Tokens::new();
            tokens.service = service;
            tokens.device = device;
            tokens.user = user;
            readout.tokens = tokens;
            Request { seqnr, readout }
        },
    )
}

proptest! {
    #[test]
    fn any_data_is_read_as_it_was_written(fields in fields()) {
        let element = Element::build(|writer| fields.to_xml(writer)).unwrap();
        let read: Fields<'_> = element.root().read().unwrap();
        prop_assert_eq!(read, fields);
    }

    #[test]
    fn any_request_is_read_as_it_was_written(request in request()) {
        let element = Element::build(|writer| request.to_xml(writer)).unwrap();
        let read: Request = element.root().read().unwrap();
        prop_assert_eq!(read, request);
    }

    #[test]
    fn any_failure_is_read_as_it_was_written(
        seqnr in any::<i32>(),
        done in any::<bool>(),
        failures in prop::collection::vec((node(), prop::option::of(date_time()), text()), 0..4),
    ) {
        let failures: Vec<_> = failures
            .into_iter()
            .map(|(node, time, text)| NodeFailure::new(node, time, text))
            .collect();
        let errors = failures.iter().cloned().map(NodeError::from).collect();
        let written = Failure { seqnr, done, errors };
        let element = Element::build(|writer| written.to_xml(writer)).unwrap();
        let read: Failure<'_> = element.root().read().unwrap();
        prop_assert_eq!((read.seqnr, read.done), (seqnr, done));
        let read: Vec<_> = read.errors.into_iter().map(NodeFailure::from).collect();
        prop_assert_eq!(read, failures);
    }
}
