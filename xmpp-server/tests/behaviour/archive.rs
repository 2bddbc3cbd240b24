//! The message archive (XEP-0313).

use std::sync::Arc;
use std::time::Duration;

use xmpp_server::storage::{Memory, Redb, Store};
use xmpp_xml::Element;

use crate::support::{Client, Running, attribute, condition, config, server, server_with};

const ARCHIVE: &str = "urn:xmpp:mam:2";

async fn archiving(messages: u64, age: Option<Duration>) -> Running {
    let config = config().archive(messages, 1 << 20, age);
    server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await
}

async fn say(client: &mut Client, to: &str, bodies: &[&str]) {
    for body in bodies {
        client
            .send(&format!(
                "<message to='{to}@example.com' type='chat'><body>{body}</body></message>"
            ))
            .await;
    }
    client.sync().await;
}

/// What a query brings: ids and bodies of the messages, and the answer.
struct Page {
    ids: Vec<String>,
    bodies: Vec<String>,
    messages: Vec<Element>,
    answer: Element,
}

impl Page {
    fn is_complete(&self) -> bool {
        let fin = self.answer.root().child("fin", ARCHIVE).unwrap();
        fin.attribute("complete").as_deref() == Some("true")
    }

    fn set(&self) -> xmpp_core::result_set::ResultSet<'_> {
        let fin = self.answer.root().child("fin", ARCHIVE).unwrap();
        let set = fin.child("set", "http://jabber.org/protocol/rsm").unwrap();
        set.read().unwrap()
    }
}

async fn query(client: &mut Client, content: &str) -> Page {
    let query = format!("<query xmlns='{ARCHIVE}' queryid='q'>{content}</query>");
    client
        .send(&format!("<iq type='set' id='query'>{query}</iq>"))
        .await;
    let (mut ids, mut bodies, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let stanza = client.next().await;
        let root = stanza.root();
        if root.attribute("id").as_deref() == Some("query") {
            return Page {
                ids,
                bodies,
                messages,
                answer: stanza,
            };
        }
        let Some(result) = root.child("result", ARCHIVE) else {
            continue;
        };
        assert_eq!(result.attribute("queryid").as_deref(), Some("q"));
        ids.push(result.attribute("id").unwrap().into_owned());
        let forwarded = result.child("forwarded", "urn:xmpp:forward:0").unwrap();
        let message = forwarded.child("message", "jabber:client").unwrap();
        bodies.push(
            message
                .child("body", "jabber:client")
                .unwrap()
                .text()
                .into_owned(),
        );
        messages.push(stanza.clone());
    }
}

fn form(fields: &[(&str, &[&str])]) -> String {
    let fields: String = fields
        .iter()
        .map(|(var, values)| {
            let values: String = values
                .iter()
                .map(|v| format!("<value>{v}</value>"))
                .collect();
            format!("<field var='{var}'>{values}</field>")
        })
        .collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>{ARCHIVE}</value></field>{fields}</x>"
    )
}

fn set(content: &str) -> String {
    format!("<set xmlns='http://jabber.org/protocol/rsm'>{content}</set>")
}

fn stanza_ids(stanza: &Element) -> Vec<(String, String)> {
    stanza
        .root()
        .children()
        .filter(|child| child.is("stanza-id", "urn:xmpp:sid:0"))
        .map(|id| {
            let value = |name| id.attribute(name).unwrap().into_owned();
            (value("by"), value("id"))
        })
        .collect()
}

