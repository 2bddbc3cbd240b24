//! The examples of XEP-0323, and what slixmpp sends, are understood and written back to the same.

use std::fs;
use std::path::Path;

use crate::common::*;
use xmpp_iot_sensordata::model::{Categories, Quality, Value};
use xmpp_iot_sensordata::payload::{
    Accepted, Cancel, Cancelled, Done, Failure, Fields, NAMESPACE, Rejected, Request, Started,
};
use xmpp_iot_sensordata::requester::{Event, Outcome};
use xmpp_xml::{Element, ElementRef, FromXml, Limits, Parser, Scratch, ToXml};

/// The stanzas of a file, as a stream delivers them.
fn stanzas(name: &str) -> Vec<Element> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let xml = fs::read_to_string(folder.join(name)).unwrap();
    let xml = format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         version='1.0'>{xml}"
    );
    let mut parser = Parser::new(Limits::default());
    let mut scratch = Scratch::new();
    let mut input = xml.as_bytes();
    let mut stanzas = Vec::new();
    while let Some(event) = parser.next(&mut scratch, &mut input).unwrap() {
        if let xmpp_xml::Event::Element(element) = event {
            stanzas.push(element.to_element());
        }
    }
    stanzas
}

fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".xml"));
    names.sort();
    names
}

/// Reads the element as what it is, writes it, and reads that: both must say the same.
fn there_and_back(element: ElementRef<'_>) -> Element {
    fn through<'a, T: FromXml<'a> + ToXml>(element: ElementRef<'a>) -> Element {
        let typed: T = element.read().unwrap();
        Element::build(|writer| typed.to_xml(writer)).unwrap()
    }
    assert_eq!(element.namespace(), NAMESPACE);
    match element.name() {
        "req" => through::<Request>(element),
        "accepted" => through::<Accepted>(element),
        "started" => through::<Started>(element),
        "fields" => through::<Fields<'_>>(element),
        "failure" => through::<Failure<'_>>(element),
        "done" => through::<Done>(element),
        "cancel" => through::<Cancel>(element),
        "cancelled" => through::<Cancelled>(element),
        "rejected" => through::<Rejected<'_>>(element),
        name => panic!("{name}"),
    }
}

fn parse<T: for<'a> FromXml<'a>>(element: &Element) -> T {
    element.root().read().unwrap()
}

/// White space between elements has no meaning here.
fn packed(element: ElementRef<'_>) -> Element {
    fn copy(element: ElementRef<'_>, writer: &mut xmpp_xml::Writer<'_>) {
        writer.start(element.name(), element.namespace());
        for attribute in element.attributes() {
            writer.attribute_ns(attribute.name(), attribute.namespace(), &attribute.value());
        }
        let text = element.text();
        if !text.trim().is_empty() {
            writer.text(&text);
        }
        for child in element.children() {
            copy(child, writer);
        }
        writer.end();
    }
    Element::build(|writer| copy(element, writer)).unwrap()
}

#[test]
fn every_example_is_written_back_to_the_same_meaning() {
    let mut count = 0;
    for file in files() {
        for stanza in stanzas(&file) {
            let ours = stanza
                .root()
                .children()
                .filter(|child| child.namespace() == NAMESPACE);
            for element in ours {
                // Early drafts have another name for durations.
                if file == "slixmpp-reading.xml" && element.name() == "fields" {
                    continue;
                }
                assert_eq!(there_and_back(element), packed(element), "{file}");
                count += 1;
            }
        }
    }
    assert!(count >= 16, "{count}");
}

#[test]
fn the_names_of_early_drafts_are_read_and_the_right_ones_written() {
    let element = Element::parse(
        "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='4'><node nodeId='1'>\
         <timestamp value='2013-03-07T19:00:00'>\
         <string name='Device ID' identification='true' automaticReadout='true' value='Device01'/>\
         <timeSpan name='Uptime' status='true' value='P1DT2H'/>\
         </timestamp>\n...\n</node></fields>",
    )
    .unwrap();
    let fields: Fields<'_> = element.root().read().unwrap();
    let [identity, uptime] = &fields.nodes[0].samples[0].fields[..] else {
        panic!()
    };
    assert_eq!(identity.categories, Categories::IDENTITY);
    assert_eq!(identity.quality, Quality::AUTOMATIC_READOUT);
    assert!(matches!(uptime.value, Value::Duration(_)));
    let written = Element::build(|writer| fields.to_xml(writer))
        .unwrap()
        .to_string();
    assert!(written.contains(" identity='true'"), "{written}");
    assert!(!written.contains("identification"), "{written}");
    assert!(
        written.contains("<duration ") && written.contains("P1DT2H"),
        "{written}"
    );
}

