//! Entity capabilities: the hashes of the standards, and what is believed of them (XEP-0115, XEP-0390).

use std::time::Duration;

use xmpp_core::caps::{
    Announcement, CapabilityHash, Caps, CapsCache, HashFunction, HashSet, IllFormed, hash_input,
    verification_input,
};
use xmpp_core::disco::{Disco, Entity, info};
use xmpp_core::form::{Field, Form, FormType};
use xmpp_core::jid::Jid;
use xmpp_core::ns;
use xmpp_core::stanza::Stanza;
use xmpp_xml::{Element, FromXml, ToXml};

use crate::support::jid;

/// XEP-0390, example 1.
const SIMPLE: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='client' name='BombusMod' type='mobile'/>\
    <feature var='http://jabber.org/protocol/si'/>\
    <feature var='http://jabber.org/protocol/bytestreams'/>\
    <feature var='http://jabber.org/protocol/chatstates'/>\
    <feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='urn:xmpp:ping'/>\
    <feature var='jabber:iq:time'/><feature var='jabber:iq:privacy'/>\
    <feature var='jabber:iq:version'/><feature var='http://jabber.org/protocol/rosterx'/>\
    <feature var='urn:xmpp:time'/><feature var='jabber:x:oob'/>\
    <feature var='http://jabber.org/protocol/ibb'/>\
    <feature var='http://jabber.org/protocol/si/profile/file-transfer'/>\
    <feature var='urn:xmpp:receipts'/><feature var='jabber:iq:roster'/>\
    <feature var='jabber:iq:last'/></query>";

/// XEP-0390, example 2.
const COMPLEX: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='client' name='Tkabber' type='pc' xml:lang='en'/>\
    <identity category='client' name='Ткаббер' type='pc' xml:lang='ru'/>\
    <feature var='games:board'/><feature var='http://jabber.org/protocol/activity'/>\
    <feature var='http://jabber.org/protocol/activity+notify'/>\
    <feature var='http://jabber.org/protocol/bytestreams'/>\
    <feature var='http://jabber.org/protocol/chatstates'/>\
    <feature var='http://jabber.org/protocol/commands'/>\
    <feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/>\
    <feature var='http://jabber.org/protocol/evil'/>\
    <feature var='http://jabber.org/protocol/feature-neg'/>\
    <feature var='http://jabber.org/protocol/geoloc'/>\
    <feature var='http://jabber.org/protocol/geoloc+notify'/>\
    <feature var='http://jabber.org/protocol/ibb'/>\
    <feature var='http://jabber.org/protocol/iqibb'/>\
    <feature var='http://jabber.org/protocol/mood'/>\
    <feature var='http://jabber.org/protocol/mood+notify'/>\
    <feature var='http://jabber.org/protocol/rosterx'/>\
    <feature var='http://jabber.org/protocol/si'/>\
    <feature var='http://jabber.org/protocol/si/profile/file-transfer'/>\
    <feature var='http://jabber.org/protocol/tune'/>\
    <feature var='http://www.facebook.com/xmpp/messages'/>\
    <feature var='http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify'/>\
    <feature var='jabber:iq:avatar'/><feature var='jabber:iq:browse'/>\
    <feature var='jabber:iq:dtcp'/><feature var='jabber:iq:filexfer'/>\
    <feature var='jabber:iq:ibb'/><feature var='jabber:iq:inband'/>\
    <feature var='jabber:iq:jidlink'/><feature var='jabber:iq:last'/><feature var='jabber:iq:oob'/>\
    <feature var='jabber:iq:privacy'/><feature var='jabber:iq:roster'/>\
    <feature var='jabber:iq:time'/><feature var='jabber:iq:version'/><feature var='jabber:x:data'/>\
    <feature var='jabber:x:event'/><feature var='jabber:x:oob'/>\
    <feature var='urn:xmpp:avatar:metadata+notify'/><feature var='urn:xmpp:ping'/>\
    <feature var='urn:xmpp:receipts'/><feature var='urn:xmpp:time'/>\
    <x xmlns='jabber:x:data' type='result'><field type='hidden' var='FORM_TYPE'>\
    <value>urn:xmpp:dataforms:softwareinfo</value></field><field var='software'>\
    <value>Tkabber</value></field><field var='software_version'>\
    <value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value></field><field var='os'>\
    <value>Windows</value></field><field var='os_version'><value>XP</value></field></x></query>";

