//! Small payloads that many protocols share, and results in pages (XEP-0059).

use std::borrow::Cow;

use xmpp_core::datetime::Offset;
use xmpp_core::delay::Delay;
use xmpp_core::entity_time::{self, EntityTime};
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::forward::Forwarded;
use xmpp_core::header::{self, Headers};
use xmpp_core::hint::{Hint, hints};
use xmpp_core::last_activity::{self, LastActivity};
use xmpp_core::ns;
use xmpp_core::receipt::{self, Received};
use xmpp_core::result_set::{Page, ResultSet, page};
use xmpp_core::stanza::{Message, Stanza};
use xmpp_core::stanza_id::{OriginId, ReferencedStanza, StanzaId, assign};
use xmpp_core::version::{self, Software};
use xmpp_xml::value::DateTime;
use xmpp_xml::{Element, FromXml, ToXml};

use crate::support::jid;

fn written(payload: &dyn ToXml) -> String {
    Element::build(|writer| payload.to_xml(writer))
        .unwrap()
        .to_string()
}

/// What was read from a text is written as that text again.
fn same<T: for<'a> FromXml<'a> + ToXml>(text: &str) -> T {
    let element = Element::parse(text).unwrap();
    let value = T::from_xml(element.root()).unwrap();
    assert_eq!(written(&value), text);
    value
}

fn refused<T: for<'a> FromXml<'a>>(text: &str) -> bool {
    T::from_xml(Element::parse(text).unwrap().root()).is_err()
}

