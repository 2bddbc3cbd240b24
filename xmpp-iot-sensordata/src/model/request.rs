use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use xmpp_xml::value::DateTime;

use super::{Categories, Field, NodeReference, moment};

/// What a reader wants to know (XEP-0323 §3).
///
/// A device takes all of it as hints; the requester filters what comes by the same rules, with
/// [`ReadoutRequest::wants`].
///
/// ```
/// use xmpp_iot_sensordata::model::{Categories, NodeReference, ReadoutRequest};
///
/// let request = ReadoutRequest::new(Categories::HISTORICAL_HOUR)
///     .from("2026-01-01T00:00:00Z".parse()?)
///     .node(NodeReference::new("meter-7"))
///     .field("Energy");
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadoutRequest {
    /// The kinds of fields that are wanted: those of any of these categories.
    pub categories: Categories,
    /// The begin of the time that history is wanted of, inclusive.
    pub from: Option<DateTime>,
    /// The end of the time that history is wanted of, inclusive.
    pub to: Option<DateTime>,
    /// When the device shall read; at once when absent.
    pub when: Option<DateTime>,
    /// The nodes to read; empty for all that there are behind the address.
    pub nodes: Vec<NodeReference<'static>>,
    /// The names of the fields that are wanted; empty for all.
    pub fields: Vec<String>,
    /// Tokens of a provisioning server.
    pub tokens: Tokens,
}

impl ReadoutRequest {
    /// A request for all fields of any of the given categories, at once.
    ///
    /// With [`Categories::NONE`] nothing is asked for, and nothing is the answer.
    pub fn new(categories: Categories) -> Self {
        Self {
            categories,
            ..Self::default()
        }
    }

    /// A request for momentary values.
    pub fn momentary() -> Self {
        Self::new(Categories::MOMENTARY)
    }

    /// A request for everything.
    pub fn all() -> Self {
        Self::new(Categories::ALL)
    }

    /// The same request, with history from this time on, inclusive.
    #[must_use]
    pub fn from(self, from: DateTime) -> Self {
        Self {
            from: Some(from),
            ..self
        }
    }

    /// The same request, with history up to this time, inclusive.
    #[must_use]
    pub fn to(self, to: DateTime) -> Self {
        Self {
            to: Some(to),
            ..self
        }
    }

    /// The same request, to be carried out at this time by the device's clock, as near as it can.
    #[must_use]
    pub fn when(self, when: DateTime) -> Self {
        Self {
            when: Some(when),
            ..self
        }
    }

    /// The same request, of one node more.
    #[must_use]
    pub fn node(mut self, node: NodeReference<'static>) -> Self {
        self.nodes.push(node);
        self
    }

    /// The same request, for one field name more.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.fields.push(name.into());
        self
    }

    /// The same request, with these tokens.
    #[must_use]
    pub fn tokens(self, tokens: Tokens) -> Self {
        Self { tokens, ..self }
    }

    /// Whether `field`, taken at `time`, is asked for: by category, by name, and, for history, by
    /// time. A time without a zone is taken to be `assumed_offset` minutes ahead of UTC.
    ///
    /// Nodes are not looked at: with a node its descendants are read, which only the device knows
    /// (XEP-0323 §5.8).
    pub fn wants(&self, field: &Field<'_>, time: &DateTime, assumed_offset: i16) -> bool {
        self.categories.wants(field.categories)
            && (self.fields.is_empty() || self.fields.iter().any(|name| *name == field.name))
            && (!field.categories.is_historical() || self.covers(time, assumed_offset))
    }

    /// Whether history of this time is asked for. A time without a zone is taken to be
    /// `assumed_offset` minutes ahead of UTC.
    pub fn covers(&self, time: &DateTime, assumed_offset: i16) -> bool {
        let time = moment(time, assumed_offset);
        self.from
            .is_none_or(|from| moment(&from, assumed_offset) <= time)
            && self.to.is_none_or(|to| time <= moment(&to, assumed_offset))
    }

    /// Whether the request names this node, or names no node and so means all.
    pub fn means(&self, node: &NodeReference<'_>) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|wanted| wanted.means(node))
    }
}

/// Tokens of a provisioning server, by which a device can check with it who is asking
/// (XEP-0323 §7, XEP-0324). Each is a list with spaces between.
///
/// They are kept as they came, are passed on unchanged and are not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tokens {
    /// Of the service that asks.
    pub service: Option<String>,
    /// Of the device that asks.
    pub device: Option<String>,
    /// Of the user that asks.
    pub user: Option<String>,
}

impl Tokens {
    /// No token.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same tokens, and those of the service that asks.
    #[must_use]
    pub fn service(self, tokens: impl Into<String>) -> Self {
        Self {
            service: Some(tokens.into()),
            ..self
        }
    }

    /// The same tokens, and those of the device that asks.
    #[must_use]
    pub fn device(self, tokens: impl Into<String>) -> Self {
        Self {
            device: Some(tokens.into()),
            ..self
        }
    }

    /// The same tokens, and those of the user that asks.
    #[must_use]
    pub fn user(self, tokens: impl Into<String>) -> Self {
        Self {
            user: Some(tokens.into()),
            ..self
        }
    }

    /// These tokens with those of `other` behind them: who asks on behalf of another passes on
    /// the tokens that came with the other's request and adds its own.
    #[must_use]
    pub fn and(self, other: &Tokens) -> Self {
        Self {
            service: joined(self.service, &other.service),
            device: joined(self.device, &other.device),
            user: joined(self.user, &other.user),
        }
    }

    /// The single tokens of a list: that of `service`, `device` or `user`.
    pub fn each(list: &Option<String>) -> impl Iterator<Item = &str> {
        list.as_deref().unwrap_or_default().split_ascii_whitespace()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        [&self.service, &self.device, &self.user]
            .into_iter()
            .all(|list| Self::each(list).next().is_none())
    }
}

fn joined(own: Option<String>, other: &Option<String>) -> Option<String> {
    match (own, other) {
        (Some(own), Some(other)) if !own.is_empty() && !other.is_empty() => Some(own + " " + other),
        (Some(own), Some(_) | None) if !own.is_empty() => Some(own),
        (own, other) => other.clone().or(own),
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |list: &Option<String>| list.as_ref().map(|_| "…");
        f.debug_struct("Tokens")
            .field("service", &mark(&self.service))
            .field("device", &mark(&self.device))
            .field("user", &mark(&self.user))
            .finish()
    }
}
