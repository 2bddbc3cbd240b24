//! Blocking (XEP-0191): who may not reach an account, and whom the account cannot reach by mistake.

use std::collections::BTreeSet;
use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::stanza::{IqBuilder, IqType};
use xmpp_xml::{Element, ElementRef, ToXml, Writer};

use super::{Answer, How, Inquiry, Later, Order, Reply, Service, bad_request, payload};
use crate::outbox::Turn;
use crate::presence;
use crate::registry::{Handle, Online, Registry, Session};
use crate::router::Router;
use crate::router::output::{push, store_refusal};
use crate::storage::{Batch, Span, Store, StoreError};

const BLOCKING: &str = "urn:xmpp:blocking";

/// Of the condition in the error that an account's own stanza gets when it is for a blocked address.
const ERRORS: &str = "urn:xmpp:blocking:errors";

/// Where the store keeps the addresses, as keys.
const COLLECTION: &str = "blocked";

pub(super) const SERVICES: &[Service] = &[
    Service::new(BLOCKING, "blocklist", IqType::Get, How::Now(list))
        .at_own_account()
        .announced_by_server(),
    Service::new(BLOCKING, "block", IqType::Set, How::Later(change)).at_own_account(),
    Service::new(BLOCKING, "unblock", IqType::Set, How::Later(change)).at_own_account(),
];

/// Whether a list matches an address: itself, its bare form, or its domain with or without the resource (§6).
pub(crate) fn is_listed(list: &BTreeSet<String>, address: JidRef<'_>) -> bool {
    if list.is_empty() {
        return false;
    }
    let bare = address.to_bare();
    let has = |text: &str| list.contains(text);
    let at_domain = |resource: &str| has(&format!("{}/{resource}", address.domain()));
    has(address.as_str())
        || has(bare.as_str())
        || has(address.domain())
        || address.resource().is_some_and(at_domain)
}

/// As [`is_listed`], for a canonical address in a text.
pub(crate) fn is_listed_text(list: &BTreeSet<String>, address: &str) -> bool {
    !list.is_empty() && JidRef::parse(address).is_ok_and(|address| is_listed(list, address))
}

/// The list of an account as the store has it.
pub(crate) fn kept(store: &dyn Store, account: &str) -> Result<BTreeSet<String>, StoreError> {
    let records = store.records(account, COLLECTION, &Span::first(usize::MAX))?;
    Ok(records.into_iter().map(|record| record.key).collect())
}

/// What an account is told that writes to an address it has blocked itself (§3.3).
pub(crate) fn own_block() -> StanzaError {
    let error = StanzaError::new(StanzaCondition::NotAcceptable);
    match Element::build(|writer| {
        writer.empty("blocked", ERRORS);
    }) {
        Ok(condition) => error.with_application(condition),
        Err(_) => error,
    }
}

/// What changes in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    Block(BTreeSet<String>),
    Unblock(BTreeSet<String>),
    UnblockAll,
}

impl Wish {
    fn read(payload: ElementRef<'_>) -> Result<Self, StanzaError> {
        let mut addresses = BTreeSet::new();
        for item in payload.children().filter(|item| item.is("item", BLOCKING)) {
            let jid = item.attribute("jid");
            let jid = jid.ok_or_else(|| bad_request("an item has a jid"))?;
            let jid = Jid::parse(&jid).map_err(|error| {
                StanzaError::new(StanzaCondition::JidMalformed).with_text(error.to_string())
            })?;
            addresses.insert(jid.as_str().to_owned());
        }
        match (payload.name(), addresses.is_empty()) {
            ("block", true) => Err(bad_request("nobody is to be blocked")),
            ("block", false) => Ok(Self::Block(addresses)),
            (_, true) => Ok(Self::UnblockAll),
            (_, false) => Ok(Self::Unblock(addresses)),
        }
    }

    /// The list afterwards.
    fn decide(&self, list: &BTreeSet<String>) -> BTreeSet<String> {
        match self {
            Self::Block(addresses) => list.union(addresses).cloned().collect(),
            Self::Unblock(addresses) => list.difference(addresses).cloned().collect(),
            Self::UnblockAll => BTreeSet::new(),
        }
    }
}

fn list(inquiry: &Inquiry<'_>) -> Answer {
    let mut registry = inquiry.router.write();
    if let Some(session) = registry.session_mut(inquiry.handle) {
        session.wants_blocklist = true;
    }
    let online = registry.online(inquiry.handle.bare.as_str());
    payload(List {
        name: "blocklist",
        addresses: online.map(|own| own.blocked.clone()).unwrap_or_default(),
    })
}

fn change<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let wish = Wish::read(order.payload()?)?;
        let account = handle.bare.as_str();
        let _guards = router.lock([account, account]).await;
        let before = router.read().online(account).map(|own| own.blocked.clone());
        let before = before.unwrap_or_default();
        let after = wish.decide(&before);
        if after.len() > router.rules.blocked.max(before.len()) {
            return Err(StanzaError::new(StanzaCondition::ResourceConstraint)
                .with_text("too many addresses are blocked"));
        }
        let added = after.difference(&before);
        let batch = added.fold(Batch::new().require_account(account), |batch, address| {
            batch.put_record(account, COLLECTION, address, [])
        });
        let batch = before.difference(&after).fold(batch, |batch, address| {
            batch.remove_record(account, COLLECTION, address)
        });
        let committed = router.commit(batch).await;
        committed.map_err(|error| store_refusal(&error))?;
        tell(router, handle, &wish, &before, &after);
        Ok(Reply::Empty)
    })
}

