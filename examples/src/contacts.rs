//! A client's view of its roster: who may see its presence, and whose presence it sees (RFC 6121 §2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use xmpp_client::Client;
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::stanza::{Iq, IqType};
use xmpp_xml::{FromXml, ToXml};

use crate::failure::Failure;

/// The payload of roster requests, results and pushes.
#[derive(Debug, Default, FromXml, ToXml)]
#[xml(name = "query", namespace = "jabber:iq:roster")]
struct Roster<'a> {
    #[xml(children)]
    items: Vec<Item<'a>>,
}

#[derive(Debug, FromXml, ToXml)]
#[xml(name = "item", namespace = "jabber:iq:roster")]
struct Item<'a> {
    #[xml(attribute)]
    jid: Jid,
    #[xml(attribute)]
    subscription: Option<Cow<'a, str>>,
}

/// The subscriptions between this account and its contacts, kept up to date by the server's pushes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    subscriptions: BTreeMap<Jid, Subscription>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Subscription {
    sees_us: bool,
    seen_by_us: bool,
}

impl Contacts {
    /// Asks the server for the roster. From then on it pushes changes, which [`Contacts::handle_push`] takes.
    ///
    /// # Errors
    /// When the server does not give it.
    pub async fn load(client: &Client) -> Result<Self, Failure> {
        let reply = client.get(None, &Roster::default()).await?;
        let mut contacts = Self::default();
        contacts.take(&reply.read::<Roster<'_>>()?);
        Ok(contacts)
    }

    /// Whether this contact may see our presence.
    pub fn sees_us(&self, contact: JidRef<'_>) -> bool {
        self.of(contact).sees_us
    }

    /// Whether we see the presence of this contact.
    pub fn seen_by_us(&self, contact: JidRef<'_>) -> bool {
        self.of(contact).seen_by_us
    }

    /// A request has arrived. Says whether it was a roster push, which is to be answered with an empty result. Pushes
    /// from anybody but the own account are refused by not being taken (RFC 6121 §2.1.6).
    pub fn handle_push(&mut self, iq: &Iq<'_>, own: &Jid) -> bool {
        let Some(query) = iq
            .payload()
            .filter(|payload| payload.is("query", ns::ROSTER))
        else {
            return false;
        };
        let ours = iq
            .from()
            .is_none_or(|from| from == JidRef::from(&own.bare()));
        match query.read::<Roster<'_>>() {
            Ok(roster) if ours && iq.kind() == IqType::Set => {
                self.take(&roster);
                true
            }
            _ => false,
        }
    }

    /// Whom we have just allowed to see our presence; the push that confirms it is on its way.
    pub fn allow(&mut self, contact: JidRef<'_>) {
        self.subscriptions
            .entry(contact.to_bare().to_jid())
            .or_default()
            .sees_us = true;
    }

    fn take(&mut self, roster: &Roster<'_>) {
        for item in &roster.items {
            let subscription = match item.subscription.as_deref() {
                Some("from") => Subscription {
                    sees_us: true,
                    seen_by_us: false,
                },
                Some("to") => Subscription {
                    sees_us: false,
                    seen_by_us: true,
                },
                Some("both") => Subscription {
                    sees_us: true,
                    seen_by_us: true,
                },
                _ => Subscription::default(),
            };
            if subscription == Subscription::default() {
                self.subscriptions.remove(&item.jid);
            } else {
                self.subscriptions.insert(item.jid.clone(), subscription);
            }
        }
    }

    fn of(&self, contact: JidRef<'_>) -> Subscription {
        self.subscriptions
            .get(contact.to_bare().as_str())
            .copied()
            .unwrap_or_default()
    }
}
