//! Service discovery (XEP-0030): what an entity is, can do and has.
//!
//! [`info`] and [`items`] are the payloads; [`Disco`] answers requests from a description that the
//! application keeps, its nodes included.
//!
//! ```
//! use xmpp_core::disco::{Disco, Entity, info};
//! use xmpp_core::stanza::Stanza;
//! use xmpp_xml::{Element, Writer};
//!
//! let sensor = Entity::new(info::Identity::new("device", "sensor").with_name("Roof"));
//! let disco = Disco::new(sensor.with_feature("urn:xmpp:ping"));
//!
//! let request = Element::parse(
//!     "<iq xmlns='jabber:client' type='get' id='d1' from='juliet@example.com/balcony'>\
//!      <query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
//! )?;
//! let Stanza::Iq(iq) = Stanza::parse(request.root())? else { unreachable!() };
//! let answer = Element::build(|writer| {
//!     disco.answer(&iq, writer);
//! })?;
//! let query: info::Query<'_> = answer.root().children().next().unwrap().read()?;
//! assert!(query.has_feature("urn:xmpp:ping"));
//! assert!(query.has_identity("device", "sensor"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use xmpp_xml::{ToXml, Writer};

use crate::error::{StanzaCondition, StanzaError};
use crate::ns;
use crate::stanza::{Iq, IqType};

/// Answers requests about one entity and its nodes.
#[derive(Debug, Clone)]
pub struct Disco {
    root: Entity,
    nodes: BTreeMap<String, Entity>,
}

impl Disco {
    /// Answers for that entity, which has no nodes.
    #[must_use]
    pub fn new(root: Entity) -> Self {
        Self {
            root,
            nodes: BTreeMap::new(),
        }
    }

    /// The entity itself.
    #[must_use]
    pub fn root(&self) -> &Entity {
        &self.root
    }

    /// The node of that name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Entity> {
        self.nodes.get(name)
    }

    /// The entity itself, to be changed.
    pub fn root_mut(&mut self) -> &mut Entity {
        &mut self.root
    }

    /// Adds a node, or replaces the one of that name.
    pub fn set_node(&mut self, name: impl Into<String>, node: Entity) {
        self.nodes.insert(name.into(), node);
    }

    /// Takes a node away; gives it.
    pub fn remove_node(&mut self, name: &str) -> Option<Entity> {
        self.nodes.remove(name)
    }

    /// Writes the answer to a request for info or items: the result, which names the node that was
    /// asked for, or `item-not-found` for a node that does not exist. Says whether it wrote: anything
    /// else is not answered here.
    pub fn answer(&self, request: &Iq<'_>, writer: &mut Writer<'_>) -> bool {
        let Some(payload) = request.payload().filter(|_| request.kind() == IqType::Get) else {
            return false;
        };
        let is_info = payload.is("query", ns::DISCO_INFO);
        if !is_info && !payload.is("query", ns::DISCO_ITEMS) {
            return false;
        }
        let node = payload.attribute("node");
        let entity = match &node {
            Some(node) => self.nodes.get(&**node),
            None => Some(&self.root),
        };
        let Some(entity) = entity else {
            let error = StanzaError::new(StanzaCondition::ItemNotFound);
            writer.payload(&request.refusal(&error));
            return true;
        };
        let answer = Answer {
            entity,
            node: node.as_deref(),
            is_info,
        };
        writer.payload(&request.result().payload(&answer));
        true
    }
}

/// What an entity or a node is, can do and has.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    identities: Vec<info::Identity<'static>>,
    features: Vec<Cow<'static, str>>,
    items: Vec<items::Item<'static>>,
}

impl Entity {
    /// An entity with that identity, which can be discovered and nothing else.
    #[must_use]
    pub fn new(identity: info::Identity<'static>) -> Self {
        let features = [ns::DISCO_INFO, ns::DISCO_ITEMS].map(Cow::Borrowed).into();
        Self {
            identities: alloc::vec![identity],
            features,
            items: Vec::new(),
        }
    }

    /// Adds an identity.
    #[must_use]
    pub fn with_identity(mut self, identity: info::Identity<'static>) -> Self {
        self.identities.push(identity);
        self
    }

    /// Adds a feature, usually the namespace of a protocol.
    #[must_use]
    pub fn with_feature(mut self, feature: impl Into<Cow<'static, str>>) -> Self {
        self.add_feature(feature);
        self
    }

    /// Adds an item.
    #[must_use]
    pub fn with_item(mut self, item: items::Item<'static>) -> Self {
        self.items.push(item);
        self
    }

    /// The features, each once.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| &**feature)
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[items::Item<'static>] {
        &self.items
    }

    /// Adds a feature unless it is there already.
    pub fn add_feature(&mut self, feature: impl Into<Cow<'static, str>>) {
        let feature = feature.into();
        if !self.features.contains(&feature) {
            self.features.push(feature);
        }
    }

    /// Replaces all items.
    pub fn set_items(&mut self, items: Vec<items::Item<'static>>) {
        self.items = items;
    }
}

/// An answer, written from the description without a copy.
struct Answer<'e> {
    entity: &'e Entity,
    node: Option<&'e str>,
    is_info: bool,
}

