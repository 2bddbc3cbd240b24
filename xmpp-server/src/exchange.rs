//! A subscription stanza between two accounts of this server, and what a roster set does to subscriptions
//! (RFC 6121 §2.5 and §3): from what both keep about each other to what both keep afterwards and the steps to
//! take, in order. Pure; the router commits the outcome and then takes the steps.

use xmpp_core::jid::JidRef;
use xmpp_core::ns;
use xmpp_core::stanza::{PresenceBuilder, PresenceType};
use xmpp_xml::{ToXml, Writer};

use crate::roster::Wish;
use crate::storage::{Batch, Contact};
use crate::subscription::{Direction, Request, Sharing, decide};

/// One of the two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Whose client has sent the stanza.
    Sender,
    /// The other one.
    Contact,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Side::Sender => Side::Contact,
            Side::Contact => Side::Sender,
        }
    }
}

/// Which of an account's resources a stanza is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Those that have sent presence.
    Available,
    /// Those that have asked for the roster.
    Interested,
}

/// Something to be done once the outcome is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A stanza goes to the clients of one side.
    Deliver {
        to: Side,
        audience: Audience,
        stanza: String,
    },
    /// The interested resources of one side are told of its item as it is now.
    Push { to: Side },
    /// The presence of all available resources of one side goes to the other.
    Presences { of: Side },
    /// Unavailable presence of all available resources of one side goes to the other.
    Unavailables { of: Side },
}

/// What one side keeps about the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As it was; `None` if nothing was kept.
    pub(crate) before: Option<Contact>,
    /// As it is now; `None` if nothing is to be kept any more.
    pub(crate) after: Option<Contact>,
}

impl Entry {
    pub(crate) fn new(before: Option<Contact>) -> Self {
        Self {
            after: before.clone(),
            before,
        }
    }

    fn is_changed(&self) -> bool {
        self.before != self.after
    }
}

