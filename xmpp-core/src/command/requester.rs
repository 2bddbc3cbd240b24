//! The side that executes a command.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use xmpp_xml::{ElementRef, FromXmlError, IntoOwned};

use super::{Action, Actions, CommandCondition, Note, Request, Response, Status};
use crate::error::StanzaError;
use crate::form::Form;

/// One execution of a command, from the first request to the last answer.
///
/// [`start`](Self::start) and the other mutators give a payload, which is sent in an IQ of type `set`; the
/// payload of its result goes to [`handle_result`](Self::handle_result), an error to
/// [`handle_error`](Self::handle_error), and so on until it [is over](Self::is_over).
#[derive(Debug, Clone)]
pub struct Execution {
    node: String,
    lang: Option<String>,
    session: Option<String>,
    state: State,
    stage: Option<Response<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    /// A request is open.
    Waiting,
    /// The stage can be answered.
    Ready,
    Over,
}

impl Execution {
    /// An execution of that command, which has not begun.
    #[must_use]
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            lang: None,
            session: None,
            state: State::Fresh,
            stage: None,
        }
    }

    /// The language of who executes it (RFC 5646). Default: none is told.
    #[must_use]
    pub fn lang(mut self, lang: impl Into<String>) -> Self {
        self.lang = Some(lang.into());
        self
    }

    /// The last response.
    #[must_use]
    pub fn response(&self) -> Option<&Response<'static>> {
        self.stage.as_ref()
    }

    /// The form of the last response: to be filled in, or what is reported when it is over.
    #[must_use]
    pub fn form(&self) -> Option<&Form<'static>> {
        self.stage.as_ref()?.form.as_ref()
    }

    /// The notes of the last response.
    #[must_use]
    pub fn notes(&self) -> &[Note<'static>] {
        self.stage.as_ref().map_or(&[], |stage| &stage.notes)
    }

    /// Whether nothing more can be done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Whether an action can be taken now: between an answer and the next request, and as the stage
    /// allows (XEP-0050 §3.4).
    #[must_use]
    pub fn allows(&self, action: &Action<'_>) -> bool {
        let stage = self.stage.as_ref().and_then(|stage| stage.actions.as_ref());
        self.state == State::Ready && Actions::resolve(stage, action).is_some()
    }

    /// The payload of a result has arrived.
    ///
    /// # Errors
    /// [`ExecutionError`], when the responder breaks the rules; it is over then.
    pub fn handle_result(&mut self, payload: ElementRef<'_>) -> Result<(), ExecutionError> {
        let taken = self.take_result(payload);
        if taken.is_err() {
            self.state = State::Over;
        }
        taken
    }

    /// The request was refused, or there was no answer. The stage can be answered again, unless there is
    /// no stage or the session is over.
    pub fn handle_error(&mut self, error: &StanzaError) {
        if self.state != State::Waiting {
            return;
        }
        let is_lost = matches!(
            CommandCondition::of(error),
            Some(CommandCondition::SessionExpired | CommandCondition::BadSessionId)
        );
        self.state = if is_lost || self.stage.is_none() {
            State::Over
        } else {
            State::Ready
        };
    }

    /// Begins it.
    pub fn start(&mut self) -> Request<'static> {
        self.state = State::Waiting;
        self.request(Action::Execute, None)
    }

    /// Answers the stage and goes on to the next one.
    ///
    /// # Errors
    /// [`NotAllowed`], when the stage does not allow it.
    pub fn next(&mut self, form: Option<Form<'static>>) -> Result<Request<'static>, NotAllowed> {
        self.act(Action::Next, form)
    }

    /// Goes back to the stage before.
    ///
    /// # Errors
    /// [`NotAllowed`], when the stage does not allow it.
    pub fn previous(&mut self) -> Result<Request<'static>, NotAllowed> {
        self.act(Action::Prev, None)
    }

    /// Answers the stage and finishes the command.
    ///
    /// # Errors
    /// [`NotAllowed`], when the stage does not allow it.
    pub fn complete(
        &mut self,
        form: Option<Form<'static>>,
    ) -> Result<Request<'static>, NotAllowed> {
        self.act(Action::Complete, form)
    }

    /// Gives it up. The responder confirms it.
    ///
    /// # Errors
    /// [`NotAllowed`], when it is over or has not begun.
    pub fn cancel(&mut self) -> Result<Request<'static>, NotAllowed> {
        self.act(Action::Cancel, None)
    }

    fn act(
        &mut self,
        action: Action<'static>,
        form: Option<Form<'static>>,
    ) -> Result<Request<'static>, NotAllowed> {
        if !self.allows(&action) {
            return Err(NotAllowed);
        }
        self.state = State::Waiting;
        Ok(self.request(action, form))
    }

    fn request(&self, action: Action<'static>, form: Option<Form<'static>>) -> Request<'static> {
        Request {
            node: Cow::Owned(self.node.clone()),
            session: self.session.clone().map(Cow::Owned),
            action,
            lang: self.lang.clone().map(Cow::Owned),
            form,
            payloads: Vec::new(),
        }
    }

    fn take_result(&mut self, payload: ElementRef<'_>) -> Result<(), ExecutionError> {
        if self.state != State::Waiting {
            return Err(ExecutionError::Unexpected);
        }
        let response: Response<'_> = payload.read().map_err(ExecutionError::Unreadable)?;
        let session = response.session.as_deref().filter(|id| !id.is_empty());
        let is_ours = match (&self.session, session) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (Some(_), None) => response.status != Status::Executing,
            (None, _) => true,
        };
        if response.node != self.node || !is_ours {
            return Err(ExecutionError::Other);
        }
        if response.status == Status::Executing {
            let actions = response.actions.as_ref();
            if actions.is_some() && Actions::resolve(actions, &Action::Execute).is_none() {
                return Err(ExecutionError::Actions);
            }
            self.session = Some(session.ok_or(ExecutionError::NoSession)?.into());
            self.state = State::Ready;
        } else {
            self.state = State::Over;
        }
        self.stage = Some(response.into_owned());
        Ok(())
    }
}

/// How a responder breaks the rules.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ExecutionError {
    /// Nothing was asked.
    Unexpected,
    /// The response cannot be read.
    Unreadable(FromXmlError),
    /// It is about another command or session.
    Other,
    /// The command goes on, but it has no session (XEP-0050 §4.1).
    NoSession,
    /// What the action `execute` stands for is not allowed (XEP-0050 §3.4).
    Actions,
}

impl fmt::Display for ExecutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected => f.write_str("a response to nothing"),
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::Other => f.write_str("a response about another command or session"),
            Self::NoSession => f.write_str("a response without a session"),
            Self::Actions => f.write_str("what is to be done by default is not allowed"),
        }
    }
}

impl core::error::Error for ExecutionError {}

/// The stage does not allow the action, or there is no stage now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed;

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the command does not allow this now")
    }
}

impl core::error::Error for NotAllowed {}
