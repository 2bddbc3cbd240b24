//! The requester against a device that is slow, wrong, or hostile.

use std::time::Duration;

use crate::common::*;
use xmpp_core::error::{ErrorType, StanzaCondition};
use xmpp_iot_sensordata::model::{Categories, NodeReference, ReadoutRequest};
use xmpp_iot_sensordata::requester::{
    Event, Limit, Misconduct, Outcome, ReadoutId, RequestError, Requester, RequesterConfig, State,
};
use xmpp_xml::Element;

/// A requester that has asked the device for momentary values; the number is 1, the id `sd-1`.
fn asking() -> (Requester, ReadoutId) {
    asking_with(RequesterConfig::new())
}

fn asking_with(config: RequesterConfig) -> (Requester, ReadoutId) {
    let mut requester = Requester::new(config.address(jid(READER)));
    let request = ReadoutRequest::momentary();
    let readout = requester.request(jid(DEVICE), request, at(0)).unwrap();
    assert_eq!(
        requester.sent().root().attribute("id").as_deref(),
        Some("sd-1")
    );
    (requester, readout)
}

fn result(content: &str) -> Element {
    stanza(&format!(
        "<iq type='result' id='sd-1' from='{DEVICE}' to='{READER}'>{content}</iq>"
    ))
}

fn accepted(attributes: &str) -> Element {
    result(&format!(
        "<accepted xmlns='urn:xmpp:iot:sensordata' {attributes}/>"
    ))
}

fn error(r#type: &str, condition: &str) -> Element {
    stanza(&format!(
        "<iq type='error' id='sd-1' from='{DEVICE}' to='{READER}'><error type='{type}'>\
         <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ))
}

#[test]
fn a_request_says_what_is_asked() {
    let mut requester = requester();
    let request = ReadoutRequest::new(Categories::MOMENTARY | Categories::STATUS)
        .when(time("2026-01-31T12:00:00"))
        .node(NodeReference::new("n").source("s").partition("p"))
        .field("Energy");
    requester.request(jid(DEVICE), request, at(0)).unwrap();
    let sent = requester.sent();
    let expected = stanza(&format!(
        "<iq type='get' id='sd-1' from='{READER}' to='{DEVICE}'>\
         <req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true' status='true' \
         when='2026-01-31T12:00:00'><node nodeId='n' sourceId='s' cacheType='p'/>\
         <field name='Energy'/></req></iq>"
    ));
    assert_eq!(sent, expected);
}

#[test]
fn live_readouts_of_a_device_have_different_numbers() {
    let mut requester = requester();
    let mut numbers = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let readout = requester
            .request(jid(DEVICE), ReadoutRequest::all(), at(0))
            .unwrap();
        assert!(numbers.insert(requester.seqnr(readout).unwrap()));
    }
}

#[test]
fn data_before_accepted_is_as_good() {
    let (mut requester, readout) = asking();
    requester.handle_stanza(message(&fields(1, false, &["1"])).root(), at(1));
    assert_eq!(requester.state(readout), Some(State::Receiving));
    requester.handle_stanza(accepted("seqnr='1'").root(), at(1));
    assert_eq!(requester.state(readout), Some(State::Receiving));
    requester.handle_stanza(message(&fields(1, true, &["2"])).root(), at(1));
    let events = events(&mut requester);
    assert_eq!(values(&events), ["1 °C", "2 °C"]);
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Done,
            ..
        })
    ));
}

#[test]
fn data_may_come_instead_of_accepted() {
    let (mut requester, _) = asking();
    requester.handle_stanza(message(&fields(1, true, &["1"])).root(), at(1));
    let told = events(&mut requester);
    assert!(matches!(
        &told[..],
        [
            Event::Fields { .. },
            Event::Ended {
                outcome: Outcome::Done,
                ..
            }
        ]
    ));
    // The answer that comes late means nothing any more.
    requester.handle_stanza(accepted("seqnr='1'").root(), at(1));
    assert!(events(&mut requester).is_empty());
}

