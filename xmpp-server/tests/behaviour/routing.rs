//! Messages and IQ between clients, and to those who are not there.

use crate::support::{attribute, befriend, condition, kinds, server, texts};

#[tokio::test]
async fn a_message_reaches_the_resource_that_it_is_addressed_to() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut chamber = server.client("juliet/chamber").await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(
            "<message to='juliet@example.com/balcony' from='forged@example.com' type='chat' id='m1'>\
             <body>Art thou <x xmlns='urn:y'>&lt;not&gt;</x></body></message>",
        )
        .await;
    romeo.sync().await;
    let got = juliet.sync().await;
    assert_eq!(
        texts(&got),
        [
            "<message xmlns='jabber:client' xml:lang='en' to='juliet@example.com/balcony' type='chat' id='m1' \
          from='romeo@example.com/orchard'><body>Art thou <x xmlns='urn:y'>&lt;not&gt;</x></body></message>"
        ]
    );
    assert!(chamber.sync().await.is_empty());
}

#[tokio::test]
async fn the_language_of_the_sender_goes_with_its_stanzas() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(
            "<message to='juliet@example.com/balcony'><body>hi</body></message>\
             <message to='juliet@example.com/balcony' xml:lang='de'><body>ah</body></message>",
        )
        .await;
    romeo.sync().await;
    let got = juliet.sync().await;
    let languages: Vec<_> = got
        .iter()
        .map(|stanza| stanza.root().lang().unwrap())
        .collect();
    assert_eq!(languages, ["en", "de"]);
}

#[tokio::test]
async fn stanzas_arrive_in_the_order_in_which_they_were_sent() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    let stanzas: String = (0..500)
        .map(|number| {
            let to = ["juliet@example.com", "juliet@example.com/balcony"][number % 2];
            format!("<message to='{to}' type='chat' id='{number}'><body>x</body></message>")
        })
        .collect();
    romeo.send(&stanzas).await;
    romeo.sync().await;
    let got = juliet.sync().await;
    assert_eq!(
        attribute(&got[0], "to").as_deref(),
        Some("juliet@example.com")
    );
    let ids: Vec<String> = got.iter().filter_map(|m| attribute(m, "id")).collect();
    assert_eq!(
        ids,
        (0..500)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_message_to_the_account_goes_to_the_most_available_resource() {
    let server = server(&["juliet", "romeo"]).await;
    let mut balcony = server.client("juliet/balcony").await;
    let mut chamber = server.client("juliet/chamber").await;
    let mut garden = server.client("juliet/garden").await;
    let mut romeo = server.client("romeo/orchard").await;
    balcony
        .send("<presence><priority>1</priority></presence>")
        .await;
    balcony.sync().await;
    chamber
        .send("<presence><priority>5</priority></presence>")
        .await;
    chamber.sync().await;
    garden
        .send("<presence><priority>-1</priority></presence>")
        .await;
    garden.sync().await;
    balcony.sync().await;
    chamber.sync().await;

    romeo
        .send("<message to='juliet@example.com'><body>hi</body></message>")
        .await;
    romeo
        .send("<message to='juliet@example.com' type='headline'><body>news</body></message>")
        .await;
    romeo.sync().await;
    assert_eq!(
        kinds(&chamber.sync().await),
        ["message", "message:headline"]
    );
    assert_eq!(kinds(&balcony.sync().await), ["message:headline"]);
    assert!(
        garden.sync().await.is_empty(),
        "a negative priority wants no messages"
    );
}

#[tokio::test]
async fn an_account_without_available_resources_answers_like_one_that_does_not_exist() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    let mut answers = Vec::new();
    for user in ["juliet", "nobody"] {
        romeo
            .send(&format!(
                "<message to='{user}@example.com' id='a' type='chat'/>\
                 <message to='{user}@example.com/balcony' id='b'><body>x</body></message>\
                 <message to='{user}@example.com' id='c' type='groupchat'><body>x</body></message>\
                 <message to='{user}@example.com' id='d' type='headline'><body>x</body></message>\
                 <message to='{user}@example.com' id='e' type='error'><body>x</body></message>\
                 <iq to='{user}@example.com/balcony' id='f' type='get'><q xmlns='urn:x'/></iq>\
                 <iq to='{user}@example.com' id='g' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>\
                 <iq to='{user}@example.com/balcony' id='h' type='result'/>\
                 <presence to='{user}@example.com'/><presence to='{user}@example.com' type='unavailable'/>"
            ))
            .await;
        let got = romeo.sync().await;
        let told: Vec<_> = got
            .iter()
            .map(|stanza| (attribute(stanza, "id").unwrap(), condition(stanza)))
            .collect();
        answers.push(told);
    }
    let expected =
        ["a", "b", "c", "f", "g"].map(|id| (id.to_owned(), "service-unavailable".to_owned()));
    assert_eq!(answers[0], expected);
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_request_between_contacts_is_delivered_and_answered() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    let request = "<iq to='juliet@example.com/balcony' id='q1' type='get'><q xmlns='urn:x'/></iq>";
    romeo.send(request).await;
    assert_eq!(
        condition(&romeo.sync().await[0]),
        "service-unavailable",
        "who may not see may not ask"
    );

    befriend(&mut romeo, &mut juliet).await;
    romeo.send(request).await;
    romeo.sync().await;
    assert_eq!(kinds(&juliet.sync().await), ["iq:get"]);
    juliet
        .send("<iq to='romeo@example.com/orchard' id='q1' type='result'><q xmlns='urn:x'/></iq>")
        .await;
    juliet.sync().await;
    let answer = romeo.sync().await;
    assert_eq!(
        attribute(&answer[0], "from").as_deref(),
        Some("juliet@example.com/balcony")
    );
}

