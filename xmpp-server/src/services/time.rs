//! Entity time (XEP-0202).

use xmpp_core::datetime::Offset;
use xmpp_core::entity_time::EntityTime;
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::ns;
use xmpp_core::stanza::IqType;
use xmpp_xml::value::DateTime;

use super::{Answer, How, Service, payload};
use crate::router::unix_time;

pub(super) const SERVICES: &[Service] =
    &[Service::new(ns::TIME, "time", IqType::Get, How::Now(|_| now())).at_server()];

/// The zone of the machine says where it stands, and nobody needs it: it is always UTC.
fn now() -> Answer {
    let seconds = i64::try_from(unix_time().as_secs()).unwrap_or(i64::MAX);
    let time = DateTime::from_unix(seconds, 0)
        .map_err(|_| StanzaError::new(StanzaCondition::InternalServerError))?;
    payload(EntityTime::new(time, Offset::UTC))
}
