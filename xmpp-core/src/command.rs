//! Ad-hoc commands (XEP-0050): what an entity can be told to do, in one stage or in several with a form
//! each.
//!
//! [`Responder`] is the side that offers commands, [`Execution`] the one that runs one of them.
//!
//! ```
//! use std::time::Duration;
//!
//! use xmpp_core::command::{Answer, Event, Execution, Responder, Stage};
//! use xmpp_core::entropy::Entropy;
//! use xmpp_core::form::{Field, FieldType, Form};
//! use xmpp_core::jid::Jid;
//! use xmpp_core::stanza::{IqBuilder, Stanza};
//! use xmpp_core::time::Instant;
//! use xmpp_xml::{Element, ToXml};
//!
//! let mut device = Responder::new(Entropy::from_seed([1; 32]));
//! device.offer("restart", "Restart the device");
//! let address: Jid = "sensor@example.com/1".parse()?;
//! let operator: Jid = "juliet@example.com/balcony".parse()?;
//!
//! let mut execution = Execution::new("restart");
//! let mut request = execution.start();
//! let mut restarted = None;
//! while !execution.is_over() {
//!     // From the operator to the device …
//!     let iq = IqBuilder::set("c1").from(&operator).to(&address).payload(&request);
//!     let iq = Element::build(|writer| iq.to_xml(writer))?;
//!     let Stanza::Iq(iq) = Stanza::parse(iq.root())? else { unreachable!() };
//!     device.handle_request(&iq, Instant::ORIGIN);
//!     while let Some(event) = device.poll_event() {
//!         let Event::Request { ticket, form, .. } = event else { continue };
//!         let answer = match form {
//!             None => Answer::Stage(Stage::last(
//!                 Form::new("Restart").with_field(Field::new(FieldType::Boolean, "now").with_required()),
//!             )),
//!             Some(form) => {
//!                 restarted = form.parse::<bool>("now")?;
//!                 Answer::completed()
//!             }
//!         };
//!         device.respond(ticket, answer, Instant::ORIGIN)?;
//!     }
//!     // … and back.
//!     let mut out = Vec::new();
//!     let mut writer = xmpp_xml::Writer::new(&mut out);
//!     assert!(device.poll_transmit(&mut writer));
//!     writer.finish()?;
//!     let reply = Element::parse(core::str::from_utf8(&out)?)?;
//!     execution.handle_result(reply.root().children().next().unwrap())?;
//!     if let Some(form) = execution.form() {
//!         let answer = form.to_submit().with_field(Field::submitted("now").with_typed(&true));
//!         request = execution.complete(Some(answer))?;
//!     }
//! }
//! assert_eq!(restarted, Some(true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use xmpp_xml::{Element, FromXml, FromXmlText, IntoOwned, ToXml, ToXmlText};

use crate::error::{StanzaCondition, StanzaError};
use crate::form::Form;
use crate::ns;

mod requester;
mod responder;

pub use requester::{Execution, ExecutionError, NotAllowed};
pub use responder::{Answer, Event, Report, Responder, Stage, StaleTicket, Ticket};

/// What is asked of a command (XEP-0050 §4.1). A status that it may have counts for nothing.
#[derive(Debug, Clone, PartialEq, FromXml, ToXml, IntoOwned)]
#[xml(name = "command", namespace = ns::COMMANDS)]
pub struct Request<'a> {
    /// Which command.
    #[xml(attribute)]
    pub node: Cow<'a, str>,
    /// Which execution of it; none for the first request of one.
    #[xml(attribute = "sessionid")]
    pub session: Option<Cow<'a, str>>,
    /// What to do.
    #[xml(attribute, default = Action::Execute)]
    pub action: Action<'a>,
    /// The language of who executes it. That of the first request counts for all.
    #[xml(lang)]
    pub lang: Option<Cow<'a, str>>,
    /// The answer to the form of the stage.
    #[xml(child)]
    pub form: Option<Form<'a>>,
    /// What else is there, in order of precedence.
    #[xml(rest)]
    pub payloads: Vec<Element>,
}

/// What became of a request (XEP-0050 §4.1). An action that it may have counts for nothing.
#[derive(Debug, Clone, PartialEq, FromXml, ToXml, IntoOwned)]
#[xml(name = "command", namespace = ns::COMMANDS)]
pub struct Response<'a> {
    /// Which command.
    #[xml(attribute)]
    pub node: Cow<'a, str>,
    /// Which execution of it.
    #[xml(attribute = "sessionid")]
    pub session: Option<Cow<'a, str>>,
    /// Whether it is over.
    #[xml(attribute)]
    pub status: Status,
    /// The language of the texts.
    #[xml(lang)]
    pub lang: Option<Cow<'a, str>>,
    /// What can be done now.
    #[xml(child)]
    pub actions: Option<Actions<'a>>,
    /// Texts for people.
    #[xml(children)]
    pub notes: Vec<Note<'a>>,
    /// What to fill in, or what the command reports.
    #[xml(child)]
    pub form: Option<Form<'a>>,
    /// What else is there, in order of precedence.
    #[xml(rest)]
    pub payloads: Vec<Element>,
}

