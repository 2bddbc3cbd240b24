//! vCards (XEP-0054): what an account tells everybody about itself.

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::stanza::IqType;
use xmpp_xml::Element;

use super::{
    How, Later, Order, Others, Reply, Service, blocking, parse_kept, payload, store_error,
};
use crate::registry::Handle;
use crate::router::Router;
use crate::storage::Batch;

const VCARD: &str = "vcard-temp";

/// Where the store keeps it.
const COLLECTION: &str = "vcard";

pub(super) const SERVICES: &[Service] = &[
    Service::new(VCARD, "vCard", IqType::Get, How::Later(get))
        .at_accounts(Others::Everybody)
        .announced_by_server()
        .announced_by_accounts(),
    Service::new(VCARD, "vCard", IqType::Set, How::Later(set))
        .at_own_account()
        .forbidden_to_others(),
];

fn get<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let load = router.load(order.to.bare(), |store, account| {
            let card = store.record(account.as_str(), COLLECTION, "")?;
            Ok((card, blocking::kept(store, account.as_str())?))
        });
        let (card, blocked) = load.await.map_err(|error| store_error(&error))?;
        let is_own = order.to == handle.bare;
        match card {
            Some(card) if is_own || !blocking::is_listed(&blocked, handle.jid.as_ref()) => {
                payload(parse_kept(card)?)
            }
            None if is_own => {
                let empty = Element::build(|writer| {
                    writer.empty("vCard", VCARD);
                });
                payload(empty.map_err(|_| StanzaCondition::InternalServerError)?)
            }
            // As if there were no such account.
            _ => Err(StanzaError::new(StanzaCondition::ServiceUnavailable)),
        }
    })
}

fn set<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let card = order.payload()?.to_element().to_string();
        if card.len() > router.rules.vcard_bytes {
            return Err(StanzaError::new(StanzaCondition::ResourceConstraint)
                .with_text("the vCard is too large"));
        }
        let account = handle.bare.as_str();
        let batch = Batch::new()
            .require_account(account)
            .put_record(account, COLLECTION, "", card);
        let committed = router.commit(batch).await;
        committed.map_err(|error| store_error(&error))?;
        Ok(Reply::Empty)
    })
}