#[tokio::test]
async fn both_sides_find_their_messages_under_the_ids_that_they_were_told() {
    let server = archiving(100, None).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    romeo
        .send(
            "<message to='juliet@example.com' type='chat' id='m1'><body>hi</body>\
             <stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='juliet@example.com'/>\
             <stanza-id xmlns='urn:xmpp:sid:0' id='other' by='room@example.com'/></message>\
             <message to='juliet@example.com' type='chat'><x xmlns='urn:x'/>\
             <stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='juliet@example.com'/></message>",
        )
        .await;
    romeo.sync().await;
    let got = juliet.sync().await;
    let live = got
        .iter()
        .find(|stanza| attribute(stanza, "id").as_deref() == Some("m1"))
        .unwrap();
    let ids = stanza_ids(live);
    assert_eq!(ids[0], ("room@example.com".into(), "other".into()));
    let (by, id) = &ids[1];
    assert_eq!((ids.len(), by.as_str()), (2, "juliet@example.com"));
    assert!(
        stanza_ids(got.last().unwrap()).is_empty(),
        "a forged id goes even where nothing is archived"
    );

    let page = query(&mut juliet, "").await;
    assert_eq!(
        (page.bodies.as_slice(), &page.ids[0]),
        (&["hi".to_owned()][..], id)
    );
    assert!(page.is_complete());
    let outer = &page.messages[0];
    assert_eq!(
        attribute(outer, "to").as_deref(),
        Some("juliet@example.com/balcony")
    );
    assert_eq!(
        attribute(outer, "from").as_deref(),
        Some("juliet@example.com")
    );
    let text = outer.to_string();
    assert!(
        text.contains("<delay xmlns='urn:xmpp:delay' stamp='20"),
        "{text}"
    );
    assert!(text.contains("from='romeo@example.com/orchard'"), "{text}");
    assert!(!text.contains("forged"), "{text}");

    let page = query(&mut romeo, "").await;
    assert_eq!(page.bodies, ["hi"], "the sender has it too");
}

#[tokio::test]
async fn an_archive_comes_in_pages_from_either_end() {
    let server = archiving(100, None).await;
    let mut romeo = server.client("romeo/orchard").await;
    say(&mut romeo, "juliet", &["1", "2", "3", "4", "5"]).await;
    let all = query(&mut romeo, "").await;
    assert_eq!(all.bodies, ["1", "2", "3", "4", "5"]);
    let set_told = all.set();
    assert_eq!(set_told.first.as_ref().unwrap().uid, all.ids[0]);
    assert_eq!(set_told.last.as_deref(), Some(all.ids[4].as_str()));

    let first = query(&mut romeo, &set("<max>2</max>")).await;
    assert_eq!(
        (first.bodies.join(""), first.is_complete()),
        ("12".into(), false)
    );
    let after = format!("<max>2</max><after>{}</after>", first.ids[1]);
    let second = query(&mut romeo, &set(&after)).await;
    assert_eq!(
        (second.bodies.join(""), second.is_complete()),
        ("34".into(), false)
    );
    let after = format!("<max>2</max><after>{}</after>", second.ids[1]);
    let third = query(&mut romeo, &set(&after)).await;
    assert_eq!(
        (third.bodies.join(""), third.is_complete()),
        ("5".into(), true)
    );
    let after = format!("<after>{}</after>", third.ids[0]);
    let end = query(&mut romeo, &set(&after)).await;
    assert!(end.bodies.is_empty() && end.is_complete());

    let last = query(&mut romeo, &set("<max>2</max><before/>")).await;
    assert_eq!(
        (last.bodies.join(""), last.is_complete()),
        ("45".into(), false)
    );
    let before = format!("<max>5</max><before>{}</before>", last.ids[0]);
    let earlier = query(&mut romeo, &set(&before)).await;
    assert_eq!(
        (earlier.bodies.join(""), earlier.is_complete()),
        ("123".into(), true)
    );
    let flipped = query(&mut romeo, &format!("{}<flip-page/>", set("<max>2</max>"))).await;
    assert_eq!(flipped.bodies.join(""), "21");
    assert_eq!(flipped.set().first.unwrap().uid, all.ids[0]);

    let count = query(&mut romeo, &set("<max>0</max>")).await;
    assert_eq!((count.set().count, count.bodies.len()), (Some(5), 0));
    for wrong in ["<after>nothing</after>", "<before>nothing</before>"] {
        let answer = query(&mut romeo, &set(wrong)).await.answer;
        assert_eq!(condition(&answer), "item-not-found");
    }
}