#[test]
fn done_alone_ends_a_readout() {
    let (mut requester, _) = asking();
    requester.handle_stanza(message("<done seqnr='1'/>").root(), at(1));
    assert!(matches!(ended(&mut requester), Outcome::Done));
}

#[test]
fn a_result_without_content_accepts() {
    let (mut requester, readout) = asking();
    requester.handle_stanza(result("").root(), at(1));
    assert_eq!(requester.state(readout), Some(State::Accepted));
}

#[test]
fn acceptance_under_another_number_is_misconduct() {
    for attributes in ["seqnr='2'", "", "seqnr='one'", "seqnr='4294967297'"] {
        let (mut requester, _) = asking();
        requester.handle_stanza(accepted(attributes).root(), at(1));
        assert!(
            matches!(
                ended(&mut requester),
                Outcome::Misconduct(Misconduct::WrongNumber)
            ),
            "{attributes}"
        );
    }
}

#[test]
fn started_is_taken_whenever_it_comes() {
    let (mut requester, readout) = asking();
    requester.handle_stanza(message("<started seqnr='1'/>").root(), at(1));
    assert_eq!(requester.state(readout), Some(State::Started));
    requester.handle_stanza(accepted("seqnr='1' queued='true'").root(), at(1));
    assert_eq!(requester.state(readout), Some(State::Started));
    requester.handle_stanza(message(&fields(1, false, &["1"])).root(), at(1));
    requester.handle_stanza(message("<started seqnr='1'/>").root(), at(1));
    assert_eq!(requester.state(readout), Some(State::Receiving));
    requester.handle_stanza(message("<started seqnr='99'/>").root(), at(1));
    assert_eq!(requester.outstanding(), 1);
}

