//! The presence subscription state machine of RFC 6121 §3 and Appendix A.
//!
//! [`decide`] is a pure function: from what stands between an account and a contact, and a subscription
//! stanza that one of them sends, to what stands between them afterwards and what has to be done. Nothing
//! here sends or stores; the caller commits the new [`Relation`] before it acts on the [`Decision`].

/// What stands between an account and one contact, seen from the account.
///
/// Nine combinations are possible (Appendix A.1), each with or without a pre-approval (§3.4); [`decide`]
/// keeps to them. The default is "None": strangers, or a contact without any subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Relation {
    /// The account receives the contact's presence.
    pub to: bool,
    /// The contact receives the account's presence.
    pub from: bool,
    /// The account has asked for the contact's presence and has no answer yet ("Pending Out"). A roster
    /// shows it as `ask='subscribe'`.
    pub pending_out: bool,
    /// The contact has asked for the account's presence and has no answer yet ("Pending In"). A roster does
    /// not show it.
    pub pending_in: bool,
    /// The account has approved the contact's request before it came (§3.4).
    pub approved: bool,
}

impl Relation {
    /// What a roster item says in its `subscription` attribute.
    #[must_use]
    pub fn subscription(self) -> Subscription {
        match (self.to, self.from) {
            (false, false) => Subscription::None,
            (true, false) => Subscription::To,
            (false, true) => Subscription::From,
            (true, true) => Subscription::Both,
        }
    }

    /// Whether a roster item of this relation reads the same as one of `other`. Only the pending request of
    /// the contact is hidden.
    #[must_use]
    pub fn looks_like(self, other: Relation) -> bool {
        Relation {
            pending_in: false,
            ..self
        } == Relation {
            pending_in: false,
            ..other
        }
    }
}

/// The `subscription` attribute of a roster item (RFC 6121 §2.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// Neither receives the other's presence.
    None,
    /// The account receives the contact's.
    To,
    /// The contact receives the account's.
    From,
    /// Each receives the other's.
    Both,
}

impl Subscription {
    /// The value on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Subscription::None => "none",
            Subscription::To => "to",
            Subscription::From => "from",
            Subscription::Both => "both",
        }
    }
}

/// The four types of presence that manage subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Asks for the receiver's presence.
    Subscribe,
    /// Gives up the receiver's presence, or takes back the question.
    Unsubscribe,
    /// Lets the receiver have the sender's presence.
    Subscribed,
    /// Refuses or ends the receiver's subscription.
    Unsubscribed,
}

impl Request {
    /// Reads the `type` attribute of a presence stanza; `None` for types that are no subscription matter.
    #[must_use]
    pub fn from_type(value: &str) -> Option<Self> {
        match value {
            "subscribe" => Some(Request::Subscribe),
            "unsubscribe" => Some(Request::Unsubscribe),
            "subscribed" => Some(Request::Subscribed),
            "unsubscribed" => Some(Request::Unsubscribed),
            _ => None,
        }
    }

    /// The value on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Request::Subscribe => "subscribe",
            Request::Unsubscribe => "unsubscribe",
            Request::Subscribed => "subscribed",
            Request::Unsubscribed => "unsubscribed",
        }
    }
}

/// Who of the two sent the stanza, seen from the account whose relation is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// One of the account's clients sent it to the contact.
    Outbound,
    /// The contact sent it to the account.
    Inbound,
}

/// Whether the contact's right to the account's presence changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Nothing changes.
    Unchanged,
    /// From now on: the presence of every available resource is sent to the contact (§3.1.5).
    Begins,
    /// Ended: unavailable presence of every available resource is sent to the contact, before an outbound
    /// `unsubscribed` (§3.2.2) and after the push for an inbound `unsubscribe` (§3.3.3).
    Ends,
}

/// What follows from a subscription stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What stands between the two afterwards.
    pub relation: Relation,
    /// The stanza goes on: outbound it is routed to the contact, inbound it is delivered to the account's
    /// clients. Otherwise it ends here without a word.
    pub passes: bool,
    /// What the server answers the contact in the account's name (only to inbound stanzas).
    pub reply: Option<Request>,
    /// The roster item reads differently now: the account's interested resources are told.
    pub push: bool,
    /// What becomes of the account's presence at the contact.
    pub sharing: Sharing,
}

/// Decides one subscription stanza between an account and a contact (RFC 6121 Appendix A.2 and A.3).
///
/// Pre-approval is supported (§3.4), so `subscribed` without a request approves the next one.
#[must_use]
pub fn decide(before: Relation, direction: Direction, request: Request) -> Decision {
    let (relation, passes, reply) = match direction {
        Direction::Outbound => decide_outbound(before, request),
        Direction::Inbound => decide_inbound(before, request),
    };
    let sharing = match (before.from, relation.from) {
        (false, true) => Sharing::Begins,
        (true, false) => Sharing::Ends,
        _ => Sharing::Unchanged,
    };
    Decision {
        relation,
        passes,
        reply,
        push: !relation.looks_like(before),
        sharing,
    }
}

fn decide_outbound(before: Relation, request: Request) -> (Relation, bool, Option<Request>) {
    let (after, passes) = match request {
        // Always routed, even without a change: the contact's server may have lost its side.
        Request::Subscribe => (
            Relation {
                pending_out: !before.to,
                ..before
            },
            true,
        ),
        Request::Unsubscribe => (
            Relation {
                to: false,
                pending_out: false,
                ..before
            },
            true,
        ),
        Request::Subscribed if before.pending_in => (
            Relation {
                from: true,
                pending_in: false,
                ..before
            },
            true,
        ),
        Request::Subscribed => (
            Relation {
                approved: before.approved || !before.from,
                ..before
            },
            false,
        ),
        Request::Unsubscribed => (
            Relation {
                from: false,
                pending_in: false,
                approved: false,
                ..before
            },
            before.from || before.pending_in,
        ),
    };
    (after, passes, None)
}

fn decide_inbound(before: Relation, request: Request) -> (Relation, bool, Option<Request>) {
    match request {
        Request::Subscribe if before.from => (before, false, Some(Request::Subscribed)),
        // The approval stays on record until it is cancelled, as the note in §3.4.2 allows.
        Request::Subscribe if before.approved => (
            Relation {
                from: true,
                pending_in: false,
                ..before
            },
            false,
            Some(Request::Subscribed),
        ),
        Request::Subscribe => (
            Relation {
                pending_in: true,
                ..before
            },
            !before.pending_in,
            None,
        ),
        Request::Unsubscribe if before.from || before.pending_in => (
            Relation {
                from: false,
                pending_in: false,
                ..before
            },
            true,
            Some(Request::Unsubscribed),
        ),
        Request::Subscribed if before.pending_out => (
            Relation {
                to: true,
                pending_out: false,
                ..before
            },
            true,
            None,
        ),
        Request::Unsubscribed if before.to || before.pending_out => (
            Relation {
                to: false,
                pending_out: false,
                ..before
            },
            true,
            None,
        ),
        Request::Unsubscribe | Request::Subscribed | Request::Unsubscribed => (before, false, None),
    }
}
