//! Resource binding (RFC 6120 §7).

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use xmpp_xml::{ElementRef, Writer};

use super::error::{Error, FeatureKind};
use super::event::Event;
use super::negotiation::{
    Answer, Config, Context, Facts, Feature, Progress, Question, Shared, Terms, violation,
};
use crate::error::{StanzaCondition, StanzaError, StreamCondition};
use crate::jid::Jid;
use crate::ns;
use crate::stanza::{IqBuilder, IqType, Stanza};

const ELEMENT: (&str, &str) = ("bind", ns::BIND);

#[derive(Default)]
pub(super) struct BindInitiator {
    id: String,
}

impl Feature for BindInitiator {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Bind, ELEMENT)
            .after(Facts::AUTHENTICATED)
            .until(Facts::BOUND)
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        self.id = context.shared.entropy.token();
        let resource = match &context.shared.config {
            Config::Initiator(config) => config.jid.resource().map(String::from),
            Config::Receiver(_) => None,
        };
        context.write(|writer| {
            writer
                .start("iq", ns::CLIENT)
                .attribute("type", "set")
                .attribute("id", &self.id);
            writer.start("bind", ns::BIND);
            if let Some(resource) = resource {
                writer.start("resource", ns::BIND).text(&resource).end();
            }
            writer.end().end();
        })?;
        Ok(Progress::Wait)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        answer_to(&self.id, element)?;
        let jid = element
            .child("bind", ns::BIND)
            .and_then(|bind| bind.child("jid", ns::BIND));
        let jid = jid.and_then(|jid| Jid::parse(&jid.text()).ok());
        let Some(jid) = jid.filter(Jid::is_full) else {
            return Err(violation(
                StreamCondition::BadFormat,
                "no full address was bound",
            ));
        };
        context.shared.bound = Some(jid);
        context.shared.facts = context.shared.facts.with(Facts::BOUND);
        Ok(Progress::Done)
    }
}

/// Whether the server has answered our request of that id; its refusal is an error.
pub(super) fn answer_to(id: &str, element: ElementRef<'_>) -> Result<(), Error> {
    let stanza = Stanza::parse(element);
    if let Ok(Stanza::Iq(iq)) = stanza
        && !iq.kind().is_request()
        && iq.id() == id
    {
        return iq
            .error()
            .map_or(Ok(()), |error| Err(Error::Bind(Box::new(error))));
    }
    let text = "not the answer to the request that is open";
    Err(violation(StreamCondition::UnsupportedStanzaType, text))
}

#[derive(Default)]
pub(super) struct BindReceiver {
    /// Of the request that waits for the application.
    id: String,
    failures: u8,
}

impl BindReceiver {
    fn fail(&mut self, error: &StanzaError, context: &mut Context<'_>) -> Result<Progress, Error> {
        context.write(|writer| {
            writer.payload(&IqBuilder::error(&self.id, error));
        })?;
        self.failures = self.failures.saturating_add(1);
        let attempts = match &context.shared.config {
            Config::Receiver(config) => config.bind_attempts,
            Config::Initiator(_) => 0,
        };
        if self.failures >= attempts {
            let text = "too many attempts to bind a resource";
            return Err(violation(StreamCondition::PolicyViolation, text));
        }
        Ok(Progress::Open)
    }
}

impl Feature for BindReceiver {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Bind, ELEMENT)
            .after(Facts::AUTHENTICATED)
            .until(Facts::BOUND)
    }

    fn list(&self, _: &Shared, writer: &mut Writer<'_>) {
        writer
            .start("bind", ns::BIND)
            .empty("required", ns::BIND)
            .end();
    }

    fn takes(&self, element: ElementRef<'_>) -> bool {
        asks_for(element, "bind", ns::BIND)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        self.id = element.attribute("id").unwrap_or_default().into_owned();
        let wish = element
            .child("bind", ns::BIND)
            .and_then(|bind| bind.child("resource", ns::BIND));
        let wish = wish.map(|wish| wish.text());
        let well_formed = !self.id.is_empty()
            && element.children().count() == 1
            && element.attribute("type").as_deref() == Some(IqType::Set.as_str());
        let account = context.shared.account.as_ref().filter(|_| well_formed);
        let jid = account.and_then(|account| match &wish {
            Some(wish) => account.with_resource(wish).ok(),
            None => account.with_resource(&context.shared.entropy.token()).ok(),
        });
        let Some(jid) = jid else {
            return self.fail(&StanzaCondition::BadRequest.into(), context);
        };
        let ticket = context.shared.ticket(Question::Bind);
        context.events.push_back(Event::Bind {
            ticket,
            jid,
            requested: wish.is_some(),
        });
        Ok(Progress::Answer(ticket))
    }

    fn answer(&mut self, answer: Answer<'_>, context: &mut Context<'_>) -> Result<Progress, Error> {
        let jid = match answer {
            Answer::Bind(Ok(jid)) => jid,
            Answer::Bind(Err(error)) => return self.fail(&error, context),
            _ => return Ok(Progress::Open),
        };
        context.write(|writer| {
            writer
                .start("iq", ns::CLIENT)
                .attribute("type", "result")
                .attribute("id", &self.id);
            writer.start("bind", ns::BIND);
            writer.start("jid", ns::BIND).text(&jid.to_string()).end();
            writer.end().end();
        })?;
        context.shared.bound = Some(jid);
        context.shared.facts = context.shared.facts.with(Facts::BOUND);
        Ok(Progress::Done)
    }
}

/// Whether the element is a request with that payload.
pub(super) fn asks_for(element: ElementRef<'_>, name: &str, namespace: &str) -> bool {
    element.is("iq", ns::CLIENT) && element.child(name, namespace).is_some()
}
