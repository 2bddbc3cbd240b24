//! The best of several texts in different languages.
//!
//! ```
//! use xmpp_core::language::choose;
//!
//! let texts = [(Some("en"), "colour"), (Some("de-AT"), "Farbe"), (None, "color")];
//! assert_eq!(choose(texts, &["de-CH", "en"]), Some("Farbe"));
//! assert_eq!(choose(texts, &["fr", "EN-GB"]), Some("colour"));
//! // Nobody who reads this speaks any of them: what has no language is the best guess.
//! assert_eq!(choose(texts, &["fr"]), Some("color"));
//! ```

use alloc::vec::Vec;

/// The text in the most preferred language (RFC 4647 §3.4): for each wish in turn the language itself,
/// then what is a variety of it, then the same with the wish's last part taken away, `de` for `de-CH`.
/// If nothing fits it is the text without a language, and else the first.
pub fn choose<L: AsRef<str>, T>(
    texts: impl IntoIterator<Item = (Option<L>, T)>,
    preferred: &[&str],
) -> Option<T> {
    let mut texts: Vec<(Option<L>, T)> = texts.into_iter().collect();
    let find = |wanted: &dyn Fn(&str) -> bool| {
        texts.iter().position(|(lang, _)| {
            let lang = lang.as_ref().map(AsRef::as_ref);
            lang.is_some_and(wanted)
        })
    };
    let chosen = preferred.iter().find_map(|wish| {
        let mut wish = Some(*wish);
        while let Some(range) = wish.filter(|range| !range.is_empty()) {
            let is_same = |lang: &str| lang.eq_ignore_ascii_case(range);
            let is_variety = |lang: &str| {
                let (start, rest) = lang.split_at_checked(range.len()).unwrap_or((lang, ""));
                start.eq_ignore_ascii_case(range) && rest.starts_with('-')
            };
            if let Some(at) = find(&is_same).or_else(|| find(&is_variety)) {
                return Some(at);
            }
            wish = shortened(range);
        }
        None
    });
    let chosen = chosen.or_else(|| texts.iter().position(|(lang, _)| lang.is_none()));
    let chosen = chosen.unwrap_or(0);
    (chosen < texts.len()).then(|| texts.swap_remove(chosen).1)
}

/// The range without its last subtag, and without a single letter that then would end it.
fn shortened(range: &str) -> Option<&str> {
    let (range, _) = range.rsplit_once('-')?;
    match range.rsplit_once('-') {
        Some((shorter, single)) if single.len() == 1 => Some(shorter),
        _ => Some(range),
    }
}