#[test]
fn any_stanza_error_ends_a_readout_and_is_kept() {
    for (r#type, condition) in [
        ("cancel", "forbidden"),
        ("cancel", "item-not-found"),
        ("modify", "bad-request"),
        ("wait", "resource-constraint"),
        ("cancel", "service-unavailable"),
        ("wait", "recipient-unavailable"),
        ("cancel", "remote-server-not-found"),
        ("wait", "remote-server-timeout"),
    ] {
        let (mut requester, _) = asking();
        requester.handle_stanza(error(r#type, condition).root(), at(1));
        let Outcome::Rejected(error) = ended(&mut requester) else {
            panic!()
        };
        assert_eq!(
            (error.kind.as_str(), error.condition.as_str()),
            (r#type, condition)
        );
    }
}

#[test]
fn an_error_without_content_is_still_a_rejection() {
    let (mut requester, _) = asking();
    let error = stanza(&format!("<iq type='error' id='sd-1' from='{DEVICE}'/>"));
    requester.handle_stanza(error.root(), at(1));
    let Outcome::Rejected(error) = ended(&mut requester) else {
        panic!()
    };
    assert_eq!(error.condition, StanzaCondition::UndefinedCondition);
    assert_eq!(error.kind, ErrorType::Cancel);
}

#[test]
fn what_others_send_is_not_believed() {
    for from in [
        "mallory@example.org/x",
        "meter@example.org",
        "meter@example.org/roof2",
    ] {
        let (mut requester, readout) = asking();
        let lies = [
            message_from(from, &fields(1, true, &["666"])),
            message_from(from, "<done seqnr='1'/>"),
            message_from(from, "<failure seqnr='1' done='true'/>"),
            message_from(from, "<started seqnr='1'/>"),
            stanza(&format!(
                "<iq type='result' id='sd-1' from='{from}'>\
                 <accepted xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></iq>"
            )),
            stanza(&format!("<iq type='error' id='sd-1' from='{from}'/>")),
            stanza("<iq type='error' id='sd-1'/>"),
            stanza(&format!("<presence type='unavailable' from='{from}'/>")),
        ];
        for lie in lies {
            requester.handle_stanza(lie.root(), at(1));
        }
        assert!(events(&mut requester).is_empty(), "{from}");
        assert_eq!(requester.state(readout), Some(State::Requested));
    }
}

#[test]
fn data_for_a_readout_that_has_ended_is_ignored() {
    let (mut requester, _) = asking();
    requester.handle_stanza(message(&fields(1, true, &["1"])).root(), at(1));
    events(&mut requester);
    for late in [
        fields(1, false, &["2"]),
        "<done seqnr='1'/>".into(),
        fields(1, true, &["3"]),
    ] {
        assert!(requester.handle_stanza(message(&late).root(), at(2)));
        assert!(events(&mut requester).is_empty());
    }
}

#[test]
fn a_message_of_any_type_but_error_may_bring_data() {
    for (r#type, counts) in [
        ("chat", true),
        ("headline", true),
        ("normal", true),
        ("error", false),
    ] {
        let (mut requester, _) = asking();
        let data = message(&fields(1, true, &["1"])).to_string();
        let data = data.replacen("<message ", &format!("<message type='{type}' "), 1);
        let taken = requester.handle_stanza(Element::parse(&data).unwrap().root(), at(1));
        assert_eq!(taken, counts);
        assert_eq!(requester.outstanding(), usize::from(!counts));
    }
}

#[test]
fn fields_that_were_not_asked_for_are_left_out() {
    let mut requester = requester();
    let request = ReadoutRequest::new(Categories::MOMENTARY | Categories::HISTORICAL_DAY)
        .from(time("2026-01-30T00:00:00Z"))
        .node(node("parent"))
        .field("A")
        .field("B");
    requester.request(jid(DEVICE), request, at(0)).unwrap();
    let data = "<fields seqnr='1' done='true'>\
        <node nodeId='never asked for, but read with its parent'>\
        <timestamp value='2026-01-31T00:00:00Z'>\
        <int name='A' momentary='true' value='1'/>\
        <int name='B' momentary='true' computed='true' value='2'/>\
        <int name='C' momentary='true' value='-1'/>\
        <int name='A' status='true' value='-2'/>\
        <int name='A' value='-3'/>\
        <int name='B' historicalYear='true' value='3'/>\
        <int name='B' historicalHour='true' value='-4'/></timestamp>\
        <timestamp value='2026-01-29T00:00:00Z'>\
        <int name='B' historicalDay='true' value='-5'/>\
        <int name='B' momentary='true' value='4'/></timestamp>\
        </node></fields>";
    requester.handle_stanza(message(data).root(), at(1));
    let events = events(&mut requester);
    assert_eq!(values(&events), ["1", "2", "3", "4"]);
    let Event::Fields { part, .. } = &events[0] else {
        panic!()
    };
    assert_eq!(part.unfiltered().unwrap().count(), 9);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_kept() {
    let mut requester = requester();
    requester
        .request(jid(DEVICE), ReadoutRequest::all(), at(0))
        .unwrap();
    let data = "<fields seqnr='1' done='true'><node>\
        <timestamp value='2026-01-31T12:00:00Z'><int name='no node' value='0'/></timestamp></node>\
        <node nodeId='1'><timestamp value='yesterday'><int name='no time' value='0'/></timestamp>\
        <timestamp><int name='no time' value='0'/></timestamp>\
        <timestamp value='2026-01-31T12:00:00Z'>\
        <int value='0'/><int name='no value'/><int name='x' value='2147483648'/>\
        <long name='x' value='9223372036854775808'/><boolean name='x' value='yes'/>\
        <date name='x' value='2026-02-30'/><time name='x' value='25:00:00'/>\
        <dateTime name='x' value='2026-01-31'/><duration name='x' value='P'/>\
        <numeric name='x' value='1,5' unit='m'/><int name='x' value='1' momentary='yes'/>\
        <colour name='unknown' value='red'/><int xmlns='urn:example' name='x' value='1'/>\
        <int name='good' value='1'/></timestamp></node></fields>";
    requester.handle_stanza(message(data).root(), at(1));
    let events = events(&mut requester);
    let Event::Fields { part, .. } = &events[0] else {
        panic!()
    };
    let (good, bad): (Vec<_>, Vec<_>) = part.readings().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    assert_eq!(good[0].as_ref().unwrap().field.name, "good");
    let faults: Vec<_> = bad
        .into_iter()
        .map(|fault| fault.unwrap_err().to_string())
        .collect();
    assert_eq!(faults.len(), 14, "{faults:#?}");
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Done,
            ..
        })
    ));
}

