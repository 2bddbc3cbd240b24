//! The side that offers commands.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use xmpp_xml::typed::FromXmlErrorKind;
use xmpp_xml::{Element, IntoOwned, Writer};

use super::{Action, Actions, CommandCondition, Note, Request, Response, Status};
use crate::disco::{Disco, Entity, info, items};
use crate::entropy::Entropy;
use crate::error::{StanzaCondition, StanzaError};
use crate::form::{Form, FormType};
use crate::jid::{Jid, JidRef};
use crate::ns;
use crate::session::Sessions;
use crate::stanza::{Iq, IqBuilder, IqType};
use crate::time::Instant;

/// The id of a request is kept until it is answered; longer ones are refused.
const MAX_ID_BYTES: usize = 1024;

/// Offers commands and keeps the sessions of those who execute them.
///
/// Requests go to [`handle_request`](Self::handle_request); what is asked of the application comes as an
/// [`Event`] with a [`Ticket`], which it answers when it can; responses come from
/// [`poll_transmit`](Self::poll_transmit). What breaks the rules is refused without the application, and
/// so is an answer to a form that does not fit it ([`Form::check`]).
///
/// Who may execute what is for the application to decide: it refuses with `forbidden`.
#[derive(Debug)]
pub struct Responder {
    commands: BTreeMap<String, String>,
    sessions: Sessions<Session>,
    entropy: Entropy,
    is_single: bool,
    tickets: u64,
    events: VecDeque<Event>,
    replies: VecDeque<Reply>,
}

impl Responder {
    /// A responder that offers nothing yet. Sessions are over after 15 minutes without activity; 1,024 may
    /// be open, and 16 of one peer.
    #[must_use]
    pub fn new(entropy: Entropy) -> Self {
        Self {
            commands: BTreeMap::new(),
            sessions: Sessions::new(Duration::from_secs(900)),
            entropy,
            is_single: false,
            tickets: 0,
            events: VecDeque::new(),
            replies: VecDeque::new(),
        }
    }

    /// Sets the limits of sessions: their time without activity, how many there may be and how many of
    /// one peer. Default: 15 minutes, 1,024 and 16. Each costs an address, an id and the form of its
    /// stage.
    #[must_use]
    pub fn sessions(mut self, lifetime: Duration, limit: usize, peer_limit: usize) -> Self {
        self.sessions = Sessions::new(lifetime).limit(limit).peer_limit(peer_limit);
        self
    }

    /// Lets nobody execute the same command twice at a time; the second is `not-allowed`
    /// (XEP-0050 §3.3). Default: it is allowed.
    #[must_use]
    pub fn single_session(mut self) -> Self {
        self.is_single = true;
        self
    }

    /// The commands: node, and name for people.
    pub fn commands(&self) -> impl Iterator<Item = (&str, &str)> {
        let commands = self.commands.iter();
        commands.map(|(node, name)| (node.as_str(), name.as_str()))
    }

    /// How many sessions are open.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Puts the list of commands, and each command, where they are discovered (XEP-0050 §2.1, §2.2), for
    /// the entity at that address.
    pub fn describe(&self, own: &Jid, disco: &mut Disco) {
        disco.root_mut().add_feature(ns::COMMANDS);
        let kind = info::Identity::new("automation", "command-list");
        let mut list = Entity::new(kind);
        list.set_items(
            self.commands
                .iter()
                .map(|(node, name)| {
                    let item = items::Item::new(own.clone());
                    item.with_node(node.clone()).with_name(name.clone())
                })
                .collect(),
        );
        disco.set_node(ns::COMMANDS, list);
        for (node, name) in &self.commands {
            let kind = info::Identity::new("automation", "command-node").with_name(name.clone());
            let command = Entity::new(kind)
                .with_feature(ns::COMMANDS)
                .with_feature(ns::DATA_FORMS);
            disco.set_node(node.clone(), command);
        }
    }

