//! Presence between the clients of this server (RFC 6121 §4): broadcast, probes, directed presence and its end.

use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::stanza::{PresenceBuilder, PresenceType};
use xmpp_xml::{ToXml, Writer};

use crate::outbox::{Shared, Turn};
use crate::registry::{Current, Handle, Online, Registry, Session};
use crate::services::blocking;

/// A resource says that it is available (RFC 6121 §4.2 and §4.4). After the first time it also gets to know who
/// else is, and what waits for the account.
pub(crate) fn available(
    registry: &mut Registry,
    handle: &Handle,
    stanza: Shared,
    priority: i8,
    turn: &mut Turn,
) {
    let number = registry.number();
    let Some(session) = registry.session_mut(handle) else {
        return;
    };
    let current = Current {
        stanza: stanza.clone(),
        priority,
        number,
    };
    let is_initial = session.presence.replace(current).is_none();

    broadcast(registry, handle, &stanza, turn);
    if is_initial {
        tell_of_others(registry, handle, turn);
        deliver_requests(registry, handle, turn);
    }
}

/// A resource says that it is not available any more, or is gone (RFC 6121 §4.5). `stanza` is what it has sent, or
/// what the server says for it.
pub(crate) fn unavailable(
    registry: &mut Registry,
    handle: &Handle,
    stanza: &Shared,
    turn: &mut Turn,
) {
    let Some(session) = registry.session_mut(handle) else {
        return;
    };
    let was_available = session.presence.take().is_some();
    let directed = std::mem::take(&mut session.directed);
    if was_available {
        broadcast(registry, handle, stanza, turn);
        // The one that says so is told as well; it is no longer among the available.
        if let Some(session) = registry.session(handle.jid.as_ref()) {
            session.push_shared(turn, stanza, handle.bare.as_str());
        }
    }
    let knows_already = |target: &Jid| {
        was_available
            && registry
                .online(handle.bare.as_str())
                .is_some_and(|own| own.lets_see(target.to_bare_ref().as_str()))
    };
    for target in directed.iter().filter(|target| !knows_already(target)) {
        direct(registry, handle.jid.as_ref(), target.as_ref(), stanza, turn);
    }
}

/// Presence for one address, without a subscription (RFC 6121 §4.6).
pub(crate) fn direct(
    registry: &Registry,
    from: JidRef<'_>,
    to: JidRef<'_>,
    stanza: &Shared,
    turn: &mut Turn,
) {
    let Some(online) = registry.online(to.to_bare().as_str()) else {
        return;
    };
    if online.blocks(from) {
        return;
    }
    if let Some(resource) = to.resource() {
        if let Some(session) = online.session(resource) {
            session.push_shared(turn, stanza, to.as_str());
        }
    } else {
        for (session, _) in online.available() {
            session.push_shared(turn, stanza, to.as_str());
        }
    }
}

/// The presence of every available resource of one account goes to the available resources of another.
pub(crate) fn introduce(registry: &Registry, of: &str, to: &str, turn: &mut Turn) {
    let (Some(of), Some(audience)) = (registry.online(of), registry.online(to)) else {
        return;
    };
    for (session, presence) in of.available() {
        tell(
            of,
            session.handle.jid.as_ref(),
            audience,
            &presence.stanza,
            to,
            turn,
        );
    }
}

/// Every available resource of one account seems to leave for the resources of another.
pub(crate) fn withdraw(registry: &Registry, of: &str, to: &str, turn: &mut Turn) {
    let (Some(of), Some(audience)) = (registry.online(of), registry.online(to)) else {
        return;
    };
    for (session, _) in of.available() {
        let from = session.handle.jid.as_ref();
        tell(of, from, audience, &gone(from), to, turn);
    }
}

