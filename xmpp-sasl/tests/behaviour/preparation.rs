//! SASLprep (RFC 4013).

use std::borrow::Cow;

use proptest::prelude::*;
use xmpp_sasl::{Preparation, PrepareError, saslprep};

fn stored(text: &str) -> Result<String, PrepareError> {
    saslprep(text, Preparation::Stored).map(Cow::into_owned)
}

fn query(text: &str) -> Result<String, PrepareError> {
    saslprep(text, Preparation::Query).map(Cow::into_owned)
}

#[test]
fn the_examples_of_rfc_4013_hold() {
    for prepare in [stored, query] {
        assert_eq!(prepare("I\u{ad}X"), Ok("IX".into()));
        assert_eq!(prepare("user"), Ok("user".into()));
        assert_eq!(prepare("USER"), Ok("USER".into()));
        assert_eq!(prepare("\u{aa}"), Ok("a".into()));
        assert_eq!(prepare("\u{2168}"), Ok("IX".into()));
        assert_eq!(prepare("\u{7}"), Err(PrepareError::Prohibited));
        assert_eq!(prepare("\u{627}1"), Err(PrepareError::Bidirectional));
    }
}

#[test]
fn spaces_become_space_and_some_characters_nothing() {
    for space in [
        "\u{a0}", "\u{1680}", "\u{2000}", "\u{200b}", "\u{202f}", "\u{3000}",
    ] {
        assert_eq!(stored(&format!("a{space}b")), Ok("a b".into()), "{space:?}");
    }
    for nothing in [
        "\u{ad}", "\u{34f}", "\u{1806}", "\u{200c}", "\u{2060}", "\u{fe00}", "\u{feff}",
    ] {
        assert_eq!(
            stored(&format!("a{nothing}b")),
            Ok("ab".into()),
            "{nothing:?}"
        );
        assert_eq!(stored(nothing), Err(PrepareError::Empty));
    }
    assert_eq!(stored(""), Err(PrepareError::Empty));
    assert_eq!(stored(" "), Ok(" ".into()));
}

#[test]
fn characters_that_differ_between_nfc_and_nfkc_take_the_latter() {
    assert_eq!(stored("\u{bd}"), Ok("1\u{2044}2".into()));
    assert_eq!(stored("\u{b4}"), Ok(" \u{301}".into()));
    assert_eq!(stored("e\u{301}"), Ok("\u{e9}".into()));
}

#[test]
fn prohibited_characters_are_refused() {
    for prohibited in [
        "\u{0}",
        "\u{1f}",
        "\u{7f}",
        "\u{80}",
        "\u{6dd}",
        "\u{2028}",
        "\u{e000}",
        "\u{fdd0}",
        "\u{ffff}",
        "\u{fffd}",
        "\u{fff9}",
        "\u{2ff0}",
        "\u{200e}",
        "\u{202a}",
        "\u{e0001}",
        "\u{e0020}",
        "\u{10fffe}",
        "\u{1d173}",
    ] {
        let text = format!("a{prohibited}b");
        assert_eq!(
            stored(&text),
            Err(PrepareError::Prohibited),
            "{prohibited:?}"
        );
        assert_eq!(
            query(&text),
            Err(PrepareError::Prohibited),
            "{prohibited:?}"
        );
    }
}

#[test]
fn directions_are_not_mixed() {
    assert_eq!(stored("\u{627}1\u{628}"), Ok("\u{627}1\u{628}".into()));
    assert_eq!(stored("\u{5d0}"), Ok("\u{5d0}".into()));
    assert_eq!(stored("\u{627}a\u{628}"), Err(PrepareError::Bidirectional));
    assert_eq!(stored("1\u{628}"), Err(PrepareError::Bidirectional));
    assert_eq!(stored("\u{628}1"), Err(PrepareError::Bidirectional));
}

#[test]
fn unassigned_characters_pass_in_queries_only() {
    for unassigned in ["\u{221}", "\u{1f600}", "\u{9ff0}"] {
        assert_eq!(stored(unassigned), Err(PrepareError::Unassigned));
        assert_eq!(query(unassigned), Ok(unassigned.into()));
    }
}

#[test]
fn ascii_is_not_copied() {
    assert!(matches!(
        saslprep("pencil 1~", Preparation::Stored),
        Ok(Cow::Borrowed(_))
    ));
}

proptest! {
    #[test]
    fn preparing_twice_is_preparing_once(text in "\\PC{0,20}") {
        if let Ok(once) = stored(&text) {
            prop_assert_eq!(query(&text), Ok(once.clone()));
            prop_assert_eq!(stored(&once), Ok(once));
        }
    }

    #[test]
    fn what_the_stringprep_crate_prepares_comes_out_alike(text in "[a-zA-Z0-9 \u{a0}-\u{24f}\u{2000}-\u{2fff}]{1,20}") {
        let other = stringprep::saslprep(&text).ok().filter(|text| !text.is_empty());
        prop_assert_eq!(stored(&text).ok(), other.map(Cow::into_owned));
    }
}
