//! STARTTLS (RFC 6120 §5).

use xmpp_xml::{ElementRef, Writer};

use super::Encryption;
use super::error::{Error, FeatureKind};
use super::event::Event;
use super::negotiation::{Context, Facts, Feature, Progress, Shared, Terms, violation};
use crate::error::StreamCondition;
use crate::ns;

const ELEMENT: (&str, &str) = ("starttls", ns::TLS);

pub(super) struct StartTlsInitiator;

impl Feature for StartTlsInitiator {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::StartTls, ELEMENT).until(Facts::SECURE)
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        context.write(|writer| {
            writer.empty("starttls", ns::TLS);
        })?;
        Ok(Progress::Wait)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        if element.is("failure", ns::TLS) {
            return Err(Error::TlsRefused);
        }
        if !element.is("proceed", ns::TLS) {
            return Err(violation(
                StreamCondition::BadFormat,
                "neither proceed nor failure",
            ));
        }
        handshake(context)
    }
}

pub(super) struct StartTlsReceiver {
    encryption: Encryption,
}

impl StartTlsReceiver {
    pub(super) fn new(encryption: Encryption) -> Self {
        Self { encryption }
    }
}

impl Feature for StartTlsReceiver {
    fn terms(&self) -> Terms {
        // Where TLS is not for the stream to begin, this is never permitted.
        let necessary = match self.encryption {
            Encryption::Required => Facts::NONE,
            Encryption::Direct | Encryption::None => Facts::SECURE,
        };
        Terms::new(FeatureKind::StartTls, ELEMENT)
            .after(necessary)
            .until(Facts::SECURE)
    }

    fn list(&self, _: &Shared, writer: &mut Writer<'_>) {
        writer
            .start("starttls", ns::TLS)
            .empty("required", ns::TLS)
            .end();
    }

    fn takes(&self, element: ElementRef<'_>) -> bool {
        element.namespace() == ns::TLS
    }

    fn refuse(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        context.write(|writer| {
            writer.empty("failure", ns::TLS);
        })?;
        Err(Error::TlsRefused)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        if element.name() != "starttls" {
            return self.refuse(context);
        }
        let progress = handshake(context)?;
        context.write(|writer| {
            writer.empty("proceed", ns::TLS);
        })?;
        Ok(progress)
    }
}

/// TLS begins right behind the `>`. Whatever was sent behind it in the clear must never be taken for
/// something that came through TLS.
fn handshake(context: &mut Context<'_>) -> Result<Progress, Error> {
    if context.more_input {
        let text = "cleartext where TLS was to begin";
        return Err(violation(StreamCondition::PolicyViolation, text));
    }
    context.events.push_back(Event::StartTls);
    Ok(Progress::Handshake)
}
