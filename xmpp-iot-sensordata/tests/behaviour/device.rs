//! The device against readers that are wrong or hostile, and an application that is.

use std::time::Duration;

use crate::common::*;
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::time::Instant;
use xmpp_iot_sensordata::device::{
    AnswerError, CancelReason, Device, DeviceConfig, Event, Nodes, Ticket,
};
use xmpp_iot_sensordata::model::{
    Categories, Field, NodeFailure, NodeReference, Quality, ReadoutRequest,
};
use xmpp_iot_sensordata::payload::FieldsRef;
use xmpp_xml::Element;

fn device_with(config: DeviceConfig) -> Device {
    Device::new(config.address(jid(DEVICE)))
}

/// The answer of the device to a request.
fn answer(device: &mut Device, request: &Element) -> Element {
    assert!(device.handle_stanza(request.root(), at(0)));
    device.sent()
}

fn refused(device: &mut Device, request: &Element) -> (String, String) {
    let answer = answer(device, request);
    assert_eq!(
        answer.root().attribute("id"),
        request.root().attribute("id")
    );
    assert_eq!(
        answer.root().attribute("to"),
        request.root().attribute("from")
    );
    assert!(device_events(device).is_empty());
    refusal(&answer)
}

fn bad_request() -> (String, String) {
    ("modify".into(), "bad-request".into())
}

/// A device that reads for the reader, under the number 1.
fn reading() -> (Device, Ticket) {
    reading_with(DeviceConfig::new())
}

fn reading_with(config: DeviceConfig) -> (Device, Ticket) {
    let mut device = device_with(config);
    device.handle_stanza(request(1, "all='true'", "").root(), at(0));
    let ticket = asked(&mut device)[0];
    begun(&mut device, ticket);
    assert_eq!(
        payload(&device.sent()),
        "<accepted xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>"
    );
    (device, ticket)
}