#[tokio::test]
async fn directed_presence_lets_a_stranger_ask() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    juliet
        .send("<presence to='romeo@example.com/orchard'/>")
        .await;
    juliet.sync().await;
    romeo
        .send("<iq to='juliet@example.com/balcony' id='q1' type='get'><q xmlns='urn:x'/></iq>")
        .await;
    romeo.sync().await;
    assert_eq!(kinds(&juliet.sync().await), ["iq:get"]);
}

#[tokio::test]
async fn what_is_for_another_domain_comes_back() {
    let server = server(&["romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(
            "<message to='juliet@example.org'/><iq to='example.org' id='i' type='get'><q xmlns='urn:x'/></iq>\
             <presence to='juliet@example.org'/><presence to='juliet@example.org' type='subscribe'/>\
             <presence to='juliet@example.org' type='unavailable'/>",
        )
        .await;
    let got = romeo.sync().await;
    assert_eq!(
        kinds(&got),
        [
            "message:error",
            "iq:error",
            "presence:error",
            "presence:error"
        ]
    );
    assert!(
        got.iter()
            .all(|stanza| condition(stanza) == "remote-server-not-found")
    );
}

#[tokio::test]
async fn a_stanza_whose_header_is_wrong_is_answered() {
    let server = server(&["romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(
            "<message to='a@@b' id='1'/><iq type='get' id='2'/><iq type='order' id='3'><q xmlns='urn:x'/></iq>\
             <presence type='available' id='4'/><presence type='subscribe' id='5'/>\
             <presence id='6'><priority>200</priority></presence>",
        )
        .await;
    let got = romeo.sync().await;
    let conditions: Vec<String> = got.iter().map(condition).collect();
    assert_eq!(conditions[0], "jid-malformed");
    assert_eq!(conditions[1..], ["bad-request"; 5]);
    let ids: Vec<String> = got
        .iter()
        .filter_map(|stanza| attribute(stanza, "id"))
        .collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6"]);
}

#[tokio::test]
async fn a_message_without_an_address_is_for_the_own_account() {
    let server = server(&["romeo"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    romeo
        .send("<message id='m'><body>note</body></message>")
        .await;
    let got = romeo.sync().await;
    assert_eq!(
        attribute(&got[0], "from").as_deref(),
        Some("romeo@example.com/orchard")
    );
}

#[tokio::test]
async fn the_server_and_the_account_answer_requests() {
    let server = server(&["romeo", "juliet"]).await;
    let mut romeo = server.available("romeo/orchard").await;
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let ping = "<ping xmlns='urn:xmpp:ping'/>";

    let answer = romeo.ask("get", Some("example.com"), info).await;
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    assert_eq!(attribute(&answer, "from").as_deref(), Some("example.com"));
    let text = answer.to_string();
    assert!(
        text.contains("category='server'") && text.contains("var='urn:xmpp:ping'"),
        "{text}"
    );
    let answer = romeo.ask("get", None, info).await.to_string();
    assert!(answer.contains("category='account'"), "{answer}");
    let answer = romeo
        .ask("get", Some("romeo@example.com"), items)
        .await
        .to_string();
    assert!(
        answer.contains("jid='romeo@example.com/orchard'"),
        "{answer}"
    );
    for to in [None, Some("example.com"), Some("romeo@example.com")] {
        assert_eq!(
            attribute(&romeo.ask("get", to, ping).await, "type").as_deref(),
            Some("result")
        );
    }
    let version = romeo
        .ask(
            "get",
            Some("example.com"),
            "<query xmlns='jabber:iq:version'/>",
        )
        .await;
    assert!(version.to_string().contains("<name>xmpp-server</name>"));

    let unknown = "<q xmlns='urn:unknown'/>";
    for to in [
        None,
        Some("example.com"),
        Some("romeo@example.com"),
        Some("juliet@example.com"),
    ] {
        assert_eq!(
            condition(&romeo.ask("get", to, unknown).await),
            "service-unavailable"
        );
        assert_eq!(
            condition(&romeo.ask("set", to, unknown).await),
            "service-unavailable"
        );
    }
    let node = "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>";
    assert_eq!(
        condition(&romeo.ask("get", Some("example.com"), node).await),
        "item-not-found"
    );
}

#[tokio::test]
async fn an_account_is_discovered_by_those_who_see_it() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let answer = romeo.ask("get", Some("juliet@example.com"), info).await;
    assert_eq!(condition(&answer), "service-unavailable");
    befriend(&mut romeo, &mut juliet).await;
    let answer = romeo.ask("get", Some("juliet@example.com"), info).await;
    assert!(answer.to_string().contains("category='account'"));
}
