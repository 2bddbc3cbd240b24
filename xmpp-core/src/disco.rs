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
//!
//! Lists of items come in pages where they are asked for in pages (XEP-0059), of at most
//! [`Disco::page_limit`] items; the feature [`ns::RESULT_SETS`] tells that to others. What an entity tells
//! about itself besides may stand in forms (XEP-0128, [`Entity::with_form`]), and all of it is announced by
//! a hash ([`Disco::announce`], XEP-0115, XEP-0390).

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use xmpp_xml::{ElementRef, ToXml, Writer};

use crate::caps::{Announcement, IllFormed};
use crate::error::{StanzaCondition, StanzaError};
use crate::form::Form;
use crate::ns;
use crate::result_set::{ResultSet, page};
use crate::stanza::{Iq, IqType};

/// Answers requests about one entity and its nodes.
#[derive(Debug, Clone)]
pub struct Disco {
    root: Entity,
    nodes: BTreeMap<String, Entity>,
    /// What was announced lately, with the nodes that stand for it.
    announced: VecDeque<(Vec<String>, Entity)>,
    page_limit: usize,
}

impl Disco {
    /// Answers for that entity, which has no nodes.
    #[must_use]
    pub fn new(root: Entity) -> Self {
        Self {
            root,
            nodes: BTreeMap::new(),
            announced: VecDeque::new(),
            page_limit: 100,
        }
    }

    /// How many items a page has at most, for those who ask for pages. Default: 100. Who asks for no page
    /// gets all items.
    #[must_use]
    pub fn page_limit(mut self, items: usize) -> Self {
        self.page_limit = items;
        self
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

    /// The capabilities of the entity as it is now, to be sent with every presence from now on; `uri` is
    /// the address of the program's page. Requests about the last three that were different are answered
    /// with the description of then (XEP-0390 §6.1). The features [`ns::CAPS`] and [`ns::CAPS_2`] are
    /// added.
    ///
    /// # Errors
    /// [`IllFormed`], when the description cannot be hashed, as with a form that does not tell its type.
    pub fn announce(&mut self, uri: &str) -> Result<Announcement, IllFormed> {
        self.root.add_feature(ns::CAPS);
        self.root.add_feature(ns::CAPS_2);
        let announcement = Announcement::new(uri, &self.root.info())?;
        let nodes: Vec<_> = announcement.query_nodes().collect();
        if self
            .announced
            .back()
            .is_none_or(|(known, _)| *known != nodes)
        {
            self.announced.push_back((nodes, self.root.clone()));
        }
        if self.announced.len() > 3 {
            self.announced.pop_front();
        }
        Ok(announcement)
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
            Some(node) => self.find(node, is_info),
            None => Some(&self.root),
        };
        let content = entity.ok_or_else(|| StanzaError::new(StanzaCondition::ItemNotFound));
        let content = content.and_then(|entity| {
            if is_info {
                Ok(Content::Info(entity))
            } else {
                self.items(entity, payload)
            }
        });
        match content {
            Ok(content) => {
                let node = node.as_deref();
                let answer = Answer { content, node };
                writer.payload(&request.result().payload(&answer));
            }
            Err(error) => {
                writer.payload(&request.refusal(&error));
            }
        }
        true
    }

    /// The entity at that node, which for its description may also be one of those that were announced.
    fn find(&self, node: &str, is_info: bool) -> Option<&Entity> {
        self.nodes.get(node).or_else(|| {
            let mut announced = self.announced.iter().filter(|_| is_info);
            let found = announced.find(|(nodes, _)| nodes.iter().any(|known| known == node));
            found.map(|(_, entity)| entity)
        })
    }

    /// All items, or the page that is asked for.
    fn items<'e>(
        &self,
        entity: &'e Entity,
        query: ElementRef<'_>,
    ) -> Result<Content<'e>, StanzaError> {
        let Some(set) = query.child("set", ns::RESULT_SETS) else {
            return Ok(Content::Items(&entity.items, None));
        };
        let set: ResultSet<'_> = set
            .read()
            .map_err(|_| StanzaError::new(StanzaCondition::BadRequest))?;
        let page = page(&entity.items, &set, self.page_limit, |item| {
            let (jid, node) = (item.jid.as_str(), item.node.as_deref().unwrap_or_default());
            // The length tells where the address ends, so no two items have the same.
            format!("{}:{jid}{node}", jid.len()).into()
        })?;
        Ok(Content::Items(page.items, page.set))
    }
}

/// What an entity or a node is, can do and has.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    identities: Vec<info::Identity<'static>>,
    features: Vec<Cow<'static, str>>,
    items: Vec<items::Item<'static>>,
    forms: Vec<Form<'static>>,
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
            forms: Vec::new(),
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

    /// Adds what it tells about itself in a form of type result, with a hidden field `FORM_TYPE`
    /// (XEP-0128).
    #[must_use]
    pub fn with_form(mut self, form: Form<'static>) -> Self {
        self.forms.push(form);
        self
    }

    /// The description as it is sent.
    #[must_use]
    pub fn info(&self) -> info::Query<'static> {
        let features = self.features.iter().cloned();
        info::Query {
            node: None,
            identities: self.identities.clone(),
            features: features.map(|var| info::Feature { var }).collect(),
            forms: self.forms.clone(),
            extensions: Vec::new(),
        }
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

    /// Replaces all forms.
    pub fn set_forms(&mut self, forms: Vec<Form<'static>>) {
        self.forms = forms;
    }

    /// Replaces all items.
    pub fn set_items(&mut self, items: Vec<items::Item<'static>>) {
        self.items = items;
    }
}

/// An answer, written from the description without a copy.
struct Answer<'e> {
    content: Content<'e>,
    node: Option<&'e str>,
}

enum Content<'e> {
    Info(&'e Entity),
    Items(&'e [items::Item<'static>], Option<ResultSet<'static>>),
}

impl ToXml for Answer<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        let namespace = match self.content {
            Content::Info(_) => ns::DISCO_INFO,
            Content::Items(..) => ns::DISCO_ITEMS,
        };
        writer
            .start("query", namespace)
            .attribute_opt("node", self.node);
        match &self.content {
            Content::Info(entity) => {
                for identity in &entity.identities {
                    writer.payload(identity);
                }
                for feature in &entity.features {
                    writer
                        .start("feature", ns::DISCO_INFO)
                        .attribute("var", feature)
                        .end();
                }
                for form in &entity.forms {
                    writer.payload(form);
                }
            }
            Content::Items(items, set) => {
                for item in *items {
                    writer.payload(item);
                }
                if let Some(set) = set {
                    writer.payload(set);
                }
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

    use crate::form::Form;
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
        /// What it tells about itself besides (XEP-0128).
        #[xml(children)]
        pub forms: Vec<Form<'a>>,
        /// What else is there.
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

        /// The form of that type.
        #[must_use]
        pub fn form(&self, form_type: &str) -> Option<&Form<'a>> {
            let mut forms = self.forms.iter();
            forms.find(|form| form.form_type() == Some(form_type))
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
    use crate::result_set::ResultSet;

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
        /// Which part of the list is asked for, or which part it is (XEP-0059).
        #[xml(child)]
        pub set: Option<ResultSet<'a>>,
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

        /// Asks for that part of the list.
        #[must_use]
        pub fn with_set(mut self, set: ResultSet<'a>) -> Self {
            self.set = Some(set);
            self
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
