//! The roster protocol (RFC 6121 §2): its payload, and what a client may ask to be changed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_xml::{ElementRef, FromXml, ToXml, Writer};

use crate::storage::{Batch, Contact, Store, StoreError};

/// Limits for what one account may keep in its roster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RosterLimits {
    pub(crate) contacts: usize,
    pub(crate) groups: usize,
    pub(crate) text_bytes: usize,
}

/// `<query xmlns='jabber:iq:roster'/>` as a client sends it. `ask` and `approved` are the server's business
/// and not even read (RFC 6121 §2.1.2.1 and §2.1.2.2).
#[derive(FromXml)]
#[xml(name = "query", namespace = "jabber:iq:roster")]
struct Query<'a> {
    #[xml(children)]
    items: Vec<Item<'a>>,
}

#[derive(FromXml)]
#[xml(name = "item", namespace = "jabber:iq:roster")]
struct Item<'a> {
    #[xml(attribute)]
    jid: Option<Cow<'a, str>>,
    #[xml(attribute)]
    name: Option<Cow<'a, str>>,
    #[xml(attribute)]
    subscription: Option<Cow<'a, str>>,
    #[xml(child_text = "group")]
    groups: Vec<Cow<'a, str>>,
}

/// What a client wants of its roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// An item is to be there, with this name and in these groups.
    Put {
        contact: Jid,
        name: Option<String>,
        groups: Vec<String>,
    },
    /// An item is to go, with the subscriptions that belong to it.
    Remove { contact: Jid },
}

impl Wish {
    /// Reads the payload of a roster set (RFC 6121 §2.3 to §2.5).
    pub(crate) fn read(
        query: ElementRef<'_>,
        owner: JidRef<'_>,
        limits: &RosterLimits,
    ) -> Result<Self, StanzaError> {
        let query = Query::from_xml(query)
            .map_err(|error| refuse(StanzaCondition::BadRequest, error.to_string()))?;
        let [item] = query.items.as_slice() else {
            return Err(refuse(
                StanzaCondition::BadRequest,
                "a set has exactly one item",
            ));
        };
        let jid = item.jid.as_deref();
        let jid = jid.ok_or_else(|| refuse(StanzaCondition::BadRequest, "an item has a jid"))?;
        let contact = Jid::parse(jid)
            .map_err(|error| refuse(StanzaCondition::JidMalformed, error.to_string()))?;
        if contact.to_bare_ref() == owner.to_bare() {
            return Err(refuse(
                StanzaCondition::NotAllowed,
                "nobody is a contact of itself",
            ));
        }
        if item.subscription.as_deref() == Some("remove") {
            return Ok(Self::Remove { contact });
        }

        let too_long = |text: &str| text.len() > limits.text_bytes;
        // An empty name is no name (RFC 6121 §2.1.2.4).
        let name = item.name.as_deref().filter(|name| !name.is_empty());
        if name.is_some_and(too_long) {
            return Err(refuse(
                StanzaCondition::NotAcceptable,
                "the name is too long",
            ));
        }
        if item
            .groups
            .iter()
            .any(|group| group.is_empty() || too_long(group))
        {
            return Err(refuse(
                StanzaCondition::NotAcceptable,
                "a group is empty or too long",
            ));
        }
        if item.groups.len() > limits.groups {
            return Err(refuse(StanzaCondition::NotAcceptable, "too many groups"));
        }
        if item.groups.iter().collect::<BTreeSet<_>>().len() < item.groups.len() {
            return Err(refuse(
                StanzaCondition::BadRequest,
                "a group is there twice",
            ));
        }
        Ok(Self::Put {
            contact,
            name: name.map(str::to_owned),
            groups: item
                .groups
                .iter()
                .map(|group| group.as_ref().to_owned())
                .collect(),
        })
    }

    /// Whose item it is about.
    pub(crate) fn contact(&self) -> &Jid {
        match self {
            Self::Put { contact, .. } | Self::Remove { contact } => contact,
        }
    }
}

fn refuse(condition: StanzaCondition, reason: impl Into<Box<str>>) -> StanzaError {
    StanzaError::new(condition).with_text(reason)
}

/// Where the store keeps the version of a roster.
const VERSION: &str = "roster-version";

/// The version of a roster that never changed.
const FIRST_VERSION: &str = "0";

/// The version of an account's roster as the store has it (RFC 6121 §2.6).
pub(crate) fn kept_version(store: &dyn Store, account: &str) -> Result<String, StoreError> {
    let kept = store.record(account, VERSION, "")?;
    let text = kept.and_then(|kept| String::from_utf8(kept).ok());
    Ok(text.unwrap_or_else(|| FIRST_VERSION.to_owned()))
}

/// Adds the version of a roster to the batch that changes it.
pub(crate) fn put_version(batch: Batch, account: &str, version: &str) -> Batch {
    batch.put_record(account, VERSION, "", version)
}

/// A roster, or a part of it, on its way to the owner's clients.
pub(crate) struct Roster<'v, I> {
    pub(crate) items: I,
    /// The version of the whole roster, for those who keep it.
    pub(crate) version: Option<&'v str>,
}

impl<'c, I: Iterator<Item = &'c Contact> + Clone> ToXml for Roster<'_, I> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("query", ns::ROSTER)
            .attribute_opt("ver", self.version);
        self.items
            .clone()
            .filter(|contact| contact.listed)
            .for_each(|contact| write(contact, writer));
        writer.end();
    }
}

