//! The session of RFC 3921 §3, which old peers still ask for. It does nothing.

use alloc::string::String;

use xmpp_xml::{ElementRef, Writer};

use super::bind::{answer_to, asks_for};
use super::error::{Error, FeatureKind};
use super::negotiation::{Context, Facts, Feature, Progress, Shared, Terms};
use crate::ns;
use crate::stanza::IqBuilder;

const ELEMENT: (&str, &str) = ("session", ns::SESSION);

#[derive(Default)]
pub(super) struct SessionInitiator {
    id: String,
}

impl Feature for SessionInitiator {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Session, ELEMENT)
            .after(Facts::AUTHENTICATED.with(Facts::BOUND))
            .until(Facts::RESUMED)
            .optional()
    }

    /// Where it is optional it is left out.
    fn parse(&mut self, offer: ElementRef<'_>) -> bool {
        offer.child("optional", ns::SESSION).is_none()
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        self.id = context.shared.entropy.token();
        context.write(|writer| {
            writer
                .start("iq", ns::CLIENT)
                .attribute("type", "set")
                .attribute("id", &self.id);
            writer.empty("session", ns::SESSION).end();
        })?;
        Ok(Progress::Wait)
    }

    /// A refusal changes nothing: the resource is bound.
    fn handle(&mut self, element: ElementRef<'_>, _: &mut Context<'_>) -> Result<Progress, Error> {
        match answer_to(&self.id, element) {
            Ok(()) | Err(Error::Bind(_)) => Ok(Progress::Done),
            Err(error) => Err(error),
        }
    }
}

pub(super) struct SessionReceiver;

impl Feature for SessionReceiver {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Session, ELEMENT).after(Facts::AUTHENTICATED)
    }

    fn list(&self, _: &Shared, writer: &mut Writer<'_>) {
        writer
            .start("session", ns::SESSION)
            .empty("optional", ns::SESSION)
            .end();
    }

    fn takes(&self, element: ElementRef<'_>) -> bool {
        asks_for(element, "session", ns::SESSION)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        let id = element.attribute("id").unwrap_or_default();
        context.write(|writer| {
            writer.payload(&IqBuilder::result(&id));
        })?;
        Ok(Progress::Open)
    }
}
