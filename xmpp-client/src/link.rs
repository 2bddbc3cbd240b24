//! One stream over one connection: moves bytes between them, and stanzas between the stream and the application.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tracing::debug;
use xmpp_core::error::{StreamCondition, StreamError};
use xmpp_core::jid::Jid;
use xmpp_core::mux::Routed;
use xmpp_core::ns;
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{Iq, IqBuilder, Stanza};
use xmpp_core::stream::{
    Error, Event as StreamEvent, ManagedSession, State as StreamState, Stream,
};
use xmpp_core::time::Instant;
use xmpp_net::Connection;
use xmpp_xml::{Element, ElementRef, Scratch, Writer};

use crate::config::Config;
use crate::error::End;
use crate::incoming::Event;
use crate::negotiate::Transport;
use crate::shared::{Asked, Clock, Shared, State, Waiter};
use crate::store::{Record, outbox_to_bytes};

/// How much is read at once.
const READ: usize = 16_384;

/// How long closing waits for what was sent before.
const CLOSE: Duration = Duration::from_secs(5);

/// How long what is left may take to be written when the stream is over.
const LAST: Duration = Duration::from_secs(2);

/// How many bytes of answers that the application knows nothing of may wait.
const OWED: usize = 1 << 20;

pub(crate) struct Link {
    config: Arc<Config>,
    shared: Arc<Shared>,
    clock: Clock,
    stream: Stream,
    connection: Connection,
    scratch: Scratch,
    buffer: Vec<u8>,
    /// The part of the buffer that was read and not handled.
    input: Range<usize>,
    output: Vec<u8>,
    sent: usize,
    /// How many bytes were taken from the stream, and how many of them the transport has taken.
    taken: u64,
    written: u64,
    /// Bytes may rest in the TLS layer.
    unflushed: bool,
    /// How many bytes of answers were queued here since nothing waited.
    owed: usize,
    /// When the server was heard last.
    heard: Instant,
    ping: Option<SentPing>,
    /// Whether a ping was not answered.
    is_silent: bool,
    /// When closing has waited long enough.
    closing: Option<Instant>,
    /// What was saved last.
    saved: (u64, u64, u64, u64),
}

struct SentPing {
    id: String,
    at: Instant,
    /// Whether the application has asked for it.
    hinted: bool,
}

/// What a link leaves behind.
pub(crate) struct Over {
    pub(crate) end: End,
    pub(crate) session: Option<ManagedSession>,
    /// Whether the application knows that the network has changed.
    pub(crate) hinted: bool,
}

/// What one wait led to.
enum Turn {
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Flushed(io::Result<()>),
}

/// What is to be done next.
struct Next {
    end: Option<End>,
    deadline: Option<Instant>,
    may_read: bool,
}

impl Link {
    pub(crate) fn new(
        config: Arc<Config>,
        shared: Arc<Shared>,
        stream: Stream,
        transport: Transport,
    ) -> Self {
        let Transport {
            connection,
            scratch,
            mut input,
        } = transport;
        let waiting = 0..input.len();
        input.resize(input.len().max(READ), 0);
        let clock = shared.clock;
        Self {
            heard: clock.now(),
            config,
            shared,
            clock,
            stream,
            connection,
            scratch,
            buffer: input,
            input: waiting,
            output: Vec::new(),
            sent: 0,
            taken: 0,
            written: 0,
            unflushed: false,
            owed: 0,
            ping: None,
            is_silent: false,
            closing: None,
            saved: (0, 0, 0, 0),
        }
    }

    /// Runs until the stream is over.
    pub(crate) async fn run(mut self) -> Over {
        let end = loop {
            self.handle_input();
            let next = self.poll();
            self.save().await;
            if let Some(end) = next.end {
                break end;
            }
            let shared = Arc::clone(&self.shared);
            let clock = self.clock;
            tokio::select! {
                turn = self.turn(next.may_read) => self.handle_turn(turn),
                () = shared.work.notified() => {}
                () = clock.sleep_until(next.deadline) => {}
            }
        };
        self.finish(end).await
    }

    /// Gives what was read to the stream, as far as the inbox has room.
    fn handle_input(&mut self) {
        let now = self.clock.now();
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let before = state.inbox.len();
        if !self.input.is_empty()
            && let Some(ping) = self.ping.take()
        {
            // Whatever is heard is as good as its answer.
            state.mux.cancel(&ping.id);
        }
        while !self.input.is_empty() && state.inbox.len() < shared.inbox && !self.stream.is_closed()
        {
            let mut input = self.buffer.get(self.input.clone()).unwrap_or_default();
            let length = input.len();
            if let Some(element) = self.stream.handle_bytes(&mut self.scratch, &mut input, now) {
                let replied = handle_stanza(element, &mut state, now);
                self.owed = self.owed.saturating_add(replied);
            }
            let used = length.saturating_sub(input.len());
            self.input.start = self.input.start.saturating_add(used);
        }
        if state.inbox.len() > before {
            shared.arrived.notify_one();
        }
        // What is answered here, without the application, has no other bound.
        if state.outbox.is_empty() {
            self.owed = 0;
        } else if self.owed > OWED {
            self.stream
                .fail(StreamError::new(StreamCondition::ResourceConstraint));
        }
    }

