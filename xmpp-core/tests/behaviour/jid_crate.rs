//! Our addresses beside those of the crate `jid`: the same where RFC 6122 and RFC 7622 agree.

use proptest::prelude::*;
use xmpp_core::jid::Jid;

fn ours(text: &str) -> Option<String> {
    Jid::parse(text).ok().map(|jid| jid.to_string())
}

fn theirs(text: &str) -> Option<String> {
    jid::Jid::new(text).ok().map(|jid| jid.to_string())
}

/// Whether one of the documented differences of addresses in ASCII is in that text.
fn may_differ(text: &str) -> bool {
    let (bare, resource) = text.split_once('/').unwrap_or((text, ""));
    let domain = bare.split_once('@').map_or(bare, |(_, domain)| domain);
    let is_plain = |label: &str| {
        label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_long = domain.len() > 253 || domain.split('.').any(|label| label.len() > 63);
    let is_reserved = domain.to_ascii_lowercase().contains("xn--");
    resource.starts_with(' ')
        || domain.ends_with('.')
        || is_long
        || is_reserved
        || !domain.split('.').all(is_plain)
}

proptest! {
    #[test]
    fn addresses_in_ascii_are_the_same(
        local in "([!-~]{1,12}@)?",
        domain in r"[a-zA-Z0-9-]{1,12}(\.[a-zA-Z0-9-]{1,8}){0,2}",
        resource in "(/[ -~]{1,12})?",
    ) {
        let text = format!("{local}{domain}{resource}");
        prop_assume!(!may_differ(&text));
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }

    #[test]
    fn any_text_in_ascii_is_an_address_for_both_or_none(text in "[a-dX.@/-]{0,16}") {
        prop_assume!(!may_differ(&text));
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }

    #[test]
    fn letters_that_both_know_are_mapped_the_same(
        local in "[a-zA-Zà-öø-ÿÀ-ÖØ-Þα-ρа-яА-Я]{1,8}",
        domain in "[a-zà-öø-ÿа-я]{1,8}",
        resource in "[a-zA-Zà-öø-ÿÀ-ÖØ-Þא-ת一-龠]{1,8}",
    ) {
        // Right-to-left letters must not be mixed with others; there both have rules of their own.
        prop_assume!(resource.chars().all(|c| !('א'..='ת').contains(&c)));
        let text = format!("{local}@{domain}/{resource}");
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }
}

#[test]
fn the_documented_differences_are_there() {
    let kept = |text: &str| Some(text.to_owned());
    let long = format!("{}.example", "a".repeat(64));
    for (text, here, there) in [
        ("\u{265A}@example.com", None, kept("\u{265A}@example.com")),
        (
            "henry\u{2163}@example.com",
            None,
            kept("henryiv@example.com"),
        ),
        (
            "example.com/\u{2163}",
            kept("example.com/\u{2163}"),
            kept("example.com/IV"),
        ),
        (
            "fu\u{DF}ball@example.com",
            kept("fu\u{DF}ball@example.com"),
            kept("fussball@example.com"),
        ),
        (
            "\u{3C2}@example.com",
            kept("\u{3C2}@example.com"),
            kept("\u{3C3}@example.com"),
        ),
        ("example.com/\u{1F600}", kept("example.com/\u{1F600}"), None),
        (
            "xn--bcher-kva.example",
            kept("b\u{FC}cher.example"),
            kept("xn--bcher-kva.example"),
        ),
        (
            "example.com./a",
            kept("example.com/a"),
            kept("example.com./a"),
        ),
        ("example.com/ a", None, kept("example.com/ a")),
        (&long, kept(&long), None),
        ("a_b.example", None, kept("a_b.example")),
        ("[0:0::1]", kept("[::1]"), kept("[0:0::1]")),
        ("[fe80::1%25eth0]", kept("[fe80::1%25eth0]"), None),
    ] {
        assert_eq!((ours(text), theirs(text)), (here, there), "{text}");
    }
}

#[cfg(feature = "jid")]
#[test]
fn addresses_are_converted_both_ways() {
    use jid::{BareJid, FullJid};

    let full: Jid = "juliet@example.com/balcony".parse().unwrap();
    let other = jid::Jid::try_from(&full).unwrap();
    assert_eq!(other.as_str(), full.as_str());
    assert_eq!(Jid::try_from(&other), Ok(full.clone()));
    assert_eq!(Jid::try_from(other), Ok(full.clone()));
    let theirs = FullJid::try_from(full.as_ref()).unwrap();
    assert_eq!(Jid::try_from(&theirs), Ok(full.clone()));
    assert!(BareJid::try_from(full.as_ref()).is_err());
    let bare = full.bare();
    let theirs = BareJid::try_from(bare.as_ref()).unwrap();
    assert_eq!(Jid::try_from(&theirs), Ok(bare.clone()));
    assert!(FullJid::try_from(bare.as_ref()).is_err());
    // What only one side takes is refused by the other.
    let emoji: Jid = "example.com/\u{1F600}".parse().unwrap();
    assert!(jid::Jid::try_from(&emoji).is_err());
    let chess = jid::Jid::new("\u{265A}@example.com").unwrap();
    assert!(Jid::try_from(chess).is_err());
}
