//! The base64 around the messages.

use proptest::prelude::*;
use xmpp_sasl::{Condition, Failure, wire};

#[test]
fn the_vectors_of_rfc_4648_hold() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(wire::encode(bytes.as_bytes()), text);
        assert_eq!(wire::decode(text).unwrap(), bytes.as_bytes());
    }
}

#[test]
fn base64_that_is_not_canonical_is_refused() {
    for text in [
        "*",
        "AAA",
        "AB==CD",
        "AB==",
        "AAB=",
        "A",
        "A===",
        "AA=",
        "AAAA=",
        "AAAA====",
        "====",
        " AAAA",
        "AAAA ",
        "AA AA",
        "AAAA\n",
        "\tAAAA",
        "AA-_",
        "AAA\u{e4}",
        "=AAA",
        "A=AA",
        "==",
        "AAAA\0",
    ] {
        assert_eq!(wire::decode(text), Err(wire::IncorrectEncoding), "{text:?}");
        assert_eq!(
            wire::decode_optional(text),
            Err(wire::IncorrectEncoding),
            "{text:?}"
        );
    }
    let failure = Failure::from(wire::IncorrectEncoding);
    assert_eq!(failure.condition(), Condition::IncorrectEncoding);
    assert_eq!(failure.condition().name(), "incorrect-encoding");
}

#[test]
fn absent_and_empty_messages_are_kept_apart() {
    assert_eq!(wire::decode_optional(""), Ok(None));
    assert_eq!(wire::decode_optional("="), Ok(Some(Vec::new())));
    assert_eq!(wire::encode_optional(None), "");
    assert_eq!(wire::encode_optional(Some(b"")), "=");
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(message: Option<Vec<u8>>) {
        let text = wire::encode_optional(message.as_deref());
        prop_assert_eq!(wire::decode_optional(&text), Ok(message));
    }

    #[test]
    fn each_message_has_one_text(text in "[A-Za-z0-9+/= ]{0,12}") {
        if let Ok(message) = wire::decode(&text) {
            prop_assert_eq!(wire::encode(&message), text);
        }
    }
}
