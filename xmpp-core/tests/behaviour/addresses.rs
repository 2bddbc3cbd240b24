//! Addresses as RFC 7622 has them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use proptest::prelude::*;
use xmpp_core::jid::{Address, Jid, JidErrorKind, JidPart, JidRef, MAX_PART_BYTES};

fn jid(text: &str) -> Jid {
    text.parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refusal(text: &str) -> (JidPart, JidErrorKind) {
    match Jid::parse(text) {
        Ok(jid) => panic!("{text:?} was taken as {jid}"),
        Err(error) => (error.part(), error.kind()),
    }
}

fn parts(text: &str) -> (Option<String>, String, Option<String>) {
    let jid = jid(text);
    let owned = |part: Option<&str>| part.map(str::to_owned);
    (
        owned(jid.local()),
        jid.domain().to_owned(),
        owned(jid.resource()),
    )
}

#[test]
fn the_legal_examples_of_the_standard_are_addresses() {
    let examples: [(&str, Option<&str>, &str, Option<&str>); 15] = [
        ("juliet@example.com", Some("juliet"), "example.com", None),
        (
            "juliet@example.com/foo",
            Some("juliet"),
            "example.com",
            Some("foo"),
        ),
        (
            "juliet@example.com/foo bar",
            Some("juliet"),
            "example.com",
            Some("foo bar"),
        ),
        (
            "juliet@example.com/foo@bar",
            Some("juliet"),
            "example.com",
            Some("foo@bar"),
        ),
        (
            "foo\\20bar@example.com",
            Some("foo\\20bar"),
            "example.com",
            None,
        ),
        (
            "fussball@example.com",
            Some("fussball"),
            "example.com",
            None,
        ),
        (
            "fu\u{DF}ball@example.com",
            Some("fu\u{DF}ball"),
            "example.com",
            None,
        ),
        ("\u{3C0}@example.com", Some("\u{3C0}"), "example.com", None),
        (
            "\u{3A3}@example.com/foo",
            Some("\u{3C3}"),
            "example.com",
            Some("foo"),
        ),
        (
            "\u{3C3}@example.com/foo",
            Some("\u{3C3}"),
            "example.com",
            Some("foo"),
        ),
        (
            "\u{3C2}@example.com/foo",
            Some("\u{3C2}"),
            "example.com",
            Some("foo"),
        ),
        (
            "king@example.com/\u{265A}",
            Some("king"),
            "example.com",
            Some("\u{265A}"),
        ),
        ("example.com", None, "example.com", None),
        ("example.com/foobar", None, "example.com", Some("foobar")),
        (
            "a.example.com/b@example.net",
            None,
            "a.example.com",
            Some("b@example.net"),
        ),
    ];
    for (text, local, domain, resource) in examples {
        let owned = |part: Option<&str>| part.map(str::to_owned);
        assert_eq!(
            parts(text),
            (owned(local), domain.to_owned(), owned(resource)),
            "{text}"
        );
    }
}

#[test]
fn the_illegal_examples_of_the_standard_are_refused() {
    use JidErrorKind::{Empty, Forbidden};
    use JidPart::{Domain, Local, Resource};
    let examples = [
        ("\"juliet\"@example.com", Local, Forbidden),
        ("foo bar@example.com", Local, Forbidden),
        ("juliet@example.com/ foo", Resource, Forbidden),
        ("@example.com/", Local, Empty),
        ("henry\u{2163}@example.com", Local, Forbidden),
        ("\u{265A}@example.com", Local, Forbidden),
        ("juliet@", Domain, Empty),
        ("/foobar", Domain, Empty),
    ];
    for (text, part, kind) in examples {
        assert_eq!(refusal(text), (part, kind), "{text}");
    }
}

#[test]
fn capital_and_small_sigma_are_one_address_and_final_sigma_another() {
    assert_eq!(jid("\u{3A3}@example.com"), jid("\u{3C3}@example.com"));
    assert_ne!(jid("\u{3C2}@example.com"), jid("\u{3C3}@example.com"));
    assert_ne!(jid("fussball@example.com"), jid("fu\u{DF}ball@example.com"));
    // Also at the end of a word, where Unicode's own lower case would make the final one.
    assert_eq!(
        jid("\u{391}\u{3A3}@example.com").local(),
        Some("\u{3B1}\u{3C3}")
    );
}

#[test]
fn the_first_slash_ends_the_domain_before_the_first_at_is_looked_for() {
    assert_eq!(jid("a@b/c/d@e").resource(), Some("c/d@e"));
    assert_eq!(jid("b/a@c").domain(), "b");
    assert_eq!(refusal("a@b@c"), (JidPart::Domain, JidErrorKind::Forbidden));
    // U+FF20 and U+FF0F would become separators if mapping came first.
    assert_eq!(refusal("a\u{FF20}b@c").0, JidPart::Local);
    assert_eq!(refusal("a\u{FF0F}b@c").0, JidPart::Local);
    assert_eq!(refusal("a@b\u{FF0F}c").0, JidPart::Domain);
}

#[test]
fn every_character_that_a_localpart_may_not_have_is_refused() {
    for character in ['"', '&', '\'', ':', '<', '>', ' ', '\u{7F}', '\u{0}', '\t'] {
        let text = format!("a{character}b@example.com");
        assert_eq!(
            refusal(&text),
            (JidPart::Local, JidErrorKind::Forbidden),
            "{text:?}"
        );
        // The same beside a character that takes the slow path.
        let text = format!("\u{3C0}{character}b@example.com");
        assert_eq!(
            refusal(&text),
            (JidPart::Local, JidErrorKind::Forbidden),
            "{text:?}"
        );
    }
    // Full-width forms are mapped first and then refused all the same.
    assert_eq!(
        refusal("a\u{FF1A}b@example.com"),
        (JidPart::Local, JidErrorKind::Forbidden)
    );
    for character in ['@', '/'] {
        let local = format!("a{character}b");
        let error = Jid::from_parts(Some(&local), "example.com", None).unwrap_err();
        assert_eq!(
            (error.part(), error.kind()),
            (JidPart::Local, JidErrorKind::Forbidden)
        );
    }
}

#[test]
fn localparts_are_mapped_to_lower_case_width_and_composed_form() {
    assert_eq!(jid("JuLiEt@example.com").as_str(), "juliet@example.com");
    assert_eq!(
        jid("\u{FF2A}uliet@example.com").as_str(),
        "juliet@example.com"
    );
    assert_eq!(jid("e\u{301}@example.com").local(), Some("\u{E9}"));
    assert_eq!(jid("\u{C9}@example.com").local(), Some("\u{E9}"));
}

#[test]
fn resourceparts_keep_their_case_and_symbols() {
    assert_eq!(jid("a@b/Balcony").resource(), Some("Balcony"));
    assert_ne!(jid("a@b/Balcony"), jid("a@b/balcony"));
    assert_eq!(jid("a@b/\u{1F600} :)").resource(), Some("\u{1F600} :)"));
    assert_eq!(jid("a@b/e\u{301}").resource(), Some("\u{E9}"));
    // A foreign space becomes the plain one, and is then as little allowed in front.
    assert_eq!(jid("a@b/x\u{A0}y").resource(), Some("x y"));
    assert_eq!(
        refusal("a@b/\u{A0}y"),
        (JidPart::Resource, JidErrorKind::Forbidden)
    );
    for text in ["a@b/x\u{7}", "a@b/\u{E9}\u{7}", "a@b/\u{200B}"] {
        assert_eq!(
            refusal(text),
            (JidPart::Resource, JidErrorKind::Forbidden),
            "{text:?}"
        );
    }
}

#[test]
fn one_final_dot_of_the_domain_is_stripped() {
    assert_eq!(jid("a@example.com./r").as_str(), "a@example.com/r");
    assert_eq!(jid("example.com."), jid("example.com"));
    assert_eq!(
        refusal("example.com.."),
        (JidPart::Domain, JidErrorKind::Forbidden)
    );
    assert_eq!(refusal("."), (JidPart::Domain, JidErrorKind::Empty));
    let error = JidRef::parse("a@example.com./r").unwrap_err();
    assert_eq!(error.kind(), JidErrorKind::NotCanonical);
}

#[test]
fn domains_are_mapped_to_their_unicode_form() {
    assert_eq!(jid("a@EXAMPLE.com").domain(), "example.com");
    assert_eq!(
        jid("a@xn--fuball-cta.example").domain(),
        "fu\u{DF}ball.example"
    );
    assert_eq!(
        jid("a@XN--FUBALL-CTA.example"),
        jid("a@Fu\u{DF}ball.example")
    );
    assert_eq!(jid("b\u{FC}cher.example"), jid("BU\u{308}CHER.example"));
    assert_eq!(
        jid("b\u{FC}cher\u{3002}example\u{3002}").domain(),
        "b\u{FC}cher.example"
    );
}

#[test]
fn what_is_no_domain_is_refused() {
    let domains = [
        "exa mple.com",
        "a..b",
        ".a",
        "-a.example",
        "a-.example",
        "ab--cd.example",
        "xn--.example",
        "xn--a.example",
        "a_b.example",
        "\u{2615}.example",
        "i\u{2665}ny.example",
        "a:5222",
        "user:pass",
        "[::1",
        "::1",
        "[1.2.3.4]",
        "[::g]",
        "[::1]x",
        "[::1%en1]",
        "[fe80::1%25]",
        "[fe80::1%25a b]",
        "[v1.x]",
    ];
    for domain in domains {
        assert_eq!(
            refusal(domain),
            (JidPart::Domain, JidErrorKind::Forbidden),
            "{domain:?}"
        );
    }
}

#[test]
fn internet_addresses_are_domains() {
    assert_eq!(jid("a@127.0.0.1/r").domain(), "127.0.0.1");
    assert_eq!(jid("a@[::1]/r").domain(), "[::1]");
    assert_eq!(jid("a@[2001:DB8:0::1]").domain(), "[2001:db8::1]");
    assert_eq!(jid("[fe80::1%25en1]").domain(), "[fe80::1%25en1]");
    assert!(JidRef::parse("a@[2001:db8::1]/r").is_ok());
    assert!(JidRef::parse("a@[2001:DB8::1]/r").is_err());
}

#[test]
fn each_part_has_at_most_1023_octets() {
    let long = "a".repeat(MAX_PART_BYTES);
    let domain = format!("{}.com", "d".repeat(MAX_PART_BYTES - 4));
    let full = jid(&format!("{long}@{domain}/{long}"));
    assert_eq!(full.as_str().len(), 3 * MAX_PART_BYTES + 2);
    assert_eq!(full.local(), Some(&*long));
    assert_eq!(full.domain(), domain);
    assert_eq!(full.resource(), Some(&*long));
    assert_eq!(full.bare().resource(), None);

    let longer = "a".repeat(MAX_PART_BYTES + 1);
    assert_eq!(
        refusal(&format!("{longer}@b")),
        (JidPart::Local, JidErrorKind::TooLong)
    );
    assert_eq!(
        refusal(&format!("a{domain}")),
        (JidPart::Domain, JidErrorKind::TooLong)
    );
    assert_eq!(
        refusal(&format!("b/{longer}")),
        (JidPart::Resource, JidErrorKind::TooLong)
    );
}

#[test]
fn octets_are_counted_after_mapping() {
    // A full-width letter has three octets before it is mapped and one after.
    let wide = "\u{FF21}".repeat(MAX_PART_BYTES);
    assert_eq!(
        jid(&format!("{wide}@b")).local().unwrap().len(),
        MAX_PART_BYTES
    );
    // 512 letters with two octets each are one octet too long.
    let pi = "\u{3C0}".repeat(512);
    assert_eq!(
        refusal(&format!("{pi}@b")),
        (JidPart::Local, JidErrorKind::TooLong)
    );
    assert_eq!(
        refusal(&format!("b/{pi}")),
        (JidPart::Resource, JidErrorKind::TooLong)
    );
}

#[test]
fn a_uri_is_no_address() {
    assert!(Jid::parse("xmpp:juliet@example.com").is_err());
}

#[test]
fn parts_are_put_together_and_taken_away() {
    let full = Jid::from_parts(Some("Juliet"), "example.com", Some("balcony")).unwrap();
    assert_eq!(full.as_str(), "juliet@example.com/balcony");
    assert!(full.is_full() && !full.is_bare());
    let bare = full.bare();
    assert_eq!(bare.as_str(), "juliet@example.com");
    assert!(bare.is_bare());
    assert_eq!(full.to_bare_ref(), bare);
    assert_eq!(
        bare.with_resource("orchard").unwrap().as_str(),
        "juliet@example.com/orchard"
    );
    assert_eq!(
        full.with_resource("orchard").unwrap().as_str(),
        "juliet@example.com/orchard"
    );
    assert!(full.with_resource("").is_err());
    assert!(Jid::from_parts(None, "a@b", None).is_err());
    assert!(Jid::from_parts(None, "a/b", None).is_err());
    assert!(Jid::from_parts(Some(""), "a", None).is_err());
}

#[test]
fn equal_addresses_have_one_hash_and_are_found_by_their_text() {
    let mut map = HashMap::new();
    map.insert(jid("Juliet@Example.com"), 1);
    let borrowed = JidRef::parse("juliet@example.com").unwrap();
    assert_eq!(map.get(borrowed.as_str()), Some(&1));
    let set: HashSet<JidRef<'_>> = [borrowed, borrowed.to_bare()].into();
    assert_eq!(set.len(), 1);
    let sorted: BTreeSet<Jid> = ["b@c", "a@c", "a@c/d"].map(jid).into();
    let sorted: Vec<&str> = sorted.iter().map(Jid::as_str).collect();
    assert_eq!(sorted, ["a@c", "a@c/d", "b@c"]);
}

#[test]
fn canonical_text_stays_borrowed() {
    for text in [
        "a@b/C",
        "example.com",
        "\u{3C0}@example.com/\u{265A}",
        "a@[::1]",
    ] {
        let address = Address::parse(Cow::Borrowed(text)).unwrap();
        assert!(matches!(address, Address::Borrowed(_)), "{text}");
        assert_eq!(address.as_str(), text);
    }
    for text in ["A@b", "a@B", "a@b.", "a@b/e\u{301}"] {
        let address = Address::parse(Cow::Borrowed(text)).unwrap();
        assert!(matches!(address, Address::Owned(_)), "{text}");
        assert_eq!(address.into_jid(), jid(text));
    }
}

#[test]
fn an_address_is_small() {
    assert!(size_of::<Jid>() <= 24);
    assert!(size_of::<JidRef<'_>>() <= 24);
    assert!(size_of::<Option<Jid>>() <= 24);
}

fn any_address() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9@/.\\-\u{E9}\u{DF}\u{130}\u{3A3}\u{FF21}\u{301}\u{1100}\u{1161} ]{0,24}",
        "[a-zA-Z.]{1,8}@[a-zA-Z0-9]{1,8}(\\.[a-z\u{FC}\u{E9}]{1,4})?(/[ -~]{1,8})?",
        "\\PC{1,6}@\\PC{1,6}/\\PC{1,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn canonical_form_is_stable(text in any_address()) {
        if let Ok(jid) = Jid::parse(&text) {
            prop_assert_eq!(&Jid::parse(jid.as_str()).unwrap(), &jid);
            let borrowed = JidRef::parse(jid.as_str()).unwrap();
            prop_assert_eq!(borrowed.local(), jid.local());
            prop_assert_eq!(borrowed.domain(), jid.domain());
            prop_assert_eq!(borrowed.resource(), jid.resource());
            prop_assert_eq!(borrowed.to_jid(), jid);
        }
    }

    #[test]
    fn the_parts_of_an_address_make_it_again(text in any_address()) {
        if let Ok(jid) = Jid::parse(&text) {
            let again = Jid::from_parts(jid.local(), jid.domain(), jid.resource()).unwrap();
            prop_assert_eq!(&again, &jid);
            for part in [jid.local(), Some(jid.domain()), jid.resource()].into_iter().flatten() {
                prop_assert!((1..=MAX_PART_BYTES).contains(&part.len()));
            }
        }
    }

    #[test]
    fn only_canonical_text_is_borrowed(text in any_address()) {
        match (JidRef::parse(&text), Jid::parse(&text)) {
            (Ok(borrowed), Ok(jid)) => prop_assert_eq!(borrowed.as_str(), jid.as_str()),
            (Ok(_), Err(error)) => prop_assert!(false, "{error}"),
            (Err(error), Ok(_)) => prop_assert_eq!(error.kind(), JidErrorKind::NotCanonical),
            (Err(borrowed), Err(owned)) => {
                prop_assert!(borrowed.kind() == JidErrorKind::NotCanonical || borrowed == owned);
            }
        }
    }
}
