//! How stream management is agreed on: `enable` behind a bound resource, `resume` instead of one.

use alloc::boxed::Box;

use xmpp_xml::{ElementRef, Writer};

use super::queue::low;
use super::{Management, ManagementConfig, Resumption, asked_for, count, failed, too_high};
use crate::error::{StanzaCondition, StreamCondition};
use crate::ns;
use crate::stream::error::{Error, FeatureKind};
use crate::stream::event::Event;
use crate::stream::negotiation::{
    Answer, Config, Context, Facts, Feature, Progress, Question, Shared, Terms, violation,
};

const ELEMENT: (&str, &str) = ("sm", ns::STREAM_MANAGEMENT);

/// Takes up the session of a stream before.
pub(in crate::stream) struct ResumeInitiator;

impl Feature for ResumeInitiator {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Management, ELEMENT)
            .after(Facts::AUTHENTICATED)
            .until(Facts::BOUND)
            .optional()
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Some(session) = &context.shared.resuming else {
            return Ok(Progress::Done);
        };
        let (id, h) = (session.0.id.clone(), session.h());
        context.write(|writer| write_resume(id.as_deref(), h, writer))?;
        Ok(Progress::Wait)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        if element.is("resumed", ns::STREAM_MANAGEMENT) {
            resumed(element, context)?;
            return Ok(Progress::Done);
        }
        if element.is("failed", ns::STREAM_MANAGEMENT) {
            not_resumed(Some(element), context.shared, |event| {
                context.events.push_back(event);
            });
            return Ok(Progress::Done);
        }
        let text = "neither resumed nor failed";
        Err(violation(StreamCondition::BadFormat, text))
    }
}

/// Writes the request to go on with a session.
pub(in crate::stream) fn write_resume(id: Option<&str>, h: u32, writer: &mut Writer<'_>) {
    writer
        .start("resume", ns::STREAM_MANAGEMENT)
        .attribute_value("h", &h)
        .attribute_opt("previd", id)
        .end();
}

/// The receiver goes on with the session: what it has not handled is sent again, in order.
pub(in crate::stream) fn resumed(
    element: ElementRef<'_>,
    context: &mut Context<'_>,
) -> Result<(), Error> {
    let shared = &mut *context.shared;
    let Some(mut session) = shared.resuming.take() else {
        return Ok(());
    };
    let handled = match count(element) {
        Some(handled) if element.attribute("previd").as_deref() == session.id() => handled,
        _ => {
            shared.resuming = Some(session);
            let text = "not the session that was to be resumed";
            return Err(violation(StreamCondition::BadFormat, text));
        }
    };
    let news = match session.acknowledge(handled) {
        Ok(news) => news,
        Err(error) => {
            session.0.is_over = true;
            shared.resuming = Some(session);
            return Err(too_high(error));
        }
    };
    if news > 0 {
        context
            .events
            .push_back(Event::Acknowledged { stanzas: news });
    }
    session.write_queue(context.output);
    shared.go_on(session);
    Ok(())
}

/// The session is lost; a new one follows. What the receiver has handled of it is known, if it says so.
pub(in crate::stream) fn not_resumed(
    failed: Option<ElementRef<'_>>,
    shared: &mut Shared,
    tell: impl FnOnce(Event),
) {
    let Some(mut session) = shared.resuming.take() else {
        return;
    };
    session.0.is_over = true;
    if let Some(handled) = failed.and_then(count) {
        // A count that makes no sense acknowledges nothing.
        let _ = session.acknowledge(handled);
    }
    tell(Event::NotResumed {
        session,
        condition: failed.map(condition),
    });
}

/// The condition in `<failed/>`.
pub(in crate::stream) fn condition(failed: ElementRef<'_>) -> StanzaCondition {
    let mut conditions = failed
        .children()
        .filter(|child| child.namespace() == ns::STANZA_ERRORS);
    conditions
        .next()
        .map_or(StanzaCondition::UndefinedCondition, |child| {
            StanzaCondition::from_name(child.name())
        })
}

/// Asks for management of the stream that is about to be established. The answer is not waited for.
pub(in crate::stream) struct EnableInitiator;

impl Feature for EnableInitiator {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Management, ELEMENT)
            .after(Facts::AUTHENTICATED.with(Facts::BOUND))
            .until(Facts::RESUMED)
            .optional()
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Shared {
            config: Config::Initiator(config),
            bound: Some(jid),
            ..
        } = &*context.shared
        else {
            return Ok(Progress::Done);
        };
        let (config, jid) = (config.clone(), jid.clone());
        // It may be enabled since the resource was bound.
        if let Some(config) = &config.management
            && context.shared.management.is_none()
        {
            context.write(|writer| config.write_enable(writer))?;
            context.shared.management = Some(Management::requested(jid, config.clone()));
        }
        Ok(Progress::Done)
    }

    fn handle(&mut self, _: ElementRef<'_>, _: &mut Context<'_>) -> Result<Progress, Error> {
        Ok(Progress::Done)
    }
}

