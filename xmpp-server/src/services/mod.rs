//! What the server itself and the accounts on it answer, one file for each extension.
//!
//! A [`Service`] is a row of a table: which payload it answers, where, and how. Requests find it there, and so does
//! service discovery, so that nothing is announced that is not answered.

mod administration;
pub(crate) mod archive;
pub(crate) mod blocking;
pub(crate) mod carbons;
mod contact_addresses;
mod disco;
pub(crate) mod last_activity;
pub(crate) mod offline;
mod ping;
mod private_xml;
mod registration;
mod time;
mod vcard;
mod version;

use std::pin::Pin;
use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_core::stanza::{Iq, IqType};
use xmpp_xml::{Element, ElementRef, ToXml};

pub(crate) use self::administration::Commands;
pub use self::contact_addresses::ContactAddress;
use crate::registry::Handle;
use crate::router::output::store_refusal;
use crate::router::{Router, Rules};
use crate::storage::StoreError;

/// All services.
const SERVICES: &[&[Service]] = &[
    disco::SERVICES,
    ping::SERVICES,
    version::SERVICES,
    time::SERVICES,
    last_activity::SERVICES,
    blocking::SERVICES,
    carbons::SERVICES,
    private_xml::SERVICES,
    vcard::SERVICES,
    archive::SERVICES,
    registration::SERVICES,
    administration::SERVICES,
];

/// What is announced besides the namespaces of services: where, and when it is true.
const FEATURES: &[&[Feature]] = &[offline::FEATURES, archive::FEATURES];

/// To whom a request is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The server.
    Server,
    /// The sender's own account.
    Own,
    /// Another account, which may not exist.
    Other {
        /// The sender sees its presence.
        visible: bool,
    },
}

/// One request that is answered here.
pub(crate) struct Service {
    namespace: &'static str,
    name: &'static str,
    kind: IqType,
    /// The server answers.
    server: bool,
    /// The sender's own account answers.
    own: bool,
    /// Who else may ask an account.
    others: Others,
    /// The server and the accounts announce the namespace.
    announced: [bool; 2],
    /// Whether the rules of the server have it at all.
    is_on: fn(&Rules) -> bool,
    pub(crate) answer: How,
}

/// Who may ask an account other than his own.
#[derive(Clone, Copy)]
enum Others {
    /// Nobody: everybody gets this condition, whether or not there is such an account.
    Nobody(StanzaCondition),
    /// Those who see its presence. The rest gets this condition, whether or not there is such an account.
    Contacts(StanzaCondition),
    /// Everybody.
    Everybody,
}

/// How a request is answered.
#[derive(Clone, Copy)]
pub(crate) enum How {
    /// At once.
    Now(fn(&Inquiry<'_>) -> Answer),
    /// After the store was read or written; the sender's next stanza waits for it.
    Later(AnswerLater),
}

/// Answers with the help of the store.
pub(crate) type AnswerLater = for<'r> fn(&'r Router, &'r Arc<Handle>, &'r Order) -> Later<'r>;

/// The answer, once it is there.
pub(crate) type Later<'r> = Pin<Box<dyn Future<Output = Answer> + Send + 'r>>;

/// The result, or why there is none.
pub(crate) type Answer = Result<Reply, StanzaError>;

/// The result of a request.
pub(crate) enum Reply {
    /// It was done, and there is no more to say.
    Empty,
    /// What was asked for.
    Payload(Box<dyn ToXml + Send>),
    /// The service has sent the result itself.
    Sent,
}

/// A request that is answered at once.
pub(crate) struct Inquiry<'i> {
    pub(crate) router: &'i Router,
    pub(crate) handle: &'i Handle,
    pub(crate) asked: Asked,
    pub(crate) iq: &'i Iq<'i>,
}

/// A request that is answered later, with what is needed of it by then.
#[derive(Debug)]
pub(crate) struct Order {
    /// To whom it is put; without an address, the sender's account.
    pub(crate) to: Jid,
    /// The whole stanza.
    pub(crate) element: Element,
}

/// Something that is announced without a service of its own.
struct Feature {
    name: &'static str,
    place: Place,
    is_on: fn(&Rules) -> bool,
}

/// Who announces a feature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Server,
    Account,
}

/// The service that answers a request.
pub(crate) fn find(
    iq: &Iq<'_>,
    asked: Asked,
    rules: &Rules,
) -> Result<&'static Service, StanzaError> {
    let payload = iq
        .payload()
        .ok_or_else(|| StanzaError::new(StanzaCondition::BadRequest))?;
    // Whoever may not see an account gets what he gets where there is none (XEP-0030 §8, RFC 6121 §8.5.1).
    let mut refusal = StanzaCondition::ServiceUnavailable;
    for service in all(rules).filter(|service| service.namespace == payload.namespace()) {
        let is_meant = service.name == payload.name() && service.kind == iq.kind();
        match service.admits(asked) {
            Ok(()) if is_meant => return Ok(service),
            Ok(()) => refusal = StanzaCondition::FeatureNotImplemented,
            Err(condition) if is_meant => refusal = condition,
            Err(_) => {}
        }
    }
    Err(StanzaError::new(refusal))
}

