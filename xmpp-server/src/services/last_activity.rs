//! Last activity (XEP-0012): since when the server runs, and when an account was last there.

use std::sync::Arc;

use xmpp_core::error::StanzaCondition;
use xmpp_core::last_activity::LastActivity;
use xmpp_core::ns;
use xmpp_core::stanza::IqType;

use super::{Answer, How, Inquiry, Later, Order, Others, Service, payload};
use crate::registry::{Handle, Online};
use crate::router::output::store_refusal;
use crate::router::{Router, unix_time};
use crate::storage::Batch;

/// Where the store keeps it.
const COLLECTION: &str = "last-activity";

pub(super) const SERVICES: &[Service] = &[
    Service::new(ns::LAST_ACTIVITY, "query", IqType::Get, How::Now(uptime)).at_server(),
    Service::new(ns::LAST_ACTIVITY, "query", IqType::Get, How::Later(idle))
        .at_accounts(Others::Contacts(StanzaCondition::Forbidden))
        .announced_by_accounts(),
];

/// What is kept when the last available resource of an account goes.
pub(crate) fn departed(account: &str, status: Option<&str>) -> Batch {
    let text = format!("{} {}", unix_time().as_secs(), status.unwrap_or_default());
    Batch::new()
        .require_account(account)
        .put_record(account, COLLECTION, "", text)
}

fn uptime(inquiry: &Inquiry<'_>) -> Answer {
    payload(LastActivity {
        seconds: inquiry.router.uptime().as_secs(),
        status: None,
    })
}

/// Nothing while a resource is available, else the time since the last one went and what it said (XEP-0012 §4).
fn idle<'r>(router: &'r Router, _: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let is_available = |online: &Online| online.available().next().is_some();
        if router
            .read()
            .online(order.to.as_str())
            .is_some_and(is_available)
        {
            return payload(LastActivity {
                seconds: 0,
                status: None,
            });
        }
        router.await_departures().await;
        let kept = router.load(order.to.clone(), |store, account| {
            store.record(account.as_str(), COLLECTION, "")
        });
        let kept = kept.await.map_err(|error| store_refusal(&error))?;
        let text = kept.and_then(|kept| String::from_utf8(kept).ok());
        let text = text.unwrap_or_default();
        let (since, status) = text.split_once(' ').unwrap_or_default();
        // Who was never there has no activity to speak of.
        let Ok(since) = since.parse::<u64>() else {
            return Err(StanzaCondition::ItemNotFound.into());
        };
        payload(LastActivity {
            seconds: unix_time().as_secs().saturating_sub(since),
            status: Some(status.to_owned())
                .filter(|status| !status.is_empty())
                .map(Into::into),
        })
    })
}
