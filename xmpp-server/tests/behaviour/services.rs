//! What the server and the accounts on it answer.

use std::sync::Arc;

use xmpp_server::ContactAddress;
use xmpp_server::storage::Memory;

use crate::support::{attribute, befriend, condition, config, server, server_with};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const LAST: &str = "<query xmlns='jabber:iq:last'/>";

#[tokio::test]
async fn the_server_tells_its_version_its_time_and_how_long_it_runs() {
    let server = server(&["juliet"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let domain = Some("example.com");
    let answer = juliet
        .ask("get", domain, "<query xmlns='jabber:iq:version'/>")
        .await
        .to_string();
    let version = format!("<version>{}</version>", env!("CARGO_PKG_VERSION"));
    assert!(answer.contains("<name>xmpp-server</name>"), "{answer}");
    assert!(
        answer.contains(&version) && !answer.contains("<os>"),
        "{answer}"
    );

    let answer = juliet
        .ask("get", domain, "<time xmlns='urn:xmpp:time'/>")
        .await;
    let time = answer.root().child("time", "urn:xmpp:time").unwrap();
    let text = |name| {
        time.child(name, "urn:xmpp:time")
            .unwrap()
            .text()
            .into_owned()
    };
    assert_eq!(text("tzo"), "Z");
    let told: xmpp_xml::value::DateTime = text("utc").parse().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let apart = told.unix_seconds().abs_diff(now.as_secs() as i64);
    assert!(apart < 60, "{told:?}");

    let answer = juliet.ask("get", domain, LAST).await;
    let last = answer.root().child("query", "jabber:iq:last").unwrap();
    assert!(last.attribute("seconds").unwrap().parse::<u64>().unwrap() < 600);
}

#[tokio::test]
async fn an_account_tells_those_who_see_it_when_it_was_last_there() {
    let server = server(&["juliet", "romeo", "nurse"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut juliet = server.available("juliet/balcony").await;
    // To strangers there is no difference between an account and none.
    for user in ["juliet", "nobody"] {
        let to = format!("{user}@example.com");
        let answer = romeo.ask("get", Some(&to), LAST).await;
        assert_eq!(condition(&answer), "forbidden");
    }
    befriend(&mut romeo, &mut juliet).await;
    let last = |answer: xmpp_xml::Element| {
        let query = answer.root().child("query", "jabber:iq:last");
        let query = query.unwrap_or_else(|| panic!("{answer}"));
        let seconds: u64 = query.attribute("seconds").unwrap().parse().unwrap();
        (seconds, query.text().into_owned())
    };
    let answer = romeo.ask("get", Some("juliet@example.com"), LAST).await;
    assert_eq!(last(answer), (0, String::new()));

    juliet
        .send("<presence type='unavailable'><status>Heading home</status></presence>")
        .await;
    juliet.sync().await;
    let answer = romeo.ask("get", Some("juliet@example.com"), LAST).await;
    let (seconds, status) = last(answer);
    assert!(
        seconds < 60 && status == "Heading home",
        "{seconds} {status}"
    );
    // She may ask herself too.
    let answer = juliet.ask("get", None, LAST).await;
    assert_eq!(last(answer).1, "Heading home");
    let mut nurse = server.client("nurse/room").await;
    let answer = nurse.ask("get", None, LAST).await;
    assert_eq!(condition(&answer), "item-not-found", "never there");
}

#[tokio::test]
async fn the_description_names_what_is_answered_and_where_the_operators_are_reached() {
    let config = config()
        .contact_address(ContactAddress::Abuse, "mailto:abuse@example.com")
        .contact_address(ContactAddress::Abuse, "xmpp:abuse@example.com")
        .contact_address(ContactAddress::Security, "mailto:security@example.com");
    let server = server_with(config, Arc::new(Memory::new()), &["juliet"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let answer = juliet.ask("get", Some("example.com"), INFO).await;
    let query = answer
        .root()
        .child("query", "http://jabber.org/protocol/disco#info")
        .unwrap();
    let info: xmpp_core::disco::info::Query<'_> = query.read().unwrap();
    assert!(info.has_identity("server", "im"));
    for feature in [
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "urn:xmpp:ping",
        "jabber:iq:version",
        "urn:xmpp:time",
        "jabber:iq:last",
    ] {
        let count = info.features.iter().filter(|f| f.var == feature).count();
        assert_eq!(count, 1, "{feature}: {answer}");
    }
    let form = info.form("http://jabber.org/network/serverinfo").unwrap();
    let abuse: Vec<_> = form.values("abuse-addresses").collect();
    assert_eq!(
        abuse,
        ["mailto:abuse@example.com", "xmpp:abuse@example.com"]
    );
    assert_eq!(
        form.value("security-addresses"),
        Some("mailto:security@example.com")
    );
    assert!(form.field("sales-addresses").is_none());

    let answer = juliet.ask("get", None, INFO).await.to_string();
    assert!(answer.contains("category='account'"), "{answer}");
    assert!(
        answer.contains("jabber:iq:last") && !answer.contains("jabber:iq:version"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_resources_of_an_account_are_items_for_those_who_see_them() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let _hidden = server.client("juliet/chamber").await;
    let mut romeo = server.available("romeo/orchard").await;
    let answer = romeo.ask("get", Some("juliet@example.com"), ITEMS).await;
    assert_eq!(condition(&answer), "service-unavailable");
    befriend(&mut romeo, &mut juliet).await;
    let answer = romeo.ask("get", Some("juliet@example.com"), ITEMS).await;
    let query = answer.root().children().next().unwrap();
    let items: Vec<_> = query
        .children()
        .map(|item| item.attribute("jid").unwrap().into_owned())
        .collect();
    assert_eq!(items, ["juliet@example.com/balcony"]);
    assert_eq!(
        attribute(&answer, "from").as_deref(),
        Some("juliet@example.com")
    );
}
