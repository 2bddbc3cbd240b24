//! Service discovery: payloads and answers (XEP-0030).

use xmpp_core::disco::{Disco, Entity, info, items};
use xmpp_core::ns;
use xmpp_core::stanza::Stanza;
use xmpp_xml::{Element, Writer};

fn disco() -> Disco {
    let roof = items::Item::new("roof@example.com".parse().unwrap())
        .with_node("n1")
        .with_name("Roof");
    let root = Entity::new(info::Identity::new("device", "concentrator").with_name("House"))
        .with_identity(info::Identity::new("automation", "bot"))
        .with_feature("urn:xmpp:iot:sensordata")
        .with_feature(ns::PING)
        .with_feature(ns::PING)
        .with_item(roof);
    let mut disco = Disco::new(root);
    let node = Entity::new(info::Identity::new("hierarchy", "leaf"));
    disco.set_node("n1", node);
    disco
}

fn ask(disco: &Disco, kind: &str, query: &str) -> String {
    let request = format!(
        "<iq xmlns='jabber:client' type='{kind}' id='1' from='a@b/c' to='d@e'>{query}</iq>"
    );
    let request = Element::parse(&request).unwrap();
    let Stanza::Iq(iq) = Stanza::parse(request.root()).unwrap() else {
        panic!()
    };
    let mut out = Vec::new();
    let mut writer = Writer::in_stream(&mut out, ns::CLIENT);
    let wrote = disco.answer(&iq, &mut writer);
    writer.finish().unwrap();
    assert_eq!(wrote, !out.is_empty());
    String::from_utf8(out).unwrap()
}

#[test]
fn an_entity_tells_what_it_is_and_can_do() {
    assert_eq!(
        ask(
            &disco(),
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>"
        ),
        "<iq type='result' id='1' from='d@e' to='a@b/c'>\
         <query xmlns='http://jabber.org/protocol/disco#info'>\
         <identity category='device' type='concentrator' name='House'/>\
         <identity category='automation' type='bot'/>\
         <feature var='http://jabber.org/protocol/disco#info'/>\
         <feature var='http://jabber.org/protocol/disco#items'/>\
         <feature var='urn:xmpp:iot:sensordata'/><feature var='urn:xmpp:ping'/></query></iq>"
    );
}

#[test]
fn an_entity_tells_what_it_has() {
    assert_eq!(
        ask(
            &disco(),
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#items'/>"
        ),
        "<iq type='result' id='1' from='d@e' to='a@b/c'>\
         <query xmlns='http://jabber.org/protocol/disco#items'>\
         <item jid='roof@example.com' node='n1' name='Roof'/></query></iq>"
    );
    // Nothing is an empty list, not an error.
    assert_eq!(
        ask(
            &disco(),
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#items' node='n1'/>"
        ),
        "<iq type='result' id='1' from='d@e' to='a@b/c'>\
         <query xmlns='http://jabber.org/protocol/disco#items' node='n1'/></iq>"
    );
}

#[test]
fn the_answer_names_the_node_that_was_asked_for() {
    let said = ask(
        &disco(),
        "get",
        "<query xmlns='http://jabber.org/protocol/disco#info' node='n1'/>",
    );
    assert!(said.contains("<query xmlns='http://jabber.org/protocol/disco#info' node='n1'>"));
    assert!(said.contains("<identity category='hierarchy' type='leaf'/>"));
}

#[test]
fn a_node_that_does_not_exist_is_not_found() {
    let mut disco = disco();
    let query = "<query xmlns='http://jabber.org/protocol/disco#info' node='n2'/>";
    assert!(ask(&disco, "get", query).contains("<error type='cancel'><item-not-found"));
    disco.set_node("n2", Entity::new(info::Identity::new("hierarchy", "leaf")));
    assert!(ask(&disco, "get", query).contains("type='result'"));
    disco.remove_node("n2");
    assert!(ask(&disco, "get", query).contains("<item-not-found"));
}

#[test]
fn other_requests_are_left_to_others() {
    assert_eq!(
        ask(
            &disco(),
            "set",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>"
        ),
        ""
    );
    assert_eq!(
        ask(&disco(), "get", "<query xmlns='jabber:iq:roster'/>"),
        ""
    );
    assert_eq!(
        ask(
            &disco(),
            "get",
            "<other xmlns='http://jabber.org/protocol/disco#info'/>"
        ),
        ""
    );
}