#[tokio::test]
async fn an_archive_is_searched_by_peer_time_and_id() {
    let config = config().archive(100, 1 << 20, None);
    let users = ["juliet", "romeo", "nurse"];
    let server = server_with(config, Arc::new(Memory::new()), &users).await;
    let mut romeo = server.client("romeo/orchard").await;
    let mut nurse = server.client("nurse/room").await;
    say(&mut romeo, "juliet", &["1"]).await;
    say(&mut romeo, "nurse", &["2"]).await;
    say(&mut nurse, "romeo", &["3"]).await;
    say(&mut romeo, "romeo", &["4"]).await;
    let all = query(&mut romeo, "").await;
    assert_eq!(all.bodies.join(""), "1234");
    let mut ask = async |fields: &[(&str, &[&str])]| query(&mut romeo, &form(fields)).await;
    assert_eq!(
        ask(&[("with", &["nurse@example.com"])])
            .await
            .bodies
            .join(""),
        "23"
    );
    assert_eq!(
        ask(&[("with", &["nurse@example.com/room"])])
            .await
            .bodies
            .join(""),
        "3"
    );
    assert_eq!(
        ask(&[("with", &["romeo@example.com"])])
            .await
            .bodies
            .join(""),
        "4"
    );
    assert_eq!(
        ask(&[("with", &["nobody@example.com"])]).await.bodies.len(),
        0
    );
    let stamp = |index: usize| {
        let text = all.messages[index].to_string();
        let (_, rest) = text.split_once("stamp='").unwrap();
        rest.split_once('\'').unwrap().0.to_owned()
    };
    let (second, third) = (stamp(1), stamp(2));
    assert_eq!(
        ask(&[("start", &[&second]), ("end", &[&third])])
            .await
            .bodies
            .join(""),
        "23"
    );
    assert_eq!(
        ask(&[("start", &["2100-01-01T00:00:00Z"])])
            .await
            .bodies
            .len(),
        0
    );
    let ids = &all.ids;
    assert_eq!(
        ask(&[("after-id", &[&ids[0]]), ("before-id", &[&ids[3]])])
            .await
            .bodies
            .join(""),
        "23"
    );
    assert_eq!(
        ask(&[("ids", &[&ids[3], &ids[0]])]).await.bodies.join(""),
        "14"
    );
    for (fields, expected) in [
        (&[("ids", &["nothing"][..])], "item-not-found"),
        (&[("after-id", &["nothing"][..])], "item-not-found"),
        (&[("before-id", &["nothing"][..])], "item-not-found"),
        (&[("start", &["yesterday"][..])], "bad-request"),
        (&[("with", &["@"][..])], "bad-request"),
        (&[("colour", &["red"][..])], "feature-not-implemented"),
    ] {
        assert_eq!(condition(&ask(fields).await.answer), expected, "{fields:?}");
    }
}

#[tokio::test]
async fn only_what_was_said_is_archived() {
    let server = archiving(100, None).await;
    let mut romeo = server.available("romeo/orchard").await;
    let to = "to='juliet@example.com'";
    romeo
        .send(&format!(
            "<message {to} type='headline'><body>1</body></message>\
             <message {to} type='groupchat'><body>2</body></message>\
             <message {to}><body>3</body><no-store xmlns='urn:xmpp:hints'/></message>\
             <message {to}><body>4</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>\
             <message {to}><subject>5</subject></message>\
             <message to='nobody@example.com'><body>6</body></message>\
             <message {to}><body>7</body></message>"
        ))
        .await;
    romeo.sync().await;
    assert_eq!(query(&mut romeo, "").await.bodies, ["7"]);
}

#[tokio::test]
async fn an_account_chooses_whose_messages_are_archived() {
    let server = archiving(100, None).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    let get = format!("<prefs xmlns='{ARCHIVE}'/>");
    let answer = juliet.ask("get", None, &get).await.to_string();
    assert!(answer.contains("default='always'"), "{answer}");
    let prefs = |default: &str, always: &str| {
        format!(
            "<prefs xmlns='{ARCHIVE}' default='{default}'><always>{always}</always><never/></prefs>"
        )
    };
    juliet.ask("set", None, &prefs("never", "")).await;
    say(&mut romeo, "juliet", &["1"]).await;
    juliet.ask("set", None, &prefs("roster", "")).await;
    say(&mut romeo, "juliet", &["2"]).await;
    let item = "<query xmlns='jabber:iq:roster'><item jid='romeo@example.com'/></query>";
    juliet.ask("set", None, item).await;
    say(&mut romeo, "juliet", &["3"]).await;
    let answer = juliet
        .ask("set", None, &prefs("never", "<jid>romeo@example.com</jid>"))
        .await;
    assert!(answer.to_string().contains("romeo@example.com"), "{answer}");
    say(&mut romeo, "juliet", &["4"]).await;
    assert_eq!(query(&mut juliet, "").await.bodies, ["3", "4"]);
    assert_eq!(query(&mut romeo, "").await.bodies, ["1", "2", "3", "4"]);
    let answer = juliet.ask("set", None, &prefs("often", "")).await;
    assert_eq!(condition(&answer), "bad-request");
}

