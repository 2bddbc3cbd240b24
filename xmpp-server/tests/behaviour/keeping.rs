//! What accounts keep on the server for themselves and others: private XML (XEP-0049) and vCards (XEP-0054).

use std::sync::Arc;

use xmpp_server::storage::Memory;

use crate::support::{attribute, condition, config, server, server_with};

fn private(content: &str) -> String {
    format!("<query xmlns='jabber:iq:private'>{content}</query>")
}

const ASK: &str = "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>";

#[tokio::test]
async fn private_xml_is_kept_for_the_own_account_alone() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let answer = juliet.ask("get", None, ASK).await;
    assert!(
        answer
            .to_string()
            .contains("<storage xmlns='storage:bookmarks'/>"),
        "{answer}"
    );

    let bookmark =
        "<storage xmlns='storage:bookmarks'><url name='A &amp; B' url='http://x'/></storage>";
    let answer = juliet.ask("set", None, &private(bookmark)).await;
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    let mut chamber = server.client("juliet/chamber").await;
    let answer = chamber.ask("get", Some("juliet@example.com"), ASK).await;
    assert!(answer.to_string().contains("A &amp; B"), "{answer}");
    // Other elements are other things.
    let other = private("<other xmlns='storage:bookmarks'/>");
    let answer = juliet.ask("get", None, &other).await.to_string();
    assert!(!answer.contains("A &amp; B"), "{answer}");

    let mut romeo = server.client("romeo/orchard").await;
    for user in ["juliet", "nobody"] {
        let to = format!("{user}@example.com");
        for (kind, payload) in [("get", ASK), ("set", &private(bookmark))] {
            let answer = romeo.ask(kind, Some(&to), payload).await;
            assert_eq!(condition(&answer), "forbidden");
        }
    }
}

#[tokio::test]
async fn private_xml_has_rules_and_limits() {
    let config = config().private_xml_bytes(500);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let large = format!("<a xmlns='urn:a'>{}</a>", "x".repeat(400));
    let second = format!("<b xmlns='urn:b'>{}</b>", "x".repeat(400));
    for (kind, content, expected) in [
        ("get", "", "bad-request"),
        ("get", "<a xmlns='urn:a'/><b xmlns='urn:b'/>", "bad-request"),
        ("set", "", "bad-request"),
        ("set", "<query xmlns='jabber:iq:roster'/>", "not-acceptable"),
        ("set", "<vCard xmlns='vcard-temp'/>", "not-acceptable"),
        ("set", &format!("{large}{second}"), "resource-constraint"),
    ] {
        let answer = juliet.ask(kind, None, &private(content)).await;
        assert_eq!(condition(&answer), expected, "{content}");
    }
    for (content, is_kept) in [(&large, true), (&second, false), (&large, true)] {
        let answer = juliet.ask("set", None, &private(content)).await;
        let is_result = attribute(&answer, "type").as_deref() == Some("result");
        assert_eq!(is_result, is_kept, "what is replaced makes room: {answer}");
    }
}

#[tokio::test]
async fn a_vcard_is_for_everybody_and_changed_by_its_owner() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    let ask = "<vCard xmlns='vcard-temp'/>";
    let answer = juliet.ask("get", None, ask).await;
    assert!(
        answer.to_string().contains("<vCard xmlns='vcard-temp'/>"),
        "{answer}"
    );
    for user in ["juliet", "nobody"] {
        let to = format!("{user}@example.com");
        let answer = romeo.ask("get", Some(&to), ask).await;
        assert_eq!(condition(&answer), "service-unavailable");
    }
    let card = "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>";
    let answer = juliet.ask("set", None, card).await;
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    let to = Some("juliet@example.com");
    let answer = romeo.ask("get", to, ask).await;
    assert!(
        answer.to_string().contains("<FN>Juliet Capulet</FN>"),
        "{answer}"
    );
    assert_eq!(condition(&romeo.ask("set", to, card).await), "forbidden");

    // Whom she has blocked sees nothing.
    let block = "<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.com'/></block>";
    juliet.ask("set", None, block).await;
    assert_eq!(
        condition(&romeo.ask("get", to, ask).await),
        "service-unavailable"
    );
}

#[tokio::test]
async fn a_vcard_has_a_limit() {
    let config = config().vcard_bytes(100);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let card = format!(
        "<vCard xmlns='vcard-temp'><NOTE>{}</NOTE></vCard>",
        "x".repeat(100)
    );
    let answer = juliet.ask("set", None, &card).await;
    assert_eq!(condition(&answer), "resource-constraint");
}
