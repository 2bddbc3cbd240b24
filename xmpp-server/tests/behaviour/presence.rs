//! Presence as clients see it: broadcast, other resources, directed presence, probes, loss.

use crate::support::{attribute, befriend, kinds, server, texts};

#[tokio::test]
async fn presence_is_broadcast_to_contacts_and_own_resources() {
    let server = server(&["juliet", "romeo", "nurse"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut nurse = server.available("nurse/kitchen").await;
    befriend(&mut juliet, &mut romeo).await;
    let mut chamber = server.available("juliet/chamber").await;
    juliet.sync().await;
    romeo.sync().await;

    juliet
        .send("<presence id='p'><show>away</show><status>zzz</status></presence>")
        .await;
    let own = juliet.sync().await;
    let text = "<presence xmlns='jabber:client' to='{to}' xml:lang='en' id='p' from='juliet@example.com/balcony'>\
                <show>away</show><status>zzz</status></presence>";
    assert_eq!(texts(&own), [text.replace("{to}", "juliet@example.com")]);
    assert_eq!(
        texts(&chamber.sync().await),
        [text.replace("{to}", "juliet@example.com")]
    );
    assert_eq!(
        texts(&romeo.sync().await),
        [text.replace("{to}", "romeo@example.com")]
    );
    assert!(nurse.sync().await.is_empty());
}

#[tokio::test]
async fn a_new_resource_learns_who_is_there() {
    let server = server(&["juliet", "romeo", "nurse"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    befriend(&mut juliet, &mut romeo).await;
    let mut chamber = server.client("juliet/chamber").await;
    assert!(
        chamber.sync().await.is_empty(),
        "not before it has sent presence itself"
    );
    chamber.send("<presence/>").await;
    let from: Vec<_> = chamber
        .sync()
        .await
        .iter()
        .filter_map(|p| attribute(p, "from"))
        .collect();
    assert_eq!(
        from,
        [
            "juliet@example.com/chamber",
            "juliet@example.com/balcony",
            "romeo@example.com/orchard"
        ]
    );
    // Only the first presence asks.
    chamber.send("<presence><show>dnd</show></presence>").await;
    assert_eq!(chamber.sync().await.len(), 1);
}

#[tokio::test]
async fn those_who_saw_a_resource_learn_that_it_has_gone() {
    let server = server(&["juliet", "romeo", "nurse"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut nurse = server.available("nurse/kitchen").await;
    befriend(&mut juliet, &mut romeo).await;
    juliet
        .send("<presence to='nurse@example.com/kitchen'/>")
        .await;
    juliet.sync().await;
    romeo.sync().await;
    assert_eq!(kinds(&nurse.sync().await), ["presence"]);

    juliet
        .send("<presence type='unavailable'><status>bye</status></presence>")
        .await;
    assert_eq!(
        kinds(&juliet.sync().await),
        ["presence:unavailable"],
        "it is told as well"
    );
    for contact in [&mut romeo, &mut nurse] {
        let got = contact.sync().await;
        assert_eq!(kinds(&got), ["presence:unavailable"]);
        assert!(got[0].to_string().contains("<status>bye</status>"));
    }

    // A cut connection says the same, without words of its own.
    juliet
        .send("<presence/><presence to='nurse@example.com/kitchen'/>")
        .await;
    juliet.sync().await;
    romeo.sync().await;
    nurse.sync().await;
    drop(juliet);
    for contact in [&mut romeo, &mut nurse] {
        let gone = contact.next().await;
        assert_eq!(attribute(&gone, "type").as_deref(), Some("unavailable"));
        assert_eq!(
            attribute(&gone, "from").as_deref(),
            Some("juliet@example.com/balcony")
        );
    }
}

#[tokio::test]
async fn available_presence_after_unavailable_is_initial_again() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    befriend(&mut juliet, &mut romeo).await;
    juliet.send("<presence type='unavailable'/>").await;
    juliet.sync().await;
    romeo.send("<presence><show>xa</show></presence>").await;
    romeo.sync().await;
    assert!(
        juliet.sync().await.is_empty(),
        "who is not available gets no presence"
    );
    juliet.send("<presence/>").await;
    let got = juliet.sync().await;
    assert_eq!(got.len(), 2);
    assert!(got[1].to_string().contains("<show>xa</show>"));
}

#[tokio::test]
async fn directed_presence_is_taken_back_by_either_side() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    juliet
        .send("<presence to='romeo@example.com/orchard'/>")
        .await;
    juliet
        .send("<presence to='romeo@example.com/orchard' type='unavailable'/>")
        .await;
    juliet.send("<presence type='unavailable'/>").await;
    juliet.sync().await;
    assert_eq!(
        kinds(&romeo.sync().await),
        ["presence", "presence:unavailable"],
        "told once"
    );

    juliet
        .send("<presence/><presence to='romeo@example.com/orchard'/>")
        .await;
    juliet.sync().await;
    romeo
        .send("<presence to='juliet@example.com/balcony' type='error'/>")
        .await;
    assert_eq!(kinds(&romeo.sync().await), ["presence"]);
    juliet.send("<presence type='unavailable'/>").await;
    juliet.sync().await;
    assert!(
        romeo.sync().await.is_empty(),
        "who has complained is not told any more"
    );
}

#[tokio::test]
async fn presence_for_an_account_reaches_its_available_resources() {
    let server = server(&["juliet", "romeo"]).await;
    let mut balcony = server.available("juliet/balcony").await;
    let mut chamber = server.available("juliet/chamber").await;
    let mut garden = server.client("juliet/garden").await;
    let mut romeo = server.client("romeo/orchard").await;
    balcony.sync().await;
    for kind in ["", " type='unavailable'"] {
        romeo
            .send(&format!("<presence to='juliet@example.com'{kind}/>"))
            .await;
        romeo.sync().await;
        for client in [&mut balcony, &mut chamber] {
            let got = client.sync().await;
            assert_eq!(got.len(), 1);
            assert_eq!(
                attribute(&got[0], "to").as_deref(),
                Some("juliet@example.com")
            );
        }
        assert!(garden.sync().await.is_empty());
    }
}

#[tokio::test]
async fn directed_presences_are_limited() {
    let config = crate::support::config().directed_presences(2);
    let store = std::sync::Arc::new(xmpp_server::storage::Memory::new());
    let server = crate::support::server_with(config, store, &["juliet"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    juliet
        .send("<presence to='a@example.com'/><presence to='b@example.com'/>")
        .await;
    juliet.send("<presence to='a@example.com'/>").await;
    assert!(juliet.sync().await.is_empty());
    juliet.send("<presence to='c@example.com'/>").await;
    assert_eq!(
        crate::support::condition(&juliet.sync().await[0]),
        "resource-constraint"
    );
}

#[tokio::test]
async fn a_probe_is_answered_with_what_the_asker_may_know() {
    let server = server(&["juliet", "romeo", "nurse"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    let mut nurse = server.available("nurse/kitchen").await;
    befriend(&mut juliet, &mut romeo).await;
    juliet
        .send("<presence id='own'><show>away</show></presence>")
        .await;
    juliet.sync().await;
    romeo.sync().await;

    let probe = |to: &str| format!("<presence type='probe' id='probe' to='{to}'/>");
    romeo.send(&probe("juliet@example.com")).await;
    let got = romeo.sync().await;
    assert!(got[0].to_string().contains("<show>away</show>"));
    assert_eq!(attribute(&got[0], "id").as_deref(), Some("own"));
    romeo.send(&probe("juliet@example.com/elsewhere")).await;
    assert_eq!(kinds(&romeo.sync().await), ["presence:unavailable"]);

    for stranger in ["juliet@example.com", "nobody@example.com"] {
        nurse.send(&probe(stranger)).await;
        let got = nurse.sync().await;
        assert_eq!(kinds(&got), ["presence:unsubscribed"]);
        assert_eq!(attribute(&got[0], "id").as_deref(), Some("probe"));
        assert_eq!(attribute(&got[0], "from").as_deref(), Some(stranger));
    }
    juliet
        .send("<presence to='nurse@example.com'><show>chat</show></presence>")
        .await;
    juliet.sync().await;
    nurse.sync().await;
    nurse.send(&probe("juliet@example.com/balcony")).await;
    let got = nurse.sync().await;
    assert_eq!(kinds(&got), ["presence"]);
    assert!(!got[0].to_string().contains("show"), "mere availability");

    drop(juliet);
    romeo.next().await;
    romeo.send(&probe("juliet@example.com")).await;
    let got = romeo.sync().await;
    assert_eq!(kinds(&got), ["presence:unavailable"]);
    assert_eq!(
        attribute(&got[0], "from").as_deref(),
        Some("juliet@example.com")
    );
}