#[tokio::test]
async fn the_oldest_messages_go_by_number_and_by_age() {
    let server = archiving(3, None).await;
    let mut romeo = server.client("romeo/orchard").await;
    say(&mut romeo, "juliet", &["1", "2", "3", "4", "5"]).await;
    assert_eq!(query(&mut romeo, "").await.bodies, ["3", "4", "5"]);

    let server = archiving(100, Some(Duration::ZERO)).await;
    let mut romeo = server.client("romeo/orchard").await;
    say(&mut romeo, "juliet", &["1", "2"]).await;
    assert_eq!(query(&mut romeo, "").await.bodies, ["2"]);
}

#[tokio::test]
async fn an_archive_is_announced_described_and_its_owners_alone() {
    let server = archiving(100, None).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let answer = juliet.ask("get", None, info).await.to_string();
    for feature in [ARCHIVE, "urn:xmpp:mam:2#extended", "urn:xmpp:sid:0"] {
        assert!(answer.contains(&format!("var='{feature}'")), "{answer}");
    }
    let ask = format!("<query xmlns='{ARCHIVE}'/>");
    let answer = juliet.ask("get", None, &ask).await.to_string();
    for field in ["with", "start", "end", "before-id", "after-id", "ids"] {
        assert!(answer.contains(&format!("var='{field}'")), "{answer}");
    }
    for user in ["juliet", "nobody"] {
        let answer = romeo
            .ask("set", Some(&format!("{user}@example.com")), &ask)
            .await;
        assert_eq!(condition(&answer), "forbidden");
    }
    let metadata = format!("<metadata xmlns='{ARCHIVE}'/>");
    let answer = juliet.ask("get", None, &metadata).await;
    assert!(
        answer
            .root()
            .children()
            .next()
            .unwrap()
            .children()
            .next()
            .is_none()
    );
    say(&mut juliet, "romeo", &["1", "2"]).await;
    let page = query(&mut juliet, "").await;
    let answer = juliet.ask("get", None, &metadata).await.to_string();
    assert!(
        answer.contains(&format!("<start id='{}' timestamp='20", page.ids[0])),
        "{answer}"
    );
    assert!(
        answer.contains(&format!("<end id='{}'", page.ids[1])),
        "{answer}"
    );
}

#[tokio::test]
async fn a_server_without_an_archive_says_so() {
    let server = server(&["juliet"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let answer = juliet.ask("get", None, info).await.to_string();
    assert!(!answer.contains("mam"), "{answer}");
    let answer = query(&mut juliet, "").await.answer;
    assert_eq!(condition(&answer), "service-unavailable");
}

#[tokio::test]
async fn an_archive_survives_a_restart_and_holds_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let open = || -> Arc<dyn Store> { Arc::new(Redb::open(folder.path().join("store")).unwrap()) };
    let archiving = || config().archive(100, 1 << 20, None);
    let running = server_with(archiving(), open(), &["juliet", "romeo"]).await;
    let mut romeo = running.client("romeo/orchard").await;
    say(&mut romeo, "juliet", &["1"]).await;
    drop(romeo);
    running.server.shutdown().await;

    let running = server_with(archiving(), open(), &[]).await;
    let mut juliet = running.client("juliet/balcony").await;
    juliet.send("<presence/>").await;
    let got = juliet.sync().await;
    let page = query(&mut juliet, "").await;
    assert_eq!(page.bodies, ["1"]);
    let expected = ("juliet@example.com".to_owned(), page.ids[0].clone());
    assert_eq!(stanza_ids(got.last().unwrap()), [expected], "{got:?}");
}
