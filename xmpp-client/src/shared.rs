//! What the client's handles and its task share, under one short lock.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use xmpp_core::jid::Jid;
use xmpp_core::mux::{Mux, RequestError as MuxError};
use xmpp_core::ns;
use xmpp_core::stream::{Misuse, Stream};
use xmpp_core::time::Instant;
use xmpp_xml::{Element, Writer};

use crate::error::{End, SendError};

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// The full address that was bound.
    pub(crate) jid: Jid,
    pub(crate) send_buffer: usize,
    pub(crate) inbox: usize,
    pub(crate) request_timeout: Duration,
    state: Mutex<State>,
    /// Wakes the task: something is to be sent, or the inbox has room again.
    pub(crate) work: Notify,
    /// Wakes whoever waits for a stanza.
    pub(crate) arrived: Notify,
    /// Wakes whoever waits for bytes to be sent.
    pub(crate) progress: Notify,
}

pub(crate) struct State {
    pub(crate) stream: Stream,
    /// Which requests of others are the application's, and the replies that it waits for.
    pub(crate) mux: Mux<(), oneshot::Sender<Answer>>,
    pub(crate) inbox: VecDeque<Element>,
    pub(crate) end: Option<End>,
    /// Bytes taken from the stream to be written, and bytes that the transport has accepted.
    pub(crate) taken: u64,
    pub(crate) written: u64,
    pub(crate) closing: bool,
    /// The prefix of this stream's request ids, and how many there were.
    id_prefix: String,
    ids: u64,
}

impl State {
    /// Bytes that are not sent yet.
    fn unsent(&self) -> u64 {
        self.total().saturating_sub(self.written)
    }

    /// All bytes that were ever to be sent.
    fn total(&self) -> u64 {
        self.taken.saturating_add(self.stream.buffered() as u64)
    }

    pub(crate) fn next_id(&mut self) -> String {
        self.ids = self.ids.wrapping_add(1);
        format!("{}{}", self.id_prefix, self.ids)
    }
}

impl Shared {
    pub(crate) fn new(
        config: &crate::Config,
        clock: Clock,
        jid: Jid,
        stream: Stream,
        id_prefix: String,
    ) -> Self {
        let mut mux = Mux::new(jid.clone()).request_limit(config.requests);
        for selector in &config.handles {
            mux.register(selector.clone(), ());
        }
        Self {
            clock,
            jid,
            send_buffer: config.send_buffer,
            inbox: config.inbox,
            request_timeout: config.request_timeout,
            state: Mutex::new(State {
                stream,
                mux,
                inbox: VecDeque::new(),
                end: None,
                taken: 0,
                written: 0,
                closing: false,
                id_prefix,
                ids: 0,
            }),
            work: Notify::new(),
            arrived: Notify::new(),
            progress: Notify::new(),
        }
    }

    /// The state. A panic elsewhere while it was held leaves it whole: every change is made in one piece.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes straight into the stream where there is room, and else aside, to be sent once there is.
    pub(crate) fn send(
        self: &Arc<Self>,
        write: &mut dyn FnMut(&mut Writer<'_>),
    ) -> impl Future<Output = Result<Delivery, SendError>> + Send + use<> {
        let shared = Arc::clone(self);
        let mut aside = Vec::new();
        let mut done = None;
        {
            let mut state = self.state();
            if state.end.is_some() || self.has_room(&state) {
                done = Some(self.send_with(&mut state, |stream| stream.send(write)));
            } else {
                drop(state);
                let mut writer = Writer::in_stream(&mut aside, ns::CLIENT);
                write(&mut writer);
                if let Err(error) = writer.finish() {
                    done = Some(Err(SendError::Write(error)));
                }
            }
        }
        async move {
            if let Some(done) = done {
                return done;
            }
            shared
                .wait_for(|state| shared.has_room(state) || state.end.is_some())
                .await;
            let mut state = shared.state();
            shared.send_with(&mut state, |stream| stream.send_bytes(&aside))
        }
    }

    fn has_room(&self, state: &State) -> bool {
        state.unsent() < self.send_buffer as u64
    }

    fn send_with(
        self: &Arc<Self>,
        state: &mut State,
        send: impl FnOnce(&mut Stream) -> Result<(), Misuse>,
    ) -> Result<Delivery, SendError> {
        if let Some(end) = &state.end {
            return Err(SendError::Ended(end.clone()));
        }
        send(&mut state.stream).map_err(|misuse| match misuse {
            Misuse::Write(error) => SendError::Write(error),
            Misuse::NoStanza => SendError::NoStanza,
            // The stream is over, which the driver is about to tell everybody.
            _ => SendError::Ended(End::Closed),
        })?;
        let position = state.total();
        self.work.notify_one();
        Ok(Delivery {
            shared: Arc::clone(self),
            position,
        })
    }

    /// Gets ready for a reply.
    pub(crate) fn open_request(
        self: &Arc<Self>,
        peer: Option<&Jid>,
    ) -> Result<(OpenRequest, oneshot::Receiver<Answer>), MuxError> {
        let mut state = self.state();
        let id = state.next_id();
        let (token, answer) = oneshot::channel();
        let deadline = self.clock.now() + self.request_timeout;
        state
            .mux
            .request(id.as_str(), peer.map(Jid::as_ref), token, deadline)?;
        drop(state);
        self.work.notify_one();
        Ok((
            OpenRequest {
                shared: Arc::clone(self),
                id,
            },
            answer,
        ))
    }

    /// Waits until `done` says so; it is asked whenever bytes were sent or the stream ended.
    pub(crate) async fn wait_for(&self, mut done: impl FnMut(&State) -> bool) {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            // From here on nothing is missed.
            progress.as_mut().enable();
            if done(&self.state()) {
                return;
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

/// How the wait for a reply ended.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Element),
    TimedOut,
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
        self.shared.state().mux.cancel(&self.id);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("jid", &self.jid)
            .finish_non_exhaustive()
    }
}

/// What became of a stanza that was given to [`Client::send`](crate::Client::send).
#[derive(Clone, Debug)]
#[must_use = "dropping it is fine where nobody cares whether the stanza was sent"]
pub struct Delivery {
    shared: Arc<Shared>,
    /// Where the stanza ends among all bytes of the stream.
    position: u64,
}

/// How far a stanza has come.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeliveryState {
    /// It waits to be written to the connection.
    Queued,
    /// The transport has taken all of it. That it arrived is not known.
    Sent,
    /// The stream ended before it was sent.
    Failed(End),
}

impl Delivery {
    /// How far the stanza has come by now.
    pub fn state(&self) -> DeliveryState {
        let state = self.shared.state();
        if state.written >= self.position {
            return DeliveryState::Sent;
        }
        match &state.end {
            Some(end) => DeliveryState::Failed(end.clone()),
            None => DeliveryState::Queued,
        }
    }

    /// Waits until the transport has taken the stanza.
    ///
    /// # Errors
    /// How the stream ended, if it did so before.
    pub async fn sent(&self) -> Result<(), End> {
        let position = self.position;
        self.shared
            .wait_for(|state| state.written >= position || state.end.is_some())
            .await;
        match self.state() {
            DeliveryState::Failed(end) => Err(end),
            DeliveryState::Queued | DeliveryState::Sent => Ok(()),
        }
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
