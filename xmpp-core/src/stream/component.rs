//! Components: programs that serve a domain of their own through a server (XEP-0114).
//!
//! Their streams have a content namespace of their own. Inside, as everywhere in this crate, stanzas are in
//! `jabber:client`; only the headers tell the difference.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use xmpp_xml::ElementRef;
use zeroize::Zeroizing;

use super::error::{Error, FeatureKind};
use super::event::Event;
use super::header;
use super::negotiation::{
    Answer, Config, Context, Facts, Feature, Progress, Question, Terms, violation,
};
use crate::error::{StreamCondition, StreamError};
use crate::jid::Jid;
use crate::ns;

/// What a component and its server both know. It is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct ComponentSecret(Zeroizing<String>);

impl ComponentSecret {
    /// That secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// What is told instead of it: the SHA-1 of the stream's identifier and the secret, in hexadecimal.
    fn handshake(&self, id: &str) -> String {
        let hash = Sha1::new()
            .chain_update(id.as_bytes())
            .chain_update(self.0.as_bytes())
            .finalize();
        let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
            .collect()
    }
}

impl fmt::Debug for ComponentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ComponentSecret(..)")
    }
}

/// The component's side: no features, only the handshake.
pub(super) struct ComponentInitiator {
    secret: ComponentSecret,
}

impl ComponentInitiator {
    pub(super) fn new(secret: ComponentSecret) -> Self {
        Self { secret }
    }
}

impl Feature for ComponentInitiator {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Component, ("handshake", ns::CLIENT)).until(Facts::AUTHENTICATED)
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Some(id) = &context.shared.id else {
            let text = "a component needs the stream's id";
            return Err(violation(StreamCondition::BadFormat, text));
        };
        let handshake = self.secret.handshake(id);
        context.write(|writer| {
            writer.start("handshake", ns::CLIENT).text(&handshake).end();
        })?;
        Ok(Progress::Wait)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        if !element.is("handshake", ns::CLIENT) {
            let text = "not an answer to the handshake";
            return Err(violation(StreamCondition::BadFormat, text));
        }
        if let Config::Initiator(config) = &context.shared.config {
            context.shared.bound = Some(config.jid.clone());
        }
        let facts = Facts::AUTHENTICATED.with(Facts::BOUND);
        context.shared.facts = context.shared.facts.with(facts);
        Ok(Progress::Done)
    }
}

/// The server's side.
#[derive(Default)]
pub(super) struct ComponentReceiver {
    /// What the component wants to serve.
    domain: Option<Jid>,
    /// What it has to say.
    handshake: Option<String>,
}

impl Feature for ComponentReceiver {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Component, ("handshake", ns::CLIENT)).until(Facts::AUTHENTICATED)
    }

    fn takes(&self, element: ElementRef<'_>) -> bool {
        element.is("handshake", ns::CLIENT)
    }

    /// The header names the domain; whether it is free, and its secret, the application knows.
    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Some(domain) = context.shared.host.clone() else {
            let text = "the header does not say for whom the component speaks";
            return Err(violation(StreamCondition::HostUnknown, text));
        };
        self.domain = Some(domain.clone());
        let ticket = context.shared.ticket(Question::Component);
        context
            .events
            .push_back(Event::Component { ticket, domain });
        Ok(Progress::Answer(ticket))
    }

    fn answer(&mut self, answer: Answer<'_>, context: &mut Context<'_>) -> Result<Progress, Error> {
        let (Answer::Component(answer), Some(domain)) = (answer, &self.domain) else {
            return Ok(Progress::Open);
        };
        let id = context.shared.entropy.token();
        header::write_component_response(context.output, domain, &id);
        let secret = answer.map_err(|condition| Error::Violation(StreamError::new(condition)))?;
        self.handshake = Some(secret.handshake(&id));
        context.shared.id = Some(id.into_boxed_str());
        Ok(Progress::Open)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        let told = element.text();
        let expected = self.handshake.take().unwrap_or_default();
        let is_right: bool = told.trim().as_bytes().ct_eq(expected.as_bytes()).into();
        if !is_right || expected.is_empty() {
            let text = "the handshake is wrong";
            return Err(violation(StreamCondition::NotAuthorized, text));
        }
        context.write(|writer| {
            writer.empty("handshake", ns::CLIENT);
        })?;
        context.shared.bound = self.domain.take();
        let facts = Facts::AUTHENTICATED.with(Facts::BOUND);
        context.shared.facts = context.shared.facts.with(facts);
        Ok(Progress::Done)
    }
}

/// Whether a component may send that stanza: from somebody at its own domain, to somebody.
pub(super) fn check_addresses(stanza: ElementRef<'_>, domain: &Jid) -> Result<(), Error> {
    let from = stanza
        .attribute("from")
        .and_then(|from| Jid::parse(&from).ok());
    if from.is_none_or(|from| from.domain() != domain.domain()) {
        let text = "a component speaks for its own domain";
        return Err(violation(StreamCondition::InvalidFrom, text));
    }
    if stanza.attribute("to").is_none() {
        let text = "the stanza is for nobody";
        return Err(violation(StreamCondition::ImproperAddressing, text));
    }
    Ok(())
}

/// The secret of a component, or why it is not served: `host-unknown`, or `conflict` when another one has the domain.
pub(super) type ComponentAnswer = Result<ComponentSecret, StreamCondition>;

/// What a stream is for, seen from the side that connects.
#[derive(Debug, Clone)]
pub(super) enum Login {
    Account(xmpp_sasl::Credentials),
    Component(ComponentSecret),
}

/// Who may connect.
#[derive(Debug, Clone)]
pub(super) enum Audience {
    Clients(Box<xmpp_sasl::ServerConfig>),
    Components,
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn the_handshake_is_the_hash_of_id_and_secret() {
        // SHA-1 of "abc" (FIPS 180-2, appendix A.1).
        let secret = ComponentSecret::new("c");
        assert_eq!(
            secret.handshake("ab"),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(format!("{secret:?}"), "ComponentSecret(..)");
    }
}
