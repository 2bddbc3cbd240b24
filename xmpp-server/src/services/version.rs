//! Software version (XEP-0092).

use xmpp_core::ns;
use xmpp_core::stanza::IqType;
use xmpp_core::version::Software;

use super::{How, Service, payload};

pub(super) const SERVICES: &[Service] = &[Service::new(
    ns::VERSION,
    "query",
    IqType::Get,
    // The operating system is nobody's business (XEP-0092 §6).
    How::Now(|_| {
        payload(Software::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
        ))
    }),
)
.at_server()];
