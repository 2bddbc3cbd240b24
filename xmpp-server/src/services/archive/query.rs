//! Which messages are asked for, and where in the archive they are.

use std::borrow::Cow;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::form::Form;
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::result_set::{First, ResultSet};
use xmpp_xml::value::DateTime;
use xmpp_xml::{ElementRef, FromXml};

use super::{ARCHIVE, COLLECTION, PAGE, peer_and_message};
use crate::router::Stamp;
use crate::services::bad_request;
use crate::storage::{Record, Span, Store, StoreError};

/// A query (XEP-0313 §4).
#[derive(Debug, Default)]
pub(super) struct Query {
    /// What the client calls it.
    pub(super) name: Option<String>,
    with: Option<Jid>,
    /// Keys between which the messages are, by their times.
    start: Option<String>,
    end: Option<String>,
    /// Ids that must be there, between which the messages are.
    after: Vec<String>,
    before: Vec<String>,
    /// Only these.
    ids: Vec<String>,
    /// The last page before where it begins, instead of the first one behind.
    backwards: bool,
    flipped: bool,
    max: usize,
    /// Only how many there are.
    count_only: bool,
    max_bytes: usize,
}

/// Messages that were found, in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) records: Vec<Record>,
    pub(super) is_complete: bool,
    first: Option<String>,
    last: Option<String>,
    count: Option<u64>,
}

/// Why a query has no results.
#[derive(Debug)]
pub(super) enum Fault {
    /// An id in it is of no message.
    NotFound,
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Query {
    /// Reads a query. A page has as many bytes as `max_bytes` and a message more, at most.
    pub(super) fn read(query: ElementRef<'_>, max_bytes: usize) -> Result<Self, StanzaError> {
        let mut read = Self {
            name: query.attribute("queryid").map(Cow::into_owned),
            flipped: query.child("flip-page", ARCHIVE).is_some(),
            max: PAGE,
            max_bytes,
            ..Self::default()
        };
        if let Some(form) = query.child("x", ns::DATA_FORMS) {
            let form = Form::from_xml(form).map_err(|error| bad_request(error.to_string()))?;
            read.filter(&form)?;
        }
        if let Some(set) = query.child("set", ns::RESULT_SETS) {
            let set: ResultSet<'_> = set.read().map_err(|_| bad_request("not a page"))?;
            read.page(&set)?;
        }
        Ok(read)
    }

    fn filter(&mut self, form: &Form<'_>) -> Result<(), StanzaError> {
        if form.form_type() != Some(ARCHIVE) {
            return Err(bad_request("the form is not one for archives"));
        }
        let known = [
            "FORM_TYPE",
            "with",
            "start",
            "end",
            "before-id",
            "after-id",
            "ids",
        ];
        let mut vars = form.fields.iter().filter_map(|field| field.var.as_deref());
        if let Some(unknown) = vars.find(|var| !known.contains(var)) {
            return Err(StanzaError::new(StanzaCondition::FeatureNotImplemented)
                .with_text(format!("there is no field {unknown}")));
        }
        let wrong = |error: xmpp_core::form::FieldError| bad_request(error.to_string());
        self.with = form.parse("with").map_err(wrong)?;
        let start: Option<DateTime> = form.parse("start").map_err(wrong)?;
        let end: Option<DateTime> = form.parse("end").map_err(wrong)?;
        // Keys go on behind their times, so a bare time comes before all of its keys.
        self.start = start.map(|start| Stamp::first_key_at(micros(&start)));
        self.end = end.map(|end| Stamp::first_key_at(micros(&end).saturating_add(1)));
        let text = |var: &str| form.value(var).map(str::to_owned);
        self.after.extend(text("after-id"));
        self.before.extend(text("before-id"));
        self.ids = form.values("ids").map(str::to_owned).collect();
        self.ids.sort_unstable();
        self.ids.dedup();
        if self.ids.len() > PAGE {
            return Err(StanzaError::new(StanzaCondition::ResourceConstraint)
                .with_text("too many ids at once"));
        }
        Ok(())
    }

    fn page(&mut self, set: &ResultSet<'_>) -> Result<(), StanzaError> {
        if set.index.is_some() {
            return Err(StanzaError::new(StanzaCondition::FeatureNotImplemented)
                .with_text("pages have no numbers"));
        }
        let max = set
            .max
            .map_or(PAGE, |max| usize::try_from(max).unwrap_or(PAGE));
        self.max = max.min(PAGE);
        self.count_only = max == 0;
        self.after.extend(set.after.as_deref().map(str::to_owned));
        if let Some(before) = set.before.as_deref() {
            self.backwards = true;
            if !before.is_empty() {
                self.before.push(before.to_owned());
            }
        }
        Ok(())
    }

    /// Looks the messages up.
    pub(super) fn run(&self, store: &dyn Store, account: &str) -> Result<Results, Fault> {
        for id in self.after.iter().chain(&self.before).chain(&self.ids) {
            if store.record(account, COLLECTION, id)?.is_none() {
                return Err(Fault::NotFound);
            }
        }
        let mut span = Span {
            after: self.after.iter().chain(&self.start).max().cloned(),
            before: self.before.iter().chain(&self.end).min().cloned(),
            limit: PAGE,
            backwards: self.backwards,
        };
        let (mut found, mut bytes, mut count) = (Vec::new(), 0_usize, 0_u64);
        let mut is_complete = true;
        'search: loop {
            let part = store.records(account, COLLECTION, &span)?;
            let is_last = part.len() < span.limit;
            let end = part.last().map(|record| record.key.clone());
            for record in part.into_iter().filter(|record| self.matches(record)) {
                count = count.saturating_add(1);
                if self.count_only {
                    continue;
                }
                let is_full = found.len() >= self.max || bytes > self.max_bytes;
                if is_full {
                    is_complete = false;
                    break 'search;
                }
                bytes = bytes.saturating_add(record.value.len());
                found.push(record);
            }
            if is_last {
                break;
            }
            if self.backwards {
                span.before = end;
            } else {
                span.after = end;
            }
        }
        if self.backwards {
            found.reverse();
        }
        let key = |record: Option<&Record>| record.map(|record| record.key.clone());
        let (first, last) = (key(found.first()), key(found.last()));
        if self.flipped {
            found.reverse();
        }
        Ok(Results {
            records: found,
            is_complete: is_complete && !(self.count_only && count > 0),
            first,
            last,
            count: (self.count_only || count == 0).then_some(count),
        })
    }

    fn matches(&self, record: &Record) -> bool {
        if !self.ids.is_empty() && self.ids.binary_search(&record.key).is_err() {
            return false;
        }
        let Some(with) = &self.with else { return true };
        let Some((peer, _)) = peer_and_message(record) else {
            return false;
        };
        JidRef::parse(peer).is_ok_and(|peer| {
            if with.is_full() {
                peer == with.as_ref()
            } else {
                peer.to_bare() == with.as_ref()
            }
        })
    }
}

impl Results {
    /// Which page it is.
    pub(super) fn set(&self) -> ResultSet<'static> {
        ResultSet {
            first: self.first.clone().map(|uid| First {
                index: None,
                uid: Cow::Owned(uid),
            }),
            last: self.last.clone().map(Cow::Owned),
            count: self.count,
            ..ResultSet::default()
        }
    }
}

fn micros(time: &DateTime) -> u64 {
    let seconds = u64::try_from(time.unix_seconds()).unwrap_or(0);
    let micros = u64::from(time.nanoseconds() / 1_000);
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}