#[test]
fn a_silent_device_times_out_and_is_told_to_stop() {
    let (mut requester, _) = asking();
    assert_eq!(requester.poll_timeout(), Some(at(30)));
    requester.handle_timeout(at(29));
    assert!(events(&mut requester).is_empty());
    requester.handle_timeout(at(30));
    assert!(matches!(ended(&mut requester), Outcome::TimedOut));
    assert!(payload(&requester.sent()).starts_with("<cancel "));
    assert_eq!(requester.poll_timeout(), None);
}

#[test]
fn every_sign_of_life_begins_the_wait_anew() {
    let config = RequesterConfig::new()
        .answer_timeout(Duration::from_secs(5))
        .silence_timeout(Duration::from_secs(10))
        .queue_timeout(Duration::from_secs(100));
    let (mut requester, readout) = asking_with(config);
    assert_eq!(requester.poll_timeout(), Some(at(5)));
    requester.handle_stanza(accepted("seqnr='1' queued='true'").root(), at(1));
    assert_eq!(requester.poll_timeout(), Some(at(101)));
    requester.set_deadline(readout, at(500));
    assert_eq!(requester.poll_timeout(), Some(at(500)));
    requester.handle_stanza(message("<started seqnr='1'/>").root(), at(400));
    assert_eq!(requester.poll_timeout(), Some(at(410)));
    requester.handle_stanza(message(&fields(1, false, &["1"])).root(), at(405));
    assert_eq!(requester.poll_timeout(), Some(at(415)));
    requester.handle_stanza(message("<failure seqnr='1'/>").root(), at(407));
    assert_eq!(requester.poll_timeout(), Some(at(417)));
    requester.handle_timeout(at(417));
    assert!(matches!(
        events(&mut requester).last(),
        Some(Event::Ended {
            outcome: Outcome::TimedOut,
            fields: 1,
            failures: 1,
            ..
        })
    ));
}

