use alloc::borrow::Cow;

use xmpp_xml::value::DateTime;

use super::NodeReference;
use super::value::owned;

/// What went wrong with one node in the course of a readout (XEP-0323 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeFailure<'a> {
    /// The node that could not be read.
    pub node: NodeReference<'a>,
    /// When it went wrong, by the device's clock; `None` when what the device said was no time.
    pub time: Option<DateTime>,
    /// What went wrong, for people.
    pub text: Cow<'a, str>,
}

impl<'a> NodeFailure<'a> {
    /// The node `node` could not be read at `time`, for the reason `text`.
    pub fn new(
        node: NodeReference<'a>,
        time: impl Into<Option<DateTime>>,
        text: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            node,
            time: time.into(),
            text: text.into(),
        }
    }

    /// The failure, freed from what it was read from.
    pub fn into_owned(self) -> NodeFailure<'static> {
        NodeFailure {
            node: self.node.into_owned(),
            time: self.time,
            text: owned(self.text),
        }
    }
}