/// Until a resource is bound: resumes sessions. What comes after that is [`Management`]'s.
#[derive(Default)]
pub(in crate::stream) struct ManagementReceiver {
    /// What is to be resumed, while the application looks for it.
    id: Box<str>,
    /// What the peer says it has handled.
    handled: u32,
}

impl Feature for ManagementReceiver {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Management, ELEMENT)
            .after(Facts::AUTHENTICATED)
            .until(Facts::RESUMED)
    }

    fn list(&self, shared: &Shared, writer: &mut Writer<'_>) {
        if shared.management.is_none() {
            writer.empty("sm", ns::STREAM_MANAGEMENT);
        }
    }

    fn takes(&self, element: ElementRef<'_>) -> bool {
        element.namespace() == ns::STREAM_MANAGEMENT
    }

    /// Before authentication nothing is told about sessions.
    fn refuse(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        context.write(|writer| failed(StanzaCondition::UnexpectedRequest, None, writer))?;
        Ok(Progress::Open)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        match element.name() {
            "resume" => {}
            "enable" => return self.refuse(context),
            _ => {
                let text = "the stream is not managed";
                return Err(violation(StreamCondition::UnsupportedStanzaType, text));
            }
        }
        let Some((id, handled)) = asked_for(element) else {
            context.write(|writer| failed(StanzaCondition::BadRequest, None, writer))?;
            return Ok(Progress::Open);
        };
        let Some(account) = context.shared.account.clone() else {
            return self.refuse(context);
        };
        let config = context.shared.management_config();
        if !config.is_some_and(ManagementConfig::allows_resumption) {
            let condition = StanzaCondition::FeatureNotImplemented;
            context.write(|writer| failed(condition, None, writer))?;
            return Ok(Progress::Open);
        }
        if id.is_empty() {
            context.write(|writer| failed(StanzaCondition::ItemNotFound, None, writer))?;
            return Ok(Progress::Open);
        }
        (self.id, self.handled) = (id, handled);
        let ticket = context.shared.ticket(Question::Resume);
        context.events.push_back(Event::Resume {
            ticket,
            account,
            id: self.id.clone(),
        });
        Ok(Progress::Answer(ticket))
    }

    fn answer(&mut self, answer: Answer<'_>, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Answer::Resume(answer) = answer else {
            return Ok(Progress::Open);
        };
        let id = core::mem::take(&mut self.id);
        match take_up(answer, &id, self.handled, context)? {
            Ok(h) => {
                context.write(|writer| write_resumed(&id, h, writer))?;
                if let Some(management) = &context.shared.management {
                    management.write_queue(context.output);
                }
                Ok(Progress::Done)
            }
            Err(handled) => {
                context.write(|writer| failed(StanzaCondition::ItemNotFound, handled, writer))?;
                Ok(Progress::Open)
            }
        }
    }
}

/// Goes on with the session that the application has found, if it is the one that was meant: gives what was
/// handled of it. Else gives what `<failed/>` may tell, and gives the session back.
pub(in crate::stream) fn take_up(
    answer: Resumption,
    id: &str,
    handled: u32,
    context: &mut Context<'_>,
) -> Result<Result<u32, Option<u32>>, Error> {
    let mut session = match answer {
        Resumption::Found(session) => session,
        Resumption::Unknown => return Ok(Err(None)),
        Resumption::Expired { handled } => return Ok(Err(Some(low(handled)))),
    };
    let shared = &mut *context.shared;
    let is_owner = shared.account.as_ref() == Some(&session.0.jid.bare());
    if !is_owner || session.id() != Some(id) || session.0.is_over {
        let condition = Some(StanzaCondition::ItemNotFound);
        context
            .events
            .push_back(Event::NotResumed { session, condition });
        return Ok(Err(None));
    }
    match session.acknowledge(handled) {
        Ok(0) => {}
        Ok(stanzas) => context.events.push_back(Event::Acknowledged { stanzas }),
        Err(error) => {
            session.0.is_over = true;
            shared.go_on(session);
            return Err(too_high(error));
        }
    }
    let h = session.h();
    shared.go_on(session);
    Ok(Ok(h))
}

/// Writes the answer to a request to go on with a session.
pub(in crate::stream) fn write_resumed(id: &str, h: u32, writer: &mut Writer<'_>) {
    writer
        .start("resumed", ns::STREAM_MANAGEMENT)
        .attribute_value("h", &h)
        .attribute("previd", id)
        .end();
}
