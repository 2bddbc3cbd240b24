//! The message archive (XEP-0313), in pages (XEP-0059), with the ids of its messages (XEP-0359) and with preferences
//! about what is archived (XEP-0441).

mod preferences;
mod query;

use std::sync::Arc;

use xmpp_core::delay::Delay;
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::form::validate::Validate;
use xmpp_core::form::{Field, FieldType, Form};
use xmpp_core::forward::Forwarded;
use xmpp_core::hint::{Hint, hints};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::result_set::ResultSet;
use xmpp_core::stanza::{IqType, Message, MessageBuilder, MessageType};
use xmpp_core::stanza_id::StanzaId;
use xmpp_xml::{Element, ElementRef, ToXml, Writer};

pub(crate) use self::preferences::{Preferences, kept as kept_preferences};
use self::query::{Fault, Query, Results};
use super::{Answer, Feature, How, Later, Order, Place, Service, payload, store_error};
use crate::outbox::Turn;
use crate::registry::Handle;
use crate::router::output::push;
use crate::router::{Router, Rules, Stamp};
use crate::storage::{Batch, Quota, Record, Span};

const ARCHIVE: &str = "urn:xmpp:mam:2";

/// Where the store keeps the messages, under stamps, which are their ids.
const COLLECTION: &str = "archive";

pub(super) const SERVICES: &[Service] = &[
    Service::new(ARCHIVE, "query", IqType::Set, How::Later(answer_query))
        .at_own_account()
        .forbidden_to_others()
        .announced_by_accounts()
        .only_if(is_on),
    Service::new(ARCHIVE, "query", IqType::Get, How::Now(|_| fields()))
        .at_own_account()
        .forbidden_to_others()
        .only_if(is_on),
    Service::new(
        ARCHIVE,
        "metadata",
        IqType::Get,
        How::Later(answer_metadata),
    )
    .at_own_account()
    .forbidden_to_others()
    .only_if(is_on),
    Service::new(
        ARCHIVE,
        "prefs",
        IqType::Get,
        How::Later(preferences::answer_get),
    )
    .at_own_account()
    .forbidden_to_others()
    .only_if(is_on),
    Service::new(
        ARCHIVE,
        "prefs",
        IqType::Set,
        How::Later(preferences::answer_set),
    )
    .at_own_account()
    .forbidden_to_others()
    .only_if(is_on),
];

pub(super) const FEATURES: &[Feature] = &[
    Feature {
        name: "urn:xmpp:mam:2#extended",
        place: Place::Account,
        is_on,
    },
    Feature {
        name: ns::STANZA_IDS,
        place: Place::Account,
        is_on,
    },
];

/// How much is archived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArchiveRules {
    pub(crate) quota: Quota,
    /// Microseconds after which a message goes; `None` for never.
    pub(crate) age: Option<u64>,
}

/// How many messages a page has at most.
const PAGE: usize = 100;

fn is_on(rules: &Rules) -> bool {
    rules.archive.is_some()
}

/// Whether a message belongs into archives (XEP-0313 §6.1): it has a body, or asks for it (XEP-0334).
pub(crate) fn is_archivable(message: &Message<'_>) -> bool {
    let wishes = |wanted: Hint| hints(message).any(|hint| hint == wanted);
    matches!(message.kind(), MessageType::Normal | MessageType::Chat)
        && !wishes(Hint::NoStore)
        && !wishes(Hint::NoPermanentStore)
        && (message.body().is_some() || wishes(Hint::Store))
}

/// Whether the message carries an id that looks as if the account's archive had given it.
pub(crate) fn has_id_by(message: ElementRef<'_>, account: JidRef<'_>) -> bool {
    message.children().any(|child| is_id_by(child, account))
}

fn is_id_by(child: ElementRef<'_>, account: JidRef<'_>) -> bool {
    let by = child.attribute("by").and_then(|by| Jid::parse(&by).ok());
    child.is("stanza-id", ns::STANZA_IDS) && by.is_some_and(|by| by.to_bare_ref() == account)
}

/// The message without ids by the account, and with the one that the archive has given it, if it has.
pub(crate) fn with_id(
    message: ElementRef<'_>,
    account: &Jid,
    stamp: Option<&Stamp>,
) -> Result<Element, StanzaError> {
    let built = Element::build(|writer| {
        writer.start(message.name(), message.namespace());
        for attribute in message.attributes() {
            writer.attribute_ns(attribute.name(), attribute.namespace(), &attribute.value());
        }
        let children = message.children();
        for child in children.filter(|child| !is_id_by(*child, account.as_ref())) {
            writer.element(child);
        }
        if let Some(stamp) = stamp {
            writer.payload(&StanzaId::new(stamp.key(), account.clone()));
        }
        writer.end();
    });
    built.map_err(|_| StanzaError::new(StanzaCondition::NotAcceptable))
}

