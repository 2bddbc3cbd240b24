//! What the client's handles and its task share, under one short lock.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use xmpp_core::jid::Jid;
use xmpp_core::mux::{Event as MuxEvent, Mux, RequestError as MuxError, Selector};
use xmpp_core::ns;
use xmpp_core::repeat::{Repeated, Repeats, RequestKey};
use xmpp_core::stanza::{Iq, IqType};
use xmpp_core::time::Instant;
use xmpp_xml::{Element, Writer};

use crate::delivery::Delivery;
use crate::error::{End, SendError};
use crate::incoming::Inbox;
use crate::outbox::Outbox;
use crate::store::unix_time;

/// How many requests of others wait for the application's answer before repetitions of the oldest are taken for new.
const ASKED: usize = 1_024;

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) send_buffer: usize,
    pub(crate) inbox: usize,
    pub(crate) request_timeout: Duration,
    requests: usize,
    handles: Vec<Selector>,
    state: Mutex<State>,
    /// Wakes the task: something is to be sent, or the inbox has room again.
    pub(crate) work: Notify,
    /// Wakes whoever waits for an event.
    pub(crate) arrived: Notify,
    /// Wakes whoever waits for something to be sent.
    pub(crate) progress: Notify,
}

pub(crate) struct State {
    /// The full address that is bound, or was last.
    pub(crate) jid: Jid,
    /// Which requests of others are the application's, and the replies that are waited for.
    pub(crate) mux: Mux<(), Waiter>,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) end: Option<End>,
    /// Bytes that a stream has and the transport has not.
    pub(crate) unwritten: usize,
    /// Whether the stream that stands is not managed by the server.
    pub(crate) is_unmanaged: bool,
    pub(crate) closing: bool,
    /// The application says that the network has changed.
    pub(crate) hint: bool,
    /// The sends that requests went out by.
    numbers: BTreeMap<String, u64>,
    repeats: Repeats,
    /// The requests of others that the application has not answered, by who asked and the id.
    asked: BTreeMap<(String, String), RequestKey>,
    /// The prefix of this client's request ids, and how many there were.
    id_prefix: String,
    ids: u64,
}

/// Who waits for a reply.
#[derive(Debug)]
pub(crate) enum Waiter {
    Application(Box<Question>),
    /// A ping that tells whether the connection is alive.
    Ping,
}

/// A request of the application, with what it takes to wait on in another session.
#[derive(Debug)]
pub(crate) struct Question {
    id: String,
    to: Option<Jid>,
    deadline: Instant,
    answer: oneshot::Sender<Answer>,
}

/// How the wait for a reply ended.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Element),
    TimedOut,
    Lost,
}

/// What is to be done about a request that another has sent.
pub(crate) enum Asked {
    New,
    InProgress,
    Answered(Vec<u8>),
}

impl State {
    pub(crate) fn next_id(&mut self) -> String {
        self.ids = self.ids.wrapping_add(1);
        format!("{}{}", self.id_prefix, self.ids)
    }

    /// The id of a ping; the reply to one that nobody waits for any more can be told by it.
    pub(crate) fn next_ping(&mut self) -> String {
        self.ids = self.ids.wrapping_add(1);
        format!("{}ping-{}", self.id_prefix, self.ids)
    }

    pub(crate) fn is_ping(&self, id: &str) -> bool {
        let rest = id.strip_prefix(self.id_prefix.as_str());
        rest.is_some_and(|rest| rest.starts_with("ping-"))
    }

