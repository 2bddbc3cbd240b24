//! The task that moves bytes between the connection and the stream.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tracing::debug;
use xmpp_core::mux::{Event as MuxEvent, Routed};
use xmpp_core::ns;
use xmpp_core::stanza::Stanza;
use xmpp_core::stream::Event;
use xmpp_net::Connection;
use xmpp_xml::{Scratch, Writer};

use crate::error::End;
use crate::negotiate::Transport;
use crate::shared::{Answer, Clock, Shared, State};

/// How much is read at once.
const READ: usize = 16_384;

pub(crate) struct Driver {
    connection: Connection,
    clock: Clock,
    scratch: Scratch,
    shared: Arc<Shared>,
    buffer: Vec<u8>,
    /// The part of the buffer that was read and not handled.
    input: std::ops::Range<usize>,
    output: Vec<u8>,
    sent: usize,
    /// Bytes may rest in the TLS layer.
    unflushed: bool,
    /// Replies that the driver itself owes.
    replies: Vec<u8>,
}

/// What one wait led to.
enum Turn {
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Flushed(io::Result<()>),
}

impl Driver {
    pub(crate) fn new(transport: Transport, shared: Arc<Shared>) -> Self {
        let Transport {
            connection,
            clock,
            scratch,
            mut input,
        } = transport;
        let waiting = 0..input.len();
        input.resize(input.len().max(READ), 0);
        Self {
            connection,
            clock,
            scratch,
            shared,
            buffer: input,
            input: waiting,
            output: Vec::new(),
            sent: 0,
            unflushed: false,
            replies: Vec::new(),
        }
    }

    /// Runs until the stream has ended.
    pub(crate) async fn run(mut self) {
        let end = loop {
            self.handle_input();
            let (end, deadline, may_read) = self.poll();
            if let Some(end) = end {
                break end;
            }
            let shared = Arc::clone(&self.shared);
            let clock = self.clock;
            tokio::select! {
                turn = self.turn(may_read) => self.handle_turn(turn),
                () = shared.work.notified() => {}
                () = clock.sleep_until(deadline) => {}
            }
        };
        debug!(jid = %self.shared.jid, %end, "stream ended");
        self.finish(end).await;
    }

    /// Gives what was read to the stream, as far as the inbox has room.
    fn handle_input(&mut self) {
        let now = self.clock.now();
        let mut guard = self.shared.state();
        let state = &mut *guard;
        let mut arrived = false;
        while !self.input.is_empty()
            && state.inbox.len() < self.shared.inbox
            && !state.stream.is_closed()
        {
            let mut input = self.buffer.get(self.input.clone()).unwrap_or_default();
            let before = input.len();
            let State {
                stream, mux, inbox, ..
            } = state;
            if let Some(element) = stream.handle_bytes(&mut self.scratch, &mut input, now) {
                let mut writer = Writer::in_stream(&mut self.replies, ns::CLIENT);
                match mux.handle_element(element, &mut writer) {
                    Routed::Reply { request, .. } => {
                        // Fails where the request was dropped a moment ago.
                        let _ = request.send(Answer::Reply(element.to_element()));
                    }
                    Routed::Handler { .. } | Routed::Unhandled(_) => {
                        inbox.push_back(element.to_element());
                        arrived = true;
                    }
                    // A reply to what was not asked through the client is an engine's, or nobody's: the
                    // application knows.
                    Routed::Ignored if Stanza::parse(element).is_ok() => {
                        inbox.push_back(element.to_element());
                        arrived = true;
                    }
                    _ => {}
                }
                // What cannot be written leaves no trace.
                let _ = writer.finish();
            }
            self.input.start = self
                .input
                .start
                .saturating_add(before.saturating_sub(input.len()));
            if !self.replies.is_empty() {
                // Fails only where the stream is over, and then nobody waits for the reply.
                let _ = state.stream.send_bytes(&self.replies);
                self.replies.clear();
            }
        }
        drop(guard);
        if arrived {
            self.shared.arrived.notify_one();
        }
    }

    /// Asks the stream what is to be done.
    fn poll(&mut self) -> (Option<End>, Option<xmpp_core::time::Instant>, bool) {
        let now = self.clock.now();
        let mut state = self.shared.state();
        if state.closing {
            state.stream.close(now);
        }
        if state
            .stream
            .poll_timeout()
            .is_some_and(|deadline| deadline <= now)
        {
            state.stream.handle_timeout(now);
        }
        state.mux.handle_timeout(now);
        while let Some(event) = state.mux.poll_event() {
            if let MuxEvent::Expired(request) = event {
                let _ = request.send(Answer::TimedOut);
            }
        }
        let mut end = None;
        while let Some(event) = state.stream.poll_event() {
            match event {
                Event::Closed { .. } => end = Some(End::Closed),
                Event::Failed(error) => end = Some(End::Failed(error)),
                _ => {}
            }
        }
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
            if state.stream.poll_transmit(&mut self.output) {
                state.taken = state.taken.saturating_add(self.output.len() as u64);
            }
        }
        let may_read = self.input.is_empty() && state.inbox.len() < self.shared.inbox;
        let deadlines = [state.stream.poll_timeout(), state.mux.poll_timeout()];
        (end, deadlines.into_iter().flatten().min(), may_read)
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
            Turn::Read(Ok(count)) if count > 0 => self.input = 0..count,
            Turn::Wrote(Ok(count)) if count > 0 => {
                self.sent = self.sent.saturating_add(count);
                self.unflushed = true;
                let mut state = self.shared.state();
                state.written = state.written.saturating_add(count as u64);
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
            debug!(jid = %self.shared.jid, %error, "connection lost");
        }
        self.output.clear();
        self.sent = 0;
        self.shared
            .state()
            .stream
            .handle_disconnected(self.clock.now());
    }

    /// Writes what is left, within the time that closing may take, and tells everybody.
    async fn finish(mut self, end: End) {
        self.output.drain(..self.sent);
        self.shared.state().stream.poll_transmit(&mut self.output);
        let last = async {
            let _ = self.connection.write_all(&self.output).await;
            let _ = self.connection.shutdown().await;
        };
        // The peer had its chance to read.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), last).await;
        let mut state = self.shared.state();
        state.end = Some(end);
        // Dropping what waits for replies tells everybody.
        state.mux.handle_disconnected();
        while state.mux.poll_event().is_some() {}
        drop(state);
        self.shared.progress.notify_waiters();
        self.shared.arrived.notify_one();
    }
}