/// The news that an item is gone.
pub(crate) struct Removed<'c> {
    pub(crate) contact: &'c str,
    pub(crate) version: &'c str,
}

impl ToXml for Removed<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("query", ns::ROSTER)
            .attribute("ver", self.version);
        writer
            .start("item", ns::ROSTER)
            .attribute("jid", self.contact)
            .attribute("subscription", "remove")
            .end()
            .end();
    }
}

fn write(contact: &Contact, writer: &mut Writer<'_>) {
    let relation = contact.relation;
    writer
        .start("item", ns::ROSTER)
        .attribute("jid", &contact.address);
    writer.attribute_opt("name", contact.name.as_deref());
    writer.attribute("subscription", relation.subscription().as_str());
    writer.attribute_opt("ask", relation.pending_out.then_some("subscribe"));
    writer.attribute_opt("approved", relation.approved.then_some("true"));
    for group in &contact.groups {
        writer.start("group", ns::ROSTER).text(group).end();
    }
    writer.end();
}

#[cfg(test)]
mod tests {
    use xmpp_xml::Element;

    use super::*;
    use crate::subscription::Relation;

    const LIMITS: RosterLimits = RosterLimits {
        contacts: 10,
        groups: 3,
        text_bytes: 20,
    };

    fn read(items: &str) -> Result<Wish, StanzaError> {
        let query: Element = format!("<query xmlns='jabber:iq:roster'>{items}</query>")
            .parse()
            .unwrap();
        let owner = Jid::parse("juliet@example.com/balcony").unwrap();
        Wish::read(query.root(), owner.as_ref(), &LIMITS)
    }

    fn condition(items: &str) -> StanzaCondition {
        read(items).unwrap_err().condition
    }

    #[test]
    fn a_set_puts_or_removes_one_item() {
        let wish = read(
            "<item jid='romeo@example.net' name='Romeo'><group>A</group><group>B</group></item>",
        );
        let Ok(Wish::Put {
            contact,
            name,
            groups,
        }) = wish
        else {
            panic!("{wish:?}")
        };
        assert_eq!(contact.as_str(), "romeo@example.net");
        assert_eq!(name.as_deref(), Some("Romeo"));
        assert_eq!(groups, ["A", "B"]);
        let wish = read("<item jid='romeo@example.net' subscription='remove'/>").unwrap();
        assert_eq!(
            wish,
            Wish::Remove {
                contact: Jid::parse("romeo@example.net").unwrap()
            }
        );
    }

    #[test]
    fn what_only_the_server_decides_is_ignored() {
        let wish =
            read("<item jid='a@x' subscription='both' ask='subscribe' approved='true' name=''/>");
        let contact = Jid::parse("a@x").unwrap();
        assert_eq!(
            wish,
            Ok(Wish::Put {
                contact,
                name: None,
                groups: Vec::new()
            })
        );
    }

    #[test]
    fn a_set_without_exactly_one_item_is_a_bad_request() {
        assert_eq!(condition(""), StanzaCondition::BadRequest);
        assert_eq!(
            condition("<item jid='a@x'/><item jid='b@x'/>"),
            StanzaCondition::BadRequest
        );
        assert_eq!(condition("<item name='x'/>"), StanzaCondition::BadRequest);
    }

    #[test]
    fn names_and_groups_have_limits() {
        let long = "n".repeat(21);
        for item in [
            format!("<item jid='a@x' name='{long}'/>"),
            format!("<item jid='a@x'><group>{long}</group></item>"),
            "<item jid='a@x'><group/></item>".into(),
            "<item jid='a@x'><group>1</group><group>2</group><group>3</group><group>4</group></item>".into(),
        ] {
            assert_eq!(condition(&item), StanzaCondition::NotAcceptable, "{item}");
        }
        let twice = "<item jid='a@x'><group>1</group><group>1</group></item>";
        assert_eq!(condition(twice), StanzaCondition::BadRequest);
    }

    #[test]
    fn an_address_that_is_none_or_ones_own_is_refused() {
        assert_eq!(
            condition("<item jid='a@@x'/>"),
            StanzaCondition::JidMalformed
        );
        assert_eq!(
            condition("<item jid='juliet@example.com'/>"),
            StanzaCondition::NotAllowed
        );
    }

    #[test]
    fn a_roster_shows_its_items_and_no_hidden_requests() {
        let mut romeo = Contact::new("romeo@example.net").name("Romeo & Co");
        romeo.groups = vec!["Friends".into()];
        romeo.relation = Relation {
            from: true,
            pending_out: true,
            ..Relation::default()
        };
        let mut pre = Contact::new("nurse@example.com").name("");
        pre.name = None;
        pre.relation.approved = true;
        let mut stranger = Contact::new("mercutio@example.com");
        stranger.relation.pending_in = true;
        let contacts = [romeo, pre, stranger];
        let written = Element::build(|writer| {
            let (items, version) = (contacts.iter(), None);
            Roster { items, version }.to_xml(writer);
        })
        .unwrap();
        let expected: Element = "<query xmlns='jabber:iq:roster'>\
            <item jid='romeo@example.net' name='Romeo &amp; Co' subscription='from' ask='subscribe'>\
            <group>Friends</group></item>\
            <item jid='nurse@example.com' subscription='none' approved='true'/></query>"
            .parse()
            .unwrap();
        assert_eq!(written, expected);
    }
}