    /// A request has arrived. Says whether it is one for a command: anything else is not answered here.
    pub fn handle_request(&mut self, iq: &Iq<'_>, now: Instant) -> bool {
        let payload = iq.payload().filter(|_| iq.kind() == IqType::Set);
        let Some(payload) = payload.filter(|payload| payload.is("command", ns::COMMANDS)) else {
            return false;
        };
        // A session ends on time, whether or not the caller has said so by now.
        self.handle_timeout(now);
        let origin = Origin {
            peer: iq.from().map(JidRef::to_jid),
            own: iq.to().map(JidRef::to_jid),
            id: iq.id().to_string(),
        };
        if origin.id.len() > MAX_ID_BYTES {
            self.refuse(
                origin,
                StanzaError::new(StanzaCondition::ResourceConstraint),
            );
            return true;
        }
        let request: Request<'_> = match payload.read() {
            Ok(request) => request,
            Err(error) => {
                let is_payload = error.namespace() != ns::COMMANDS
                    || error.kind() == FromXmlErrorKind::RepeatedChild;
                let refusal = if is_payload {
                    CommandCondition::BadPayload.into()
                } else {
                    StanzaError::new(StanzaCondition::BadRequest)
                };
                self.refuse(origin, refusal);
                return true;
            }
        };
        let lang = request.lang.clone().or_else(|| iq.lang());
        match self.take(&origin, request, lang, now) {
            Ok(Some(event)) => self.events.push_back(event),
            Ok(None) => {}
            Err(refusal) => self.refuse(origin, refusal),
        }
        true
    }

    /// Time has passed: ends the sessions that are over. A request that was not answered by then is
    /// refused with `session-expired`.
    pub fn handle_timeout(&mut self, now: Instant) {
        for session in self.sessions.handle_timeout(now) {
            self.end(session);
        }
    }

    /// The peer is gone: ends its sessions.
    pub fn handle_gone(&mut self, peer: JidRef<'_>) {
        for session in self.sessions.handle_gone(peer) {
            self.end(session);
        }
    }

    /// Offers a command, with a name for people. One with the same node is replaced.
    pub fn offer(&mut self, node: impl Into<String>, name: impl Into<String>) {
        self.commands.insert(node.into(), name.into());
    }

    /// Offers a command no more. Sessions of it go on.
    pub fn withdraw(&mut self, node: &str) {
        self.commands.remove(node);
    }

    /// The application answers a request.
    ///
    /// # Errors
    /// [`StaleTicket`], and nothing happens, when the request was given up or its session is over.
    pub fn respond(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        now: Instant,
    ) -> Result<(), StaleTicket> {
        self.handle_timeout(now);
        let peer = ticket.peer.as_ref();
        let session = self.sessions.find(peer, &ticket.session, now);
        let session = session.ok_or(StaleTicket)?;
        let is_open = |waiting: &Waiting| waiting.number == ticket.number;
        let waiting = session.waiting.take_if(|waiting| is_open(waiting));
        let origin = waiting.ok_or(StaleTicket)?.origin;
        let mut response = Response {
            node: Cow::Owned(session.node.clone()),
            session: Some(Cow::Owned(ticket.session.clone())),
            status: Status::Executing,
            lang: session.lang.clone().map(Cow::Owned),
            actions: None,
            notes: Vec::new(),
            form: None,
            payloads: Vec::new(),
        };
        match answer {
            Answer::Stage(stage) => {
                session.has_stage = true;
                session.actions = Some(stage.actions.clone());
                session.form = stage.form.clone();
                response.actions = Some(stage.actions);
                response.form = stage.form;
                response.notes = stage.notes;
                response.payloads = stage.payloads;
            }
            Answer::Completed(report) => {
                self.sessions.close(peer, &ticket.session);
                response.status = Status::Completed;
                response.form = report.form;
                response.notes = report.notes;
                response.payloads = report.payloads;
            }
            Answer::Refused(error) => {
                if !session.has_stage {
                    self.sessions.close(peer, &ticket.session);
                }
                self.refuse(origin, error);
                return Ok(());
            }
        }
        self.reply(origin, Ok(response));
        Ok(())
    }

    /// What is asked of the application, or what became of a session.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Writes the next response, if any.
    pub fn poll_transmit(&mut self, writer: &mut Writer<'_>) -> bool {
        let Some(Reply { origin, content }) = self.replies.pop_front() else {
            return false;
        };
        let builder = match &content {
            Ok(response) => IqBuilder::result(&origin.id).payload(response),
            Err(error) => IqBuilder::error(&origin.id, error),
        };
        let builder = match &origin.peer {
            Some(peer) => builder.to(peer),
            None => builder,
        };
        let builder = match &origin.own {
            Some(own) => builder.from(own),
            None => builder,
        };
        writer.payload(&builder);
        true
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sessions.poll_timeout()
    }

    /// What a request asks of the application, if anything; or why it is refused.
    fn take(
        &mut self,
        origin: &Origin,
        request: Request<'_>,
        lang: Option<Cow<'_, str>>,
        now: Instant,
    ) -> Result<Option<Event>, StanzaError> {
        if matches!(request.action, Action::Unknown(_)) {
            return Err(CommandCondition::MalformedAction.into());
        }
        let form = match request.form {
            None => None,
            // Who cancels a form means to submit it (XEP-0050 §3.5.1).
            Some(mut form) => {
                if matches!(form.kind, Some(FormType::Cancel) | None) {
                    form.kind = Some(FormType::Submit);
                }
                Some(form.into_owned())
            }
        };
        // What has no sender is from the own account (RFC 6120 §8.1.2.1).
        let own = origin.own.as_ref().map(Jid::bare);
        let peer = origin.peer.clone().or(own);
        let peer = peer.ok_or_else(|| StanzaError::new(StanzaCondition::BadRequest))?;
        let Some(id) = request.session.as_deref() else {
            return self.begin(
                origin,
                peer,
                &request.node,
                &request.action,
                form,
                lang,
                now,
            );
        };
        let Some(session) = self.sessions.find(peer.as_ref(), id, now) else {
            // An id that has the form of ours was given once.
            let is_token = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            return Err(if is_token {
                CommandCondition::SessionExpired.into()
            } else {
                CommandCondition::BadSessionId.into()
            });
        };
        if session.node != request.node {
            return Err(CommandCondition::BadSessionId.into());
        }
        let action = Actions::resolve(session.actions.as_ref(), &request.action);
        if action == Some(&Action::Cancel) {
            self.cancel(origin, peer, id);
            return Ok(None);
        }
        if session.waiting.is_some() {
            return Err(StanzaError::new(StanzaCondition::UnexpectedRequest));
        }
        let action = action.ok_or(CommandCondition::BadAction)?.clone();
        if let (Some(question), false) = (&session.form, action == Action::Prev) {
            let checked = match &form {
                Some(form) => question.check(form),
                None => question.check(&Form::of(FormType::Submit)),
            };
            if let Err(fault) = checked {
                let refusal = StanzaError::from(CommandCondition::BadPayload);
                return Err(refusal.with_text(fault.to_string()));
            }
        }
        self.tickets = self.tickets.saturating_add(1);
        session.waiting = Some(Waiting {
            origin: origin.clone(),
            number: self.tickets,
        });
        Ok(Some(Event::Request {
            ticket: Ticket {
                peer,
                session: String::from(id),
                number: self.tickets,
            },
            node: session.node.clone(),
            action: action.into_owned(),
            form: form.map(Box::new),
            lang: session.lang.clone(),
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn begin(
        &mut self,
        origin: &Origin,
        peer: Jid,
        node: &str,
        action: &Action<'_>,
        form: Option<Form<'static>>,
        lang: Option<Cow<'_, str>>,
        now: Instant,
    ) -> Result<Option<Event>, StanzaError> {
        if !self.commands.contains_key(node) {
            return Err(StanzaError::new(StanzaCondition::ItemNotFound));
        }
        if *action != Action::Execute {
            return Err(CommandCondition::BadAction.into());
        }
        let has_one = |session: &Session| session.node == node;
        if self.is_single && self.sessions.of(peer.as_ref()).any(has_one) {
            return Err(StanzaError::new(StanzaCondition::NotAllowed));
        }
        self.tickets = self.tickets.saturating_add(1);
        let lang = lang.map(|lang| lang.chars().take(64).collect::<String>());
        let session = Session {
            node: String::from(node),
            lang: lang.clone(),
            has_stage: false,
            actions: None,
            form: None,
            waiting: Some(Waiting {
                origin: origin.clone(),
                number: self.tickets,
            }),
        };
        let id = self.entropy.token();
        let opened = self.sessions.open(peer.as_ref(), id, session, now);
        let session = opened.map_err(|_| StanzaError::new(StanzaCondition::ResourceConstraint))?;
        Ok(Some(Event::Request {
            ticket: Ticket {
                peer,
                session,
                number: self.tickets,
            },
            node: String::from(node),
            action: Action::Execute,
            form: form.map(Box::new),
            lang,
        }))
    }

    fn cancel(&mut self, origin: &Origin, peer: Jid, id: &str) {
        let Some(session) = self.sessions.close(peer.as_ref(), id) else {
            return;
        };
        let response = |session: &Session| Response {
            node: Cow::Owned(session.node.clone()),
            session: Some(Cow::Owned(String::from(id))),
            status: Status::Canceled,
            lang: session.lang.clone().map(Cow::Owned),
            actions: None,
            notes: Vec::new(),
            form: None,
            payloads: Vec::new(),
        };
        // Every request gets its answer, the one that the application is still thinking about too.
        if let Some(waiting) = &session.waiting {
            self.reply(waiting.origin.clone(), Ok(response(&session)));
        }
        self.reply(origin.clone(), Ok(response(&session)));
        let node = session.node;
        self.events.push_back(Event::Cancelled { peer, node });
    }

    /// A session is over without its peer having asked for it.
    fn end(&mut self, session: Session) {
        if let Some(waiting) = session.waiting {
            self.refuse(waiting.origin, CommandCondition::SessionExpired.into());
        }
        let node = session.node;
        self.events.push_back(Event::Expired { node });
    }

    fn refuse(&mut self, origin: Origin, error: StanzaError) {
        self.reply(origin, Err(error));
    }

    fn reply(&mut self, origin: Origin, content: Result<Response<'static>, StanzaError>) {
        self.replies.push_back(Reply { origin, content });
    }
}

/// What is asked of the application, or what became of a session.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody executes a command; to be answered with [`Responder::respond`].
    Request {
        /// What to answer to.
        ticket: Ticket,
        /// Which command.
        node: String,
        /// What to do: [`Action::Execute`] begins it, later it is [`Action::Prev`], [`Action::Next`] or
        /// [`Action::Complete`].
        action: Action<'static>,
        /// The answer to the form of the stage, which fits it.
        form: Option<Box<Form<'static>>>,
        /// The language of the peer, that of the first request; cut to 64 characters.
        lang: Option<String>,
    },
    /// The peer has given a command up. Its tickets are stale.
    Cancelled {
        /// Who.
        peer: Jid,
        /// Which command.
        node: String,
    },
    /// A session of a command was over, for want of activity or because its peer is gone. Its tickets are
    /// stale.
    Expired {
        /// Which command.
        node: String,
    },
}

/// Stands for a request that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    peer: Jid,
    session: String,
    number: u64,
}

impl Ticket {
    /// Who asks. Authorisation is by this address.
    #[must_use]
    pub fn peer(&self) -> &Jid {
        &self.peer
    }

    /// The session: the same for all requests of one execution.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }
}

/// What the application answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It goes on with this stage.
    Stage(Stage),
    /// It is over. If it has failed, a note of [`Severity::Error`](super::Severity::Error) says so
    /// (XEP-0050 §3.6).
    Completed(Report),
    /// The request is refused: `forbidden`, or a [`CommandCondition`]. The first request of a session ends
    /// it; later the stage stays as it is.
    Refused(StanzaError),
}