/// XEP-0115 §5.3.
const PSI: &str = "<query xmlns='http://jabber.org/protocol/disco#info' \
    node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>\
    <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
    <identity xml:lang='el' category='client' name='\u{3a8} 0.11' type='pc'/>\
    <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
    <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
    <value>urn:xmpp:dataforms:softwareinfo</value></field><field var='ip_version' type='text-multi'>\
    <value>ipv6</value><value>ipv4</value></field><field var='os'><value>Mac</value></field>\
    <field var='software_version'><value>0.11</value></field><field var='software'><value>Psi</value></field>\
    <field var='os_version'><value>10.5.1</value></field></x></query>";

const PSI_VER: &str = "q07IKJEyjvHSyhy//CH0CxmKi8w=";

fn ver(query: &str) -> Result<String, IllFormed> {
    let element = Element::parse(query).unwrap();
    let info: info::Query<'_> = element.root().read().unwrap();
    verification_input(&info).map(|input| HashFunction::Sha1.hash(input.as_bytes()))
}

fn hash(query: &str, lang: Option<&str>) -> Result<String, IllFormed> {
    let element = Element::parse(query).unwrap();
    let info: info::Query<'_> = element.root().read().unwrap();
    hash_input(&info, lang).map(|input| HashFunction::Sha256.hash(&input))
}

fn query(content: &str) -> String {
    format!("<query xmlns='http://jabber.org/protocol/disco#info'>{content}</query>")
}

#[test]
fn the_examples_of_entity_capabilities_have_their_verification_strings() {
    let exodus = query(
        "<identity category='client' type='pc' name='Exodus 0.9.1'/>\
         <feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/disco#items'/>\
         <feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/caps'/>",
    );
    assert_eq!(ver(&exodus).unwrap(), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    assert_eq!(ver(PSI).unwrap(), PSI_VER);
}

#[test]
fn the_examples_of_entity_capabilities_2_have_their_hashes() {
    assert_eq!(
        hash(SIMPLE, None).unwrap(),
        "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8="
    );
    assert_eq!(
        hash(COMPLEX, None).unwrap(),
        "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY="
    );
    // The order of what is written means nothing, and neither does white space between it.
    let reordered = SIMPLE.replace("<feature var='http://jabber.org/protocol/si'/>", "");
    let reordered = reordered.replace(
        "</query>",
        "\n <feature var='http://jabber.org/protocol/si'/>\n</query>",
    );
    assert_eq!(hash(&reordered, None), hash(SIMPLE, None));
}

#[test]
fn a_language_around_the_description_counts_for_entity_capabilities_2() {
    let plain = query("<identity category='client' type='pc' name='n'/>");
    let spelt_out = query("<identity category='client' type='pc' name='n' xml:lang='en'/>");
    assert_eq!(hash(&plain, Some("en")), hash(&spelt_out, None));
    assert_ne!(hash(&plain, None), hash(&spelt_out, None));
    assert_eq!(hash(&spelt_out, Some("de")), hash(&spelt_out, None));
}

#[test]
fn ill_formed_descriptions_have_no_hash() {
    let form = |form_type: &str, rest: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>{form_type}</field>{rest}</x>"
        )
    };
    let typed = form("<value>urn:a</value>", "");
    for (content, reason) in [
        (
            "<identity category='a' type='b'/><identity category='a' type='b'/>".to_owned(),
            IllFormed::RepeatedIdentity,
        ),
        (
            "<feature var='a'/><feature var='b'/><feature var='a'/>".to_owned(),
            IllFormed::RepeatedFeature,
        ),
        (format!("{typed}{typed}"), IllFormed::RepeatedForm),
        (
            form("<value>urn:a</value><value>urn:b</value>", ""),
            IllFormed::RepeatedForm,
        ),
        ("<feature var='a&lt;b'/>".to_owned(), IllFormed::Separator),
        (
            "<identity category='a' type='b' name='c&lt;d'/>".to_owned(),
            IllFormed::Separator,
        ),
    ] {
        assert_eq!(ver(&query(&content)), Err(reason), "{content}");
    }
    // A form without a type is passed over, and a type may be told twice.
    let untyped = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>a</value></field></x>";
    assert_eq!(ver(&query(untyped)), ver(&query("")));
    let twice = form("<value>urn:a</value><value>urn:a</value>", "");
    assert_eq!(ver(&query(&twice)), ver(&query(&typed)));

    let table = "<reported><field var='a'/></reported>";
    for (content, reason) in [
        (untyped.to_owned(), IllFormed::FormType),
        (form("<value>urn:a</value>", table), IllFormed::Table),
        (form("<value>urn:a</value>", "<item/>"), IllFormed::Table),
        (
            "<other xmlns='urn:example'/>".to_owned(),
            IllFormed::Extension,
        ),
    ] {
        assert_eq!(hash(&query(&content), None), Err(reason), "{content}");
    }
    // Parts cannot pass for others, as they can where `<` separates them.
    let one = query("<feature var='a'/><feature var='b'/>");
    let other = query("<feature var='a&lt;b'/>");
    assert_ne!(hash(&one, None), hash(&other, None));
}