#[test]
fn a_cancelled_readout_ends_whatever_the_device_says_to_it() {
    let answers = [
        "<iq type='result' id='sd-2'><cancelled xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></iq>",
        "<iq type='result' id='sd-2'/>",
        "<iq type='error' id='sd-2'><error type='cancel'>\
         <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    ];
    for answer in answers {
        let (mut requester, readout) = asking();
        requester.cancel(readout, at(1));
        requester.cancel(readout, at(1));
        assert_eq!(
            payload(&requester.sent()),
            "<cancel xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>"
        );
        // Data on its way is still taken, and begins no wait anew.
        requester.handle_stanza(message(&fields(1, false, &["1"])).root(), at(2));
        assert_eq!(requester.poll_timeout(), Some(at(31)));
        let answer = answer.replacen("<iq ", &format!("<iq from='{DEVICE}' "), 1);
        requester.handle_stanza(stanza(&answer).root(), at(3));
        assert!(matches!(
            events(&mut requester).last(),
            Some(Event::Ended {
                outcome: Outcome::Cancelled,
                fields: 1,
                ..
            })
        ));
        requester.handle_stanza(message(&fields(1, false, &["2"])).root(), at(4));
        assert!(events(&mut requester).is_empty());
    }
}

#[test]
fn a_device_may_finish_what_was_cancelled() {
    let (mut requester, readout) = asking();
    requester.cancel(readout, at(1));
    requester.handle_stanza(message(&fields(1, true, &["1"])).root(), at(2));
    assert!(matches!(
        events(&mut requester).last(),
        Some(Event::Ended {
            outcome: Outcome::Done,
            ..
        })
    ));
    requester.drain();
    let answer = stanza(&format!(
        "<iq type='result' id='sd-2' from='{DEVICE}'>\
         <cancelled xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></iq>"
    ));
    requester.handle_stanza(answer.root(), at(3));
    assert!(events(&mut requester).is_empty());
}

#[test]
fn a_cancelling_that_nobody_answers_ends_too() {
    let (mut requester, readout) = asking();
    requester.cancel(readout, at(1));
    requester.handle_timeout(at(31));
    assert!(matches!(ended(&mut requester), Outcome::Cancelled));
}

#[test]
fn a_device_that_goes_offline_ends_its_readouts_and_no_others() {
    let (mut requester, _) = asking();
    let other = requester
        .request(jid("b@example.org/x"), ReadoutRequest::all(), at(0))
        .unwrap();
    let gone = stanza(&format!("<presence type='unavailable' from='{DEVICE}'/>"));
    assert!(
        !requester.handle_stanza(gone.root(), at(1)),
        "others want to see presence, too"
    );
    assert!(matches!(ended(&mut requester), Outcome::Unavailable));
    assert_eq!(requester.state(other), Some(State::Requested));
}

#[test]
fn a_lost_stream_ends_all_readouts() {
    let (mut requester, _) = asking();
    requester
        .request(jid("b@example.org/x"), ReadoutRequest::all(), at(0))
        .unwrap();
    requester.handle_disconnected();
    let told = events(&mut requester);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|event| matches!(
        event,
        Event::Ended {
            outcome: Outcome::Disconnected,
            ..
        }
    )));
    assert!(requester.drain().is_empty());
    assert_eq!(requester.poll_timeout(), None);
}

#[test]
fn the_bare_address_of_an_account_is_not_asked() {
    let mut requester = requester();
    let asked = requester.request(jid("meter@example.org"), ReadoutRequest::all(), at(0));
    assert!(matches!(asked, Err(RequestError::BareAddress)));
    assert!(requester.drain().is_empty());
    // A component has neither an account nor a resource.
    assert!(
        requester
            .request(jid("meters.example.org"), ReadoutRequest::all(), at(0))
            .is_ok()
    );
}

#[test]
fn a_text_that_xml_cannot_hold_is_not_sent() {
    let mut requester = requester();
    let request = ReadoutRequest::all().field("a\u{0}b");
    let asked = requester.request(jid(DEVICE), request, at(0));
    assert!(matches!(asked, Err(RequestError::Unwritable(_))));
    assert!(requester.drain().is_empty());
    assert_eq!(requester.outstanding(), 0);
}

#[test]
fn outstanding_readouts_are_limited() {
    let config = RequesterConfig::new()
        .outstanding(3)
        .outstanding_per_device(2);
    let mut requester = Requester::new(config);
    let mut ask = |device: &str| {
        requester
            .request(jid(device), ReadoutRequest::all(), at(0))
            .map_err(|error| error.to_string())
    };
    ask(DEVICE).unwrap();
    ask(DEVICE).unwrap();
    assert_eq!(ask(DEVICE), Err(RequestError::TooManyOfDevice.to_string()));
    ask("b@example.org/x").unwrap();
    assert_eq!(
        ask("c@example.org/x"),
        Err(RequestError::TooMany.to_string())
    );
    // Room comes back when one ends.
    requester.handle_stanza(message(&fields(1, true, &[])).root(), at(1));
    requester
        .request(jid(DEVICE), ReadoutRequest::all(), at(1))
        .unwrap();
}