/// Adds a message to the archive of one side. What has become too old goes.
pub(crate) fn put(
    batch: Batch,
    rules: &ArchiveRules,
    account: &Jid,
    peer: JidRef<'_>,
    message: &Element,
    stamp: &Stamp,
) -> Batch {
    let account = account.as_str();
    let batch = match rules.age {
        Some(age) => batch.remove_records_before(account, COLLECTION, stamp.earlier(age).key()),
        None => batch,
    };
    // The peer stands in front, so that a search need not read the message.
    let value = format!("{}\n{message}", peer.as_str());
    batch.put_record_within(rules.quota, account, COLLECTION, stamp.key(), value)
}

/// What a record holds: the peer, and the message as text.
fn peer_and_message(record: &Record) -> Option<(&str, &str)> {
    std::str::from_utf8(&record.value).ok()?.split_once('\n')
}

fn answer_query<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let query = Query::read(order.payload()?, router.rules.outbox_bytes / 4)?;
        let name = query.name.clone();
        let load = router.load(handle.bare.clone(), move |store, account| {
            match query.run(store, account.as_str()) {
                Ok(results) => Ok(Some(results)),
                Err(Fault::NotFound) => Ok(None),
                Err(Fault::Store(error)) => Err(error),
            }
        });
        let results = load.await.map_err(|error| store_error(&error))?;
        let results = results.ok_or_else(|| StanzaError::new(StanzaCondition::ItemNotFound))?;
        let mut turn = Turn::new();
        for record in &results.records {
            send(handle, record, name.as_deref(), &mut turn);
        }
        payload(Finish::of(&results))
    })
}

/// One message of the results (XEP-0313 §4.2).
fn send(handle: &Handle, record: &Record, query: Option<&str>, turn: &mut Turn) {
    let message = peer_and_message(record).and_then(|(_, text)| Element::parse(text).ok());
    let Some((message, stamp)) = message.zip(Stamp::of_key(&record.key)) else {
        tracing::error!(key = record.key, "an archived message cannot be read");
        return;
    };
    let item = Item {
        query,
        id: &record.key,
        forwarded: Forwarded::new(message.root()).with_delay(Delay::new(stamp.exact_time())),
    };
    push(handle, turn, |writer| {
        MessageBuilder::new(MessageType::Normal)
            .from(&handle.bare)
            .to(&handle.jid)
            .payload(&item)
            .to_xml(writer);
    });
}

struct Item<'i> {
    query: Option<&'i str>,
    id: &'i str,
    forwarded: Forwarded<'i>,
}

impl ToXml for Item<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("result", ARCHIVE)
            .attribute_opt("queryid", self.query)
            .attribute("id", self.id)
            .payload(&self.forwarded)
            .end();
    }
}

/// What ends the results.
struct Finish {
    is_complete: bool,
    set: ResultSet<'static>,
}

impl Finish {
    fn of(results: &Results) -> Self {
        Self {
            is_complete: results.is_complete,
            set: results.set(),
        }
    }
}

impl ToXml for Finish {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("fin", ARCHIVE)
            .attribute_opt("complete", self.is_complete.then_some("true"))
            .payload(&self.set)
            .end();
    }
}

/// What can be asked for (XEP-0313 §4.1.5).
fn fields() -> Answer {
    let any = Validate::open("xs:string");
    payload(Fields(
        Form::new("Archive")
            .with_field(Field::hidden("FORM_TYPE", ARCHIVE))
            .with_field(Field::new(FieldType::JidSingle, "with"))
            .with_field(Field::new(FieldType::TextSingle, "start"))
            .with_field(Field::new(FieldType::TextSingle, "end"))
            .with_field(Field::new(FieldType::TextSingle, "before-id"))
            .with_field(Field::new(FieldType::TextSingle, "after-id"))
            .with_field(Field::new(FieldType::ListMulti, "ids").with_validate(any)),
    ))
}

struct Fields(Form<'static>);

impl ToXml for Fields {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.start("query", ARCHIVE).payload(&self.0).end();
    }
}

/// The first and the last message (XEP-0313 §5).
fn answer_metadata<'r>(router: &'r Router, handle: &'r Arc<Handle>, _: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let load = router.load(handle.bare.clone(), |store, account| {
            let mut span = Span::first(1);
            let first = store.records(account.as_str(), COLLECTION, &span)?;
            span.backwards = true;
            let last = store.records(account.as_str(), COLLECTION, &span)?;
            Ok([first, last].concat())
        });
        let ends = load.await.map_err(|error| store_error(&error))?;
        let keys = ends.into_iter().map(|record| record.key);
        payload(Metadata(keys.collect()))
    })
}

struct Metadata(Vec<String>);

impl ToXml for Metadata {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.start("metadata", ARCHIVE);
        for (name, key) in ["start", "end"].into_iter().zip(&self.0) {
            writer.start(name, ARCHIVE).attribute("id", key);
            if let Some(stamp) = Stamp::of_key(key) {
                writer.attribute_value("timestamp", &stamp.exact_time());
            }
            writer.end();
        }
        writer.end();
    }
}