    /// Gives up what was not replied to in time; says whether a ping was among it.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let mut ping = false;
        self.mux.handle_timeout(now);
        while let Some(event) = self.mux.poll_event() {
            match event {
                MuxEvent::Expired(Waiter::Ping) => ping = true,
                MuxEvent::Expired(Waiter::Application(question)) => {
                    let _ = question.answer.send(Answer::TimedOut);
                }
                _ => {}
            }
        }
        ping
    }

    /// Queues what a request or the task itself has to say.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) -> u64 {
        self.note_answers(&bytes);
        self.outbox.push(bytes, unix_time())
    }

    /// Another has sent a request that changes something. Some do so again with the same id when the answer is late.
    pub(crate) fn handle_request(&mut self, iq: &Iq<'_>, now: Instant) -> Asked {
        if iq.kind() != IqType::Set {
            return Asked::New;
        }
        match self.repeats.handle_request(iq, now) {
            Repeated::InProgress => Asked::InProgress,
            Repeated::Answered(answer) => Asked::Answered(answer),
            Repeated::New(key) => {
                if self.asked.len() >= ASKED {
                    self.asked.pop_first();
                }
                let from = iq.from().map_or("", |from| from.as_str());
                let id = iq.id().to_owned();
                self.asked.insert((from.to_owned(), id), key);
                Asked::New
            }
        }
    }

    /// Keeps the answers to requests of others for when they come again.
    fn note_answers(&mut self, bytes: &[u8]) {
        if self.asked.is_empty() {
            return;
        }
        let written = String::from_utf8_lossy(bytes);
        let wrapped = format!("<stream xmlns='{}'>{written}</stream>", ns::CLIENT);
        // What was written by hand is the stream's to refuse.
        let Ok(stanzas) = Element::parse(&wrapped) else {
            return;
        };
        for stanza in stanzas.root().children() {
            let attribute = |name| stanza.attribute(name).unwrap_or_default().into_owned();
            let is_answer = matches!(attribute("type").as_str(), "result" | "error");
            if stanza.name() != "iq" || !is_answer {
                continue;
            }
            if let Some(key) = self.asked.remove(&(attribute("to"), attribute("id"))) {
                self.repeats.keep(&key, stanza.bytes().as_bytes());
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(
        config: &crate::Config,
        clock: Clock,
        jid: Jid,
        outbox: Outbox,
        id_prefix: String,
    ) -> Self {
        let shared = Self {
            clock,
            send_buffer: config.send_buffer,
            inbox: config.inbox,
            request_timeout: config.request_timeout,
            requests: config.requests,
            handles: config.handles.clone(),
            state: Mutex::new(State {
                mux: Mux::new(jid.clone()),
                jid: jid.clone(),
                inbox: Inbox::default(),
                outbox,
                end: None,
                unwritten: 0,
                is_unmanaged: false,
                closing: false,
                hint: false,
                numbers: BTreeMap::new(),
                repeats: Repeats::new(),
                asked: BTreeMap::new(),
                id_prefix,
                ids: 0,
            }),
            work: Notify::new(),
            arrived: Notify::new(),
            progress: Notify::new(),
        };
        shared.state().mux = shared.mux(jid);
        shared
    }

    /// The state. A panic elsewhere while it was held leaves it whole: every change is made in one piece.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session has begun under that address. The replies to what the old one has carried to the server are lost
    /// with it; what is still to be sent goes on.
    pub(crate) fn begin_session(&self, jid: Jid) {
        let mut state = self.state();
        let mut mux = std::mem::replace(&mut state.mux, self.mux(jid.clone()));
        state.jid = jid;
        mux.handle_disconnected();
        while let Some(event) = mux.poll_event() {
            let (MuxEvent::Lost(Waiter::Application(question))
            | MuxEvent::Expired(Waiter::Application(question))) = event
            else {
                continue;
            };
            let number = state.numbers.get(&question.id);
            if number.is_some_and(|number| !state.outbox.is_waiting(*number)) {
                let _ = question.answer.send(Answer::Lost);
                continue;
            }
            let Question {
                id, to, deadline, ..
            } = &*question;
            let (id, to, deadline) = (id.clone(), to.clone(), *deadline);
            let waiter = Waiter::Application(question);
            // There is room for as many as there were.
            let _ = state
                .mux
                .request(id, to.as_ref().map(Jid::as_ref), waiter, deadline);
        }
    }

    fn mux(&self, jid: Jid) -> Mux<(), Waiter> {
        let mut mux = Mux::new(jid).request_limit(self.requests);
        for selector in &self.handles {
            mux.register(selector.clone(), ());
        }
        mux
    }

    /// Queues what is written where there is room, and else keeps it aside until there is. `request` is the id of one's
    /// own request in it.
    pub(crate) fn send(
        self: &Arc<Self>,
        request: Option<&str>,
        write: &mut dyn FnMut(&mut Writer<'_>),
    ) -> impl Future<Output = Result<Delivery, SendError>> + Send + use<> {
        let shared = Arc::clone(self);
        let request = request.map(str::to_owned);
        let mut bytes = Vec::new();
        let mut writer = Writer::in_stream(&mut bytes, ns::CLIENT);
        write(&mut writer);
        let mut written = writer.finish().map_err(SendError::Write);
        if written.is_ok() && bytes.is_empty() {
            written = Err(SendError::NoStanza);
        }
        let mut waiting = Some(bytes);
        let mut done = match written {
            Ok(()) => self.try_push(&mut self.state(), &mut waiting, request.as_deref()),
            Err(error) => Some(Err(error)),
        };
        async move {
            if let Some(done) = done.take() {
                return done;
            }
            let push = |state: &mut State| shared.try_push(state, &mut waiting, request.as_deref());
            shared.wait_to_change(push).await
        }
    }

    /// Queues the bytes if there is room; `None` if there is not.
    fn try_push(
        self: &Arc<Self>,
        state: &mut State,
        bytes: &mut Option<Vec<u8>>,
        request: Option<&str>,
    ) -> Option<Result<Delivery, SendError>> {
        if let Some(end) = &state.end {
            return Some(Err(SendError::Ended(end.clone())));
        }
        let queued = state.outbox.waiting_bytes().saturating_add(state.unwritten);
        if queued >= self.send_buffer {
            return None;
        }
        let number = state.push(bytes.take()?);
        if let Some(id) = request {
            state.numbers.insert(id.to_owned(), number);
        }
        self.work.notify_one();
        Some(Ok(Delivery::new(Arc::clone(self), number)))
    }

    /// Gets ready for a reply.
    pub(crate) fn open_request(
        self: &Arc<Self>,
        to: Option<&Jid>,
    ) -> Result<(OpenRequest, oneshot::Receiver<Answer>), MuxError> {
        let mut state = self.state();
        let id = state.next_id();
        let (answer, reply) = oneshot::channel();
        let deadline = self.clock.now() + self.request_timeout;
        let question = Question {
            id: id.clone(),
            to: to.cloned(),
            deadline,
            answer,
        };
        let waiter = Waiter::Application(Box::new(question));
        state
            .mux
            .request(id.as_str(), to.map(Jid::as_ref), waiter, deadline)?;
        drop(state);
        self.work.notify_one();
        let shared = Arc::clone(self);
        Ok((OpenRequest { shared, id }, reply))
    }

    /// Waits until `done` gives something; it is asked whenever something was sent or the client ended.
    pub(crate) async fn wait_for<T>(&self, mut done: impl FnMut(&State) -> Option<T>) -> T {
        self.wait_to_change(|state| done(state)).await
    }

    async fn wait_to_change<T>(&self, mut done: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            // From here on nothing is missed.
            progress.as_mut().enable();
            if let Some(result) = done(&mut self.state()) {
                return result;
            }
            progress.await;
        }
    }

    /// Asks the task to close the stream.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }
}

/// A request that may still be answered; dropping it forgets the reply.
pub(crate) struct OpenRequest {
    shared: Arc<Shared>,
    id: String,
}

impl OpenRequest {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.mux.cancel(&self.id);
        state.numbers.remove(&self.id);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("jid", &self.state().jid)
            .finish_non_exhaustive()
    }
}

impl Question {
    /// The reply has come.
    pub(crate) fn reply(self, reply: Element) {
        // Fails where the request was dropped a moment ago.
        let _ = self.answer.send(Answer::Reply(reply));
    }
}

/// A clock for the state machine, counted from when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(tokio::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_origin(self.0.elapsed())
    }

    /// Sleeps until then; for ever without a time.
    pub(crate) fn sleep_until(self, time: Option<Instant>) -> impl Future<Output = ()> {
        let wake = time.and_then(|time| self.0.checked_add(time.since_origin()));
        async move {
            match wake {
                Some(wake) => tokio::time::sleep_until(wake).await,
                None => std::future::pending().await,
            }
        }
    }
}