#[test]
fn nodes_stand_for_hashes() {
    let hash = CapabilityHash {
        function: "sha-256".into(),
        value: "kzBZ=".into(),
    };
    assert_eq!(hash.query_node(), "urn:xmpp:caps#sha-256.kzBZ=");
    assert_eq!(
        CapabilityHash::from_query_node("urn:xmpp:caps#sha-256.kzBZ="),
        Some(hash)
    );
    let dotted = CapabilityHash::from_query_node("urn:xmpp:caps#sha.2.256.kzBZ=").unwrap();
    assert_eq!((&*dotted.function, &*dotted.value), ("sha.2.256", "kzBZ="));
    for node in [
        "urn:xmpp:caps",
        "urn:xmpp:caps#sha-256",
        "http://psi-im.org#a.b",
    ] {
        assert_eq!(CapabilityHash::from_query_node(node), None);
    }
    for function in [
        HashFunction::Sha1,
        HashFunction::Sha256,
        HashFunction::Sha512,
    ] {
        assert_eq!(HashFunction::from_name(function.as_str()), Some(function));
    }
    assert_eq!(HashFunction::from_name("md5"), None);
    assert_eq!(HashFunction::Sha512.hash(b"").len(), 88);
}

fn sensor() -> Entity {
    let software = Form::of(FormType::Result)
        .with_field(Field::hidden(
            "FORM_TYPE",
            "urn:xmpp:dataforms:softwareinfo",
        ))
        .with_field(Field::submitted("software").with_value("Thermometer"));
    Entity::new(info::Identity::new("device", "sensor"))
        .with_feature(ns::PING)
        .with_form(software)
}

fn ask(disco: &Disco, node: &str) -> String {
    let request = format!(
        "<iq xmlns='jabber:client' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/></iq>"
    );
    let request = Element::parse(&request).unwrap();
    let Stanza::Iq(iq) = Stanza::parse(request.root()).unwrap() else {
        panic!()
    };
    Element::build(|writer| {
        disco.answer(&iq, writer);
    })
    .unwrap()
    .to_string()
}

#[test]
fn what_is_announced_is_answered_for_under_all_its_nodes() {
    let mut disco = Disco::new(sensor());
    let announcement = disco.announce("https://example.com/sensor").unwrap();
    let nodes: Vec<_> = announcement.query_nodes().collect();
    assert_eq!(nodes.len(), 2);
    assert!(nodes[0].starts_with("https://example.com/sensor#"));
    for node in &nodes {
        let answer = Element::parse(&ask(&disco, node)).unwrap();
        let info: info::Query<'_> = answer.root().children().next().unwrap().read().unwrap();
        assert_eq!(info.node.as_deref(), Some(node.as_str()));
        assert!(info.has_feature(ns::CAPS) && info.has_feature(ns::CAPS_2));
        let software = info.form("urn:xmpp:dataforms:softwareinfo").unwrap();
        assert_eq!(software.value("software"), Some("Thermometer"));
        let again = Announcement::new("https://example.com/sensor", &info).unwrap();
        assert_eq!(again, announcement);
    }
    let items = ask(&disco, &nodes[0]).replace("disco#info", "disco#items");
    assert!(!items.contains("item-not-found"));
}

