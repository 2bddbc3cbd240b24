//! What a receiver tells among its features that needs no negotiation: client state indication (XEP-0352), the
//! limits of the stream (XEP-0478) and the channel-binding types (XEP-0440).

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use xmpp_xml::{ElementRef, Writer};

use super::ReceiverConfig;
use crate::ns;

/// What the last list of features said.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers {
    /// The channel-binding types of the server (XEP-0440), if it told them.
    pub(super) binding_kinds: Option<Vec<String>>,
    /// Whether mechanisms are offered by the first profile of SASL.
    pub(super) first_profile: bool,
    pub(super) client_state: bool,
    /// The size of the largest first-level element that is accepted.
    pub(super) max_bytes: Option<u32>,
    /// After how long without input the stream may be taken for idle.
    pub(super) idle: Option<Duration>,
}

impl Offers {
    pub(super) fn read(features: ElementRef<'_>) -> Self {
        let limits = features.child("limits", ns::STREAM_LIMITS);
        let limit = |name| {
            let limit = limits?.child(name, ns::STREAM_LIMITS)?;
            limit.text().trim().parse::<u32>().ok()
        };
        let kinds = |list: ElementRef<'_>| {
            let kinds = list.children();
            let kinds = kinds.filter(|kind| kind.is("channel-binding", ns::SASL_CHANNEL_BINDING));
            let kinds = kinds.filter_map(|kind| kind.attribute("type"));
            kinds.map(|kind| kind.into_owned()).collect()
        };
        let list = features.child("sasl-channel-binding", ns::SASL_CHANNEL_BINDING);
        Self {
            binding_kinds: list.map(kinds),
            first_profile: features.child("mechanisms", ns::SASL).is_some(),
            client_state: features.child("csi", ns::CLIENT_STATE).is_some(),
            max_bytes: limit("max-bytes").filter(|bytes| *bytes > 0),
            idle: limit("idle-seconds")
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(u64::from(seconds))),
        }
    }
}

/// Lists what the receiver tells.
pub(super) fn list(config: &ReceiverConfig, is_authenticated: bool, writer: &mut Writer<'_>) {
    if config.client_state && is_authenticated {
        writer.empty("csi", ns::CLIENT_STATE);
    }
    if !config.announce_limits {
        return;
    }
    let mut max_bytes = config.limits.stanza_bytes;
    if !is_authenticated {
        max_bytes = max_bytes.min(config.unauthenticated_bytes);
    }
    writer.start("limits", ns::STREAM_LIMITS);
    writer.start("max-bytes", ns::STREAM_LIMITS);
    writer.text_value(&max_bytes).end();
    if let Some(idle) = config.idle_timeout {
        writer.start("idle-seconds", ns::STREAM_LIMITS);
        writer.text_value(&idle.as_secs().max(1)).end();
    }
    writer.end();
}
