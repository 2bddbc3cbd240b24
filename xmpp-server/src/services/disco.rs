//! Service discovery (XEP-0030): what the server and its accounts are, can do and have.

use std::borrow::Cow;

use xmpp_core::disco::{info, items};
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::JidRef;
use xmpp_core::ns;
use xmpp_core::stanza::IqType;

use super::{
    Answer, Asked, How, Inquiry, Others, Place, Service, administration, contact_addresses,
    features, payload,
};
use crate::registry::Online;

pub(super) const SERVICES: &[Service] = &[
    Service::new(ns::DISCO_INFO, "query", IqType::Get, How::Now(info))
        .at_server()
        .at_accounts(Others::Contacts(StanzaCondition::ServiceUnavailable))
        .announced_by_accounts(),
    Service::new(ns::DISCO_ITEMS, "query", IqType::Get, How::Now(items))
        .at_server()
        .at_accounts(Others::Contacts(StanzaCondition::ServiceUnavailable))
        .announced_by_accounts(),
];

fn info(inquiry: &Inquiry<'_>) -> Answer {
    let rules = &inquiry.router.rules;
    if let Some(node) = inquiry.payload()?.attribute("node") {
        let is_server = inquiry.asked == Asked::Server;
        let command = administration::info(rules, inquiry.handle, &node).filter(|_| is_server);
        return payload(command.ok_or_else(|| StanzaError::new(StanzaCondition::ItemNotFound))?);
    }
    let (place, identity, form) = match inquiry.asked {
        Asked::Server => (
            Place::Server,
            info::Identity::new("server", "im"),
            contact_addresses::form(&rules.contact_addresses),
        ),
        Asked::Own | Asked::Other { .. } => (
            Place::Account,
            info::Identity::new("account", "registered"),
            None,
        ),
    };
    let features = features(place, rules).into_iter();
    payload(info::Query {
        identities: vec![identity],
        features: features
            .map(|feature| info::Feature {
                var: Cow::Borrowed(feature),
            })
            .collect(),
        forms: form.into_iter().collect(),
        ..info::Query::new()
    })
}

/// An account has its available resources, for those who see them anyhow (XEP-0030 §8).
fn items(inquiry: &Inquiry<'_>) -> Answer {
    let node = inquiry.payload()?.attribute("node");
    if inquiry.asked == Asked::Server && node.as_deref() == Some(ns::COMMANDS) {
        let commands = administration::items(&inquiry.router.rules, inquiry.handle);
        return payload(commands.ok_or_else(|| StanzaError::new(StanzaCondition::ItemNotFound))?);
    }
    if node.is_some() {
        return Err(StanzaError::new(StanzaCondition::ItemNotFound));
    }
    let account = match inquiry.asked {
        Asked::Server => None,
        Asked::Own => Some(inquiry.handle.bare.as_ref()),
        Asked::Other { .. } => inquiry.iq.to().map(JidRef::to_bare),
    };
    let registry = inquiry.router.read();
    let online = account.and_then(|account| registry.online(account.as_str()));
    let available = online.into_iter().flat_map(Online::available);
    payload(items::Query {
        items: available
            .map(|(session, _)| items::Item::new(session.handle.jid.clone()))
            .collect(),
        ..items::Query::default()
    })
}