#[test]
fn the_last_three_announcements_are_answered_for() {
    let mut disco = Disco::new(sensor());
    let mut nodes = Vec::new();
    for feature in ["a", "b", "c", "d"] {
        disco.root_mut().add_feature(feature);
        let announcement = disco.announce("u").unwrap();
        assert_eq!(disco.announce("u").unwrap(), announcement);
        nodes.push(announcement.query_nodes().next().unwrap());
    }
    assert!(ask(&disco, &nodes[0]).contains("item-not-found"));
    assert!(ask(&disco, &nodes[1]).contains("<feature var='b'/>"));
    // With the description of then, not of now.
    assert!(!ask(&disco, &nodes[1]).contains("<feature var='c'/>"));
    assert!(ask(&disco, &nodes[3]).contains("<feature var='d'/>"));
}

#[test]
fn an_entity_whose_forms_have_no_type_cannot_be_announced() {
    let entity =
        Entity::new(info::Identity::new("device", "sensor")).with_form(Form::of(FormType::Result));
    let mut disco = Disco::new(entity);
    assert_eq!(disco.announce("u"), Err(IllFormed::FormType));
}

#[test]
fn a_presence_has_both_kinds_of_capabilities() {
    let announcement = Disco::new(sensor()).announce("u").unwrap();
    let presence = presence_of("a@b/c", &announcement);
    let children: Vec<_> = presence.root().children().collect();
    assert_eq!(Caps::from_xml(children[0]).unwrap(), announcement.caps);
    assert_eq!(HashSet::from_xml(children[1]).unwrap(), announcement.hashes);
}

fn presence_of(from: &str, payload: &dyn ToXml) -> Element {
    Element::build(|writer| {
        writer
            .start("presence", ns::CLIENT)
            .attribute("from", from)
            .payload(payload)
            .end();
    })
    .unwrap()
}

fn caps(hash: &'static str, ver: &'static str) -> Caps<'static> {
    Caps {
        hash: Some(hash.into()),
        node: "http://psi-im.org".into(),
        ver: ver.into(),
    }
}

fn handle(cache: &mut CapsCache, presence: &Element) {
    let Stanza::Presence(presence) = Stanza::parse(presence.root()).unwrap() else {
        panic!()
    };
    cache.handle_presence(&presence);
}

fn answer(cache: &mut CapsCache, from: &Jid, query: &str) {
    cache.handle_info(from.as_ref(), Element::parse(query).unwrap().root());
}

fn asked(cache: &mut CapsCache) -> Vec<String> {
    std::iter::from_fn(|| cache.poll_query())
        .map(|query| query.to.to_string())
        .collect()
}

fn knows(cache: &mut CapsCache, jid: &str) -> bool {
    cache.info(jid.parse::<Jid>().unwrap().as_ref()).is_some()
}

#[test]
fn one_of_a_kind_is_asked_for_all() {
    let mut cache = CapsCache::new();
    for name in ["a@x/1", "b@x/1", "c@x/1"] {
        handle(&mut cache, &presence_of(name, &caps("sha-1", PSI_VER)));
    }
    let query = cache.poll_query().unwrap();
    assert_eq!(
        (query.to.as_str(), query.node.as_str()),
        ("a@x/1", "http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w=")
    );
    assert_eq!(cache.poll_query(), None);
    answer(&mut cache, &query.to, PSI);
    for name in ["a@x/1", "b@x/1", "c@x/1"] {
        assert!(knows(&mut cache, name));
    }
    // One who comes later need not be asked either, not even after the stream was lost.
    cache.handle_disconnected();
    assert!(!knows(&mut cache, "a@x/1"));
    handle(&mut cache, &presence_of("d@x/1", &caps("sha-1", PSI_VER)));
    assert_eq!(cache.poll_query(), None);
    let info = cache.info(jid("d@x/1").as_ref()).unwrap();
    assert!(info.has_identity("client", "pc") && info.node.is_none());
}

#[test]
fn a_poisoned_answer_is_believed_for_nobody_else() {
    let mut cache = CapsCache::new();
    for name in ["a@x/1", "b@x/1"] {
        handle(&mut cache, &presence_of(name, &caps("sha-1", PSI_VER)));
    }
    assert_eq!(asked(&mut cache), ["a@x/1"]);
    let poisoned = PSI.replace("protocol/muc", "protocol/evil");
    answer(&mut cache, &jid("a@x/1"), &poisoned);
    assert!(
        cache
            .info(jid("a@x/1").as_ref())
            .unwrap()
            .has_feature("http://jabber.org/protocol/evil")
    );
    assert!(!knows(&mut cache, "b@x/1"));
    // The next one with that hash is asked, and proves it.
    assert_eq!(asked(&mut cache), ["b@x/1"]);
    answer(&mut cache, &jid("b@x/1"), PSI);
    assert!(
        cache
            .info(jid("b@x/1").as_ref())
            .unwrap()
            .has_feature("http://jabber.org/protocol/muc")
    );
    // An answer that nobody asked for changes nothing.
    answer(&mut cache, &jid("b@x/1"), &poisoned);
    assert!(
        !cache
            .info(jid("b@x/1").as_ref())
            .unwrap()
            .has_feature("http://jabber.org/protocol/evil")
    );
}

