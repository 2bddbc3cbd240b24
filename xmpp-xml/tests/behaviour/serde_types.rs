//! Elements from and to the types of serde.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xmpp_xml::Element;
use xmpp_xml::serde::{Error, from_element, to_element};

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
struct Device {
    #[serde(rename = "@id")]
    id: String,
    #[serde(rename = "@xml:lang", skip_serializing_if = "Option::is_none")]
    lang: Option<String>,
    #[serde(rename = "@retries", default)]
    retries: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    field: Vec<Field>,
    #[serde(default)]
    state: State,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Field {
    #[serde(rename = "@var")]
    var: String,
    #[serde(rename = "$text", default)]
    value: String,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum State {
    #[default]
    Off,
    On,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Choice {
    #[serde(rename = "$value")]
    content: Vec<Command>,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Command {
    SwitchOff,
    Fade {
        #[serde(rename = "@seconds")]
        seconds: u32,
    },
}

fn device() -> Device {
    Device {
        id: "hall".into(),
        lang: Some("de".into()),
        retries: 3,
        name: Some("<Lamp> & \"more\"".into()),
        field: vec![
            Field {
                var: "a\tb\nc".into(),
                value: "1".into(),
            },
            Field {
                var: "it's".into(),
                value: "x\r\ny\u{85}\u{2028}😀".into(),
            },
        ],
        state: State::On,
    }
}

fn read<T: DeserializeOwned>(xml: &str) -> Result<T, Error> {
    from_element(Element::parse(xml).unwrap().root())
}

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    for namespace in ["urn:device", "", "urn:a&'<b"] {
        let element = to_element(value, "device", namespace).unwrap();
        assert!(element.root().is("device", namespace));
        assert!(
            element
                .root()
                .children()
                .all(|child| child.namespace() == namespace)
        );
        assert_eq!(
            &from_element::<T>(element.root()).unwrap(),
            value,
            "{element}"
        );
        // Also from what a peer would see.
        assert_eq!(&read::<T>(&element.to_string()).unwrap(), value);
    }
}

#[test]
fn values_of_serde_survive_being_elements() {
    both_ways(&device());
    both_ways(&Device::default());
    both_ways(&Choice {
        content: vec![Command::Fade { seconds: 3 }, Command::SwitchOff],
    });
    both_ways(&BTreeMap::from([("a".to_owned(), "1".to_owned())]));
}

#[test]
fn elements_are_read_by_local_names_whatever_their_prefixes() {
    let device: Device = read(
        "<d:device xmlns:d='urn:d' xmlns:e='urn:e' xmlns='urn:other' e:id='foreign' id='hall' e:retries='3' \
         xml:lang='de'><d:name>a &amp; <![CDATA[<b>]]></d:name><field var='1'/><d:state>on</d:state></d:device>",
    )
    .unwrap();
    assert_eq!(device.id, "hall");
    assert_eq!(device.retries, 3);
    assert_eq!(device.lang.as_deref(), Some("de"));
    assert_eq!(device.name.as_deref(), Some("a & <b>"));
    assert_eq!((device.field.len(), device.state), (1, State::On));
}

#[test]
fn declarations_are_no_attributes() {
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[serde(rename = "@id")]
        id: u8,
    }
    assert_eq!(
        read::<Strict>("<a xmlns='urn:a' xmlns:p='urn:p' id='1'/>"),
        Ok(Strict { id: 1 })
    );
    assert!(read::<Strict>("<a id='1' other='2'/>").is_err());
    let map: BTreeMap<String, String> = read("<a xmlns='urn:a'><b>1</b><c>2</c></a>").unwrap();
    assert_eq!(map.into_keys().collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn a_child_of_a_stanza_is_read_where_it_stands() {
    let stanza = Element::parse(
        "<iq xmlns='jabber:client' xmlns:p='urn:p'><p:device id='1'><p:state>on</p:state></p:device></iq>",
    )
    .unwrap();
    let child = stanza.root().children().next().unwrap();
    let device: Device = from_element(child).unwrap();
    assert_eq!((device.id.as_str(), device.state), ("1", State::On));
}

#[test]
fn what_is_not_as_the_type_demands_is_the_peers_fault() {
    for xml in [
        "<device/>",
        "<device id='1' retries='many'/>",
        "<device id='1' retries='256'/>",
        "<device id='1'><state>dim</state></device>",
    ] {
        let error = read::<Device>(xml).unwrap_err();
        assert!(matches!(error, Error::Deserialize(_)), "{xml}: {error}");
        assert_eq!(error.condition(), "bad-request");
    }
}

#[test]
fn what_cannot_be_an_element_is_the_callers_mistake() {
    #[derive(Serialize)]
    struct Elsewhere {
        #[serde(rename = "@xmlns")]
        namespace: &'static str,
    }
    let refused = |result: Result<Element, Error>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Serialize(_)), "{error}");
        assert_eq!(error.condition(), "internal-server-error");
    };
    refused(to_element(&device(), "two words", "urn:d"));
    refused(to_element(&device(), "p:device", "urn:d"));
    refused(to_element(&device(), "", "urn:d"));
    refused(to_element(
        &device(),
        "device",
        "http://www.w3.org/2000/xmlns/",
    ));
    refused(to_element(&vec![1, 2], "list", ""));
    refused(to_element(&"\u{1}", "text", ""));
    refused(to_element(&BTreeMap::from([("p:a", "1")]), "map", ""));
    refused(to_element(&BTreeMap::from([("a b='c'", "1")]), "map", ""));
    refused(to_element(&Elsewhere { namespace: "urn:e" }, "a", "urn:a"));
    assert!(to_element(&Elsewhere { namespace: "urn:e" }, "a", "urn:e").is_ok());
}

proptest! {
    #[test]
    fn any_text_survives(
        id in "([ -~]|[\t\n\ré漢😀]){0,12}",
        // White space around text is trimmed, and an empty text is none.
        value in "([!-~é漢😀]([ -~]|[\t\n\r]){0,8}[!-~é漢😀])?",
    ) {
        let field = Field { var: id, value };
        let element = to_element(&field, "field", "urn:f").unwrap();
        prop_assert_eq!(from_element::<Field>(element.root()).unwrap(), field);
    }
}
