//! Elements as they are printed for people and logs.

use xmpp_xml::Element;

fn parse(xml: &str) -> Element {
    Element::parse(xml).unwrap()
}

#[test]
fn elements_are_indented_and_text_is_not_touched() {
    let element = parse(
        "<a xmlns='urn:a' b='1'> <c/>\n<d xmlns='urn:d'>t</d><e>x <f><g/></f> y</e><h><i><j/></i></h></a>",
    );
    let printed = element.indented().to_string();
    assert_eq!(
        printed,
        "<a xmlns='urn:a' b='1'>\n  <c/>\n  <d xmlns='urn:d'>t</d>\n  <e>x <f><g/></f> y</e>\n  <h>\n    <i>\n      \
         <j/>\n    </i>\n  </h>\n</a>"
    );
    assert_eq!(parse("<a> </a>").indented().to_string(), "<a> </a>");
}

#[test]
fn what_is_printed_indented_means_the_same_but_for_white_space() {
    let element = parse("<a xmlns='u' xmlns:p='v' p:b='1' xml:lang='de'><p:c>&lt;&amp;</p:c></a>");
    let again = parse(&element.indented().to_string());
    assert_eq!(again.root().attribute_ns("b", "v").as_deref(), Some("1"));
    assert_eq!(again.root().child("c", "v").unwrap().text(), "<&");
}

#[test]
fn secrets_are_not_logged() {
    const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
    let secret = "c2VjcmV0";
    for xml in [
        &*format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{secret}</auth>"),
        &format!("<challenge xmlns='{SASL}'>{secret}</challenge>"),
        &format!("<response xmlns='{SASL}'>{secret}</response>"),
        &format!("<success xmlns='{SASL}'>{secret}</success>"),
        &format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{secret}</initial-response></authenticate>"
        ),
        &format!(
            "<success xmlns='urn:xmpp:sasl:2'><additional-data>{secret}</additional-data></success>"
        ),
        &format!(
            "<success xmlns='urn:xmpp:sasl:2'><token xmlns='urn:xmpp:fast:0' token='{secret}'/></success>"
        ),
        &format!(
            "<iq xmlns='jabber:client'><query xmlns='jabber:iq:register'><username>u</username><password>{secret}</password><key>{secret}</key></query></iq>"
        ),
        &format!("<query xmlns='jabber:iq:auth'><digest>{secret}</digest></query>"),
        &format!(
            "<iq xmlns='jabber:client'><req xmlns='urn:xmpp:iot:sensordata' seqnr='1' deviceToken='{secret}' serviceToken='{secret}'/></iq>"
        ),
        &format!("<handshake xmlns='jabber:component:accept'>{secret}</handshake>"),
        &format!("<result xmlns='jabber:server:dialback' to='a'>{secret}</result>"),
        &format!("<enabled xmlns='urn:xmpp:sm:3' id='{secret}' resume='true'/>"),
        &format!("<resume xmlns='urn:xmpp:sm:3' previd='{secret}' h='1'/>"),
        &format!(
            "<body xmlns='http://jabber.org/protocol/httpbind' sid='{secret}' key='{secret}'/>"
        ),
        &format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='Password'><value>{secret}</value></field></x>"
        ),
        &format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='f' type='text-private'><value>{secret}</value></field></x>"
        ),
        &format!("<reg xmlns='urn:xmpp:iot:discovery'><str name='KEY' value='{secret}'/></reg>"),
        &format!("<c><Secret><deep><deeper>{secret}</deeper></deep></Secret></c>"),
        &format!("<header name='Authorization'>Basic {secret}</header>"),
    ] {
        let element = parse(xml);
        for printed in [
            element.redacted().to_string(),
            element.indented().redacted().to_string(),
        ] {
            assert!(!printed.contains(secret), "{printed}");
            assert!(printed.contains("[redacted]"), "{printed}");
        }
        assert!(element.indented().to_string().contains(secret));
    }
}

#[test]
fn what_is_no_secret_stays_readable_in_logs() {
    for xml in [
        "<message xmlns='jabber:client' to='a'><body>hello</body></message>",
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>",
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/><text>wrong</text></failure>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>",
    ] {
        assert_eq!(parse(xml).redacted().to_string(), xml);
    }
}

#[test]
fn a_log_line_stays_one_line_and_commands_no_terminal() {
    let element = parse("<a b='1&#10;2'>x\ny\u{9b}31m\u{202e}\u{2028}z&#13;</a>");
    let printed = element.redacted().to_string();
    assert_eq!(
        printed,
        "<a b='1&#xA;2'>x&#xA;y&#x9B;31m&#x202E;&#x2028;z&#xD;</a>"
    );
    assert_eq!(parse(&printed), element);
    assert!(!element.indented().to_string().contains('\u{9b}'));
}

#[test]
fn deep_trees_are_printed_without_recursion() {
    let depth = 20_000;
    let xml = format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let limits = xmpp_xml::Limits::new().depth(u32::MAX);
    let mut scratch = xmpp_xml::Scratch::new();
    let element = scratch.document(xml.as_bytes(), &limits).unwrap();
    assert_eq!(element.redacted().to_string().len(), xml.len() - 3);
}
