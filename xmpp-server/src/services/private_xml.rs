//! Private XML storage (XEP-0049): what clients of an account keep for each other.

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::stanza::IqType;
use xmpp_xml::{Element, ElementRef, ToXml, Writer};

use super::{How, Later, Order, Reply, Service, bad_request, parse_kept, payload, store_error};
use crate::registry::Handle;
use crate::router::Router;
use crate::storage::{Batch, Overflow, Quota};

const PRIVATE: &str = "jabber:iq:private";

/// Where the store keeps the elements, under namespace and name.
const COLLECTION: &str = "private";

/// Elements at most; the bytes are what counts.
const ELEMENTS: u64 = 1_000;

pub(super) const SERVICES: &[Service] = &[
    Service::new(PRIVATE, "query", IqType::Get, How::Later(get))
        .at_own_account()
        .forbidden_to_others()
        .announced_by_server(),
    Service::new(PRIVATE, "query", IqType::Set, How::Later(set))
        .at_own_account()
        .forbidden_to_others(),
];

fn get<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let key = {
            let mut children = order.payload()?.children();
            match (children.next(), children.next()) {
                (Some(child), None) => key(child)?,
                _ => return Err(bad_request("exactly one element is asked for")),
            }
        };
        let load = router.load((handle.bare.clone(), key), |store, (account, key)| {
            store.record(account.as_str(), COLLECTION, key)
        });
        let kept = load.await.map_err(|error| store_error(&error))?;
        match kept {
            Some(kept) => payload(Query(parse_kept(kept)?)),
            // What was never kept is empty.
            None => {
                let asked = order.payload()?.children().next();
                let asked = asked.ok_or_else(|| bad_request("nothing is asked"))?;
                payload(Query(asked.to_element()))
            }
        }
    })
}

fn set<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let quota = Quota {
            records: ELEMENTS,
            bytes: router.rules.private_bytes,
            overflow: Overflow::Refuse,
        };
        let account = handle.bare.as_str();
        let mut batch = Batch::new().require_account(account);
        let mut is_empty = true;
        for child in order.payload()?.children() {
            is_empty = false;
            let text = child.to_element().to_string();
            batch = batch.put_record_within(quota, account, COLLECTION, key(child)?, text);
        }
        if is_empty {
            return Err(bad_request("nothing is to be kept"));
        }
        let committed = router.commit(batch).await;
        committed.map_err(|error| store_error(&error))?;
        Ok(Reply::Empty)
    })
}

/// Namespaces of protocols belong to protocols (XEP-0049 §2).
fn key(element: ElementRef<'_>) -> Result<String, StanzaError> {
    let namespace = element.namespace();
    if namespace.is_empty()
        || namespace.starts_with("jabber:")
        || namespace.starts_with("http://jabber.org/")
        || namespace == "vcard-temp"
    {
        return Err(StanzaError::new(StanzaCondition::NotAcceptable)
            .with_text("the namespace is not one of a client"));
    }
    Ok(format!("{namespace} {}", element.name()))
}

struct Query(Element);

impl ToXml for Query {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.start("query", PRIVATE).element(self.0.root()).end();
    }
}
