//! Foreign identifiers as localparts (XEP-0106).

use std::borrow::Cow;

use proptest::prelude::*;
use xmpp_core::disco::{Disco, Entity, info};
use xmpp_core::jid::{Jid, JidErrorKind, JidPart, escape, unescape};
use xmpp_core::ns;

/// What people type and what goes over the wire (XEP-0106 §3, §4.2, §4.3, §5).
const EXAMPLES: &[(&str, &str)] = &[
    ("space cadet", r"space\20cadet"),
    (r#"call me "ishmael""#, r"call\20me\20\22ishmael\22"),
    ("at&t guy", r"at\26t\20guy"),
    ("d'artagnan", r"d\27artagnan"),
    ("/.fanboy", r"\2f.fanboy"),
    ("::foo::", r"\3a\3afoo\3a\3a"),
    ("<foo>", r"\3cfoo\3e"),
    ("user@host", r"user\40host"),
    (r"c:\net", r"c\3a\net"),
    (r"c:\\net", r"c\3a\\net"),
    (r"c:\cool stuff", r"c\3a\cool\20stuff"),
    (r"c:\5commas", r"c\3a\5c5commas"),
    (r"\3and\2is\5cool", r"\5c3and\2is\5c5cool"),
    (r"\2plus\2is\4", r"\2plus\2is\4"),
    (r"foo\bar", r"foo\bar"),
    (r"foob\41r", r"foob\41r"),
    (
        "here's_a_wild_&_/cr%zy/_address",
        r"here\27s_a_wild_\26_\2fcr%zy\2f_address",
    ),
    (
        r#"here's_a_wild_&_/cr%zy/_address_for:<wv>("IMPS")"#,
        r"here\27s_a_wild_\26_\2fcr%zy\2f_address_for\3a\3cwv\3e(\22IMPS\22)",
    ),
    (r"\20\22\5c", r"\5c20\5c22\5c5c"),
    ("tréville@musketeers.lit", r"tréville\40musketeers.lit"),
];

#[test]
fn the_examples_of_the_standard_are_escaped_and_turned_back() {
    for (typed, sent) in EXAMPLES {
        assert_eq!(escape(typed).unwrap(), *sent, "{typed}");
        assert_eq!(unescape(sent), *typed, "{sent}");
        let jid = Jid::from_foreign(typed, "example.com").unwrap();
        assert_eq!(jid.local(), Some(sent.to_lowercase().as_str()));
        assert_eq!(Jid::parse(&jid.to_string()), Ok(jid));
    }
    // What needs no escape is not copied.
    assert!(matches!(escape("juliet"), Ok(Cow::Borrowed("juliet"))));
    assert!(matches!(unescape("juliet"), Cow::Borrowed("juliet")));
}

#[test]
fn a_space_at_either_end_has_no_escape() {
    for typed in [" juliet", "juliet ", " "] {
        let error = escape(typed).unwrap_err();
        assert_eq!(
            (error.part(), error.kind()),
            (JidPart::Local, JidErrorKind::Forbidden)
        );
        assert!(Jid::from_foreign(typed, "example.com").is_err());
    }
    for sent in [r"\20juliet", r"juliet\20", r"\20"] {
        assert_eq!(unescape(sent), sent);
    }
    assert_eq!(unescape(r"\20a\20b\20"), r"\20a b\20");
}

#[test]
fn only_the_escapes_of_the_standard_are_turned_back() {
    for sent in [r"a\", r"a\2", r"a\2x", r"a\21", r"a\é", r"a\2F", r"a\00"] {
        assert_eq!(unescape(sent), sent);
    }
    // Two identifiers never get one address, although localparts are mapped to lower case.
    assert_ne!(
        Jid::from_foreign("/a", "example.com"),
        Jid::from_foreign(r"\2Fa", "example.com")
    );
}

#[test]
fn addresses_are_compared_as_they_are_sent() {
    let jid = Jid::from_foreign("d'artagnan", "musketeers.lit").unwrap();
    assert_eq!(jid.as_str(), r"d\27artagnan@musketeers.lit");
    assert_eq!(
        jid.as_ref().unescaped_local().as_deref(),
        Some("d'artagnan")
    );
    let escaped_twice: Jid = r"d\5c27artagnan@musketeers.lit".parse().unwrap();
    assert_ne!(jid, escaped_twice);
    assert_eq!(
        escaped_twice.as_ref().unescaped_local().as_deref(),
        Some(r"d\27artagnan")
    );
    assert_eq!(
        Jid::parse("musketeers.lit")
            .unwrap()
            .as_ref()
            .unescaped_local(),
        None
    );
    assert!(Jid::from_foreign("", "musketeers.lit").is_err());
    assert!(Jid::from_foreign(&"a".repeat(1024), "musketeers.lit").is_err());
}

#[test]
fn support_is_told_by_a_feature_that_is_escaped_itself() {
    let entity = Entity::new(info::Identity::new("gateway", "smtp")).with_feature(ns::JID_ESCAPING);
    let disco = Disco::new(entity);
    assert!(
        disco
            .root()
            .features()
            .any(|feature| feature == r"jid\20escaping")
    );
}

proptest! {
    #[test]
    fn whatever_can_be_escaped_is_turned_back(typed in r#"[a-e0-9\\ "&'/:<>@]{0,24}"#) {
        match escape(&typed) {
            Ok(sent) => {
                prop_assert_eq!(unescape(&sent), typed.as_str());
                let is_local = !typed.is_empty();
                prop_assert_eq!(Jid::from_parts(Some(&sent), "example.com", None).is_ok(), is_local);
            }
            Err(_) => prop_assert!(typed.starts_with(' ') || typed.ends_with(' ')),
        }
    }

    #[test]
    fn anything_is_unescaped_without_trouble(sent in "\\PC*") {
        prop_assert!(unescape(&sent).len() <= sent.len());
    }
}
