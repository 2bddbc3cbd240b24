//! Results in pages (XEP-0059).
//!
//! A request asks for a part of a long list with a [`ResultSet`] inside its payload, and the answer tells
//! with another which part it is. [`page`] cuts the part out of a list; [`ResultSet::next`] asks for the
//! one after it.
//!
//! ```
//! use xmpp_core::result_set::{ResultSet, page};
//!
//! let plays = ["Hamlet", "Macbeth", "Othello"];
//! let first = page(&plays, &ResultSet::first(2), 100, |play| (*play).into())?;
//! assert_eq!(first.items, ["Hamlet", "Macbeth"]);
//!
//! let told = first.set.unwrap();
//! assert_eq!((told.count, told.last.as_deref()), (Some(3), Some("Macbeth")));
//! let second = page(&plays, &told.next(2).unwrap(), 100, |play| (*play).into())?;
//! assert_eq!(second.items, ["Othello"]);
//! assert!(second.set.unwrap().is_end_after(1));
//! # Ok::<(), xmpp_core::error::StanzaError>(())
//! ```

use alloc::borrow::Cow;

use xmpp_xml::{FromXml, IntoOwned, ToXml};

use crate::error::{StanzaCondition, StanzaError};
use crate::ns;

/// Which part of a list is asked for, or which part it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "set", namespace = ns::RESULT_SETS)]
pub struct ResultSet<'a> {
    /// Asks for the part after the item of that identifier.
    #[xml(child_text)]
    pub after: Option<Cow<'a, str>>,
    /// Asks for the part before the item of that identifier; empty for the last part.
    #[xml(child_text)]
    pub before: Option<Cow<'a, str>>,
    /// Tells how many items the whole list has, perhaps not exactly.
    #[xml(child_text)]
    pub count: Option<u64>,
    /// Tells the first item of the part.
    #[xml(child)]
    pub first: Option<First<'a>>,
    /// Asks for the part that begins at that place, from 0.
    #[xml(child_text)]
    pub index: Option<u64>,
    /// Tells the identifier of the last item of the part.
    #[xml(child_text)]
    pub last: Option<Cow<'a, str>>,
    /// Asks for no more than so many items; 0 asks for the count alone.
    #[xml(child_text)]
    pub max: Option<u64>,
}

/// The first item of a part.
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "first", namespace = ns::RESULT_SETS)]
pub struct First<'a> {
    /// Where it stands in the whole list, from 0, perhaps not exactly.
    #[xml(attribute)]
    pub index: Option<u64>,
    /// Its identifier, of which nothing may be assumed.
    #[xml(text)]
    pub uid: Cow<'a, str>,
}

impl<'a> ResultSet<'a> {
    /// Asks for the first items (XEP-0059 §2.1).
    #[must_use]
    pub fn first(max: u64) -> Self {
        Self {
            max: Some(max),
            ..Self::default()
        }
    }

    /// Asks for the last items (XEP-0059 §2.5).
    #[must_use]
    pub fn last(max: u64) -> Self {
        Self {
            before: Some(Cow::Borrowed("")),
            ..Self::first(max)
        }
    }

    /// Asks for the items that follow the one of that identifier (XEP-0059 §2.2).
    #[must_use]
    pub fn after(uid: impl Into<Cow<'a, str>>, max: u64) -> Self {
        Self {
            after: Some(uid.into()),
            ..Self::first(max)
        }
    }

    /// Asks for the items that precede the one of that identifier (XEP-0059 §2.3).
    #[must_use]
    pub fn before(uid: impl Into<Cow<'a, str>>, max: u64) -> Self {
        Self {
            before: Some(uid.into()),
            ..Self::first(max)
        }
    }

    /// Asks for the items from that place on, from 0 (XEP-0059 §2.6).
    #[must_use]
    pub fn at(index: u64, max: u64) -> Self {
        Self {
            index: Some(index),
            ..Self::first(max)
        }
    }

    /// Asks how many items there are, and for none of them (XEP-0059 §2.7).
    #[must_use]
    pub fn count() -> Self {
        Self::first(0)
    }

    /// Of an answer: asks for the part that follows; `None` when this one was empty.
    #[must_use]
    pub fn next(&self, max: u64) -> Option<ResultSet<'_>> {
        Some(ResultSet::after(self.last.as_deref()?, max))
    }

    /// Of an answer: asks for the part that precedes; `None` when this one was empty.
    #[must_use]
    pub fn previous(&self, max: u64) -> Option<ResultSet<'_>> {
        Some(ResultSet::before(&*self.first.as_ref()?.uid, max))
    }

    /// Of an answer, whose part has so many items: whether nothing follows, as far as it tells.
    #[must_use]
    pub fn is_end_after(&self, items: u64) -> bool {
        match (&self.first, self.count) {
            (None, _) => true,
            (Some(first), Some(count)) => first
                .index
                .is_some_and(|index| index.saturating_add(items) >= count),
            (Some(_), None) => false,
        }
    }
}

/// A part of a list, as [`page`] cuts it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<'i, T> {
    /// Its items.
    pub items: &'i [T],
    /// What the answer tells about it. `None` when the list is empty: then the answer is an empty payload
    /// (XEP-0059 §2.2).
    pub set: Option<ResultSet<'static>>,
}

/// Cuts the part that is asked for out of a list, of at most `limit` items whatever is asked for. Every
/// item has an identifier of its own, which has to stay the same from one request to the next.
///
/// # Errors
/// The error to answer with: `item-not-found` for an identifier that is not in the list any more
/// (XEP-0059 §2.4), and `bad-request` for a request that asks for several parts at once.
pub fn page<'i, T>(
    items: &'i [T],
    request: &ResultSet<'_>,
    limit: usize,
    uid: impl Fn(&T) -> Cow<'_, str>,
) -> Result<Page<'i, T>, StanzaError> {
    let asked = [
        request.after.is_some(),
        request.before.is_some(),
        request.index.is_some(),
    ];
    if asked.into_iter().filter(|is_asked| *is_asked).count() > 1 {
        let error = StanzaError::new(StanzaCondition::BadRequest);
        return Err(error.with_text("after, before and index exclude each other"));
    }
    let place = |wanted: &str| {
        let found = items.iter().position(|item| uid(item) == wanted);
        found.ok_or_else(|| StanzaError::new(StanzaCondition::ItemNotFound))
    };
    let narrow = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let max = request.max.map_or(limit, |max| narrow(max).min(limit));
    let (start, end) = match (&request.after, &request.before, request.index) {
        (Some(after), ..) => {
            let start = place(after)?.saturating_add(1);
            (start, start.saturating_add(max))
        }
        (_, Some(before), _) => {
            let end = if before.is_empty() {
                items.len()
            } else {
                place(before)?
            };
            (end.saturating_sub(max), end)
        }
        (_, _, Some(index)) => (narrow(index), narrow(index).saturating_add(max)),
        (None, None, None) => (0, max),
    };
    let end = end.min(items.len());
    let part = items.get(start.min(end)..end).unwrap_or_default();
    if items.is_empty() {
        return Ok(Page {
            items: part,
            set: None,
        });
    }
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let owned = |item: &T| Cow::Owned(uid(item).into_owned());
    let set = ResultSet {
        first: part.first().map(|item| First {
            index: Some(wide(start)),
            uid: owned(item),
        }),
        last: part.last().map(owned),
        count: Some(wide(items.len())),
        ..ResultSet::default()
    };
    Ok(Page {
        items: part,
        set: Some(set),
    })
}
