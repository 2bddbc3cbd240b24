//! What an account wants to have archived (XEP-0441).

use std::collections::BTreeSet;
use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_xml::{Element, ElementRef, ToXml, Writer};

use super::ARCHIVE;
use crate::registry::Handle;
use crate::router::Router;
use crate::services::{Later, Order, bad_request, payload, store_error};
use crate::storage::{Batch, Store, StoreError};

/// Where the store keeps them.
const COLLECTION: &str = "archive-preferences";

/// Addresses in both lists together, at most.
const ADDRESSES: usize = 500;

/// Whose messages are archived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    default: Standard,
    always: BTreeSet<String>,
    never: BTreeSet<String>,
}

/// What holds for those who are in neither list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standard {
    #[default]
    Always,
    Never,
    /// Those who are in the roster.
    Roster,
}

impl Preferences {
    /// Whether messages to and from this address are archived. The more exact entry counts.
    pub(crate) fn want(&self, peer: JidRef<'_>, is_in_roster: bool) -> bool {
        for address in [peer.as_str(), peer.to_bare().as_str()] {
            if self.never.contains(address) {
                return false;
            }
            if self.always.contains(address) {
                return true;
            }
        }
        match self.default {
            Standard::Always => true,
            Standard::Never => false,
            Standard::Roster => is_in_roster,
        }
    }

    fn read(element: ElementRef<'_>) -> Result<Self, StanzaError> {
        let default = match element.attribute("default").as_deref() {
            Some("always") => Standard::Always,
            Some("never") => Standard::Never,
            Some("roster") => Standard::Roster,
            _ => return Err(bad_request("the default is always, never or roster")),
        };
        let list = |name: &str| {
            let list = element.child(name, ARCHIVE);
            let items = list.into_iter().flat_map(ElementRef::children);
            let items = items.filter(|item| item.is("jid", ARCHIVE));
            items
                .map(|item| match Jid::parse(item.text().trim()) {
                    Ok(jid) => Ok(jid.as_str().to_owned()),
                    Err(error) => Err(StanzaError::new(StanzaCondition::JidMalformed)
                        .with_text(error.to_string())),
                })
                .collect::<Result<BTreeSet<_>, _>>()
        };
        let preferences = Self {
            default,
            always: list("always")?,
            never: list("never")?,
        };
        if preferences
            .always
            .len()
            .saturating_add(preferences.never.len())
            > ADDRESSES
        {
            return Err(StanzaError::new(StanzaCondition::ResourceConstraint)
                .with_text("too many addresses"));
        }
        Ok(preferences)
    }
}

impl ToXml for Preferences {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        let default = match self.default {
            Standard::Always => "always",
            Standard::Never => "never",
            Standard::Roster => "roster",
        };
        writer.start("prefs", ARCHIVE).attribute("default", default);
        for (name, addresses) in [("always", &self.always), ("never", &self.never)] {
            writer.start(name, ARCHIVE);
            for address in addresses {
                writer.start("jid", ARCHIVE).text(address).end();
            }
            writer.end();
        }
        writer.end();
    }
}

/// The preferences of an account as the store has them; without any, all is archived.
pub(crate) fn kept(store: &dyn Store, account: &str) -> Result<Preferences, StoreError> {
    let Some(kept) = store.record(account, COLLECTION, "")? else {
        return Ok(Preferences::default());
    };
    let text = String::from_utf8(kept).unwrap_or_default();
    let damaged = || StoreError::Damaged(format!("the preferences of {account}"));
    let element = Element::parse(&text).map_err(|_| damaged())?;
    Preferences::read(element.root()).map_err(|_| damaged())
}

pub(super) fn answer_get<'r>(
    router: &'r Router,
    handle: &'r Arc<Handle>,
    _: &'r Order,
) -> Later<'r> {
    Box::pin(async move {
        let load = router.load(handle.bare.clone(), |store, account| {
            kept(store, account.as_str())
        });
        payload(load.await.map_err(|error| store_error(&error))?)
    })
}

pub(super) fn answer_set<'r>(
    router: &'r Router,
    handle: &'r Arc<Handle>,
    order: &'r Order,
) -> Later<'r> {
    Box::pin(async move {
        let preferences = Preferences::read(order.payload()?)?;
        let element = Element::build(|writer| preferences.to_xml(writer));
        let element = element.map_err(|_| StanzaCondition::NotAcceptable)?;
        let account = handle.bare.as_str();
        let batch = Batch::new().require_account(account);
        let batch = batch.put_record(account, COLLECTION, "", element.to_string());
        let committed = router.commit(batch).await;
        committed.map_err(|error| store_error(&error))?;
        payload(preferences)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferences(default: &str, always: &str, never: &str) -> Preferences {
        let text = format!(
            "<prefs xmlns='{ARCHIVE}' default='{default}'><always><jid>{always}</jid></always>\
             <never><jid>{never}</jid></never></prefs>"
        );
        Preferences::read(Element::parse(&text).unwrap().root()).unwrap()
    }

    #[test]
    fn the_more_exact_entry_counts_and_then_the_default() {
        let want = |preferences: &Preferences, peer: &str, is_in_roster| {
            preferences.want(JidRef::parse(peer).unwrap(), is_in_roster)
        };
        let never = preferences("never", "romeo@x", "romeo@x/phone");
        assert!(want(&never, "romeo@x/home", false));
        assert!(!want(&never, "romeo@x/phone", false));
        assert!(!want(&never, "nurse@x", true));
        let roster = preferences("roster", "a@x", "romeo@x");
        assert!(want(&roster, "nurse@x", true));
        assert!(!want(&roster, "nurse@x", false));
        assert!(!want(&roster, "romeo@x/home", true));
        assert!(want(&Preferences::default(), "nurse@x", false));
    }

    #[test]
    fn a_default_that_is_none_is_a_bad_request() {
        let element = Element::parse(&format!("<prefs xmlns='{ARCHIVE}' default='often'/>"));
        let error = Preferences::read(element.unwrap().root()).unwrap_err();
        assert_eq!(error.condition, StanzaCondition::BadRequest);
    }
}