/// What to do (XEP-0050 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, FromXmlText, ToXmlText, IntoOwned)]
pub enum Action<'a> {
    /// Begin, or what the stage takes it for.
    Execute,
    /// Give it up.
    Cancel,
    /// Back to the stage before.
    Prev,
    /// On to the next stage.
    Next,
    /// Finish it.
    Complete,
    /// Something else, which no standard knows.
    #[xml(other)]
    Unknown(Cow<'a, str>),
}

/// Whether a command is over (XEP-0050 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromXmlText, ToXmlText)]
pub enum Status {
    /// It goes on.
    Executing,
    /// It is over. Whether it failed the notes tell.
    Completed,
    /// It was given up.
    Canceled,
}

/// What can be done at a stage, besides giving up (XEP-0050 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "actions", namespace = ns::COMMANDS)]
pub struct Actions<'a> {
    /// What the action `execute` stands for. `None` stands for `next`.
    #[xml(attribute)]
    pub execute: Option<Action<'a>>,
    /// Whether there is a stage before.
    #[xml(flag)]
    pub prev: bool,
    /// Whether there is a next stage.
    #[xml(flag)]
    pub next: bool,
    /// Whether it can be finished.
    #[xml(flag)]
    pub complete: bool,
}

impl Actions<'_> {
    /// What an action stands for at a stage with these actions, or with none, if it is allowed there
    /// (XEP-0050 §3.4).
    fn resolve<'r>(
        stage: Option<&'r Actions<'r>>,
        action: &'r Action<'r>,
    ) -> Option<&'r Action<'r>> {
        let resolved = match (action, stage) {
            (Action::Execute, None) => &Action::Complete,
            (Action::Execute, Some(actions)) => actions.execute.as_ref().unwrap_or(&Action::Next),
            (action, _) => action,
        };
        let is_allowed = match (resolved, stage) {
            (Action::Cancel, _) => true,
            (Action::Complete, None) => true,
            (_, None) => false,
            (Action::Prev, Some(actions)) => actions.prev,
            (Action::Next, Some(actions)) => actions.next,
            (Action::Complete, Some(actions)) => actions.complete,
            (Action::Execute | Action::Unknown(_), Some(_)) => false,
        };
        is_allowed.then_some(resolved)
    }
}

/// A text for people (XEP-0050 §4.3).
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "note", namespace = ns::COMMANDS)]
pub struct Note<'a> {
    /// How serious it is.
    #[xml(attribute = "type", default)]
    pub severity: Severity,
    /// The text.
    #[xml(text)]
    pub text: Cow<'a, str>,
}

impl<'a> Note<'a> {
    /// A note of that severity.
    #[must_use]
    pub fn new(severity: Severity, text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            severity,
            text: text.into(),
        }
    }
}

/// How serious a note is (XEP-0050 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, FromXmlText, ToXmlText)]
pub enum Severity {
    /// For information.
    #[default]
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong: a command that is completed with such a note has failed (XEP-0050 §3.6).
    Error,
}

/// What is wrong with a request for a command, beside the condition of the error (XEP-0050 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommandCondition {
    /// There is no such action.
    MalformedAction,
    /// The action is not allowed at this stage.
    BadAction,
    /// The language is not spoken.
    BadLocale,
    /// The form, or what was sent instead, is not as the stage asks for.
    BadPayload,
    /// There never was such a session of that command.
    BadSessionId,
    /// The session is over.
    SessionExpired,
}

impl CommandCondition {
    const ALL: [Self; 6] = [
        Self::MalformedAction,
        Self::BadAction,
        Self::BadLocale,
        Self::BadPayload,
        Self::BadSessionId,
        Self::SessionExpired,
    ];

    /// The name of its element.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedAction => "malformed-action",
            Self::BadAction => "bad-action",
            Self::BadLocale => "bad-locale",
            Self::BadPayload => "bad-payload",
            Self::BadSessionId => "bad-sessionid",
            Self::SessionExpired => "session-expired",
        }
    }

    /// The one that an error tells, if it tells one.
    #[must_use]
    pub fn of(error: &StanzaError) -> Option<Self> {
        let told = error.application.as_ref()?;
        let mut all = Self::ALL.into_iter();
        all.find(|condition| told.root().is(condition.as_str(), ns::COMMANDS))
    }
}

impl From<CommandCondition> for StanzaError {
    fn from(condition: CommandCondition) -> Self {
        let general = match condition {
            CommandCondition::SessionExpired => StanzaCondition::NotAllowed,
            _ => StanzaCondition::BadRequest,
        };
        let mut error = Self::new(general);
        error.application = Element::build(|writer| {
            writer.empty(condition.as_str(), ns::COMMANDS);
        })
        .ok();
        error
    }
}

impl fmt::Display for CommandCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