    /// Asks everybody what is to be done.
    fn poll(&mut self) -> Next {
        let now = self.clock.now();
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        if self.stream.poll_timeout().is_some_and(|due| due <= now) {
            self.stream.handle_timeout(now);
        }
        if state.expire(now) {
            self.handle_silence(now);
        }
        self.ping_if_due(&mut state, now);
        self.close_if_asked(&state, now);
        let mut progress = false;
        if self.sent == self.output.len() && self.stream.is_established() {
            progress |= state.outbox.give(&mut self.stream, self.taken);
        }
        if let Some(session) = self.stream.session() {
            progress |= state.outbox.handle_acknowledged(session.acknowledged());
        }
        let mut end = None;
        while let Some(event) = self.stream.poll_event() {
            match event {
                StreamEvent::Closed { .. } => end = Some(End::Closed),
                StreamEvent::Failed(_) if self.is_silent => {
                    end = Some(End::Failed(Error::Timeout(StreamState::Established)));
                }
                StreamEvent::Failed(error) => end = Some(End::Failed(error)),
                StreamEvent::Unmanaged { .. } => {
                    state.is_unmanaged = true;
                    progress = true;
                }
                _ => {}
            }
        }
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
            if self.stream.poll_transmit(&mut self.output) {
                self.taken = self.taken.saturating_add(self.output.len() as u64);
            }
        }
        let unwritten = self.output.len().saturating_sub(self.sent);
        state.unwritten = unwritten.saturating_add(self.stream.buffered());
        if progress {
            shared.progress.notify_waiters();
        }
        let deadlines = [
            self.stream.poll_timeout(),
            state.mux.poll_timeout(),
            self.ping_due(),
            self.closing,
        ];
        Next {
            end,
            deadline: deadlines.into_iter().flatten().min(),
            may_read: self.input.is_empty() && state.inbox.len() < shared.inbox,
        }
    }

    /// A ping was not answered, and nothing else was heard, though it may have been read.
    fn handle_silence(&mut self, now: Instant) {
        if self.ping.as_ref().is_some_and(|ping| self.heard <= ping.at) {
            debug!("the server does not answer any more");
            self.is_silent = true;
            self.stream.handle_disconnected(now);
        }
    }

    fn ping_due(&self) -> Option<Instant> {
        let silence = self.config.ping.filter(|_| self.ping.is_none())?;
        Some(self.heard + silence)
    }

    fn ping_if_due(&mut self, state: &mut State, now: Instant) {
        let hinted = std::mem::take(&mut state.hint);
        if let Some(ping) = self.ping.as_mut().filter(|_| hinted) {
            ping.hinted = true;
            return;
        }
        let is_due = self.ping_due().is_some_and(|due| due <= now);
        if !(hinted || is_due) || !self.stream.is_established() {
            return;
        }
        let id = state.next_ping();
        let server = Jid::parse(state.jid.domain()).ok();
        let server = server.as_ref();
        let deadline = now + self.config.ping_timeout;
        let to = server.map(Jid::as_ref);
        if state
            .mux
            .request(id.as_str(), to, Waiter::Ping, deadline)
            .is_err()
        {
            // As many requests wait for replies as may: those do as well.
            self.heard = now;
            return;
        }
        let mut bytes = Vec::new();
        let mut writer = Writer::in_stream(&mut bytes, ns::CLIENT);
        let ping = IqBuilder::get(&id).payload(&Ping);
        match server {
            Some(server) => writer.payload(&ping.to(server)),
            None => writer.payload(&ping),
        };
        if writer.finish().is_ok() {
            state.push(bytes);
        }
        self.ping = Some(SentPing {
            id,
            at: now,
            hinted,
        });
    }

    /// Closes the stream once everything that was sent before is out, or it has lasted long enough.
    fn close_if_asked(&mut self, state: &State, now: Instant) {
        if !state.closing || !self.stream.is_established() {
            return;
        }
        let due = *self.closing.get_or_insert(now + CLOSE);
        if due <= now {
            self.closing = None;
        }
        if due <= now || (state.outbox.is_empty() && self.sent == self.output.len()) {
            self.stream.close(now);
            self.closing = None;
        }
    }

    /// Keeps what has changed before the server learns of it.
    async fn save(&mut self) {
        if !self.config.store.is_there() {
            return;
        }
        let session = self.stream.session();
        let counts = session.map_or((0, 0, 0), |session| {
            (session.sent(), session.handled(), session.acknowledged())
        });
        let bytes = {
            let state = self.shared.state();
            let now = (counts.0, counts.1, counts.2, state.outbox.version());
            // Between the end of a stream and what becomes of its session nothing is kept anew.
            if now == self.saved || self.stream.is_closed() {
                return;
            }
            self.saved = now;
            let session = session.map(ManagedSession::to_bytes);
            outbox_to_bytes(session.as_deref(), &state.outbox)
        };
        self.config.store.save(Record::Outbox, bytes).await;
    }

    /// Writes, flushes or reads, whichever is possible first.
    async fn turn(&mut self, may_read: bool) -> Turn {
        poll_fn(|context| {
            let rest = self.output.get(self.sent..).unwrap_or_default();
            let mut connection = Pin::new(&mut self.connection);
            if !rest.is_empty() {
                if let Poll::Ready(result) = connection.as_mut().poll_write(context, rest) {
                    return Poll::Ready(Turn::Wrote(result));
                }
            } else if self.unflushed
                && let Poll::Ready(result) = connection.as_mut().poll_flush(context)
            {
                return Poll::Ready(Turn::Flushed(result));
            }
            if may_read {
                let mut buffer = ReadBuf::new(&mut self.buffer);
                if let Poll::Ready(result) = connection.poll_read(context, &mut buffer) {
                    let count = buffer.filled().len();
                    return Poll::Ready(Turn::Read(result.map(|()| count)));
                }
            }
            Poll::Pending
        })
        .await
    }

    fn handle_turn(&mut self, turn: Turn) {
        match turn {
            Turn::Read(Ok(count)) if count > 0 => {
                self.input = 0..count;
                self.heard = self.clock.now();
            }
            Turn::Wrote(Ok(count)) if count > 0 => {
                self.sent = self.sent.saturating_add(count);
                self.written = self.written.saturating_add(count as u64);
                self.unflushed = true;
                let mut state = self.shared.state();
                state.unwritten = state.unwritten.saturating_sub(count);
                state.outbox.handle_written(self.written);
                drop(state);
                self.shared.progress.notify_waiters();
            }
            Turn::Flushed(Ok(())) => self.unflushed = false,
            Turn::Read(result) | Turn::Wrote(result) => self.handle_loss(result.err()),
            Turn::Flushed(Err(error)) => self.handle_loss(Some(error)),
        }
    }

    fn handle_loss(&mut self, error: Option<io::Error>) {
        if let Some(error) = error {
            debug!(%error, "connection lost");
        }
        self.output.clear();
        self.sent = 0;
        self.stream.handle_disconnected(self.clock.now());
    }

    /// Writes what is left.
    async fn finish(mut self, end: End) -> Over {
        self.output.drain(..self.sent);
        self.stream.poll_transmit(&mut self.output);
        if !self.output.is_empty() || end == End::Closed {
            let last = async {
                let _ = self.connection.write_all(&self.output).await;
                let _ = self.connection.shutdown().await;
            };
            // The peer had its chance to read.
            let _ = tokio::time::timeout(LAST, last).await;
        }
        let mut hinted = false;
        let mut state = self.shared.state();
        state.unwritten = 0;
        if let Some(ping) = &self.ping {
            hinted = ping.hinted;
            state.mux.cancel(&ping.id);
        }
        Over {
            end,
            session: self.stream.take_session(),
            hinted,
        }
    }
}