#[test]
fn a_hash_that_cannot_be_checked_counts_for_each_alone() {
    let mut cache = CapsCache::new();
    for name in ["a@x/1", "b@x/1"] {
        handle(&mut cache, &presence_of(name, &caps("md5", PSI_VER)));
    }
    assert_eq!(asked(&mut cache), ["a@x/1"]);
    answer(&mut cache, &jid("a@x/1"), PSI);
    assert!(knows(&mut cache, "a@x/1") && !knows(&mut cache, "b@x/1"));
    assert_eq!(asked(&mut cache), ["b@x/1"]);
    // Without the name of a function it is a version number of old.
    let old = Caps {
        hash: None,
        node: "n".into(),
        ver: "1.0".into(),
    };
    handle(&mut cache, &presence_of("c@x/1", &old));
    assert_eq!(cache.poll_query(), None);
    assert_eq!(cache.entities(), 2);
}

#[test]
fn the_strongest_hash_is_asked_for() {
    let set = HashSet {
        hashes: vec![
            CapabilityHash {
                function: "sha3-256".into(),
                value: "XpUJ".into(),
            },
            CapabilityHash {
                function: "sha-256".into(),
                value: "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=".into(),
            },
            CapabilityHash {
                function: "sha-1".into(),
                value: "AAAA".into(),
            },
        ],
    };
    let mut cache = CapsCache::new();
    let presence = Element::build(|writer| {
        writer
            .start("presence", ns::CLIENT)
            .attribute("from", "a@x/1");
        writer.payload(&caps("sha-1", PSI_VER)).payload(&set).end();
    })
    .unwrap();
    handle(&mut cache, &presence);
    let query = cache.poll_query().unwrap();
    assert_eq!(
        query.node,
        "urn:xmpp:caps#sha-256.u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY="
    );
    answer(&mut cache, &query.to, COMPLEX);
    handle(&mut cache, &presence_of("b@x/1", &set));
    assert!(knows(&mut cache, "b@x/1"));
}

#[test]
fn an_implied_language_is_kept_with_the_description() {
    let plain = query("<identity category='client' type='pc' name='n'/>");
    let value = hash(&plain, Some("en")).unwrap();
    let set = HashSet {
        hashes: vec![CapabilityHash {
            function: "sha-256".into(),
            value: value.into(),
        }],
    };
    let mut cache = CapsCache::new();
    handle(&mut cache, &presence_of("a@x/1", &set));
    assert_eq!(asked(&mut cache), ["a@x/1"]);
    let reply = Element::parse(&format!(
        "<iq xmlns='jabber:client' xml:lang='en'>{plain}</iq>"
    ))
    .unwrap();
    cache.handle_info(
        jid("a@x/1").as_ref(),
        reply.root().children().next().unwrap(),
    );
    handle(&mut cache, &presence_of("b@x/1", &set));
    let info = cache.info(jid("b@x/1").as_ref()).unwrap();
    assert_eq!(info.identities[0].lang.as_deref(), Some("en"));
}

