//! Rosters and subscriptions as clients see them.

use std::sync::Arc;

use crate::support::{
    Running, attribute, befriend, condition, config, kinds, server, server_with, texts,
};
use xmpp_server::storage::{Memory, Redb, Store};

const GET: &str = "<query xmlns='jabber:iq:roster'/>";

fn set(item: &str) -> String {
    format!("<query xmlns='jabber:iq:roster'>{item}</query>")
}

/// The item of a roster push, as text.
fn pushed(stanza: &xmpp_xml::Element) -> String {
    let query = stanza
        .root()
        .child("query", "jabber:iq:roster")
        .expect("a roster push");
    query
        .children()
        .next()
        .unwrap()
        .to_string()
        .replace(" xmlns='jabber:iq:roster'", "")
}

#[tokio::test]
async fn a_roster_set_is_answered_and_pushed_to_all_who_asked_for_the_roster() {
    let server = server(&["juliet"]).await;
    let mut balcony = server.available("juliet/balcony").await;
    let mut chamber = server.available("juliet/chamber").await;
    let mut garden = server.client("juliet/garden").await;
    balcony.sync().await;

    let item = "<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>";
    balcony
        .send(&format!("<iq type='set' id='s1'>{}</iq>", set(item)))
        .await;
    let got = balcony.sync().await;
    assert_eq!(kinds(&got), ["iq:set", "iq:result"]);
    let expected = "<item jid='nurse@example.com' name='Nurse' subscription='none'><group>Servants</group></item>";
    assert_eq!(pushed(&got[0]), expected);
    assert_eq!(
        attribute(&got[0], "from"),
        None,
        "a push comes from the own account"
    );
    assert_eq!(attribute(&got[1], "id").as_deref(), Some("s1"));
    let got = chamber.sync().await;
    assert_eq!(pushed(&got[0]), expected);
    assert!(garden.sync().await.is_empty());

    let roster = garden.ask("get", None, GET).await;
    assert!(roster.to_string().contains("nurse@example.com"));
    balcony
        .ask("set", None, &set("<item jid='nurse@example.com'/>"))
        .await;
    let got = garden.sync().await;
    assert_eq!(
        pushed(&got[0]),
        "<item jid='nurse@example.com' subscription='none'/>"
    );

    balcony
        .ask(
            "set",
            None,
            &set("<item jid='nurse@example.com' subscription='remove'/>"),
        )
        .await;
    let got = garden.sync().await;
    assert_eq!(
        pushed(&got[0]),
        "<item jid='nurse@example.com' subscription='remove'/>"
    );
    let roster = garden.ask("get", None, GET).await;
    assert!(
        roster
            .root()
            .child("query", "jabber:iq:roster")
            .unwrap()
            .children()
            .next()
            .is_none()
    );
}

#[tokio::test]
async fn a_wrong_roster_set_changes_nothing() {
    let server = server_with(
        config().contacts(2),
        Arc::new(Memory::new()),
        &["juliet", "romeo"],
    )
    .await;
    let mut juliet = server.available("juliet/balcony").await;
    for (item, expected) in [
        ("", "bad-request"),
        ("<item jid='a@x'/><item jid='b@x'/>", "bad-request"),
        ("<item jid='a@x'><group/></item>", "not-acceptable"),
        ("<item jid='a@x' subscription='remove'/>", "item-not-found"),
        ("<item jid='juliet@example.com'/>", "not-allowed"),
        ("<item jid='@'/>", "jid-malformed"),
    ] {
        assert_eq!(
            condition(&juliet.ask("set", None, &set(item)).await),
            expected,
            "{item}"
        );
    }
    let foreign = juliet
        .ask("set", Some("romeo@example.com"), &set("<item jid='a@x'/>"))
        .await;
    assert_eq!(condition(&foreign), "forbidden");
    let foreign = juliet.ask("get", Some("romeo@example.com"), GET).await;
    assert_eq!(condition(&foreign), "forbidden");

    juliet.ask("set", None, &set("<item jid='a@x'/>")).await;
    juliet.ask("set", None, &set("<item jid='b@x'/>")).await;
    let full = juliet.ask("set", None, &set("<item jid='c@x'/>")).await;
    assert_eq!(condition(&full), "resource-constraint");
    let roster = juliet.ask("get", None, GET).await.to_string();
    assert_eq!(roster.matches("<item").count(), 2, "{roster}");
}

