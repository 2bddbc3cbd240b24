//! What sensor and reader have in common on their streams: time, engines that write stanzas, courtesy to strangers.

use std::cell::RefCell;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xmpp_client::{Client, Delivery, SendError};
use xmpp_core::disco::{Disco, Entity, info};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{Iq, IqType, PresenceBuilder, PresenceType};
use xmpp_core::time::Instant;
use xmpp_xml::value::DateTime;
use xmpp_xml::{Element, ToXml, Writer};

use crate::contacts::Contacts;
use crate::failure::Failure;

/// The time that engines go by: it begins when the program does.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }

    /// The time now.
    pub fn now(self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// Waits until that time; without one, for ever.
    pub async fn sleep_until(self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.origin + deadline.since_origin()).await,
            None => std::future::pending().await,
        }
    }
}

/// The time of day now, in UTC.
pub fn wall_clock() -> DateTime {
    date_time(SystemTime::now())
}

/// A time of the system as one of the wire. What lies beyond the calendar of the wire becomes its nearest end.
pub fn date_time(time: SystemTime) -> DateTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    // A thousandth of a second is as exact as these measurements are.
    DateTime::from_unix(seconds, since.subsec_millis() * 1_000_000).unwrap_or(DateTime::MAX)
}

/// A time of the wire as one of the system; before 1970 there is none.
pub fn system_time(time: &DateTime) -> Option<SystemTime> {
    let seconds = u64::try_from(time.unix_seconds()).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, time.nanoseconds()))
}

/// Sends presence of that kind, to one address or to all contacts.
///
/// # Errors
/// When the stream has ended.
pub fn send_presence(
    client: &Client,
    kind: PresenceType,
    to: Option<JidRef<'_>>,
) -> impl Future<Output = Result<Delivery, Failure>> + Send + use<> {
    let presence = PresenceBuilder::new(kind);
    let sending = match to {
        Some(to) => client.send(&presence.to(to)),
        None => client.send(&presence),
    };
    async { Ok(sending.await?) }
}

/// Sends everything that an engine has to send, waiting where the stream is slow.
///
/// # Errors
/// When the stream has ended.
pub async fn flush(
    client: &Client,
    poll_transmit: &mut (dyn FnMut(&mut Writer<'_>) -> bool + Send),
) -> Result<(), Failure> {
    while let Some(sending) = send_next(client, poll_transmit) {
        sending.await?;
    }
    Ok(())
}

/// The next stanza of an engine on its way; `None` when it has none.
fn send_next(
    client: &Client,
    poll_transmit: &mut (dyn FnMut(&mut Writer<'_>) -> bool + Send),
) -> Option<impl Future<Output = Result<(), Failure>> + use<>> {
    let next = Next {
        poll: RefCell::new(poll_transmit),
        written: RefCell::new(false),
    };
    let sending = client.send(&next);
    next.written.into_inner().then_some(async {
        match sending.await {
            Ok(_) => Ok(()),
            // The engine checks its texts before it takes them; what is left is not worth the stream.
            Err(SendError::Write(error)) => {
                tracing::warn!(%error, "a stanza could not be written");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    })
}

/// The next stanza of an engine, as a payload.
struct Next<'p> {
    poll: RefCell<&'p mut (dyn FnMut(&mut Writer<'_>) -> bool + Send)>,
    written: RefCell<bool>,
}

impl ToXml for Next<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        let written = (self.poll.borrow_mut())(writer);
        *self.written.borrow_mut() |= written;
    }
}

/// Describes this program to whoever discovers it.
pub fn describe(
    category: &'static str,
    kind: &'static str,
    name: &'static str,
    features: &[&'static str],
) -> Disco {
    let mut entity = Entity::new(info::Identity::new(category, kind).with_name(name));
    for feature in [ns::PING].iter().chain(features) {
        entity.add_feature(*feature);
    }
    Disco::new(entity)
}

/// Answers a request that is for no engine: roster pushes, pings, discovery, and `service-unavailable` for all others.
///
/// # Errors
/// When the stream has ended.
pub async fn answer(
    client: &Client,
    own: &Jid,
    disco: &Disco,
    contacts: &mut Contacts,
    stanza: &Element,
    iq: &Iq<'_>,
) -> Result<(), Failure> {
    if !iq.kind().is_request() {
        return Ok(());
    }
    let is_ping = iq.kind() == IqType::Get
        && iq
            .payload()
            .is_some_and(|payload| payload.read::<Ping>().is_ok());
    let delivery = if is_ping || contacts.handle_push(iq, own) {
        client.reply(iq, None).await?
    } else {
        let mut answered = false;
        flush(client, &mut |writer| {
            // Asked twice, so that the second time says that there is no more.
            !answered && {
                answered = disco.answer(iq, writer);
                answered
            }
        })
        .await?;
        if answered {
            return Ok(());
        }
        client.refuse_unknown(stanza.root()).await?
    };
    drop(delivery);
    Ok(())
}