#[test]
fn a_request_is_answered_to_whom_it_came_from() {
    let mut device = device();
    device.handle_stanza(request(-7, "all='true'", "").root(), at(0));
    let ticket = asked(&mut device)[0];
    device.accept(ticket).unwrap();
    device
        .add_fields(ticket, &node("1"), noon(), [temperature("1")])
        .unwrap();
    device.done(ticket).unwrap();
    let sent = device.drain();
    let expected = [
        stanza(&format!(
            "<iq type='result' id='r-7' from='{DEVICE}' to='{READER}'>\
             <accepted xmlns='urn:xmpp:iot:sensordata' seqnr='-7'/></iq>"
        )),
        stanza(&format!(
            "<message from='{DEVICE}' to='{READER}'>\
             <fields xmlns='urn:xmpp:iot:sensordata' seqnr='-7' done='true'><node nodeId='1'>\
             <timestamp value='2026-01-31T12:00:00Z'><numeric name='Temperature' momentary='true' \
             automaticReadout='true' value='1' unit='°C'/></timestamp></node></fields></message>"
        )),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn a_malformed_request_is_refused() {
    let wrong = [
        ("<req/>", "no number"),
        ("<req seqnr=''/>", "no number"),
        ("<req seqnr='one'/>", "no number"),
        ("<req seqnr='2147483648'/>", "beyond 32 bits"),
        ("<req seqnr='1' momentary='yes'/>", "no boolean"),
        ("<req seqnr='1' all='TRUE'/>", "no boolean"),
        ("<req seqnr='1' historical=''/>", "no boolean"),
        ("<req seqnr='1' historicalDay='2'/>", "no boolean"),
        ("<req seqnr='1' from='yesterday'/>", "no time"),
        ("<req seqnr='1' to='2026-01-31'/>", "no time"),
        (
            "<req seqnr='1' when='2026-02-30T12:00:00Z'/>",
            "no such day",
        ),
        ("<req seqnr='1'><node/></req>", "no node id"),
        ("<req seqnr='1'><field/></req>", "no name"),
        ("<cancel/>", "no number"),
        ("<cancel seqnr='x'/>", "no number"),
    ];
    for (content, why) in wrong {
        let mut device = device();
        let content = ours(content);
        let request = stanza(&format!(
            "<iq type='get' id='r1' from='{READER}'>{content}</iq>"
        ));
        assert_eq!(
            refused(&mut device, &request),
            bad_request(),
            "{why}: {request}"
        );
        assert_eq!(device.outstanding(), 0);
    }
}

#[test]
fn a_request_is_read_leniently_where_that_does_no_harm() {
    let mut device = device();
    let lenient = request(
        1,
        "identification='1' momentary=' true ' peak='0' unknown='x' y:z='1' xmlns:y='urn:example'",
        "<field name='B'/><node nodeId='1'/><x xmlns='urn:example'/><field name='A'/><node nodeId='2'/>",
    );
    assert!(device.handle_stanza(lenient.root(), at(0)));
    let events = device_events(&mut device);
    let [Event::Request { request, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        request.categories,
        Categories::IDENTITY | Categories::MOMENTARY
    );
    assert_eq!(request.fields, ["B", "A"]);
    assert_eq!(request.nodes, [node("1"), node("2")]);
}

#[test]
fn every_category_can_be_asked_for() {
    let names = [
        ("momentary", Categories::MOMENTARY),
        ("peak", Categories::PEAK),
        ("status", Categories::STATUS),
        ("computed", Categories::COMPUTED),
        ("identity", Categories::IDENTITY),
        ("historicalSecond", Categories::HISTORICAL_SECOND),
        ("historicalMinute", Categories::HISTORICAL_MINUTE),
        ("historicalHour", Categories::HISTORICAL_HOUR),
        ("historicalDay", Categories::HISTORICAL_DAY),
        ("historicalWeek", Categories::HISTORICAL_WEEK),
        ("historicalMonth", Categories::HISTORICAL_MONTH),
        ("historicalQuarter", Categories::HISTORICAL_QUARTER),
        ("historicalYear", Categories::HISTORICAL_YEAR),
        ("historicalOther", Categories::HISTORICAL_OTHER),
        ("historical", Categories::HISTORICAL),
        ("all", Categories::ALL),
    ];
    for (name, categories) in names {
        let mut device = device();
        device.handle_stanza(request(1, &format!("{name}='true'"), "").root(), at(0));
        let events = device_events(&mut device);
        let [Event::Request { request, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(request.categories, categories, "{name}");
        let bad = self::request(2, &format!("{name}='yes'"), "");
        assert_eq!(refused(&mut device, &bad), bad_request(), "{name}");
    }
}

#[test]
fn a_number_that_is_under_way_is_refused_and_is_free_afterwards() {
    let (mut device, ticket) = reading();
    assert_eq!(
        refused(&mut device, &request(1, "all='true'", "")),
        bad_request()
    );
    device.done(ticket).unwrap();
    device.drain();
    device.handle_stanza(request(1, "all='true'", "").root(), at(0));
    assert_eq!(asked(&mut device).len(), 1);
}

#[test]
fn commands_come_with_get() {
    let mut device = device();
    for content in [
        "<req xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>",
        "<cancel xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>",
    ] {
        let set = stanza(&format!(
            "<iq type='set' id='r1' from='{READER}'>{content}</iq>"
        ));
        assert_eq!(refused(&mut device, &set), bad_request());
    }
}

#[test]
fn a_command_that_is_not_known_is_answered() {
    let mut device = device();
    let unknown = stanza(&format!(
        "<iq type='get' id='r1' from='{READER}'><sing xmlns='urn:xmpp:iot:sensordata'/></iq>"
    ));
    let expected = ("cancel".into(), "feature-not-implemented".into());
    assert_eq!(refused(&mut device, &unknown), expected);
}

#[test]
fn stanzas_of_others_are_left_to_them() {
    let (mut device, _) = reading();
    for other in [
        "<iq type='get' id='1' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1' from='a@b/c'><req xmlns='urn:nf:iot:sd:1.0' id='1'/></iq>",
        "<iq type='result' id='1' from='a@b/c'><accepted xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></iq>",
        "<message from='a@b/c'><fields xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></message>",
        "<message type='error' from='a@b/c'/>",
        "<presence from='reader@example.org/desk'/>",
    ] {
        assert!(
            !device.handle_stanza(stanza(other).root(), at(0)),
            "{other}"
        );
    }
    assert!(device.drain().is_empty());
    assert_eq!(device.running(), 1);
}

#[test]
fn a_sender_without_address_is_refused() {
    let mut device = device();
    for sender in ["", "from='@'"] {
        let request = stanza(&format!(
            "<iq type='get' id='r1' {sender}><req xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></iq>"
        ));
        let answer = answer(&mut device, &request);
        assert_eq!(refusal(&answer), bad_request());
        assert_eq!(answer.root().attribute("to"), None);
    }
}

#[test]
fn a_device_of_one_node_refuses_others() {
    let own = NodeReference::new("own").source("here");
    let mut device = device_with(DeviceConfig::new().nodes(Nodes::Single(own)));
    let expected = ("cancel".into(), "item-not-found".into());
    for nodes in [
        "<node nodeId='other'/>",
        "<node nodeId='own'/><node nodeId='other'/>",
        "<node nodeId='own' sourceId='there'/>",
        "<node nodeId='own' cacheType='x'/>",
    ] {
        assert_eq!(
            refused(&mut device, &request(1, "all='true'", nodes)),
            expected,
            "{nodes}"
        );
    }
    for (seqnr, nodes) in [
        (1, ""),
        (2, "<node nodeId='own'/>"),
        (3, "<node nodeId='own' sourceId='here'/>"),
    ] {
        device.handle_stanza(request(seqnr, "all='true'", nodes).root(), at(0));
        assert_eq!(asked(&mut device).len(), 1, "{nodes}");
    }
}

#[test]
fn a_concentrator_wants_to_know_the_nodes() {
    let mut device = device_with(DeviceConfig::new().nodes(Nodes::Required));
    assert_eq!(
        refused(&mut device, &request(1, "all='true'", "")),
        bad_request()
    );
    device.handle_stanza(
        request(2, "all='true'", "<node nodeId='any'/>").root(),
        at(0),
    );
    assert_eq!(asked(&mut device).len(), 1);
}

#[test]
fn an_unknown_node_is_refused_by_the_application() {
    let mut device = device();
    device.handle_stanza(
        request(1, "all='true'", "<node nodeId='ghost'/>").root(),
        at(0),
    );
    let events = device_events(&mut device);
    let [
        Event::Request {
            ticket, request, ..
        },
    ] = &events[..]
    else {
        panic!()
    };
    let error = StanzaError::new(StanzaCondition::ItemNotFound)
        .with_text(format!("no node {}", request.nodes[0]));
    device.reject(*ticket, error).unwrap();
    let sent = device.sent();
    assert_eq!(refusal(&sent), ("cancel".into(), "item-not-found".into()));
    assert!(payload(&sent).contains("no node ghost"));
    assert_eq!(device.outstanding(), 0);
}

#[test]
fn a_reference_by_id_alone_means_that_id_in_any_source() {
    let asked = ReadoutRequest::all().node(node("1"));
    assert!(asked.means(&NodeReference::new("1").source("a")));
    assert!(asked.means(&NodeReference::new("1").source("b").partition("p")));
    assert!(!asked.means(&NodeReference::new("2").source("a")));
    let exact = ReadoutRequest::all().node(NodeReference::new("1").source("a"));
    assert!(!exact.means(&NodeReference::new("1").source("b")));
    assert!(!exact.means(&node("1")));
}

#[test]
fn readouts_per_reader_and_in_all_are_limited() {
    let mut device = device_with(DeviceConfig::new().outstanding(3).outstanding_per_reader(2));
    let full = ("wait".into(), "resource-constraint".into());
    for seqnr in 1..=2 {
        device.handle_stanza(request(seqnr, "all='true'", "").root(), at(0));
    }
    let tickets = asked(&mut device);
    assert_eq!(refused(&mut device, &request(3, "all='true'", "")), full);
    // Another resource of the account is another reader; but then the whole device is full.
    device.handle_stanza(request_from("b@example.org/x", 1, "", "").root(), at(0));
    assert_eq!(asked(&mut device).len(), 1);
    assert_eq!(
        refused(&mut device, &request_from("c@example.org/y", 1, "", "")),
        full
    );
    device
        .reject(tickets[0], StanzaCondition::Forbidden.into())
        .unwrap();
    device.drain();
    device.handle_stanza(request(3, "all='true'", "").root(), at(0));
    assert_eq!(asked(&mut device).len(), 1);
}

#[test]
fn a_request_that_the_application_forgets_is_refused() {
    let mut device = device();
    device.handle_stanza(request(1, "all='true'", "").root(), at(5));
    let ticket = asked(&mut device)[0];
    assert_eq!(device.poll_timeout(), Some(at(25)));
    device.handle_timeout(at(25));
    assert_eq!(
        refusal(&device.sent()),
        ("wait".into(), "resource-constraint".into())
    );
    assert_eq!(
        device_events(&mut device),
        [Event::Cancelled {
            ticket,
            reason: CancelReason::TimedOut
        }]
    );
    assert_eq!(device.accept(ticket), Err(AnswerError::Over));
}

#[test]
fn a_readout_that_the_application_forgets_ends_with_a_failure() {
    let mut device = device();
    device.set_clock(time("2026-01-31T12:00:00.5Z"), at(0));
    let asks = request(
        1,
        "all='true'",
        "<node nodeId='a'/><node nodeId='b' sourceId='s'/>",
    );
    device.handle_stanza(asks.root(), at(0));
    let ticket = asked(&mut device)[0];
    begun(&mut device, ticket);
    device.drain();
    // Signs of life are counted when the time is up.
    device.handle_timeout(at(300));
    device
        .add_fields(ticket, &node("a"), noon(), [temperature("1")])
        .unwrap();
    device.drain();
    device.handle_timeout(at(600));
    device.handle_timeout(at(900));
    assert_eq!(
        device_events(&mut device),
        [Event::Cancelled {
            ticket,
            reason: CancelReason::TimedOut
        }]
    );
    assert_eq!(
        payload(&device.sent()),
        "<failure xmlns='urn:xmpp:iot:sensordata' seqnr='1' done='true'>\
         <error nodeId='a' timestamp='2026-01-31T12:15:00.5Z'>Timeout.</error>\
         <error nodeId='b' sourceId='s' timestamp='2026-01-31T12:15:00.5Z'>Timeout.</error></failure>"
    );
    assert_eq!(device.outstanding(), 0);
    assert_eq!(device.running(), 0);
    assert_eq!(device.poll_timeout(), None);
}

#[test]
fn a_cancelling_of_what_is_not_known_is_refused() {
    let (mut device, ticket) = reading();
    let cancel = |from: &str, seqnr: i32| {
        stanza(&format!(
            "<iq type='get' id='c1' from='{from}'>\
             <cancel xmlns='urn:xmpp:iot:sensordata' seqnr='{seqnr}'/></iq>"
        ))
    };
    let unknown = ("cancel".into(), "item-not-found".into());
    assert_eq!(refused(&mut device, &cancel(READER, 2)), unknown);
    // Nobody else can cancel it, not even another resource of the same account.
    assert_eq!(
        refused(&mut device, &cancel("reader@example.org/phone", 1)),
        unknown
    );
    assert_eq!(device.peer(ticket), Some(&jid(READER)));
    let answer = answer(&mut device, &cancel(READER, 1));
    assert_eq!(answer.root().attribute("type").as_deref(), Some("result"));
    assert_eq!(
        payload(&answer),
        "<cancelled xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>"
    );
    assert_eq!(
        device_events(&mut device),
        [Event::Cancelled {
            ticket,
            reason: CancelReason::Reader
        }]
    );
    assert_eq!(refused(&mut device, &cancel(READER, 1)), unknown);
}

#[test]
fn cancelling_before_the_decision_answers_both() {
    let mut device = device();
    device.handle_stanza(request(1, "all='true'", "").root(), at(0));
    let ticket = asked(&mut device)[0];
    // slixmpp uses one id for both.
    let cancel = stanza(&format!(
        "<iq type='get' id='r1' from='{READER}'>\
         <cancel xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></iq>"
    ));
    device.handle_stanza(cancel.root(), at(1));
    let sent = device.drain();
    assert_eq!(sent.len(), 2);
    assert_eq!(refusal(&sent[0]).1, "undefined-condition");
    assert_eq!(sent[1].root().attribute("type").as_deref(), Some("result"));
    assert_eq!(device.accept(ticket), Err(AnswerError::Over));
    assert!(device.drain().is_empty());
}

#[test]
fn nothing_is_sent_after_cancelled() {
    let (mut device, ticket) = reading();
    device
        .add_fields(ticket, &node("1"), noon(), [temperature("1")])
        .unwrap();
    let cancel = stanza(&format!(
        "<iq type='get' id='c1' from='{READER}'>\
         <cancel xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></iq>"
    ));
    device.handle_stanza(cancel.root(), at(1));
    assert!(payload(&device.sent()).starts_with("<cancelled "));
}

#[test]
fn a_reader_that_goes_offline_is_sent_nothing_more() {
    let (mut device, ticket) = reading();
    device.handle_stanza(
        request_from("b@example.org/x", 1, "all='true'", "").root(),
        at(0),
    );
    let other = asked(&mut device)[0];
    device
        .add_fields(ticket, &node("1"), noon(), [temperature("1")])
        .unwrap();
    let gone = stanza(&format!("<presence type='unavailable' from='{READER}'/>"));
    assert!(
        !device.handle_stanza(gone.root(), at(1)),
        "others want to see presence, too"
    );
    assert_eq!(
        device_events(&mut device),
        [Event::Cancelled {
            ticket,
            reason: CancelReason::Unavailable
        }]
    );
    assert!(device.drain().is_empty());
    assert!(device.peer(other).is_some());
}

#[test]
fn a_message_that_comes_back_stops_the_readout_and_is_not_answered() {
    let bounced = "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>";
    let other_number = "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='2'/>";
    for (content, stops) in [("", true), (bounced, true), (other_number, false)] {
        let (mut device, ticket) = reading();
        let bounce = stanza(&format!(
            "<message type='error' from='{READER}' to='{DEVICE}'>{content}<error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        ));
        assert_eq!(
            device.handle_stanza(bounce.root(), at(1)),
            stops,
            "{content}"
        );
        let expected = Event::Cancelled {
            ticket,
            reason: CancelReason::Undeliverable,
        };
        assert_eq!(
            device_events(&mut device),
            if stops { vec![expected] } else { vec![] }
        );
        assert!(device.drain().is_empty(), "never an error for an error");
    }
}

#[test]
fn a_lost_stream_ends_all_readouts() {
    let (mut device, first) = reading();
    device.handle_stanza(request(2, "all='true'", "").root(), at(0));
    let second = asked(&mut device)[0];
    device.handle_disconnected();
    assert_eq!(
        device_events(&mut device),
        [first, second].map(|ticket| Event::Cancelled {
            ticket,
            reason: CancelReason::Disconnected
        })
    );
    assert!(device.drain().is_empty());
    assert_eq!(device.poll_timeout(), None);
    assert_eq!(device.outstanding(), 0);
}

#[test]
fn answers_at_the_wrong_time_are_refused() {
    let mut device = device();
    device.handle_stanza(request(1, "all='true'", "").root(), at(0));
    let ticket = asked(&mut device)[0];
    assert_eq!(
        device.add_fields(ticket, &node("1"), noon(), [temperature("1")]),
        Err(AnswerError::NotBegun)
    );
    assert_eq!(device.done(ticket), Err(AnswerError::NotBegun));
    begun(&mut device, ticket);
    assert_eq!(device.accept(ticket), Err(AnswerError::AlreadyAccepted));
    let forbidden = StanzaError::new(StanzaCondition::Forbidden);
    assert_eq!(
        device.reject(ticket, forbidden.clone()),
        Err(AnswerError::AlreadyAccepted)
    );
    device.done(ticket).unwrap();
    assert_eq!(device.done(ticket), Err(AnswerError::Over));
    assert_eq!(
        device.add_fields(ticket, &node("1"), noon(), [temperature("1")]),
        Err(AnswerError::Over)
    );
    assert_eq!(device.drain().len(), 2);
    assert_eq!(device.accept(ticket), Err(AnswerError::Over));
    assert_eq!(device.reject(ticket, forbidden), Err(AnswerError::Over));
    let failure = NodeFailure::new(node("1"), None, "late");
    assert_eq!(device.fail_node(ticket, failure), Err(AnswerError::Over));
}

#[test]
fn a_text_that_xml_cannot_hold_is_not_sent() {
    let (mut device, ticket) = reading();
    let bad = "a\u{1}b";
    let fields = [
        Field::string(bad, "x"),
        Field::string("x", bad),
        Field::numeric("x", "1".parse().unwrap(), bad),
        Field::enumeration("x", "y", bad),
    ];
    for field in fields {
        let field = field.categories(Categories::MOMENTARY);
        assert_eq!(
            device.add_fields(ticket, &node("1"), noon(), [temperature("1"), field]),
            Err(AnswerError::Unwritable)
        );
    }
    assert_eq!(
        device.add_fields(ticket, &node("\u{FFFF}"), noon(), [temperature("1")]),
        Err(AnswerError::Unwritable)
    );
    let failure = NodeFailure::new(node("1"), None, bad);
    assert_eq!(
        device.fail_node(ticket, failure),
        Err(AnswerError::Unwritable)
    );
    assert!(
        device.drain().is_empty(),
        "nothing is taken of what is refused"
    );
    device.handle_stanza(request(2, "all='true'", "").root(), at(0));
    let ticket = asked(&mut device)[0];
    let error = StanzaError::new(StanzaCondition::Forbidden).with_text(bad);
    assert_eq!(device.reject(ticket, error), Err(AnswerError::Unwritable));
}

#[test]
fn a_readout_may_be_narrowed() {
    let mut device = device();
    device.handle_stanza(request(1, "all='true'", "").root(), at(0));
    let ticket = asked(&mut device)[0];
    let narrow = ReadoutRequest::momentary().field("Temperature");
    device.accept_as(ticket, narrow.clone()).unwrap();
    let events = device_events(&mut device);
    let [Event::Readout { request, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(**request, narrow);
    let secret = Field::string("Secret", "x").categories(Categories::MOMENTARY);
    device
        .add_fields(ticket, &node("1"), noon(), [secret, temperature("1")])
        .unwrap();
    device.done(ticket).unwrap();
    let sent = device.drain();
    assert!(!sent[1].to_string().contains("Secret"));
    assert!(sent[1].to_string().contains("Temperature"));
}

/// All names in the `fields` of these stanzas, and how many of them end the readout.
fn names(sent: &[Element]) -> (Vec<String>, usize) {
    let parts = sent.iter().map(|stanza| {
        stanza
            .root()
            .children()
            .next()
            .unwrap()
            .read::<FieldsRef<'_>>()
            .unwrap()
    });
    let parts: Vec<_> = parts.collect();
    let names = parts
        .iter()
        .flat_map(FieldsRef::readings)
        .map(|reading| reading.unwrap().field.name.into_owned())
        .collect();
    (names, parts.iter().filter(|part| part.is_done()).count())
}

#[test]
fn long_readouts_are_split_into_messages_below_the_limit() {
    for limit in [1000, 2000, 8192] {
        let (mut device, ticket) = reading_with(DeviceConfig::new().message_bytes(limit));
        let mut expected = Vec::new();
        for sample in 0..20 {
            let fields: Vec<_> = (0..sample)
                .map(|index| {
                    let name = format!("field {sample}.{index} <&\"'> äöü\n");
                    expected.push(name.clone());
                    Field::string(name, "& '\t".repeat(index % 7))
                        .categories(Categories::ALL)
                        .quality(Quality::SIGNED)
                        .writable(index % 2 == 0)
                })
                .map(|field| field.categories(Categories::MOMENTARY))
                .collect();
            device
                .add_fields(
                    ticket,
                    &node(&format!("node {}", sample / 3)),
                    noon(),
                    fields,
                )
                .unwrap();
        }
        device.done(ticket).unwrap();
        let sent = device.drain();
        for stanza in &sent {
            let bytes = stanza.to_string().len();
            assert!(bytes <= limit, "{bytes} of {limit}");
        }
        assert_eq!(names(&sent), (expected, 1));
        let total: usize = sent.iter().map(|stanza| stanza.to_string().len()).sum();
        assert!(
            sent.len() <= 3 * total / limit + 1,
            "messages are filled: {}",
            sent.len()
        );
        assert_eq!(device.outstanding(), 0);
    }
}

#[test]
fn data_is_sent_while_the_readout_goes_on() {
    let (mut device, ticket) = reading();
    for value in ["1", "2"] {
        device
            .add_fields(ticket, &node("1"), noon(), [temperature(value)])
            .unwrap();
        let (names, ends) = names(&[device.sent()]);
        assert_eq!((names.len(), ends), (1, 0));
        assert_eq!(device.pending_bytes(ticket), 0);
    }
    device.done(ticket).unwrap();
    assert_eq!(
        payload(&device.sent()),
        "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='1' done='true'/>"
    );
}

#[test]
fn the_end_may_be_a_message_of_its_own() {
    let (mut device, ticket) = reading_with(DeviceConfig::new().separate_done(true));
    device
        .add_fields(ticket, &node("1"), noon(), [temperature("1")])
        .unwrap();
    device
        .fail_node(ticket, NodeFailure::new(node("2"), None, "No."))
        .unwrap();
    device.done(ticket).unwrap();
    let sent = device.drain();
    assert_eq!(sent.len(), 3);
    assert!(!payload(&sent[0]).contains("done="));
    assert!(!payload(&sent[1]).contains("done="));
    assert_eq!(
        payload(&sent[2]),
        "<done xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>"
    );
    assert_eq!(device.outstanding(), 0);
}

#[test]
fn a_field_longer_than_a_message_is_refused() {
    let (mut device, ticket) = reading_with(DeviceConfig::new().message_bytes(1000));
    let long = Field::string("x", "y".repeat(900)).categories(Categories::MOMENTARY);
    assert_eq!(
        device.add_fields(ticket, &node("1"), noon(), [temperature("1"), long]),
        Err(AnswerError::TooLong)
    );
    let failure = NodeFailure::new(node("1"), None, "y".repeat(900));
    assert_eq!(device.fail_node(ticket, failure), Err(AnswerError::TooLong));
    assert!(device.drain().is_empty());
}

#[test]
fn data_that_nobody_polls_is_limited() {
    let (mut device, ticket) = reading_with(DeviceConfig::new().pending_bytes(1000));
    let mut taken = 0;
    loop {
        match device.add_fields(ticket, &node("1"), noon(), [temperature("1")]) {
            Ok(()) => taken += 1,
            Err(error) => {
                assert_eq!(error, AnswerError::Full);
                break;
            }
        }
    }
    assert!((2..20).contains(&taken), "{taken}");
    assert!(device.pending_bytes(ticket) <= 1000);
    let failure = NodeFailure::new(node("1"), None, "x".repeat(500));
    assert_eq!(device.fail_node(ticket, failure), Err(AnswerError::Full));
    device.drain();
    assert_eq!(device.pending_bytes(ticket), 0);
    device
        .add_fields(ticket, &node("1"), noon(), [temperature("1")])
        .unwrap();
}

#[test]
fn readers_take_turns() {
    let (mut device, long) = reading_with(DeviceConfig::new().message_bytes(600));
    device.handle_stanza(
        request_from("b@example.org/x", 1, "all='true'", "").root(),
        at(0),
    );
    let short = asked(&mut device)[0];
    begun(&mut device, short);
    device.sent();
    for _ in 0..50 {
        device
            .add_fields(long, &node("1"), noon(), [temperature("1")])
            .unwrap();
    }
    device
        .add_fields(short, &node("1"), noon(), [temperature("1")])
        .unwrap();
    device.done(short).unwrap();
    let sent = device.drain();
    let place = sent
        .iter()
        .position(|stanza| stanza.root().attribute("to").as_deref() == Some("b@example.org/x"));
    assert_eq!(place, Some(1), "of {}", sent.len());
}

#[test]
fn a_schedule_begins_only_when_there_is_room() {
    let mut device = device_with(DeviceConfig::new().running(1));
    device.set_clock(time("2026-01-31T12:00:00Z"), at(0));
    device.handle_stanza(request(1, "all='true'", "").root(), at(0));
    device.handle_stanza(
        request(2, "all='true' when='2026-01-31T12:00:10Z'", "").root(),
        at(0),
    );
    let tickets = asked(&mut device);
    for ticket in &tickets {
        device.accept(*ticket).unwrap();
    }
    assert_eq!(device_events(&mut device).len(), 1);
    device.handle_timeout(at(10));
    assert!(device_events(&mut device).is_empty());
    device.drain();
    device.done(tickets[0]).unwrap();
    let sent = device.drain();
    assert_eq!(
        payload(&sent[1]),
        "<started xmlns='urn:xmpp:iot:sensordata' seqnr='2'/>"
    );
    assert_eq!(device_events(&mut device).len(), 1);
}

#[test]
fn a_time_beyond_all_clocks_is_waited_for_without_harm() {
    let mut device = device();
    device.set_clock(time("2026-01-31T12:00:00Z"), at(0));
    device.handle_stanza(
        request(1, "all='true' when='9999-12-31T23:59:59Z'", "").root(),
        at(0),
    );
    let ticket = asked(&mut device)[0];
    device.accept(ticket).unwrap();
    assert!(payload(&device.sent()).contains("queued='true'"));
    device.handle_timeout(Instant::from_origin(Duration::from_secs(1 << 40)));
    assert!(device.outstanding() <= 1);
}

#[test]
fn without_a_clock_a_scheduled_request_is_carried_out_at_once() {
    let mut device = device();
    device.handle_stanza(
        request(1, "all='true' when='9999-12-31T23:59:59Z'", "").root(),
        at(0),
    );
    let ticket = asked(&mut device)[0];
    begun(&mut device, ticket);
    assert!(!payload(&device.sent()).contains("queued"));
}
