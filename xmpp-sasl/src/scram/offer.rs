//! The hash over what a server offers, by which a client notices that somebody on the way took from it (XEP-0474).

use alloc::vec::Vec;

use crate::hash::{Hash, Key};

const BETWEEN_NAMES: &str = "\x1e";
const BETWEEN_LISTS: &str = "\x1f";

/// Over the mechanisms and, where they were announced, the channel-binding types (§6.1).
pub(crate) fn offer_hash<'a>(
    hash: Hash,
    mechanisms: impl IntoIterator<Item = &'a str>,
    bindings: Option<impl IntoIterator<Item = &'a str>>,
) -> Key {
    let mut text = sorted(mechanisms);
    if let Some(bindings) = bindings {
        text.push_str(BETWEEN_LISTS);
        text.push_str(&sorted(bindings));
    }
    hash.digest(text.as_bytes())
}

/// By octets, which is how strings compare.
fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> alloc::string::String {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.join(BETWEEN_NAMES)
}

/// What a client expects of the server's first message.
pub(crate) struct ExpectedOffer {
    pub(crate) hash: Key,
    /// Without the hash the offer is not believed (§7, new rule 6).
    pub(crate) is_required: bool,
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_hash_over_the_offer_is_that_of_xep_0474() {
        let mechanisms = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"];
        let bindings = ["tls-server-end-point", "tls-exporter"];
        let hash = offer_hash(Hash::Sha1, mechanisms, Some(bindings));
        assert_eq!(
            STANDARD.encode(hash.as_slice()),
            "G6k/rBLDqgOhRRaCuuatSDFkJ08="
        );
        let without = offer_hash(Hash::Sha1, mechanisms, None::<[&str; 0]>);
        let with_none = offer_hash(Hash::Sha1, mechanisms, Some([]));
        assert_ne!(without.as_slice(), with_none.as_slice());
        assert_ne!(without.as_slice(), hash.as_slice());
    }
}