/// Both accounts, what they keep about each other, and the steps so far.
#[derive(Clone, Debug)]
pub(crate) struct Exchange<'a> {
    /// Bare addresses.
    sender: JidRef<'a>,
    contact: JidRef<'a>,
    /// What the sender keeps about the contact.
    pub(crate) sender_entry: Entry,
    /// What the contact keeps about the sender; `None` where there is no such account here.
    pub(crate) contact_entry: Option<Entry>,
    pub(crate) steps: Vec<Step>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        sender: JidRef<'a>,
        contact: JidRef<'a>,
        sender_entry: Option<Contact>,
        contact_entry: Option<Option<Contact>>,
    ) -> Self {
        Self {
            sender,
            contact,
            sender_entry: Entry::new(sender_entry),
            contact_entry: contact_entry.map(Entry::new),
            steps: Vec::new(),
        }
    }

    /// What has to be committed.
    pub(crate) fn batch(&self) -> Batch {
        let sides = [
            (self.sender, self.contact, Some(&self.sender_entry)),
            (self.contact, self.sender, self.contact_entry.as_ref()),
        ];
        let mut batch = Batch::new();
        for (account, about, entry) in sides {
            let Some(entry) = entry.filter(|entry| entry.is_changed()) else {
                continue;
            };
            batch = match &entry.after {
                Some(contact) => batch.put_contact(account.as_str(), contact.clone()),
                None => batch.remove_contact(account.as_str(), about.as_str()),
            };
        }
        batch
    }

    /// The sides whose items read differently now.
    pub(crate) fn told(&self) -> impl Iterator<Item = Side> {
        [Side::Sender, Side::Contact]
            .into_iter()
            .filter(|side| self.steps.contains(&Step::Push { to: *side }))
    }

    /// A client of the sender sends a subscription stanza. `stanza` is that stanza, from and to bare addresses.
    pub(crate) fn request(&mut self, request: Request, stanza: &str) {
        let decision = self.decide(Side::Sender, Direction::Outbound, request);
        if decision.sharing == Sharing::Ends {
            // While the contact is still subscribed (§3.2.2).
            self.steps.push(Step::Unavailables { of: Side::Sender });
        }
        if decision.passes {
            self.arrive(Side::Contact, request, stanza);
        }
        // An automatic answer may have told of the item as it is now already.
        let push = Step::Push { to: Side::Sender };
        if decision.push && !self.steps.contains(&push) {
            self.steps.push(push);
        }
        if decision.sharing == Sharing::Begins {
            self.steps.push(Step::Presences { of: Side::Sender });
        }
    }

    /// A client of the sender sends a roster set.
    pub(crate) fn wish(&mut self, wish: &Wish) {
        match wish {
            Wish::Put { name, groups, .. } => {
                let address = self.contact.as_str();
                let contact = self
                    .sender_entry
                    .after
                    .get_or_insert_with(|| Contact::new(address));
                contact.name.clone_from(name);
                contact.groups.clone_from(groups);
                contact.listed = true;
                self.steps.push(Step::Push { to: Side::Sender });
            }
            Wish::Remove { .. } => self.remove(),
        }
    }

    fn remove(&mut self) {
        let relation = self
            .sender_entry
            .after
            .as_ref()
            .map_or_else(Default::default, |c| c.relation);
        if relation.to || relation.pending_out {
            self.request(
                Request::Unsubscribe,
                &self.stanza(Side::Sender, Request::Unsubscribe),
            );
        }
        if relation.from || relation.pending_in {
            self.request(
                Request::Unsubscribed,
                &self.stanza(Side::Sender, Request::Unsubscribed),
            );
        }
        // The item goes in one step; its way there is not told.
        self.steps
            .retain(|step| *step != Step::Push { to: Side::Sender });
        self.sender_entry.after = None;
        self.steps.push(Step::Push { to: Side::Sender });
    }

    /// A subscription stanza reaches one of the two.
    fn arrive(&mut self, at: Side, request: Request, stanza: &str) {
        if at == Side::Contact && self.contact_entry.is_none() {
            return;
        }
        let decision = self.decide(at, Direction::Inbound, request);
        if request == Request::Subscribe
            && decision.passes
            && let Some(contact) = self.kept(at)
        {
            contact.request = Some(stanza.to_owned());
        }
        if decision.passes {
            let audience = match request {
                Request::Subscribe => Audience::Available,
                _ => Audience::Interested,
            };
            self.steps.push(Step::Deliver {
                to: at,
                audience,
                stanza: stanza.to_owned(),
            });
        }
        if decision.push {
            self.steps.push(Step::Push { to: at });
        }
        if decision.sharing == Sharing::Ends {
            self.steps.push(Step::Unavailables { of: at });
        }
        if let Some(reply) = decision.reply {
            // The account's own side is decided already; the reply only has to arrive.
            self.arrive(at.other(), reply, &self.stanza(at, reply));
        }
        if decision.sharing == Sharing::Begins {
            self.steps.push(Step::Presences { of: at });
        }
    }

    fn decide(
        &mut self,
        side: Side,
        direction: Direction,
        request: Request,
    ) -> crate::subscription::Decision {
        let before = self
            .kept(side)
            .map_or_else(Default::default, |contact| contact.relation);
        let decision = decide(before, direction, request);
        let address = match side {
            Side::Sender => self.contact.as_str(),
            Side::Contact => self.sender.as_str(),
        };
        let entry = match side {
            Side::Sender => Some(&mut self.sender_entry),
            Side::Contact => self.contact_entry.as_mut(),
        };
        if let Some(entry) = entry {
            if decision.relation != before {
                let contact = entry.after.get_or_insert_with(|| Contact::new(address));
                contact.relation = decision.relation;
                // What a roster item would show makes one; a hidden request does not (§3.1.3).
                contact.listed |= decision.push;
            }
            if !decision.relation.pending_in
                && let Some(contact) = &mut entry.after
            {
                contact.request = None;
            }
            entry
                .after
                .take_if(|contact| !contact.listed && !contact.relation.pending_in);
        }
        decision
    }

    /// What this side keeps about the other one now.
    fn kept(&mut self, side: Side) -> Option<&mut Contact> {
        match side {
            Side::Sender => self.sender_entry.after.as_mut(),
            Side::Contact => self.contact_entry.as_mut()?.after.as_mut(),
        }
    }

    fn stanza(&self, from: Side, request: Request) -> String {
        let (from, to) = match from {
            Side::Sender => (self.sender, self.contact),
            Side::Contact => (self.contact, self.sender),
        };
        let kind = match request {
            Request::Subscribe => PresenceType::Subscribe,
            Request::Unsubscribe => PresenceType::Unsubscribe,
            Request::Subscribed => PresenceType::Subscribed,
            Request::Unsubscribed => PresenceType::Unsubscribed,
        };
        let mut bytes = Vec::new();
        let mut writer = Writer::in_stream(&mut bytes, ns::CLIENT);
        PresenceBuilder::new(kind)
            .from(from)
            .to(to)
            .to_xml(&mut writer);
        // Two addresses and a type can always be written.
        let _ = writer.finish();
        String::from_utf8(bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use xmpp_core::jid::Jid;

    use super::*;
    use crate::subscription::Relation;
    use Audience::{Available, Interested};

    struct Pair {
        romeo: Jid,
        juliet: Jid,
        /// What each keeps about the other.
        at_romeo: Option<Contact>,
        at_juliet: Option<Contact>,
    }

    impl Pair {
        fn new() -> Self {
            Self {
                romeo: Jid::parse("romeo@example.net").unwrap(),
                juliet: Jid::parse("juliet@example.net").unwrap(),
                at_romeo: None,
                at_juliet: None,
            }
        }

        fn with(relation_at_romeo: Relation, relation_at_juliet: Relation) -> Self {
            let mut pair = Self::new();
            let mut item = Contact::new("juliet@example.net").name("J");
            item.relation = relation_at_romeo;
            pair.at_romeo = Some(item);
            let mut item = Contact::new("romeo@example.net").name("R");
            item.relation = relation_at_juliet;
            pair.at_juliet = Some(item);
            pair
        }

        fn mutual() -> Self {
            let both = Relation {
                to: true,
                from: true,
                ..Relation::default()
            };
            Self::with(both, both)
        }

        fn romeo_sends(&mut self, request: Request) -> Vec<Step> {
            let mut exchange = Exchange::new(
                self.romeo.as_ref(),
                self.juliet.as_ref(),
                self.at_romeo.clone(),
                Some(self.at_juliet.clone()),
            );
            exchange.request(request, "STANZA");
            self.at_romeo = exchange.sender_entry.after;
            self.at_juliet = exchange.contact_entry.unwrap().after;
            exchange.steps
        }

        fn juliet_sends(&mut self, request: Request) -> Vec<Step> {
            let mut exchange = Exchange::new(
                self.juliet.as_ref(),
                self.romeo.as_ref(),
                self.at_juliet.clone(),
                Some(self.at_romeo.clone()),
            );
            exchange.request(request, "STANZA");
            self.at_juliet = exchange.sender_entry.after;
            self.at_romeo = exchange.contact_entry.unwrap().after;
            exchange.steps
        }
    }

    fn deliver(to: Side, audience: Audience) -> Step {
        Step::Deliver {
            to,
            audience,
            stanza: "STANZA".into(),
        }
    }

    #[test]
    fn a_request_is_kept_without_a_roster_item_until_it_is_answered() {
        let mut pair = Pair::new();
        let steps = pair.romeo_sends(Request::Subscribe);
        assert_eq!(
            steps,
            [
                deliver(Side::Contact, Available),
                Step::Push { to: Side::Sender }
            ]
        );
        let kept = pair.at_juliet.as_ref().unwrap();
        assert!(!kept.listed && kept.relation.pending_in);
        assert_eq!(kept.request.as_deref(), Some("STANZA"));
        assert!(pair.at_romeo.as_ref().unwrap().listed);

        assert!(
            pair.romeo_sends(Request::Subscribe).is_empty(),
            "a repetition is not delivered"
        );

        let steps = pair.juliet_sends(Request::Subscribed);
        assert_eq!(
            steps,
            [
                deliver(Side::Contact, Interested),
                Step::Push { to: Side::Contact },
                Step::Push { to: Side::Sender },
                Step::Presences { of: Side::Sender },
            ]
        );
        let kept = pair.at_juliet.unwrap();
        assert!(kept.listed && kept.relation.from && kept.request.is_none());
        assert!(pair.at_romeo.unwrap().relation.to);
    }

    #[test]
    fn a_refused_request_leaves_nothing_at_the_contact() {
        let mut pair = Pair::new();
        pair.romeo_sends(Request::Subscribe);
        let steps = pair.juliet_sends(Request::Unsubscribed);
        assert_eq!(
            steps,
            [
                deliver(Side::Contact, Interested),
                Step::Push { to: Side::Contact }
            ]
        );
        assert_eq!(pair.at_juliet, None);
        assert_eq!(pair.at_romeo.unwrap().relation, Relation::default());
    }

    #[test]
    fn a_request_that_is_taken_back_is_forgotten() {
        let mut pair = Pair::new();
        pair.romeo_sends(Request::Subscribe);
        pair.romeo_sends(Request::Unsubscribe);
        assert_eq!(pair.at_juliet, None);
        assert!(!pair.at_romeo.unwrap().relation.pending_out);
    }

    #[test]
    fn a_cancelled_subscription_ends_presence_before_it_is_told() {
        let mut pair = Pair::mutual();
        let steps = pair.romeo_sends(Request::Unsubscribed);
        assert_eq!(
            steps,
            [
                Step::Unavailables { of: Side::Sender },
                deliver(Side::Contact, Interested),
                Step::Push { to: Side::Contact },
                Step::Push { to: Side::Sender },
            ]
        );
    }

    #[test]
    fn after_an_unsubscribe_the_contacts_presence_ends() {
        let mut pair = Pair::mutual();
        let steps = pair.romeo_sends(Request::Unsubscribe);
        assert_eq!(
            steps,
            [
                deliver(Side::Contact, Interested),
                Step::Push { to: Side::Contact },
                Step::Unavailables { of: Side::Contact },
                Step::Push { to: Side::Sender },
            ],
            "the automatic unsubscribed finds nothing left to change"
        );
    }

    #[test]
    fn a_pre_approved_request_is_granted_at_once() {
        let mut pair = Pair::new();
        assert_eq!(
            pair.juliet_sends(Request::Subscribed),
            [Step::Push { to: Side::Sender }]
        );
        let steps = pair.romeo_sends(Request::Subscribe);
        let reply =
            "<presence type='subscribed' from='juliet@example.net' to='romeo@example.net'/>";
        assert_eq!(
            steps,
            [
                Step::Push { to: Side::Contact },
                Step::Deliver {
                    to: Side::Sender,
                    audience: Interested,
                    stanza: reply.into()
                },
                Step::Push { to: Side::Sender },
                Step::Presences { of: Side::Contact },
            ]
        );
        assert!(pair.at_romeo.unwrap().relation.to);
        assert!(pair.at_juliet.unwrap().relation.from);
    }

    #[test]
    fn a_removed_item_takes_both_subscriptions_with_it() {
        let pair = Pair::mutual();
        let mut exchange = Exchange::new(
            pair.romeo.as_ref(),
            pair.juliet.as_ref(),
            pair.at_romeo.clone(),
            Some(pair.at_juliet.clone()),
        );
        exchange.wish(&Wish::Remove {
            contact: pair.juliet.clone(),
        });
        assert_eq!(exchange.sender_entry.after, None);
        let left = exchange
            .contact_entry
            .as_ref()
            .unwrap()
            .after
            .clone()
            .unwrap();
        assert_eq!(left.relation, Relation::default());
        assert!(left.listed, "her item is her own affair");
        let delivered: Vec<&str> = exchange
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Deliver {
                    to: Side::Contact,
                    stanza,
                    ..
                } => Some(stanza.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(delivered.len(), 2);
        assert!(delivered[0].contains("type='unsubscribe'"));
        assert!(delivered[1].contains("type='unsubscribed'"));
        let pushes = exchange
            .steps
            .iter()
            .filter(|s| **s == Step::Push { to: Side::Sender })
            .count();
        assert_eq!(pushes, 1);
        assert_eq!(exchange.batch().changes().len(), 2);
    }

    #[test]
    fn a_set_keeps_the_subscriptions_and_replaces_the_rest() {
        let mut item = Contact::new("juliet@example.net").name("Old");
        item.groups = vec!["Old".into()];
        item.relation.to = true;
        let pair = Pair::new();
        let contact = pair.juliet.clone();
        let mut exchange =
            Exchange::new(pair.romeo.as_ref(), pair.juliet.as_ref(), Some(item), None);
        exchange.wish(&Wish::Put {
            contact,
            name: None,
            groups: vec!["New".into()],
        });
        let after = exchange.sender_entry.after.clone().unwrap();
        assert_eq!((after.name, after.groups), (None, vec!["New".to_owned()]));
        assert!(after.relation.to && after.listed);
        assert_eq!(exchange.steps, [Step::Push { to: Side::Sender }]);
    }

    #[test]
    fn a_request_to_nobody_changes_only_the_senders_roster() {
        let pair = Pair::new();
        let mut exchange = Exchange::new(pair.romeo.as_ref(), pair.juliet.as_ref(), None, None);
        exchange.request(Request::Subscribe, "STANZA");
        assert_eq!(exchange.steps, [Step::Push { to: Side::Sender }]);
        assert_eq!(exchange.batch().changes().len(), 1);
    }
}
