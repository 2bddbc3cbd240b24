//! What the server itself and the accounts on it answer: disco (XEP-0030), ping (XEP-0199), version (XEP-0092).

use xmpp_core::error::StanzaCondition;
use xmpp_core::ns;
use xmpp_core::stanza::{Iq, IqType};
use xmpp_xml::{ToXml, Writer};

/// Software version (XEP-0092).
const VERSION: &str = "jabber:iq:version";

/// To whom a request is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked<'r> {
    /// The server.
    Server,
    /// The sender's own account, with the resources that are available.
    Own(&'r [String]),
    /// Another account.
    Other {
        /// The sender sees its presence.
        visible: bool,
    },
}

/// The payload of a result.
#[derive(Debug)]
pub(crate) enum Answer<'r> {
    Empty,
    Info(Info),
    Items(Items<'r>),
    Version,
}

/// Answers a request that the server does not have to look anything up for.
pub(crate) fn answer<'r>(iq: &Iq<'_>, asked: Asked<'r>) -> Result<Answer<'r>, StanzaCondition> {
    let payload = iq.payload().ok_or(StanzaCondition::BadRequest)?;
    let is_get = iq.kind() == IqType::Get;
    // To those who may not see an account it looks as if it did not exist (XEP-0030 §8, RFC 6121 §8.5.1).
    if asked == (Asked::Other { visible: false }) {
        return Err(StanzaCondition::ServiceUnavailable);
    }
    let is_other = matches!(asked, Asked::Other { .. });
    match (payload.name(), payload.namespace()) {
        ("query", ns::DISCO_INFO) if is_get => match payload.attribute("node") {
            None => Ok(Answer::Info(Info {
                is_server: asked == Asked::Server,
            })),
            Some(_) => Err(StanzaCondition::ItemNotFound),
        },
        ("query", ns::DISCO_ITEMS) if is_get => match (payload.attribute("node"), asked) {
            (Some(_), _) => Err(StanzaCondition::ItemNotFound),
            (None, Asked::Own(resources)) => Ok(Answer::Items(Items(resources))),
            (None, _) => Ok(Answer::Items(Items(&[]))),
        },
        ("ping", ns::PING) if is_get && !is_other => Ok(Answer::Empty),
        // What RFC 3921 wanted after binding; some clients still ask for it (RFC 6121, appendix E).
        ("session", ns::SESSION) if !is_get && !is_other => Ok(Answer::Empty),
        ("query", VERSION) if is_get && asked == Asked::Server => Ok(Answer::Version),
        (_, ns::DISCO_INFO | ns::DISCO_ITEMS | ns::PING) => {
            Err(StanzaCondition::FeatureNotImplemented)
        }
        _ => Err(StanzaCondition::ServiceUnavailable),
    }
}

impl ToXml for Answer<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        match self {
            Answer::Empty => {}
            Answer::Info(info) => info.to_xml(writer),
            Answer::Items(items) => items.to_xml(writer),
            Answer::Version => {
                writer.start("query", VERSION);
                writer
                    .start("name", VERSION)
                    .text(env!("CARGO_PKG_NAME"))
                    .end();
                writer
                    .start("version", VERSION)
                    .text(env!("CARGO_PKG_VERSION"))
                    .end();
                writer.end();
            }
        }
    }
}

/// What the server or an account is and can do.
#[derive(Debug)]
pub(crate) struct Info {
    is_server: bool,
}

impl ToXml for Info {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        let (category, kind) = if self.is_server {
            ("server", "im")
        } else {
            ("account", "registered")
        };
        let features: &[&str] = if self.is_server {
            &[ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, VERSION]
        } else {
            &[ns::DISCO_INFO, ns::DISCO_ITEMS]
        };
        writer.start("query", ns::DISCO_INFO);
        writer.start("identity", ns::DISCO_INFO);
        writer
            .attribute("category", category)
            .attribute("type", kind)
            .end();
        for feature in features {
            writer
                .start("feature", ns::DISCO_INFO)
                .attribute("var", feature)
                .end();
        }
        writer.end();
    }
}

/// Addresses that belong to the one that was asked.
#[derive(Debug)]
pub(crate) struct Items<'r>(&'r [String]);

impl ToXml for Items<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.start("query", ns::DISCO_ITEMS);
        for address in self.0 {
            writer
                .start("item", ns::DISCO_ITEMS)
                .attribute("jid", address)
                .end();
        }
        writer.end();
    }
}