impl Answer {
    /// It is over, and there is nothing to report.
    #[must_use]
    pub fn completed() -> Self {
        Self::Completed(Report::default())
    }
}

/// What a command reports when it is over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// What came of it.
    pub form: Option<Form<'static>>,
    /// Texts for people.
    pub notes: Vec<Note<'static>>,
    /// What else came of it, in order of precedence.
    pub payloads: Vec<Element>,
}

impl Report {
    /// Adds what came of it.
    #[must_use]
    pub fn with_form(mut self, form: Form<'static>) -> Self {
        self.form = Some(form);
        self
    }

    /// Adds a text for people.
    #[must_use]
    pub fn with_note(mut self, note: Note<'static>) -> Self {
        self.notes.push(note);
        self
    }
}

/// A stage of a command.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stage {
    /// What to fill in.
    pub form: Option<Form<'static>>,
    /// Texts for people.
    pub notes: Vec<Note<'static>>,
    /// What else there is, in order of precedence.
    pub payloads: Vec<Element>,
    /// What can be done.
    pub actions: Actions<'static>,
}

impl Stage {
    /// A stage before the last: on with `next`.
    #[must_use]
    pub fn more(form: Form<'static>) -> Self {
        Self {
            form: Some(form),
            actions: Actions {
                execute: Some(Action::Next),
                next: true,
                ..Actions::default()
            },
            ..Self::default()
        }
    }