#[test]
fn who_goes_or_does_not_answer_makes_way_for_another() {
    let mut cache = CapsCache::new();
    for name in ["a@x/1", "b@x/1", "c@x/1", "d@x/1"] {
        handle(&mut cache, &presence_of(name, &caps("sha-1", PSI_VER)));
    }
    assert_eq!(asked(&mut cache), ["a@x/1"]);
    cache.handle_failed(jid("a@x/1").as_ref());
    assert_eq!(asked(&mut cache), ["b@x/1"]);
    let gone = Element::parse("<presence xmlns='jabber:client' from='b@x/1' type='unavailable'/>")
        .unwrap();
    handle(&mut cache, &gone);
    assert_eq!(asked(&mut cache), ["c@x/1"]);
    answer(
        &mut cache,
        &jid("c@x/1"),
        "<query xmlns='urn:example:other'/>",
    );
    assert_eq!(asked(&mut cache), ["d@x/1"]);
    cache.handle_failed(jid("d@x/1").as_ref());
    // Nobody is asked twice, but one who says something new is.
    assert!(!knows(&mut cache, "a@x/1"));
    handle(&mut cache, &presence_of("a@x/1", &caps("sha-1", PSI_VER)));
    assert_eq!(cache.poll_query(), None);
    handle(&mut cache, &presence_of("a@x/1", &caps("sha-1", "AAAA")));
    assert_eq!(asked(&mut cache), ["a@x/1"]);
    // A presence without capabilities changes nothing.
    let bare = Element::parse("<presence xmlns='jabber:client' from='a@x/1'/>").unwrap();
    handle(&mut cache, &bare);
    assert_eq!(cache.entities(), 3);
}

#[test]
fn the_cache_is_bounded_in_every_direction() {
    // Requests.
    let mut cache = CapsCache::new().query_limit(2);
    let different: Vec<String> = (0..5).map(|n| format!("AAA{n}")).collect();
    let announce = |cache: &mut CapsCache, name: &str, ver: &str| {
        let caps = Caps {
            hash: Some("sha-1".into()),
            node: "n".into(),
            ver: ver.into(),
        };
        handle(cache, &presence_of(name, &caps));
    };
    for (n, ver) in different.iter().enumerate() {
        announce(&mut cache, &format!("a@x/{n}"), ver);
    }
    assert_eq!(asked(&mut cache), ["a@x/0", "a@x/1"]);
    cache.handle_failed(jid("a@x/0").as_ref());
    assert_eq!(asked(&mut cache), ["a@x/2"]);

    // Entities.
    let mut cache = CapsCache::new().entity_limit(2);
    for n in 0..5 {
        announce(&mut cache, &format!("a@x/{n}"), PSI_VER);
    }
    assert_eq!(cache.entities(), 2);
    announce(&mut cache, "a@x/1", "AAAA");
    assert_eq!(cache.entities(), 2);

    // Names that are too long.
    let mut cache = CapsCache::new();
    announce(&mut cache, "a@x/1", &"A".repeat(1025));
    assert_eq!(cache.entities(), 0);

    // Descriptions: the one not used for the longest time goes, and is asked for again when it is wanted.
    let mut cache = CapsCache::new().info_bytes_limit(12_000);
    let mut describe = |n: usize| {
        let content = query(&format!(
            "<identity category='a' type='b' name='{n}{}'/>",
            "x".repeat(4000)
        ));
        let ver = ver(&content).unwrap();
        announce(&mut cache, &format!("a@x/{n}"), &ver);
        for to in asked(&mut cache) {
            answer(&mut cache, &jid(&to), &content);
        }
        cache.info_bytes()
    };
    for n in 0..5 {
        assert!(describe(n) <= 12_000);
    }
    assert!(knows(&mut cache, "a@x/4") && knows(&mut cache, "a@x/3"));
    assert!(!knows(&mut cache, "a@x/0"));
    assert_eq!(asked(&mut cache), ["a@x/0"]);

    // One that is too large by itself is not kept.
    let mut cache = CapsCache::new().info_bytes_limit(100);
    announce(&mut cache, "a@x/1", PSI_VER);
    assert_eq!(asked(&mut cache), ["a@x/1"]);
    answer(&mut cache, &jid("a@x/1"), PSI);
    assert_eq!((knows(&mut cache, "a@x/1"), cache.info_bytes()), (false, 0));
}

#[test]
fn who_comes_and_goes_leaves_nothing_behind() {
    let mut cache = CapsCache::new();
    let gone = Element::parse("<presence xmlns='jabber:client' from='a@x/1' type='unavailable'/>")
        .unwrap();
    let start = std::time::Instant::now();
    for _ in 0..20_000 {
        handle(&mut cache, &presence_of("a@x/1", &caps("sha-1", PSI_VER)));
        handle(&mut cache, &gone);
    }
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "forgetting takes longer and longer"
    );
    assert_eq!((cache.entities(), cache.poll_query()), (0, None));
    handle(&mut cache, &presence_of("a@x/1", &caps("sha-1", PSI_VER)));
    assert_eq!(asked(&mut cache), ["a@x/1"]);
}