#[tokio::test]
async fn a_subscription_is_asked_for_granted_and_ended() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut juliet = server.available("juliet/balcony").await;

    romeo.send("<presence type='subscribe' to='juliet@example.com/balcony' id='s'><nick xmlns='urn:n'>R</nick></presence>").await;
    assert_eq!(
        romeo.sync().await.iter().map(pushed).collect::<Vec<_>>(),
        ["<item jid='juliet@example.com' subscription='none' ask='subscribe'/>"]
    );
    assert_eq!(
        texts(&juliet.sync().await),
        [
            "<presence xmlns='jabber:client' xml:lang='en' type='subscribe' id='s' from='romeo@example.com' \
          to='juliet@example.com'><nick xmlns='urn:n'>R</nick></presence>"
        ],
        "the whole stanza, from account to account"
    );

    juliet
        .send("<presence type='subscribed' to='romeo@example.com'/>")
        .await;
    let got = juliet.sync().await;
    assert_eq!(kinds(&got), ["iq:set"]);
    assert_eq!(
        pushed(&got[0]),
        "<item jid='romeo@example.com' subscription='from'/>"
    );
    let got = romeo.sync().await;
    assert_eq!(kinds(&got), ["presence:subscribed", "iq:set", "presence"]);
    assert_eq!(
        attribute(&got[0], "from").as_deref(),
        Some("juliet@example.com")
    );
    assert_eq!(
        pushed(&got[1]),
        "<item jid='juliet@example.com' subscription='to'/>"
    );
    assert_eq!(
        attribute(&got[2], "from").as_deref(),
        Some("juliet@example.com/balcony")
    );

    juliet
        .send("<presence type='unsubscribed' to='romeo@example.com'/>")
        .await;
    assert_eq!(
        pushed(&juliet.sync().await[0]),
        "<item jid='romeo@example.com' subscription='none'/>"
    );
    let got = romeo.sync().await;
    assert_eq!(
        kinds(&got),
        ["presence:unavailable", "presence:unsubscribed", "iq:set"]
    );
    assert_eq!(
        pushed(&got[2]),
        "<item jid='juliet@example.com' subscription='none'/>"
    );
}

#[tokio::test]
async fn an_unsubscribed_contact_sees_no_presence_any_more() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut juliet = server.available("juliet/balcony").await;
    befriend(&mut romeo, &mut juliet).await;
    romeo
        .send("<presence type='unsubscribe' to='juliet@example.com'/>")
        .await;
    let got = romeo.sync().await;
    assert_eq!(kinds(&got), ["presence:unavailable", "iq:set"]);
    assert_eq!(
        pushed(&got[1]),
        "<item jid='juliet@example.com' subscription='from'/>"
    );
    let got = juliet.sync().await;
    assert_eq!(kinds(&got), ["presence:unsubscribe", "iq:set"]);
    assert_eq!(
        pushed(&got[1]),
        "<item jid='romeo@example.com' subscription='to'/>"
    );
    juliet.send("<presence><show>dnd</show></presence>").await;
    juliet.sync().await;
    assert!(romeo.sync().await.is_empty());
}