/// Brings a stanza to whom it is for; gives how many bytes were answered here.
fn handle_stanza(element: ElementRef<'_>, state: &mut State, now: Instant) -> usize {
    let mut replies = Vec::new();
    let mut writer = Writer::in_stream(&mut replies, ns::CLIENT);
    let mut arrived = None::<Element>;
    let mut request = None;
    match state.mux.handle_element(element, &mut writer) {
        Routed::Reply {
            request: Waiter::Application(question),
            ..
        } => question.reply(element.to_element()),
        Routed::Handler { stanza, .. } => match stanza {
            Stanza::Iq(iq) => request = Some(iq),
            _ => arrived = Some(element.to_element()),
        },
        Routed::Unhandled(_) => arrived = Some(element.to_element()),
        // A reply to what was not asked through the client is an engine's, or nobody's: the application knows.
        Routed::Ignored => match Stanza::parse(element) {
            Ok(Stanza::Iq(iq)) if state.is_ping(iq.id()) => {}
            Ok(_) => arrived = Some(element.to_element()),
            Err(_) => {}
        },
        _ => {}
    }
    // What cannot be written leaves no trace.
    let _ = writer.finish();
    if let Some(iq) = request {
        match handle_request(&iq, state, now) {
            Some(answer) => replies = answer,
            None => arrived = Some(element.to_element()),
        }
    }
    let replied = replies.len();
    if replied > 0 {
        state.push(replies);
    }
    if let Some(element) = arrived {
        state.inbox.push(Event::Stanza(element));
    }
    replied
}

/// Gives the answer to a request that was there before, which may be none yet.
fn handle_request(iq: &Iq<'_>, state: &mut State, now: Instant) -> Option<Vec<u8>> {
    match state.handle_request(iq, now) {
        Asked::New => None,
        Asked::InProgress => Some(Vec::new()),
        Asked::Answered(answer) => Some(answer),
    }
}