#[test]
fn answers_are_read_with_what_extensions_add() {
    let element = Element::parse(
        "<query xmlns='http://jabber.org/protocol/disco#info' node='x'>\
         <identity category='server' type='im' name='S' xml:lang='en'/>\
         <feature var='a'/><x xmlns='jabber:x:data' type='result'/><y xmlns='urn:example:y'/><feature var='b'/></query>",
    )
    .unwrap();
    let query: info::Query<'_> = element.root().read().unwrap();
    assert!(query.has_feature("a") && query.has_feature("b") && !query.has_feature("c"));
    assert!(query.has_feature(ns::DISCO_INFO), "taken for granted");
    assert!(query.has_identity("server", "im") && !query.has_identity("server", "x"));
    assert_eq!(query.identities[0].lang.as_deref(), Some("en"));
    assert_eq!((query.forms.len(), query.extensions.len()), (1, 1));
    let written = Element::build(|writer| xmpp_xml::ToXml::to_xml(&query, writer)).unwrap();
    assert_eq!(written.root().read::<info::Query<'_>>().unwrap(), query);

    let element = Element::parse(
        "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='A@b' node='n'/></query>",
    )
    .unwrap();
    let query: items::Query<'_> = element.root().read().unwrap();
    assert_eq!(
        query.items,
        [items::Item::new("a@b".parse().unwrap()).with_node("n")]
    );
    let broken =
        "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='a b@c'/></query>";
    assert!(
        Element::parse(broken)
            .unwrap()
            .root()
            .read::<items::Query<'_>>()
            .is_err()
    );
}

#[test]
fn requests_are_empty_queries() {
    let of = |payload: &dyn xmpp_xml::ToXml| {
        Element::build(|writer| payload.to_xml(writer))
            .unwrap()
            .to_string()
    };
    assert_eq!(
        of(&info::Query::new()),
        "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    );
    assert_eq!(
        of(&items::Query::about("n1")),
        "<query xmlns='http://jabber.org/protocol/disco#items' node='n1'/>"
    );
    assert_eq!(info::Query::about("n1").node.as_deref(), Some("n1"));
    assert_eq!(items::Query::new().node, None);
}

#[test]
fn items_come_in_pages_where_pages_are_asked_for() {
    let mut house = Entity::new(info::Identity::new("device", "concentrator"));
    for n in 0..5 {
        let jid = format!("{n}@example.com").parse().unwrap();
        house = house.with_item(items::Item::new(jid));
    }
    let disco = Disco::new(house).page_limit(2);
    let page = |set: &str| {
        let query = format!(
            "<query xmlns='http://jabber.org/protocol/disco#items'><set xmlns='http://jabber.org/protocol/rsm'>{set}</set></query>"
        );
        ask(&disco, "get", &query)
    };
    let read = |answer: &str| {
        let answer = Element::parse(&answer.replace("<iq", "<iq xmlns='jabber:client'")).unwrap();
        let query: items::Query<'_> = answer.root().children().next().unwrap().read().unwrap();
        let names: Vec<_> = query
            .items
            .iter()
            .map(|item| item.jid.to_string())
            .collect();
        (names, query.set.map(xmpp_xml::IntoOwned::into_owned))
    };
    let (names, set) = read(&page("<max>20</max>"));
    assert_eq!(names, ["0@example.com", "1@example.com"]);
    let set = set.unwrap();
    assert_eq!(set.count, Some(5));
    let (names, _) = read(&page(&format!("<after>{}</after>", set.last.unwrap())));
    assert_eq!(names, ["2@example.com", "3@example.com"]);
    assert!(page("<after>gone</after>").contains("<item-not-found"));
    assert!(page("<max>many</max>").contains("<bad-request"));
    // Who asks for no page gets everything.
    let (names, set) = read(&ask(
        &disco,
        "get",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    ));
    assert_eq!((names.len(), set), (5, None));
}

#[test]
fn what_an_entity_tells_besides_stands_in_forms() {
    use xmpp_core::form::{Field, Form, FormType};

    let server = Form::of(FormType::Result)
        .with_field(Field::hidden(
            "FORM_TYPE",
            "http://jabber.org/network/serverinfo",
        ))
        .with_field(
            Field::submitted("ip_version")
                .with_value("ipv4")
                .with_value("ipv6"),
        );
    let mut disco = Disco::new(Entity::new(info::Identity::new("server", "im")).with_form(server));
    let answer = ask(
        &disco,
        "get",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    );
    let answer = Element::parse(&answer.replace("<iq", "<iq xmlns='jabber:client'")).unwrap();
    let query: info::Query<'_> = answer.root().children().next().unwrap().read().unwrap();
    let form = query.form("http://jabber.org/network/serverinfo").unwrap();
    assert_eq!(
        form.values("ip_version").collect::<Vec<_>>(),
        ["ipv4", "ipv6"]
    );
    assert_eq!(query.form("urn:example:other"), None);
    disco.root_mut().set_forms(Vec::new());
    assert!(disco.root().info().forms.is_empty());
}
