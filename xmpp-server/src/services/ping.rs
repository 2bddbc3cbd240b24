//! Ping (XEP-0199), and the session that RFC 3921 wanted after binding.

use xmpp_core::ns;
use xmpp_core::stanza::IqType;

use super::{How, Reply, Service};

pub(super) const SERVICES: &[Service] = &[
    Service::new(
        ns::PING,
        "ping",
        IqType::Get,
        How::Now(|_| Ok(Reply::Empty)),
    )
    .at_server()
    .at_own_account()
    .announced_by_accounts(),
    // Some clients still ask for it (RFC 6121, appendix E).
    Service::new(
        ns::SESSION,
        "session",
        IqType::Set,
        How::Now(|_| Ok(Reply::Empty)),
    )
    .at_server()
    .at_own_account(),
];