/// What the server or an account announces, each once.
fn features(place: Place, rules: &Rules) -> Vec<&'static str> {
    let announced = |service: &&Service| {
        let [server, account] = service.announced;
        match place {
            Place::Server => server,
            Place::Account => account,
        }
    };
    let services = all(rules)
        .filter(announced)
        .map(|service| service.namespace);
    let others = FEATURES
        .iter()
        .copied()
        .flatten()
        .filter(|feature| feature.place == place && (feature.is_on)(rules))
        .map(|feature| feature.name);
    let mut features: Vec<_> = services.chain(others).collect();
    features.sort_unstable();
    features.dedup();
    features
}

fn all(rules: &Rules) -> impl Iterator<Item = &'static Service> {
    SERVICES
        .iter()
        .copied()
        .flatten()
        .filter(|service| (service.is_on)(rules))
}

impl Service {
    const fn new(namespace: &'static str, name: &'static str, kind: IqType, answer: How) -> Self {
        Self {
            namespace,
            name,
            kind,
            server: false,
            own: false,
            others: Others::Nobody(StanzaCondition::ServiceUnavailable),
            announced: [false; 2],
            is_on: |_| true,
            answer,
        }
    }

    /// The server answers, and announces it.
    const fn at_server(mut self) -> Self {
        self.server = true;
        self.announced = [true, self.announced[1]];
        self
    }

    /// The sender's own account answers.
    const fn at_own_account(mut self) -> Self {
        self.own = true;
        self
    }

    /// Every account answers.
    const fn at_accounts(mut self, others: Others) -> Self {
        self.own = true;
        self.others = others;
        self
    }

    /// Only where the rules of the server say so.
    const fn only_if(mut self, is_on: fn(&Rules) -> bool) -> Self {
        self.is_on = is_on;
        self
    }

    /// It is nobody else's business.
    const fn forbidden_to_others(mut self) -> Self {
        self.others = Others::Nobody(StanzaCondition::Forbidden);
        self
    }

    /// The server announces what accounts answer.
    const fn announced_by_server(mut self) -> Self {
        self.announced = [true, self.announced[1]];
        self
    }

    /// Accounts announce it.
    const fn announced_by_accounts(mut self) -> Self {
        self.announced = [self.announced[0], true];
        self
    }

    fn admits(&self, asked: Asked) -> Result<(), StanzaCondition> {
        let is_admitted = match (asked, self.others) {
            (Asked::Server, _) => self.server,
            (Asked::Own, _) => self.own,
            (Asked::Other { .. }, Others::Everybody) => true,
            (Asked::Other { visible: true }, Others::Contacts(_)) => true,
            (Asked::Other { visible: false }, Others::Contacts(condition)) => {
                return Err(condition);
            }
            (Asked::Other { .. }, Others::Nobody(condition)) => return Err(condition),
        };
        if is_admitted {
            Ok(())
        } else {
            Err(StanzaCondition::ServiceUnavailable)
        }
    }
}

impl Inquiry<'_> {
    /// What is asked.
    fn payload(&self) -> Result<ElementRef<'_>, StanzaError> {
        self.iq
            .payload()
            .ok_or_else(|| bad_request("nothing is asked"))
    }
}

impl Order {
    /// What is asked.
    fn payload(&self) -> Result<ElementRef<'_>, StanzaError> {
        let payload = self.element.root().children().next();
        payload.ok_or_else(|| bad_request("nothing is asked"))
    }
}

/// The payload of a result.
fn payload(payload: impl ToXml + Send + 'static) -> Answer {
    Ok(Reply::Payload(Box::new(payload)))
}

/// An element that was kept as text.
fn parse_kept(kept: Vec<u8>) -> Result<Element, StanzaError> {
    let text = String::from_utf8(kept).unwrap_or_default();
    Element::parse(&text).map_err(|fault| {
        tracing::error!(%fault, "an element that was kept cannot be read");
        StanzaError::new(StanzaCondition::InternalServerError)
    })
}

/// What the sender of a request is told when the store did not do what it should.
fn store_error(error: &StoreError) -> StanzaError {
    match error {
        StoreError::Full { .. } => {
            StanzaError::new(StanzaCondition::ResourceConstraint).with_text("no more can be kept")
        }
        error => store_refusal(error),
    }
}

fn bad_request(reason: impl Into<Box<str>>) -> StanzaError {
    StanzaError::new(StanzaCondition::BadRequest).with_text(reason)
}