    /// The last stage: `complete`.
    #[must_use]
    pub fn last(form: Form<'static>) -> Self {
        Self {
            form: Some(form),
            actions: Actions {
                execute: Some(Action::Complete),
                complete: true,
                ..Actions::default()
            },
            ..Self::default()
        }
    }

    /// Lets the peer go back to the stage before.
    #[must_use]
    pub fn with_prev(mut self) -> Self {
        self.actions.prev = true;
        self
    }

    /// Adds a text for people.
    #[must_use]
    pub fn with_note(mut self, note: Note<'static>) -> Self {
        self.notes.push(note);
        self
    }
}

/// The request was given up, or its session is over: there is nobody to answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleTicket;

impl fmt::Display for StaleTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request does not wait for an answer any more")
    }
}

impl core::error::Error for StaleTicket {}

#[derive(Debug)]
struct Session {
    node: String,
    lang: Option<String>,
    /// Whether the peer has been given a stage.
    has_stage: bool,
    actions: Option<Actions<'static>>,
    form: Option<Form<'static>>,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    origin: Origin,
    number: u64,
}

/// Where a request came from, and where its answer goes.
#[derive(Debug, Clone)]
struct Origin {
    peer: Option<Jid>,
    own: Option<Jid>,
    id: String,
}

#[derive(Debug)]
struct Reply {
    origin: Origin,
    content: Result<Response<'static>, StanzaError>,
}
