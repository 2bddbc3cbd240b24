//! Blocking (XEP-0191).

use std::sync::Arc;

use xmpp_server::storage::{Memory, Redb, Store};

use crate::support::{attribute, befriend, condition, config, kinds, server, server_with};

const LIST: &str = "<blocklist xmlns='urn:xmpp:blocking'/>";

fn change(name: &str, addresses: &[&str]) -> String {
    let items: String = addresses
        .iter()
        .map(|address| format!("<item jid='{address}'/>"))
        .collect();
    format!("<{name} xmlns='urn:xmpp:blocking'>{items}</{name}>")
}

fn addresses(stanza: &xmpp_xml::Element) -> Vec<String> {
    let payload = stanza.root().children().next().unwrap();
    payload
        .children()
        .map(|item| item.attribute("jid").unwrap().into_owned())
        .collect()
}

#[tokio::test]
async fn the_list_is_kept_pushed_and_taken_back() {
    let server = server(&["juliet"]).await;
    let mut balcony = server.client("juliet/balcony").await;
    let mut chamber = server.client("juliet/chamber").await;
    let mut plain = server.client("juliet/plain").await;
    for client in [&mut balcony, &mut chamber] {
        let answer = client.ask("get", None, LIST).await;
        assert!(addresses(&answer).is_empty());
    }
    balcony
        .send(&format!(
            "<iq type='set' id='b1'>{}</iq>",
            change("block", &["romeo@example.com", "spam.example"])
        ))
        .await;
    let mut got = kinds(&balcony.sync().await);
    got.sort();
    assert_eq!(got, ["iq:result", "iq:set"]);
    let got = chamber.sync().await;
    assert_eq!(got[0].root().children().next().unwrap().name(), "block");
    assert_eq!(addresses(&got[0]), ["romeo@example.com", "spam.example"]);
    assert!(
        plain.sync().await.is_empty(),
        "only to those who asked for the list"
    );

    let answer = plain.ask("get", None, LIST).await;
    assert_eq!(addresses(&answer), ["romeo@example.com", "spam.example"]);
    chamber
        .ask("set", None, &change("unblock", &["spam.example"]))
        .await;
    let got = plain.sync().await;
    assert_eq!(addresses(&got[0]), ["spam.example"]);
    let answer = plain.ask("get", None, LIST).await;
    assert_eq!(addresses(&answer), ["romeo@example.com"]);
    chamber.ask("set", None, &change("unblock", &[])).await;
    let got = plain.sync().await;
    assert_eq!(got[0].root().children().next().unwrap().name(), "unblock");
    assert!(addresses(&got[0]).is_empty());
    assert!(addresses(&plain.ask("get", None, LIST).await).is_empty());
}

#[tokio::test]
async fn a_wrong_wish_changes_nothing() {
    let config = config().blocked_addresses(2);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    for (wish, expected) in [
        (change("block", &[]), "bad-request"),
        (change("block", &["@"]), "jid-malformed"),
        (
            change("block", &["a@x", "b@x", "c@x"]),
            "resource-constraint",
        ),
        (
            "<block xmlns='urn:xmpp:blocking'><item/></block>".into(),
            "bad-request",
        ),
    ] {
        let answer = juliet.ask("set", None, &wish).await;
        assert_eq!(condition(&answer), expected, "{wish}");
    }
    let answer = juliet
        .ask("set", Some("romeo@example.com"), &change("block", &["a@x"]))
        .await;
    assert_eq!(condition(&answer), "service-unavailable");
    assert!(addresses(&juliet.ask("get", None, LIST).await).is_empty());
}

#[tokio::test]
async fn nothing_of_a_blocked_address_arrives() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    befriend(&mut romeo, &mut juliet).await;
    juliet
        .ask("set", None, &change("block", &["romeo@example.com"]))
        .await;
    let gone = romeo.sync().await;
    assert_eq!(kinds(&gone), ["presence:unavailable"], "she seems to leave");

    romeo
        .send(
            "<message to='juliet@example.com/balcony' id='1' type='chat'><body>x</body></message>\
             <message to='juliet@example.com' id='2'><body>x</body></message>\
             <message to='juliet@example.com' id='3' type='headline'><body>x</body></message>\
             <iq to='juliet@example.com/balcony' id='4' type='get'><q xmlns='urn:x'/></iq>\
             <iq to='juliet@example.com/balcony' id='5' type='result'/>\
             <iq to='juliet@example.com' id='6' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>\
             <presence to='juliet@example.com/balcony'/><presence to='juliet@example.com'/>\
             <presence><show>away</show></presence>\
             <presence to='juliet@example.com' type='probe'/>\
             <presence to='juliet@example.com' type='unsubscribe'/>\
             <presence to='juliet@example.com' type='subscribe'/>",
        )
        .await;
    let got = romeo.sync().await;
    let mut told: Vec<_> = got
        .iter()
        .filter(|stanza| attribute(stanza, "type").as_deref() == Some("error"))
        .map(|stanza| (attribute(stanza, "id").unwrap(), condition(stanza)))
        .collect();
    told.sort();
    let expected =
        ["1", "2", "3", "4", "6"].map(|id| (id.to_owned(), "service-unavailable".into()));
    assert_eq!(told, expected);
    let presences = got.iter().filter(|stanza| {
        stanza.root().name() == "presence"
            && attribute(stanza, "from").is_some_and(|from| from.starts_with("juliet"))
    });
    assert_eq!(presences.count(), 0, "a probe is not answered");
    assert!(juliet.sync().await.is_empty());
}