/// Presence ends for those who are blocked now and comes back for those who are not any more; the resources that
/// know the list are told of the change.
fn tell(
    router: &Router,
    handle: &Handle,
    wish: &Wish,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
) {
    let mut turn = Turn::new();
    let mut registry = router.write();
    if let Some(own) = registry.online_mut(handle.bare.as_str()) {
        own.blocked.clone_from(after);
    }
    let registry = &*registry;
    let Some(own) = registry.online(handle.bare.as_str()) else {
        return;
    };
    for (session, current) in own.available() {
        for receiver in audience(registry, own, session) {
            let address = receiver.handle.jid.as_ref();
            let to = receiver.handle.bare.as_str();
            match (is_listed(before, address), is_listed(after, address)) {
                (false, true) => {
                    let gone = presence::gone(session.handle.jid.as_ref());
                    receiver.push_shared(&mut turn, &gone, to);
                }
                (true, false) => receiver.push_shared(&mut turn, &current.stanza, to),
                _ => {}
            }
        }
    }
    let news = match wish {
        Wish::Block(addresses) => List {
            name: "block",
            addresses: addresses.clone(),
        },
        Wish::Unblock(addresses) => List {
            name: "unblock",
            addresses: addresses.clone(),
        },
        Wish::UnblockAll => List {
            name: "unblock",
            addresses: BTreeSet::new(),
        },
    };
    for session in own.sessions.iter().filter(|s| s.wants_blocklist) {
        let id = router.push_id();
        push(&session.handle, &mut turn, |writer| {
            let iq = IqBuilder::set(&id).to(&session.handle.jid);
            iq.payload(&news).to_xml(writer);
        });
    }
}

/// The available resources of all contacts that have a right to the account's presence.
fn audience<'r>(
    registry: &'r Registry,
    own: &'r Online,
    session: &'r Session,
) -> impl Iterator<Item = &'r Session> {
    let contacts = own.roster.values().filter(|contact| contact.relation.from);
    let accounts = contacts.filter_map(|contact| registry.online(&contact.address));
    accounts
        .filter(|contact| !contact.blocks(session.handle.jid.as_ref()))
        .flat_map(Online::available)
        .map(|(receiver, _)| receiver)
}

struct List {
    name: &'static str,
    addresses: BTreeSet<String>,
}

impl ToXml for List {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.start(self.name, BLOCKING);
        for address in &self.addresses {
            writer
                .start("item", BLOCKING)
                .attribute("jid", address)
                .end();
        }
        writer.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(addresses: &[&str]) -> BTreeSet<String> {
        addresses.iter().map(|&address| address.into()).collect()
    }

    #[test]
    fn an_address_is_matched_by_itself_its_account_or_its_domain() {
        let matches = |entry: &str, address: &str| {
            is_listed(&list(&[entry]), JidRef::parse(address).unwrap())
        };
        assert!(matches(
            "romeo@example.net/orchard",
            "romeo@example.net/orchard"
        ));
        assert!(!matches(
            "romeo@example.net/orchard",
            "romeo@example.net/home"
        ));
        assert!(!matches("romeo@example.net/orchard", "romeo@example.net"));
        assert!(matches("romeo@example.net", "romeo@example.net/home"));
        assert!(matches("example.net/orchard", "example.net/orchard"));
        assert!(!matches("example.net/orchard", "example.net/home"));
        assert!(matches("example.net", "romeo@example.net/home"));
        assert!(matches("example.net", "example.net/orchard"));
        assert!(!matches("example.net", "romeo@sub.example.net"));
        assert!(!is_listed(&list(&[]), JidRef::parse("a@b").unwrap()));
    }

    #[test]
    fn a_wish_names_whom_it_is_about() {
        let read = |text: &str| Wish::read(Element::parse(text).unwrap().root());
        let item = "<item jid='Romeo@Example.net'/>";
        let block = read(&format!("<block xmlns='{BLOCKING}'>{item}</block>")).unwrap();
        assert_eq!(block, Wish::Block(list(&["romeo@example.net"])));
        assert_eq!(
            block.decide(&list(&["a@b"])),
            list(&["a@b", "romeo@example.net"])
        );
        let unblock = read(&format!("<unblock xmlns='{BLOCKING}'>{item}</unblock>")).unwrap();
        assert_eq!(
            unblock.decide(&list(&["a@b", "romeo@example.net"])),
            list(&["a@b"])
        );
        let all = read(&format!("<unblock xmlns='{BLOCKING}'/>")).unwrap();
        assert_eq!(all.decide(&list(&["a@b"])), list(&[]));
        let error = read(&format!("<block xmlns='{BLOCKING}'/>")).unwrap_err();
        assert_eq!(error.condition, StanzaCondition::BadRequest);
        let error = read(&format!(
            "<block xmlns='{BLOCKING}'><item jid='@'/></block>"
        ));
        assert_eq!(error.unwrap_err().condition, StanzaCondition::JidMalformed);
    }
}