#[tokio::test]
async fn removing_a_contact_ends_both_subscriptions() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut juliet = server.available("juliet/balcony").await;
    befriend(&mut romeo, &mut juliet).await;
    romeo
        .ask(
            "set",
            None,
            &set("<item jid='juliet@example.com' subscription='remove'/>"),
        )
        .await;
    let got = juliet.sync().await;
    assert_eq!(
        kinds(&got),
        [
            "presence:unsubscribe",
            "iq:set",
            "presence:unavailable",
            "presence:unsubscribed",
            "iq:set",
        ]
    );
    assert_eq!(
        pushed(&got[4]),
        "<item jid='romeo@example.com' subscription='none'/>"
    );
}

/// Who is offline gets the request later, as often as it takes, and also from a server that was started anew.
async fn waits_for_an_answer(store: Arc<dyn Store>, restart: impl AsyncFn(Running) -> Running) {
    let server = server_with(config(), store, &["juliet", "romeo", "nurse"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    for _ in 0..3 {
        romeo
            .send("<presence type='subscribe' to='juliet@example.com'/>")
            .await;
    }
    romeo.sync().await;
    drop(romeo);
    let server = restart(server).await;
    for _ in 0..2 {
        let mut juliet = server.client("juliet/balcony").await;
        let roster = juliet.ask("get", None, GET).await.to_string();
        assert!(
            !roster.contains("romeo"),
            "no item for a stranger: {roster}"
        );
        juliet.send("<presence/>").await;
        assert_eq!(
            kinds(&juliet.sync().await),
            ["presence", "presence:subscribe"]
        );
        juliet.send("<presence type='unavailable'/>").await;
        juliet.sync().await;
    }
    let mut juliet = server.available("juliet/chamber").await;
    juliet
        .send("<presence type='subscribed' to='romeo@example.com'/>")
        .await;
    juliet.sync().await;
    juliet
        .send("<presence type='unavailable'/><presence/>")
        .await;
    assert_eq!(
        kinds(&juliet.sync().await),
        ["presence:unavailable", "presence"],
        "it was answered"
    );
    let mut romeo = server.client("romeo/orchard").await;
    let roster = romeo.ask("get", None, GET).await.to_string();
    assert!(
        roster.contains("jid='juliet@example.com' subscription='to'"),
        "{roster}"
    );
}

#[tokio::test]
async fn a_request_waits_for_its_answer() {
    waits_for_an_answer(Arc::new(Memory::new()), async |server| server).await;
}

#[tokio::test]
async fn a_waiting_request_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    waits_for_an_answer(
        Arc::new(Redb::open(&path).unwrap()),
        async |server: Running| {
            server.server.shutdown().await;
            server_with(config(), Arc::new(Redb::open(&path).unwrap()), &[]).await
        },
    )
    .await;
}

#[tokio::test]
async fn an_approval_in_advance_is_announced_kept_and_used() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    assert!(
        juliet
            .heard()
            .contains("<sub xmlns='urn:xmpp:features:pre-approval'/>")
    );
    juliet
        .send("<presence type='subscribed' to='romeo@example.com'/>")
        .await;
    let got = juliet.sync().await;
    assert_eq!(
        pushed(&got[0]),
        "<item jid='romeo@example.com' subscription='none' approved='true'/>"
    );

    let mut romeo = server.available("romeo/orchard").await;
    romeo
        .send("<presence type='subscribe' to='juliet@example.com'/>")
        .await;
    let got = romeo.sync().await;
    assert_eq!(kinds(&got), ["presence:subscribed", "iq:set", "presence"]);
    let got = juliet.sync().await;
    assert_eq!(kinds(&got), ["iq:set"], "nobody is asked");
    assert_eq!(
        pushed(&got[0]),
        "<item jid='romeo@example.com' subscription='from' approved='true'/>"
    );
}