impl ToXml for Answer<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        let namespace = if self.is_info {
            ns::DISCO_INFO
        } else {
            ns::DISCO_ITEMS
        };
        writer
            .start("query", namespace)
            .attribute_opt("node", self.node);
        if self.is_info {
            for identity in &self.entity.identities {
                writer.payload(identity);
            }
            for feature in &self.entity.features {
                writer
                    .start("feature", ns::DISCO_INFO)
                    .attribute("var", feature)
                    .end();
            }
        } else {
            for item in &self.entity.items {
                writer.payload(item);
            }
        }
        writer.end();
    }
}

/// Payloads of disco#info (XEP-0030 §3).
pub mod info {
    use alloc::borrow::Cow;
    use alloc::vec::Vec;

    use xmpp_xml::{Element, FromXml, IntoOwned, ToXml};

    use crate::ns;

    /// A request, when it is empty, or what an entity is and can do.
    #[derive(Debug, Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
    #[xml(name = "query", namespace = ns::DISCO_INFO)]
    pub struct Query<'a> {
        /// The node that is asked for; the answer repeats it.
        #[xml(attribute)]
        pub node: Option<Cow<'a, str>>,
        /// What the entity is.
        #[xml(children)]
        pub identities: Vec<Identity<'a>>,
        /// What it can do.
        #[xml(children)]
        pub features: Vec<Feature<'a>>,
        /// What extensions add (XEP-0128).
        #[xml(rest)]
        pub extensions: Vec<Element>,
    }

    impl<'a> Query<'a> {
        /// A request about the entity itself.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// A request about a node.
        #[must_use]
        pub fn about(node: impl Into<Cow<'a, str>>) -> Self {
            Self {
                node: Some(node.into()),
                ..Self::default()
            }
        }

        /// Whether the feature is there. That of disco#info itself is taken for granted in an answer.
        #[must_use]
        pub fn has_feature(&self, feature: &str) -> bool {
            feature == ns::DISCO_INFO || self.features.iter().any(|known| known.var == feature)
        }

        /// Whether an identity of that category and type is there.
        #[must_use]
        pub fn has_identity(&self, category: &str, kind: &str) -> bool {
            let mut identities = self.identities.iter();
            identities.any(|known| known.category == category && known.kind == kind)
        }
    }

    /// One of the things that an entity is.
    #[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
    #[xml(name = "identity", namespace = ns::DISCO_INFO)]
    pub struct Identity<'a> {
        /// Such as `client`, `server`, `device`.
        #[xml(attribute)]
        pub category: Cow<'a, str>,
        /// Which kind of that category.
        #[xml(attribute = "type")]
        pub kind: Cow<'a, str>,
        /// A name for people.
        #[xml(attribute)]
        pub name: Option<Cow<'a, str>>,
        /// The language of the name.
        #[xml(lang)]
        pub lang: Option<Cow<'a, str>>,
    }

    impl<'a> Identity<'a> {
        /// An identity without a name.
        #[must_use]
        pub fn new(category: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
            Self {
                category: category.into(),
                kind: kind.into(),
                name: None,
                lang: None,
            }
        }

        /// Adds a name for people.
        #[must_use]
        pub fn with_name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
            self.name = Some(name.into());
            self
        }
    }

    /// One of the things that an entity can do.
    #[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
    #[xml(name = "feature", namespace = ns::DISCO_INFO)]
    pub struct Feature<'a> {
        /// Its name, usually the namespace of a protocol.
        #[xml(attribute)]
        pub var: Cow<'a, str>,
    }
}

/// Payloads of disco#items (XEP-0030 §4).
pub mod items {
    use alloc::borrow::Cow;
    use alloc::vec::Vec;

    use xmpp_xml::{FromXml, IntoOwned, ToXml};

    use crate::jid::Jid;
    use crate::ns;

    /// A request, when it is empty, or what an entity has.
    #[derive(Debug, Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
    #[xml(name = "query", namespace = ns::DISCO_ITEMS)]
    pub struct Query<'a> {
        /// The node that is asked for; the answer repeats it.
        #[xml(attribute)]
        pub node: Option<Cow<'a, str>>,
        /// What the entity has.
        #[xml(children)]
        pub items: Vec<Item<'a>>,
    }

    impl<'a> Query<'a> {
        /// A request about the entity itself.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// A request about a node.
        #[must_use]
        pub fn about(node: impl Into<Cow<'a, str>>) -> Self {
            Self {
                node: Some(node.into()),
                ..Self::default()
            }
        }
    }

    /// One of the things that an entity has: an address, or a node at an address.
    #[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
    #[xml(name = "item", namespace = ns::DISCO_ITEMS)]
    pub struct Item<'a> {
        /// Where it is.
        #[xml(attribute)]
        pub jid: Jid,
        /// Which node there.
        #[xml(attribute)]
        pub node: Option<Cow<'a, str>>,
        /// A name for people.
        #[xml(attribute)]
        pub name: Option<Cow<'a, str>>,
    }

    impl<'a> Item<'a> {
        /// An item without node and name.
        #[must_use]
        pub fn new(jid: Jid) -> Self {
            Self {
                jid,
                node: None,
                name: None,
            }
        }

        /// The node at the address.
        #[must_use]
        pub fn with_node(mut self, node: impl Into<Cow<'a, str>>) -> Self {
            self.node = Some(node.into());
            self
        }

        /// Adds a name for people.
        #[must_use]
        pub fn with_name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
            self.name = Some(name.into());
            self
        }
    }
}