#[tokio::test]
async fn nobody_writes_to_whom_he_has_blocked() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    befriend(&mut romeo, &mut juliet).await;
    // With the own domain on the list, the server and the own account can still be asked.
    juliet
        .ask("set", None, &change("block", &["example.com"]))
        .await;
    romeo.sync().await;
    juliet
        .send(
            "<message to='romeo@example.com' id='1'><body>x</body></message>\
             <iq to='romeo@example.com/orchard' id='2' type='get'><q xmlns='urn:x'/></iq>\
             <iq to='romeo@example.com/orchard' id='3' type='result'/>\
             <presence to='romeo@example.com/orchard' id='4'/>\
             <presence to='romeo@example.com' type='subscribe' id='5'/>\
             <presence to='romeo@example.com' type='unavailable' id='6'/>",
        )
        .await;
    let got = juliet.sync().await;
    let told: Vec<_> = got
        .iter()
        .map(|stanza| attribute(stanza, "id").unwrap())
        .collect();
    assert_eq!(told, ["1", "2", "4", "5"]);
    for stanza in &got {
        assert_eq!(condition(stanza), "not-acceptable");
        assert!(
            stanza.to_string().contains("urn:xmpp:blocking:errors"),
            "{stanza}"
        );
    }
    assert!(romeo.sync().await.is_empty());
    let answer = juliet.ask("get", None, LIST).await;
    assert_eq!(addresses(&answer), ["example.com"]);
}

#[tokio::test]
async fn presence_comes_back_for_who_is_unblocked() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    befriend(&mut romeo, &mut juliet).await;
    juliet
        .ask(
            "set",
            None,
            &change("block", &["romeo@example.com/orchard"]),
        )
        .await;
    assert_eq!(kinds(&romeo.sync().await), ["presence:unavailable"]);
    juliet.send("<presence><show>away</show></presence>").await;
    juliet.sync().await;
    assert!(romeo.sync().await.is_empty());
    juliet
        .ask(
            "set",
            None,
            &change("unblock", &["romeo@example.com/orchard"]),
        )
        .await;
    let got = romeo.sync().await;
    assert_eq!(kinds(&got), ["presence"]);
    assert!(got[0].to_string().contains("away"));
    romeo
        .send("<message to='juliet@example.com/balcony'><body>x</body></message>")
        .await;
    romeo.sync().await;
    assert_eq!(kinds(&juliet.sync().await), ["message"]);
}

#[tokio::test]
async fn a_block_holds_while_the_account_is_away_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || -> Arc<dyn Store> { Arc::new(Redb::open(folder.path().join("store")).unwrap()) };
    let running = server_with(config(), open(), &["juliet", "romeo"]).await;
    let mut juliet = running.client("juliet/balcony").await;
    juliet
        .ask("set", None, &change("block", &["romeo@example.com"]))
        .await;
    drop(juliet);
    running.server.shutdown().await;

    let running = server_with(config(), open(), &[]).await;
    let mut romeo = running.client("romeo/orchard").await;
    romeo
        .send(
            "<message to='juliet@example.com' id='1'><body>x</body></message>\
             <presence to='juliet@example.com' type='subscribe'/>",
        )
        .await;
    let got = romeo.sync().await;
    assert_eq!(condition(&got[0]), "service-unavailable");
    let mut juliet = running.client("juliet/balcony").await;
    juliet.send("<presence/>").await;
    assert_eq!(
        kinds(&juliet.sync().await),
        ["presence"],
        "nothing but her own"
    );
    assert_eq!(
        addresses(&juliet.ask("get", None, LIST).await),
        ["romeo@example.com"]
    );
}

#[tokio::test]
async fn a_request_that_waits_is_not_shown_while_its_sender_is_blocked() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    romeo
        .send("<presence type='subscribe' to='juliet@example.com'/>")
        .await;
    romeo.sync().await;
    let mut juliet = server.client("juliet/balcony").await;
    juliet
        .ask("set", None, &change("block", &["romeo@example.com"]))
        .await;
    juliet.send("<presence/>").await;
    assert_eq!(kinds(&juliet.sync().await), ["presence"]);
    juliet.ask("set", None, &change("unblock", &[])).await;
    let mut chamber = server.client("juliet/chamber").await;
    chamber.send("<presence/>").await;
    assert!(kinds(&chamber.sync().await).contains(&"presence:subscribe".to_owned()));
}