#[test]
fn fields_of_a_readout_are_limited() {
    let (mut requester, _) = asking_with(RequesterConfig::new().fields(3));
    requester.handle_stanza(message(&fields(1, false, &["1", "2", "3"])).root(), at(1));
    assert_eq!(values(&events(&mut requester)).len(), 3);
    requester.handle_stanza(message(&fields(1, false, &["4"])).root(), at(1));
    assert!(matches!(
        ended(&mut requester),
        Outcome::Exceeded(Limit::Fields)
    ));
    assert!(payload(&requester.sent()).starts_with("<cancel "));
}

#[test]
fn failures_of_a_readout_are_limited_too() {
    let (mut requester, _) = asking_with(RequesterConfig::new().fields(3));
    let error = "<error nodeId='1' timestamp=''>No.</error>".repeat(4);
    requester.handle_stanza(
        message(&format!("<failure seqnr='1'>{error}</failure>")).root(),
        at(1),
    );
    assert!(matches!(
        ended(&mut requester),
        Outcome::Exceeded(Limit::Fields)
    ));
}

#[test]
fn bytes_of_a_readout_are_limited() {
    let (mut requester, _) = asking_with(RequesterConfig::new().bytes(1000));
    let long = "x".repeat(600);
    let data = format!("<fields seqnr='1'><node nodeId='{long}'/></fields>");
    requester.handle_stanza(message(&data).root(), at(1));
    assert!(events(&mut requester).is_empty());
    requester.handle_stanza(message(&data).root(), at(1));
    assert!(matches!(
        ended(&mut requester),
        Outcome::Exceeded(Limit::Bytes)
    ));
}

#[test]
fn a_failure_is_read_leniently() {
    let (mut requester, _) = asking();
    let failure = "<failure seqnr='1'>\
        <error nodeId='1' sourceId='s' cacheType='c' timestamp='2013-03-07T17:13:30'>No.</error>\
        <error nodeId='2' timestamp='just now'/></failure>";
    requester.handle_stanza(message(failure).root(), at(1));
    let events = events(&mut requester);
    let [Event::Failures { failures, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        failures[0].node,
        NodeReference::new("1").source("s").partition("c")
    );
    assert_eq!(failures[0].time, Some(time("2013-03-07T17:13:30")));
    assert_eq!(failures[0].text, "No.");
    assert_eq!(failures[1].time, None);
    assert_eq!(requester.outstanding(), 1);
}

#[test]
fn a_failure_that_ends_it_leaves_the_data_valid() {
    let (mut requester, _) = asking();
    requester.handle_stanza(message(&fields(1, false, &["1"])).root(), at(1));
    requester.handle_stanza(message("<failure seqnr='1' done='true'/>").root(), at(1));
    let events = events(&mut requester);
    assert_eq!(values(&events), ["1 °C"]);
    assert!(matches!(
        events.last(),
        Some(Event::Ended {
            outcome: Outcome::Failed,
            fields: 1,
            failures: 1,
            ..
        })
    ));
}

#[test]
fn stanzas_of_others_are_left_to_them() {
    let (mut requester, _) = asking();
    for other in [
        "<message from='a@b/c'><body>hello</body></message>",
        "<iq type='result' id='other-1' from='meter@example.org/roof'/>",
        "<iq type='result' id='sd-01' from='meter@example.org/roof'/>",
        "<iq type='result' id='sd-+1' from='meter@example.org/roof'/>",
        "<iq type='get' id='sd-1' from='meter@example.org/roof'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<presence from='meter@example.org/roof'/>",
        "<message from='meter@example.org/roof'><req xmlns='urn:xmpp:iot:sensordata' seqnr='1'/></message>",
    ] {
        assert!(
            !requester.handle_stanza(stanza(other).root(), at(1)),
            "{other}"
        );
    }
    let foreign = Element::parse("<message xmlns='urn:example'/>").unwrap();
    assert!(!requester.handle_stanza(foreign.root(), at(1)));
    assert!(events(&mut requester).is_empty());
}