/// Answers a probe (RFC 6121 §4.3.2): what the asker may know, and to everybody else what an account that does not
/// exist would answer.
///
/// What the server says itself repeats the id of the probe; what a client has said keeps its own (§4.3.2.1).
pub(crate) fn probe(
    registry: &Registry,
    asker: &Session,
    target: JidRef<'_>,
    id: Option<&str>,
    turn: &mut Turn,
) {
    let say = |kind: PresenceType, from: JidRef<'_>| {
        let presence = PresenceBuilder::new(kind).from(from);
        written(&id.map_or(presence, |id| presence.id(id)))
    };
    let to = &asker.handle;
    let bare = target.to_bare();
    let online = registry.online(bare.as_str());
    let own = registry.online(to.bare.as_str());
    // Whoever is blocked hears nothing at all (XEP-0191 §3.3).
    if online.is_some_and(|online| online.blocks(to.jid.as_ref())) {
        return;
    }
    // While nobody of the target is connected, the asker's side of the subscription tells.
    let is_subscribed = to.bare.as_ref() == bare
        || online.map_or_else(
            || {
                own.and_then(|own| own.roster.get(bare.as_str()))
                    .is_some_and(|c| c.relation.to)
            },
            |online| online.lets_see(to.bare.as_str()),
        );

    if is_subscribed {
        let asked = |session: &Session| {
            target.resource().is_none() || session.handle.jid.as_ref() == target
        };
        let mut answered = false;
        for (session, presence) in online.into_iter().flat_map(Online::available) {
            if asked(session) {
                asker.push_shared(turn, &presence.stanza, to.jid.as_str());
                answered = true;
            }
        }
        if !answered {
            asker.push_shared(
                turn,
                &say(PresenceType::Unavailable, target),
                to.jid.as_str(),
            );
        }
        return;
    }

    // Directed presence lets its receiver ask whether that resource is still there (§4.6.6).
    let directed = registry
        .session(target)
        .is_some_and(|s| s.has_directed_to(to.jid.as_ref()));
    let answer = if directed {
        say(PresenceType::Available, target)
    } else {
        say(PresenceType::Unsubscribed, bare)
    };
    asker.push_shared(turn, &answer, to.jid.as_str());
}

/// The stanza that says that an address is not available.
pub(crate) fn gone(address: JidRef<'_>) -> Shared {
    written(&PresenceBuilder::new(PresenceType::Unavailable).from(address))
}

fn written(presence: &PresenceBuilder<'_>) -> Shared {
    let mut bytes = Vec::new();
    let mut writer = Writer::in_stream(&mut bytes, ns::CLIENT);
    presence.to_xml(&mut writer);
    // A type and canonical addresses can always be written.
    let _ = writer.finish();
    Shared::new(bytes)
}

/// To all who see the account, and to its own available resources.
fn broadcast(registry: &Registry, handle: &Handle, stanza: &Shared, turn: &mut Turn) {
    let Some(own) = registry.online(handle.bare.as_str()) else {
        return;
    };
    let from = handle.jid.as_ref();
    for (session, _) in own.available() {
        session.push_shared(turn, stanza, handle.bare.as_str());
    }
    for subscriber in own.subscribers() {
        if let Some(online) = registry.online(subscriber) {
            tell(own, from, online, stanza, subscriber, turn);
        }
    }
}

/// To the available resources of an account, as far as neither side has blocked the other.
fn tell(
    of: &Online,
    from: JidRef<'_>,
    audience: &Online,
    stanza: &Shared,
    to: &str,
    turn: &mut Turn,
) {
    if audience.blocks(from) {
        return;
    }
    for (session, _) in audience.available() {
        if !of.blocks(session.handle.jid.as_ref()) {
            session.push_shared(turn, stanza, to);
        }
    }
}

/// A resource that has just become available learns of the account's other resources and of the contacts that it
/// may see. They are all here, so nobody has to be asked (RFC 6121 §4.2.2).
fn tell_of_others(registry: &Registry, handle: &Handle, turn: &mut Turn) {
    let (Some(own), Some(session)) = (
        registry.online(handle.bare.as_str()),
        registry.session(handle.jid.as_ref()),
    ) else {
        return;
    };
    let others = own
        .available()
        .filter(|(other, _)| other.handle.id != handle.id);
    let seen = own.roster.values().filter(|contact| contact.relation.to);
    let contacts = seen
        .filter_map(|contact| registry.online(&contact.address))
        .filter(|online| online.lets_see(handle.bare.as_str()))
        .filter(|online| !online.blocks(handle.jid.as_ref()))
        .flat_map(Online::available)
        .filter(|(session, _)| !own.blocks(session.handle.jid.as_ref()));
    for (_, presence) in others.chain(contacts) {
        session.push_shared(turn, &presence.stanza, handle.jid.as_str());
    }
}

/// Requests that wait for an answer are delivered to every resource that becomes available (RFC 6121 §3.1.3).
fn deliver_requests(registry: &Registry, handle: &Handle, turn: &mut Turn) {
    let (Some(own), Some(session)) = (
        registry.online(handle.bare.as_str()),
        registry.session(handle.jid.as_ref()),
    ) else {
        return;
    };
    for request in own
        .roster
        .values()
        .filter(|contact| !blocking::is_listed_text(&own.blocked, &contact.address))
        .filter_map(|contact| contact.request.as_ref())
    {
        session.push_bytes(turn, request.as_bytes());
    }
}