fn message<T>(xml: &str, read: impl FnOnce(Message<'_>) -> T) -> T {
    let element = Element::parse(xml).unwrap();
    match Stanza::parse(element.root()).unwrap() {
        Stanza::Message(message) => read(message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_delay_tells_when_by_whom_and_why() {
    let text = "<delay xmlns='urn:xmpp:delay' from='coven@macbeth.shakespeare.lit' \
                stamp='2002-09-10T23:05:37Z'>Offline Storage</delay>";
    let element = Element::parse(text).unwrap();
    let delay = Delay::from_xml(element.root()).unwrap();
    assert_eq!(delay.from, Some(jid("coven@macbeth.shakespeare.lit")));
    assert_eq!(written(&delay), text);
    // Stamps are in UTC whatever they are made from.
    let local: DateTime = "2002-09-11T01:05:37+02:00".parse().unwrap();
    let built = Delay::new(local)
        .with_from(jid("coven@macbeth.shakespeare.lit"))
        .with_reason("Offline Storage");
    assert_eq!(written(&built), text);
    for wrong in [
        "<delay xmlns='urn:xmpp:delay'/>",
        "<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>",
        "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:05:37Z' from='@'/>",
    ] {
        let element = Element::parse(wrong).unwrap();
        assert!(Delay::from_xml(element.root()).is_err(), "{wrong}");
    }
}

#[test]
fn hints_count_except_in_errors() {
    let all = "<no-permanent-store xmlns='urn:xmpp:hints'/><no-store xmlns='urn:xmpp:hints'/>\
               <body/><no-copy xmlns='urn:xmpp:hints'/><store xmlns='urn:xmpp:hints'/>\
               <other xmlns='urn:xmpp:hints'/><store xmlns='urn:example:other'/>";
    let of = |kind: &str| {
        let xml = format!("<message xmlns='jabber:client' type='{kind}'>{all}</message>");
        message(&xml, |message| hints(&message).collect::<Vec<_>>())
    };
    assert_eq!(
        of("chat"),
        [
            Hint::NoPermanentStore,
            Hint::NoStore,
            Hint::NoCopy,
            Hint::Store
        ]
    );
    assert_eq!(of("error"), []);
    assert_eq!(
        same::<Hint>("<no-copy xmlns='urn:xmpp:hints'/>"),
        Hint::NoCopy
    );
}

#[test]
fn stanza_ids_are_found_by_who_assigned_them() {
    let element = Element::parse(
        "<message xmlns='jabber:client'><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='room@muc.example.com'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='2' by='Juliet@example.com'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='3' by='twice@example.com'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='4' by='twice@example.com'/></message>",
    )
    .unwrap();
    let find =
        |by: &str| StanzaId::find(element.root(), &jid(by)).map(|found| found.id.into_owned());
    assert_eq!(find("room@muc.example.com").as_deref(), Some("1"));
    assert_eq!(find("juliet@example.com").as_deref(), Some("2"));
    assert_eq!(find("twice@example.com"), None);
    assert_eq!(find("nobody@example.com"), None);
}

#[test]
fn assigning_an_id_removes_what_pretends_to_be_one() {
    let sent = Element::parse(
        "<message xmlns='jabber:client' type='chat' xml:lang='en' to='a@b'><body>Hi</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='x' by='juliet@Example.com'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='y' by='room@muc.example.com'/>\
         <origin-id xmlns='urn:xmpp:sid:0' id='o'/></message>",
    )
    .unwrap();
    let id = StanzaId::new("1", jid("juliet@example.com"));
    let stored = Element::build(|writer| assign(sent.root(), &id, writer)).unwrap();
    assert_eq!(
        stored.to_string(),
        "<message xmlns='jabber:client' type='chat' xml:lang='en' to='a@b'><body>Hi</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='y' by='room@muc.example.com'/>\
         <origin-id xmlns='urn:xmpp:sid:0' id='o'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' id='1' by='juliet@example.com'/></message>"
    );
    assert!(refused_id("<stanza-id xmlns='urn:xmpp:sid:0' id='1'/>"));
    let origin = Element::parse("<origin-id xmlns='urn:xmpp:sid:0' id='de305d54'/>").unwrap();
    assert_eq!(OriginId::from_xml(origin.root()).unwrap().id, "de305d54");
    let referenced = "<referenced-stanza xmlns='urn:xmpp:sid:0' id='1' by='muc.example.org'/>";
    let element = Element::parse(referenced).unwrap();
    let read = ReferencedStanza::from_xml(element.root()).unwrap();
    assert_eq!(
        (&*read.id, read.by.clone()),
        ("1", Some(jid("muc.example.org")))
    );
    assert_eq!(written(&read), referenced);
}

fn refused_id(text: &str) -> bool {
    let element = Element::parse(text).unwrap();
    StanzaId::from_xml(element.root()).is_err()
}

#[test]
fn a_receipt_is_due_where_it_is_asked_for_and_never_for_a_receipt() {
    let due = |attributes: &str, content: &str| {
        let xml = format!("<message xmlns='jabber:client' {attributes}>{content}</message>");
        message(&xml, |message| {
            receipt::due(&message).map(|received| received.id.into_owned())
        })
    };
    let request = "<request xmlns='urn:xmpp:receipts'/>";
    for kind in ["chat", "headline", "normal"] {
        assert_eq!(
            due(&format!("id='r1' type='{kind}'"), request).as_deref(),
            Some("r1")
        );
    }
    for kind in ["groupchat", "error"] {
        assert_eq!(due(&format!("id='r1' type='{kind}'"), request), None);
    }
    assert_eq!(due("type='chat'", request), None);
    assert_eq!(due("id='r1'", "<body/>"), None);
    let both = format!("{request}<received xmlns='urn:xmpp:receipts' id='0'/>");
    assert_eq!(due("id='r1'", &both), None);
    assert_eq!(
        written(&Received { id: "r1".into() }),
        "<received xmlns='urn:xmpp:receipts' id='r1'/>"
    );
    same::<receipt::Request>(request);
}

#[test]
fn a_program_tells_its_name_and_version() {
    let text = "<query xmlns='jabber:iq:version'><name>Exodus</name><version>0.7.0.4</version>\
                <os>Windows-XP 5.01.2600</os></query>";
    let element = Element::parse(text).unwrap();
    let software = Software::from_xml(element.root()).unwrap();
    assert_eq!(
        software,
        Software::new("Exodus", "0.7.0.4").with_os("Windows-XP 5.01.2600")
    );
    assert_eq!(written(&software), text);
    assert!(!written(&Software::new("Exodus", "0.7.0.4")).contains("<os>"));
    same::<version::Request>("<query xmlns='jabber:iq:version'/>");
}

#[test]
fn an_entity_tells_its_time_and_zone() {
    let text =
        "<time xmlns='urn:xmpp:time'><tzo>-06:00</tzo><utc>2006-12-19T17:58:35Z</utc></time>";
    let time: EntityTime = same(text);
    assert_eq!(time.tzo.minutes(), -360);
    assert_eq!(
        time.local().unwrap().to_string(),
        "2006-12-19T11:58:35-06:00"
    );
    let local: DateTime = "2006-12-19T11:58:35-06:00".parse().unwrap();
    assert_eq!(
        EntityTime::new(local, Offset::from_minutes(-360).unwrap()),
        time
    );
    assert!(
        EntityTime::new(DateTime::MAX, Offset::from_minutes(1).unwrap())
            .local()
            .is_err()
    );
    for wrong in [
        "<time xmlns='urn:xmpp:time'><tzo>-06:00</tzo></time>",
        "<time xmlns='urn:xmpp:time'><tzo>CST</tzo><utc>2006-12-19T17:58:35Z</utc></time>",
    ] {
        assert!(refused::<EntityTime>(wrong));
    }
    same::<entity_time::Request>("<time xmlns='urn:xmpp:time'/>");
}

#[test]
fn last_activity_is_in_seconds() {
    let text = "<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>";
    let element = Element::parse(text).unwrap();
    let last = LastActivity::from_xml(element.root()).unwrap();
    assert_eq!(
        (last.seconds, last.status.as_deref()),
        (903, Some("Heading Home"))
    );
    assert_eq!(written(&last), text);
    let element = Element::parse("<query xmlns='jabber:iq:last' seconds='-1'/>").unwrap();
    assert!(LastActivity::from_xml(element.root()).is_err());
    same::<last_activity::Request>("<query xmlns='jabber:iq:last'/>");
}

#[test]
fn headers_are_found_by_name() {
    let text = "<headers xmlns='http://jabber.org/protocol/shim'>\
                <header name='In-Reply-To'>123456789@capulet.com</header>\
                <header name='Created'>2004-09-21T03:01:52Z</header><header name='TTL'>3600</header>\
                <header name='Distribute'>true</header><header name='Store'>perhaps</header></headers>";
    let element = Element::parse(text).unwrap();
    let headers = Headers::from_xml(element.root()).unwrap();
    assert_eq!(written(&headers), text);
    assert_eq!(headers.value("In-Reply-To"), Some("123456789@capulet.com"));
    assert_eq!(headers.value("Keywords"), None);
    assert_eq!(headers.parse::<u64>("TTL"), Ok(Some(3600)));
    let created: DateTime = headers.parse("Created").unwrap().unwrap();
    assert_eq!(created.unix_seconds(), 1_095_735_712);
    assert!(headers.parse::<u64>("Store").is_err());
    assert_eq!(headers.parse::<u64>("Keywords"), Ok(None));
    // What is not understood forbids.
    assert_eq!(
        (headers.may_distribute(), headers.may_store()),
        (Some(true), Some(false))
    );
    assert_eq!(Headers::new().may_distribute(), None);
    assert_eq!(
        header::feature("Store"),
        "http://jabber.org/protocol/shim#Store"
    );
}

#[test]
fn a_forwarded_stanza_keeps_its_bytes() {
    let stanza = Element::parse(
        "<message xmlns='jabber:client' from='a@b' ><body>1 &lt; 2</body></message>",
    )
    .unwrap();
    let delay = Delay::new("2010-07-10T23:08:25Z".parse().unwrap());
    let forwarded = Forwarded::new(stanza.root()).with_delay(delay);
    let text = written(&forwarded);
    assert_eq!(
        text,
        "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
         <message xmlns='jabber:client' from='a@b' ><body>1 &lt; 2</body></message></forwarded>"
    );
    let element = Element::parse(&text).unwrap();
    let read = Forwarded::from_xml(element.root()).unwrap();
    assert!(matches!(read.parse(), Ok(Stanza::Message(_))));
    for wrong in [
        "",
        "<message xmlns='jabber:client'/><message xmlns='jabber:client'/>",
    ] {
        let element = Element::parse(&format!(
            "<forwarded xmlns='urn:xmpp:forward:0'>{wrong}</forwarded>"
        ))
        .unwrap();
        assert!(Forwarded::from_xml(element.root()).is_err(), "{wrong}");
    }
    let element = Element::parse("<forwarded xmlns='urn:xmpp:forward:0'><x/></forwarded>").unwrap();
    assert!(
        Forwarded::from_xml(element.root())
            .unwrap()
            .parse()
            .is_err()
    );
}

const LETTERS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn cut(request: &ResultSet<'_>) -> Result<Page<'static, &'static str>, StanzaError> {
    page(&LETTERS, request, 3, |letter| Cow::Borrowed(letter))
}

#[test]
fn a_list_is_cut_into_pages_in_every_way() {
    let none: [&str; 0] = [];
    for (request, items, index) in [
        (ResultSet::first(2), &["a", "b"][..], 0),
        (ResultSet::after("b", 2), &["c", "d"], 2),
        (ResultSet::after("d", 2), &["e"], 4),
        (ResultSet::after("e", 2), &none, 0),
        (ResultSet::before("d", 2), &["b", "c"], 1),
        (ResultSet::before("b", 2), &["a"], 0),
        (ResultSet::last(2), &["d", "e"], 3),
        (ResultSet::at(1, 2), &["b", "c"], 1),
        (ResultSet::at(5, 2), &none, 0),
        (ResultSet::at(u64::MAX, u64::MAX), &none, 0),
        (ResultSet::count(), &none, 0),
        // Never more than the limit.
        (ResultSet::first(u64::MAX), &["a", "b", "c"], 0),
        (ResultSet::default(), &["a", "b", "c"], 0),
        (ResultSet::last(9), &["c", "d", "e"], 2),
    ] {
        let page = cut(&request).unwrap();
        assert_eq!(page.items, items, "{request:?}");
        let set = page.set.unwrap();
        assert_eq!(set.count, Some(5));
        let first = set.first.as_ref().map(|first| (first.index, &*first.uid));
        assert_eq!(
            first,
            items.first().map(|uid| (Some(index), *uid)),
            "{request:?}"
        );
        assert_eq!(set.last.as_deref(), items.last().copied());
    }
    let empty = page(&none, &ResultSet::first(2), 3, |item| Cow::Borrowed(*item)).unwrap();
    assert_eq!(empty.set, None);
}

#[test]
fn a_page_that_is_not_there_and_two_pages_at_once_are_errors() {
    let condition = |request: &ResultSet<'_>| cut(request).unwrap_err().condition;
    assert_eq!(
        condition(&ResultSet::after("z", 2)),
        StanzaCondition::ItemNotFound
    );
    assert_eq!(
        condition(&ResultSet::before("z", 2)),
        StanzaCondition::ItemNotFound
    );
    let both = ResultSet {
        before: Some("d".into()),
        ..ResultSet::after("a", 2)
    };
    assert_eq!(condition(&both), StanzaCondition::BadRequest);
    let both = ResultSet {
        index: Some(1),
        ..ResultSet::last(2)
    };
    assert_eq!(condition(&both), StanzaCondition::BadRequest);
}

#[test]
fn paging_goes_through_the_whole_list_both_ways() {
    let (mut forwards, mut request) = (Vec::<&str>::new(), ResultSet::first(2));
    loop {
        let page = cut(&request).unwrap();
        forwards.extend(page.items);
        let set = page.set.unwrap();
        if set.is_end_after(page.items.len() as u64) {
            break;
        }
        request = xmpp_xml::IntoOwned::into_owned(set.next(2).unwrap());
    }
    assert_eq!(forwards, LETTERS);
    let (mut backwards, mut request) = (Vec::<&str>::new(), ResultSet::last(2));
    loop {
        let page = cut(&request).unwrap();
        backwards.extend(page.items.iter().rev());
        let set = page.set.unwrap();
        let Some(previous) = set.previous(2) else {
            break;
        };
        request = xmpp_xml::IntoOwned::into_owned(previous);
    }
    backwards.reverse();
    assert_eq!(backwards, LETTERS);
    // Without a count nobody knows where the end is.
    let unknown = ResultSet {
        count: None,
        ..cut(&ResultSet::last(1)).unwrap().set.unwrap()
    };
    assert!(!unknown.is_end_after(1));
}

#[test]
fn a_result_set_is_read_as_it_is_written() {
    let read = |content: &str| {
        let text = format!("<set xmlns='{}'>{content}</set>", ns::RESULT_SETS);
        let element = Element::parse(&text).unwrap();
        let set = ResultSet::from_xml(element.root()).map(xmpp_xml::IntoOwned::into_owned);
        if let Ok(set) = &set {
            assert_eq!(written(set).replace("<before></before>", "<before/>"), text);
        }
        set
    };
    assert_eq!(
        read("<after>peterpan</after><max>10</max>"),
        Ok(ResultSet::after("peterpan", 10))
    );
    assert_eq!(read("<before/><max>10</max>"), Ok(ResultSet::last(10)));
    let told = read("<count>800</count><first index='10'>a</first><last>b</last>").unwrap();
    assert_eq!(told.first.unwrap().index, Some(10));
    for wrong in [
        "<max>-1</max>",
        "<max>many</max>",
        "<max/>",
        "<index>x</index>",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