#[test]
fn a_scheduled_request_is_understood() {
    let stanzas = stanzas("09-scheduled-read-out-of-device-with-multiple-responses.xml");
    let payload = |index: usize| packed(stanzas[index].root().children().next().unwrap());
    let request: Request = parse(&payload(0));
    assert_eq!(request.seqnr, 8);
    assert_eq!(request.readout.categories, Categories::ALL);
    let when = request.readout.when.unwrap();
    assert_eq!(when.offset(), None, "the zone is undefined and stays so");
    assert_eq!(when.to_string(), "2013-03-09T23:30:00");
    assert_eq!(
        parse::<Accepted>(&payload(1)),
        Accepted {
            seqnr: 8,
            queued: true
        }
    );
    assert_eq!(parse::<Cancel>(&payload(2)), Cancel { seqnr: 8 });
    assert_eq!(parse::<Cancelled>(&payload(3)), Cancelled { seqnr: 8 });
}

#[test]
fn a_request_for_nodes_and_fields_is_understood() {
    let stanzas = stanzas("08-read-out-of-multiple-devices.xml");
    let request: Request = parse(&packed(stanzas[0].root().children().next().unwrap()));
    assert_eq!(request.readout.nodes, [node("Device04")]);
    assert_eq!(request.readout.fields, ["Energy", "Power"]);
}

#[test]
fn localized_names_are_understood() {
    let stanzas = stanzas("12-localized-field-names.xml");
    let fields: Fields<'_> = stanzas[2].root().children().next().unwrap().read().unwrap();
    let words = |_: &str, id: &str| {
        Some(match id {
            "1" => "Temperatur".into(),
            "2" => "%0%, min.".into(),
            "3" => "%0%, max.".into(),
            "4" => "%0%, Mittel".into(),
            _ => return None,
        })
    };
    let names: Vec<_> = fields.nodes[0].samples[0]
        .fields
        .iter()
        .map(|field| {
            let ids = field.string_ids.as_ref().unwrap();
            ids.localize(field.module.as_deref().unwrap(), words)
                .unwrap()
        })
        .collect();
    assert_eq!(
        names,
        [
            "Temperatur",
            "Temperatur, min.",
            "Temperatur, max.",
            "Temperatur, Mittel"
        ]
    );
}

/// Plays the answers of a file to a requester that asked as the file does.
fn play(file: &str, reader: &str, device: &str) -> Vec<Event> {
    use xmpp_iot_sensordata::requester::{Requester, RequesterConfig};
    let config = RequesterConfig::new().address(jid(reader)).id_prefix("");
    let mut requester = Requester::new(config);
    let asked: u32 = if file.contains("refusal") { 2 } else { 1 };
    for _ in 0..asked {
        let request = xmpp_iot_sensordata::model::ReadoutRequest::momentary();
        requester.request(jid(device), request, at(0)).unwrap();
    }
    for stanza in stanzas(file) {
        if stanza.root().attribute("from").as_deref() == Some(device) {
            assert!(requester.handle_stanza(stanza.root(), at(0)), "{stanza}");
        }
    }
    events(&mut requester)
}

#[test]
fn a_readout_of_slixmpps_device_is_understood() {
    let events = play(
        "slixmpp-reading.xml",
        "client@example.org/slixmpp",
        "device@example.org/d",
    );
    assert_eq!(values(&events), ["23.4 C", "P1DT2H", "true"]);
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Done,
            ..
        })
    ));
}

#[test]
fn a_refusal_of_slixmpps_device_is_understood() {
    let events = play(
        "slixmpp-refusal.xml",
        "client@example.org/slixmpp",
        "device@example.org/d",
    );
    let [
        Event::Ended {
            outcome: Outcome::Rejected(error),
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(error.text.as_deref(), Some("Invalid nodeId Device99"));
}

#[test]
fn a_request_of_slixmpps_reader_is_answered() {
    let mut device = device();
    let asks = &stanzas("slixmpp-reading.xml")[0];
    assert!(device.handle_stanza(asks.root(), at(0)));
    let ticket = asked(&mut device)[0];
    begun(&mut device, ticket);
    device
        .add_fields(ticket, &node("Device22"), noon(), [temperature("23.4")])
        .unwrap();
    device.done(ticket).unwrap();
    let sent = device.drain();
    assert_eq!(
        payload(&sent[0]),
        payload(&stanzas("slixmpp-reading.xml")[1])
    );
    let fields = sent[1].root().children().next().unwrap();
    assert_eq!(
        fields.attribute("done").as_deref(),
        Some("true"),
        "slixmpp learns of the end by this word alone"
    );
}
