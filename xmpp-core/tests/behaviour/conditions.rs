//! Every condition of stanza and stream errors, read and written.

use xmpp_core::error::{ErrorType, StanzaCondition, StanzaError, StreamCondition, StreamError};
use xmpp_core::ns;
use xmpp_xml::{Element, ToXml, Writer};

const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";

fn written(payload: &dyn ToXml) -> String {
    let mut out = Vec::new();
    let mut writer = Writer::in_stream(&mut out, ns::CLIENT);
    writer.payload(payload);
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn stanza_error(xml: &str) -> StanzaError {
    let xml = xml.replacen("<error", "<error xmlns='jabber:client'", 1);
    Element::parse(&xml).unwrap().root().read().unwrap()
}

fn stream_error(content: &str) -> StreamError {
    let xml = format!("<error xmlns='http://etherx.jabber.org/streams'>{content}</error>");
    Element::parse(&xml).unwrap().root().read().unwrap()
}

/// RFC 6120 §8.3.3, with the type that it gives each.
const STANZA_CONDITIONS: [(&str, ErrorType); 22] = [
    ("bad-request", ErrorType::Modify),
    ("conflict", ErrorType::Cancel),
    ("feature-not-implemented", ErrorType::Cancel),
    ("forbidden", ErrorType::Auth),
    ("gone", ErrorType::Cancel),
    ("internal-server-error", ErrorType::Cancel),
    ("item-not-found", ErrorType::Cancel),
    ("jid-malformed", ErrorType::Modify),
    ("not-acceptable", ErrorType::Modify),
    ("not-allowed", ErrorType::Cancel),
    ("not-authorized", ErrorType::Auth),
    ("policy-violation", ErrorType::Modify),
    ("recipient-unavailable", ErrorType::Wait),
    ("redirect", ErrorType::Modify),
    ("registration-required", ErrorType::Auth),
    ("remote-server-not-found", ErrorType::Cancel),
    ("remote-server-timeout", ErrorType::Wait),
    ("resource-constraint", ErrorType::Wait),
    ("service-unavailable", ErrorType::Cancel),
    ("subscription-required", ErrorType::Auth),
    ("undefined-condition", ErrorType::Cancel),
    ("unexpected-request", ErrorType::Wait),
];

/// RFC 6120 §4.9.3.
const STREAM_CONDITIONS: [&str; 25] = [
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "see-other-host",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
];

#[test]
fn every_stanza_condition_is_written_with_its_type_and_read_back() {
    assert_eq!(StanzaCondition::ALL.len(), STANZA_CONDITIONS.len());
    for (condition, (name, kind)) in StanzaCondition::ALL.into_iter().zip(STANZA_CONDITIONS) {
        assert_eq!((condition.as_str(), condition.default_type()), (name, kind));
        let xml = format!(
            "<error type='{}'><{name} xmlns='{STANZAS}'/></error>",
            kind.as_str()
        );
        assert_eq!(written(&StanzaError::new(condition)), xml);
        assert_eq!(stanza_error(&xml), StanzaError::new(condition));
    }
}

#[test]
fn every_stream_condition_is_written_and_read_back() {
    assert_eq!(StreamCondition::ALL.len(), STREAM_CONDITIONS.len());
    for (condition, name) in StreamCondition::ALL.into_iter().zip(STREAM_CONDITIONS) {
        assert_eq!(condition.as_str(), name);
        let content = format!("<{name} xmlns='{STREAMS}'/>");
        let xml = format!("<stream:error>{content}</stream:error>");
        assert_eq!(written(&StreamError::new(condition)), xml);
        assert_eq!(stream_error(&content), StreamError::new(condition));
    }
}

#[test]
fn every_error_type_is_read_and_unknown_ones_ask_for_nothing() {
    for kind in ["auth", "cancel", "continue", "modify", "wait"] {
        assert_eq!(ErrorType::from_name(kind).as_str(), kind);
    }
    assert_eq!(ErrorType::from_name("panic"), ErrorType::Cancel);
    let gone = stanza_error(&format!("<error><gone xmlns='{STANZAS}'/></error>"));
    assert_eq!(gone.kind, ErrorType::Cancel);
}

#[test]
fn unknown_conditions_are_undefined() {
    let error = stanza_error(&format!(
        "<error type='wait'><new xmlns='{STANZAS}'/></error>"
    ));
    assert_eq!(error.condition, StanzaCondition::UndefinedCondition);
    assert_eq!(error.kind, ErrorType::Wait);
    assert_eq!(
        stanza_error("<error/>").condition,
        StanzaCondition::UndefinedCondition
    );
    let error = stream_error(&format!("<new xmlns='{STREAMS}'/>"));
    assert_eq!(error.condition, StreamCondition::UndefinedCondition);
    assert_eq!(
        stream_error("").condition,
        StreamCondition::UndefinedCondition
    );
}

#[test]
fn the_old_name_of_not_well_formed_is_known() {
    let error = stream_error(&format!("<xml-not-well-formed xmlns='{STREAMS}'/>"));
    assert_eq!(error.condition, StreamCondition::NotWellFormed);
}

#[test]
fn of_several_conditions_the_first_counts() {
    let two = format!("<conflict xmlns='{STREAMS}'/><reset xmlns='{STREAMS}'/>");
    assert_eq!(stream_error(&two).condition, StreamCondition::Conflict);
    let two = format!("<error><gone xmlns='{STANZAS}'/><conflict xmlns='{STANZAS}'/></error>");
    assert_eq!(stanza_error(&two).condition, StanzaCondition::Gone);
}

#[test]
fn text_language_and_application_condition_come_along() {
    let application = Element::parse("<too-many xmlns='urn:example'><limit>3</limit></too-many>");
    let application = application.unwrap();
    let mut error = StanzaError::new(StanzaCondition::PolicyViolation)
        .with_kind(ErrorType::Wait)
        .with_text("a < b")
        .with_by("example.com".parse().unwrap())
        .with_application(application.clone());
    error.lang = Some("en".into());
    let xml = format!(
        "<error type='wait' by='example.com'><policy-violation xmlns='{STANZAS}'/>\
         <text xmlns='{STANZAS}' xml:lang='en'>a &lt; b</text>\
         <too-many xmlns='urn:example'><limit>3</limit></too-many></error>"
    );
    assert_eq!(written(&error), xml);
    assert_eq!(stanza_error(&xml), error);
    assert_eq!(error.to_string(), "policy-violation (a < b)");

    let error = StreamError::new(StreamCondition::UndefinedCondition)
        .with_text("x")
        .with_application(application);
    let xml = written(&error);
    let content = xml.strip_prefix("<stream:error>").unwrap();
    assert_eq!(
        stream_error(content.strip_suffix("</stream:error>").unwrap()),
        error
    );
}

#[test]
fn new_addresses_stand_inside_their_conditions() {
    for condition in [StanzaCondition::Gone, StanzaCondition::Redirect] {
        let error = StanzaError::new(condition).with_uri("xmpp:new@example.com");
        let xml = written(&error);
        let inside = format!("<{condition} xmlns='{STANZAS}'>xmpp:new@example.com</{condition}>");
        assert!(xml.contains(&inside), "{xml}");
        assert_eq!(stanza_error(&xml), error);
    }
    let error = StreamError::new(StreamCondition::SeeOtherHost).with_host("[2001:db8::1]:9222");
    assert_eq!(
        written(&error),
        format!(
            "<stream:error><see-other-host xmlns='{STREAMS}'>[2001:db8::1]:9222</see-other-host>\
             </stream:error>"
        )
    );
    let content = format!("<see-other-host xmlns='{STREAMS}'>[2001:db8::1]:9222</see-other-host>");
    assert_eq!(stream_error(&content), error);
}

#[test]
fn the_code_of_old_errors_is_passed_over() {
    let xml =
        format!("<error code='404' type='cancel'><item-not-found xmlns='{STANZAS}'/></error>");
    assert_eq!(
        stanza_error(&xml),
        StanzaError::new(StanzaCondition::ItemNotFound)
    );
}

#[test]
fn other_elements_are_not_errors() {
    for xml in ["<error xmlns='urn:x'/>", "<oops xmlns='jabber:client'/>"] {
        let element = Element::parse(xml).unwrap();
        assert!(element.root().read::<StanzaError>().is_err());
        assert!(element.root().read::<StreamError>().is_err());
    }
}