#[tokio::test]
async fn a_request_to_nobody_looks_like_one_that_waits() {
    let server = server(&["romeo", "juliet"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut told = Vec::new();
    for user in ["juliet", "nobody"] {
        romeo
            .send(&format!(
                "<presence type='subscribe' to='{user}@example.com'/>"
            ))
            .await;
        let text = texts(&romeo.sync().await).concat().replace(user, "");
        // Ids and versions are never the same.
        let is_version = |part: &&str| part.len() == 24 && part.starts_with("000");
        let same = text
            .split('\'')
            .filter(|part| !part.starts_with("push-"))
            .filter(|part| !is_version(part));
        told.push(same.collect::<Vec<_>>().concat());
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].contains("ask=subscribe"), "{}", told[0]);
}

#[tokio::test]
async fn waiting_requests_are_limited_in_number_and_length() {
    let limited = config().waiting_requests(1).request_bytes(300);
    let server = server_with(
        limited,
        Arc::new(Memory::new()),
        &["juliet", "romeo", "nurse"],
    )
    .await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut nurse = server.available("nurse/kitchen").await;
    let long = format!(
        "<presence type='subscribe' to='juliet@example.com'><status>{}</status></presence>",
        "x".repeat(300)
    );
    romeo.send(&long).await;
    assert_eq!(condition(&romeo.sync().await[0]), "policy-violation");
    romeo
        .send("<presence type='subscribe' to='juliet@example.com'/>")
        .await;
    assert_eq!(kinds(&romeo.sync().await), ["iq:set"]);
    nurse
        .send("<presence type='subscribe' to='juliet@example.com' id='n'/>")
        .await;
    let got = nurse.sync().await;
    assert_eq!(condition(&got[0]), "resource-constraint");
    assert_eq!(attribute(&got[0], "id").as_deref(), Some("n"));
}

#[tokio::test]
async fn nobody_subscribes_to_itself() {
    let server = server(&["romeo"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    romeo
        .send("<presence type='subscribe' to='romeo@example.com'/>")
        .await;
    assert_eq!(condition(&romeo.sync().await[0]), "not-allowed");
}

#[tokio::test]
async fn who_has_the_roster_as_it_is_gets_no_other_answer() {
    let folder = tempfile::tempdir().unwrap();
    let open = || -> Arc<dyn Store> { Arc::new(Redb::open(folder.path().join("store")).unwrap()) };
    let running = server_with(config(), open(), &["juliet"]).await;
    let mut juliet = running.client("juliet/balcony").await;
    let ask = |version: &str| format!("<query xmlns='jabber:iq:roster' ver='{version}'/>");
    let version = |stanza: &xmpp_xml::Element| {
        let query = stanza.root().child("query", "jabber:iq:roster")?;
        query.attribute("ver").map(|version| version.into_owned())
    };
    assert!(juliet.heard().contains("urn:xmpp:features:rosterver"));
    let first = version(&juliet.ask("get", None, &ask("")).await).unwrap();
    let mut versions = vec![first];
    for item in [
        "<item jid='nurse@example.com'/>",
        "<item jid='nurse@example.com' subscription='remove'/>",
    ] {
        juliet
            .send(&format!("<iq type='set' id='s'>{}</iq>", set(item)))
            .await;
        let got = juliet.sync().await;
        versions.push(version(&got[0]).expect("a push with a version"));
    }
    assert!(
        versions[0] < versions[1] && versions[1] < versions[2],
        "{versions:?}"
    );
    let latest = versions[2].clone();
    drop(juliet);
    running.server.shutdown().await;

    let running = server_with(config(), open(), &[]).await;
    let mut juliet = running.client("juliet/balcony").await;
    let answer = juliet.ask("get", None, &ask(&latest)).await;
    assert!(answer.root().children().next().is_none(), "{answer}");
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    let answer = juliet.ask("get", None, &ask(&versions[1])).await;
    assert_eq!(version(&answer), Some(latest));
    // Who does not ask for versions gets none.
    assert_eq!(version(&juliet.ask("get", None, GET).await), None);
    // And gets pushes from now on, as after any other answer.
    juliet
        .ask("set", None, &set("<item jid='nurse@example.com'/>"))
        .await;
}
