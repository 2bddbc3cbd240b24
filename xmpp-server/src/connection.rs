//! One client's connection: bytes in, through the stream machine to the router, and bytes out.
//!
//! A task goes round like this: whatever one read brings is handled wholly before anything is written, and all that
//! waits is written at once. Reading goes into a buffer that the connections of a thread share, so that an idle one
//! holds none. What has to wait for the store or for TLS is an [`Errand`]; until it is done nothing more is read.
//!
//! What is sent to a client with stream management goes through the stream machine, which keeps it until it is
//! acknowledged; what is sent to others is written past it, as it lies in the outbox.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant as TokioInstant, Sleep};
use xmpp_core::error::{StreamCondition, StreamError};
use xmpp_core::jid::Jid;
use xmpp_core::stream::{
    CredentialsAnswer, Error, Event, ManagedSession, Resumption, State, Stream, Ticket, TlsInfo,
};
use xmpp_net::Connection;
use xmpp_sasl::{ChannelBinding, Condition, Hash};
use xmpp_xml::Scratch;

use crate::accounts;
use crate::gate::Admission;
use crate::hibernation::{Dormant, Surrendered, Unacknowledged};
use crate::outbox::{Chunk, Turn};
use crate::pending::Pending;
use crate::registry::Handle;
use crate::router::Change;
use crate::server::Shared;
use crate::storage::{Account, StoreError};
use crate::tokens;

/// Bytes of one read. A client that sends more than this at once waits for its next turn.
const READ_BYTES: usize = 16 * 1024;

/// Bytes that are read and thrown away at most, so that a client gets to read why its stream has ended.
const LINGER_BYTES: u64 = 8 << 20;

thread_local! {
    static LENT: RefCell<Lent> = RefCell::new(Lent { buffer: Vec::new(), scratch: Scratch::new() });
}

/// What connections need only while they have bytes.
struct Lent {
    buffer: Vec<u8>,
    scratch: Scratch,
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    connection: Connection,
    is_direct: bool,
    admission: Admission,
    mut stop: watch::Receiver<bool>,
) {
    let peer = connection.peer_address();
    tracing::debug!(%peer, "connected");
    let config = if is_direct {
        &shared.direct_tls
    } else {
        &shared.starttls
    };
    let stream = Stream::receiver(Arc::clone(config), shared.entropy(), shared.now());
    let mut task = Task {
        stream,
        connection: Some(connection),
        handle: None,
        is_managed: false,
        unacknowledged: Unacknowledged::default(),
        dormant: None,
        admission: Some(admission),
        heard: TokioInstant::now(),
        idle: None,
        is_pinged: false,
        paused: None,
        carry: Vec::new(),
        errand: is_direct.then_some(Errand::Tls),
        pending: Pending::default(),
        timer: None,
        stalled: None,
        cut: None,
        shared,
    };
    while let Some(errand) = task.next_errand(&mut stop).await {
        task.run(errand).await;
    }
    task.hibernate().await;
    task.leave();
    task.close().await;
    tracing::debug!(%peer, "disconnected");
}

struct Task {
    shared: Arc<Shared>,
    stream: Stream,
    /// `None` once it has failed.
    connection: Option<Connection>,
    /// The session, once a resource is bound.
    handle: Option<Arc<Handle>>,
    /// The stream counts stanzas (XEP-0198).
    is_managed: bool,
    unacknowledged: Unacknowledged,
    /// What is left when the connection of a session that can be resumed was lost.
    dormant: Option<Dormant>,
    /// `None` once there is no connection.
    admission: Option<Admission>,
    /// When the client was last heard of.
    heard: TokioInstant,
    /// When to see whether it was, and whether it was asked for a sign of life since.
    idle: Option<TokioInstant>,
    is_pinged: bool,
    /// Until when nothing is read, because too much was.
    paused: Option<TokioInstant>,
    /// What was read and not yet handled.
    carry: Vec<u8>,
    errand: Option<Errand>,
    pending: Pending,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the client will have taken nothing for too long.
    stalled: Option<TokioInstant>,
    /// When a connection that is being closed is cut.
    cut: Option<TokioInstant>,
}

/// Something that takes its time, and that the client's next bytes have to wait for.
enum Errand {
    Tls,
    Lookup {
        ticket: Ticket,
        account: Jid,
        hash: Option<Hash>,
    },
    Tokens {
        ticket: Ticket,
        account: Jid,
        client: Box<str>,
    },
    Bind {
        ticket: Ticket,
        jid: Jid,
        requested: bool,
    },
    Resume {
        ticket: Ticket,
        account: Jid,
        id: Box<str>,
    },
    Change(Change),
}

impl Task {
    /// Goes on until there is an errand, or the connection has ended: `None`.
    async fn next_errand(&mut self, stop: &mut watch::Receiver<bool>) -> Option<Errand> {
        // Those that were bound when the server stopped are told through their outbox.
        let is_unbound = self.handle.is_none();
        if !*stop.borrow() {
            tokio::select! {
                biased;
                errand = poll_fn(|context| self.poll_errand(context)) => return errand,
                _ = stop.wait_for(|stop| *stop), if is_unbound => {}
            }
        }
        if !self.stream.is_closed() {
            self.end(StreamCondition::SystemShutdown);
        }
        poll_fn(|context| self.poll_errand(context)).await
    }

    fn poll_errand(&mut self, context: &mut Context<'_>) -> Poll<Option<Errand>> {
        self.resume();
        loop {
            self.gather();
            let written = self.poll_write(context);
            if self.connection.is_none() {
                // A change that was taken in is carried out whatever becomes of the connection.
                return Poll::Ready(self.errand.take());
            }
            match &self.errand {
                // TLS begins behind the last byte in clear text.
                Some(Errand::Tls) if written.is_pending() => {}
                Some(_) => return Poll::Ready(self.errand.take()),
                None if written.is_ready() && self.stream.is_closed() => return Poll::Ready(None),
                None => {}
            }
            let is_open = !self.stream.is_closed();
            let mut is_ready = false;
            if self.errand.is_none() && is_open && self.paused.is_none() {
                is_ready |= self.poll_read(context).is_ready();
            }
            if let Some(handle) = self.handle.as_ref().filter(|_| is_open) {
                // While bytes wait to be written, only the end of the stream is news.
                is_ready |= match written {
                    Poll::Ready(()) => handle.outbox.poll_ready(context).is_ready(),
                    Poll::Pending => handle.outbox.poll_end(context).is_ready(),
                };
            }
            is_ready |= self.poll_timers(context).is_ready();
            if !is_ready {
                return Poll::Pending;
            }
        }
    }

    // In

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<()> {
        LENT.with_borrow_mut(|lent| {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(());
            };
            lent.buffer.resize(READ_BYTES, 0);
            let mut buffer = ReadBuf::new(&mut lent.buffer);
            let result = ready!(Pin::new(connection).poll_read(context, &mut buffer));
            let bytes = buffer.filled();
            if result.is_err() || bytes.is_empty() {
                self.stream.handle_disconnected(self.shared.now());
                self.connection = None;
                self.events();
                return Poll::Ready(());
            }
            let stanzas = self.received(&mut lent.scratch, bytes);
            self.account_for(stanzas, bytes.len());
            Poll::Ready(())
        })
    }

    /// Handles what was left over when an errand came up.
    fn resume(&mut self) {
        if self.errand.is_some() || self.carry.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.carry);
        let stanzas = LENT.with_borrow_mut(|lent| self.received(&mut lent.scratch, &bytes));
        self.account_for(stanzas, 0);
    }

    /// The client was heard of, and may have to wait before it is again.
    fn account_for(&mut self, stanzas: u64, bytes: usize) {
        (self.heard, self.is_pinged) = (TokioInstant::now(), false);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let counters = &self.shared.counters;
        counters.received_stanzas.add(stanzas);
        counters.received_bytes.add(bytes);
        if let Some(admission) = &mut self.admission {
            self.paused = self.paused.max(admission.read(stanzas, bytes, self.heard));
        }
    }

    /// Handles what was read, up to an errand; gives how many stanzas there were.
    fn received(&mut self, scratch: &mut Scratch, bytes: &[u8]) -> u64 {
        let mut stanzas = 0_u64;
        let now = self.shared.now();
        let mut turn = Turn::new();
        let mut input = bytes;
        while self.errand.is_none() {
            if let Some(stanza) = self.stream.handle_bytes(scratch, &mut input, now)
                && let Some(handle) = &self.handle
            {
                stanzas = stanzas.saturating_add(1);
                let change = self.shared.router.handle(handle, stanza, &mut turn);
                self.errand = change.map(Errand::Change);
            }
            self.events();
            if input.is_empty() {
                break;
            }
        }
        self.carry.extend_from_slice(input);
        stanzas
    }

    fn events(&mut self) {
        while let Some(event) = self.stream.poll_event() {
            match event {
                Event::StartTls => self.errand = Some(Errand::Tls),
                Event::Lookup {
                    ticket,
                    account,
                    hash,
                    ..
                } => {
                    self.errand = Some(Errand::Lookup {
                        ticket,
                        account,
                        hash,
                    });
                }
                Event::Bind {
                    ticket,
                    jid,
                    requested,
                } => {
                    self.errand = Some(Errand::Bind {
                        ticket,
                        jid,
                        requested,
                    });
                }
                Event::Tokens {
                    ticket,
                    account,
                    client,
                    ..
                } => {
                    self.errand = Some(Errand::Tokens {
                        ticket,
                        account,
                        client,
                    });
                }
                Event::ClientState { active } => {
                    if let Some(handle) = &self.handle {
                        handle.outbox.set_active(active, &mut Turn::new());
                    }
                }
                Event::Resume {
                    ticket,
                    account,
                    id,
                } => {
                    self.errand = Some(Errand::Resume {
                        ticket,
                        account,
                        id,
                    });
                }
                Event::Managed { resumable } => self.managed(resumable),
                Event::Acknowledged { .. } => self.acknowledged(),
                Event::Authenticated {
                    account, mechanism, ..
                } => {
                    tracing::debug!(%account, ?mechanism, "authenticated");
                    self.shared.counters.logins.add(1);
                    if let Some(admission) = &mut self.admission {
                        admission.authenticated(account.as_str());
                    }
                }
                Event::Established { jid, resumed } => {
                    tracing::debug!(%jid, resumed, "established");
                    self.shared.counters.resumptions.add(u64::from(resumed));
                    let limit = self.shared.idle_timeout;
                    self.idle = limit.and_then(|limit| self.heard.checked_add(limit));
                }
                Event::Closed { clean } => tracing::debug!(clean, "the stream was closed"),
                Event::Failed(error) => self.failed(&error),
                _ => {}
            }
        }
        if self.stream.is_closed() {
            // What was counted as handled is carried out.
            self.errand
                .take_if(|errand| !matches!(errand, Errand::Change(_)));
            (self.idle, self.paused) = (None, None);
            let limit = self.shared.close_timeout;
            self.cut.get_or_insert_with(|| TokioInstant::now() + limit);
        }
    }

    // Stream management (XEP-0198)

    fn managed(&mut self, is_resumable: bool) {
        self.is_managed = true;
        let session = self.stream.session().filter(|_| is_resumable);
        if let (Some(handle), Some(id)) = (&self.handle, session.and_then(ManagedSession::id)) {
            self.shared.router.allow_resumption(handle, id);
        }
    }

    fn acknowledged(&mut self) {
        if let (Some(handle), Some(session)) = (&self.handle, self.stream.session()) {
            let bytes = self.unacknowledged.acknowledged(session.acknowledged());
            handle.outbox.done_with(bytes);
        }
    }

    /// The stream has failed: if its connection was lost, and not ended, the session may go on.
    fn failed(&mut self, error: &Error) {
        tracing::debug!(%error, "the stream has failed");
        let is_lost = matches!(
            error,
            Error::Disconnected(State::Established)
                | Error::Timeout(State::Established)
                | Error::Unacknowledged
        );
        if is_lost && let Some(session) = self.stream.take_session() {
            self.keep(session);
        }
    }

    fn keep(&mut self, session: ManagedSession) {
        let max = session.max().filter(|_| session.is_resumable());
        let until = max.map(|max| TokioInstant::now() + max);
        self.dormant = Some(Dormant { session, until });
    }

    /// Waits for the client to come back, as long as its session may be resumed.
    async fn hibernate(&mut self) {
        let Some(handle) = self.handle.clone() else {
            return;
        };
        while let Some(until) = self.dormant.as_ref().and_then(|dormant| dormant.until) {
            tracing::debug!(jid = %handle.jid, "the session waits for its client");
            // A connection that was lost has nothing more to say.
            (self.connection, self.admission) = (None, None);
            (self.carry, self.pending) = (Vec::new(), Pending::default());
            handle.hibernates.store(true, Ordering::Relaxed);
            let end = poll_fn(|context| handle.outbox.poll_end(context));
            if tokio::time::timeout_at(until, end).await.is_err() {
                return;
            }
            let Some(claim) = handle.outbox.take_claim() else {
                return;
            };
            self.surrender(claim);
        }
    }

    /// Gives the session to the connection by which its client has come back.
    fn surrender(&mut self, claim: oneshot::Sender<Surrendered>) {
        let dormant = self.dormant.take();
        let until = dormant.as_ref().and_then(|dormant| dormant.until);
        let session = dormant.map(|dormant| dormant.session);
        let Some(session) = session.or_else(|| self.stream.take_session()) else {
            return;
        };
        if !session.is_resumable() {
            return self.keep(session);
        }
        let unacknowledged = std::mem::take(&mut self.unacknowledged);
        let surrendered = Surrendered {
            session,
            unacknowledged,
        };
        match claim.send(surrendered) {
            Ok(()) => self.handle = None,
            Err(surrendered) => {
                // The newcomer has gone already.
                self.unacknowledged = surrendered.unacknowledged;
                self.keep(surrendered.session);
                if let Some(dormant) = self.dormant.as_mut().filter(|_| until.is_some()) {
                    dormant.until = until;
                }
            }
        }
    }

    /// The client asks for a session of before: whoever has it gives it up.
    async fn resume_session(&mut self, ticket: Ticket, account: &Jid, id: &str) {
        let found = match self.shared.router.resumable(account, id) {
            Some(handle) => {
                let surrender = handle.outbox.claim(&mut Turn::new());
                surrender
                    .await
                    .ok()
                    .map(|surrendered| (handle, surrendered))
            }
            None => None,
        };
        let answer = match found {
            Some((handle, surrendered)) => {
                handle.hibernates.store(false, Ordering::Relaxed);
                // Whoever comes back begins active (XEP-0352 §5.2).
                handle.outbox.set_active(true, &mut Turn::new());
                (self.handle, self.is_managed) = (Some(handle), true);
                self.unacknowledged = surrendered.unacknowledged;
                Resumption::Found(surrendered.session)
            }
            None => Resumption::Unknown,
        };
        let answered = self.stream.handle_resume(ticket, answer, self.shared.now());
        if let Err((_, Resumption::Found(session))) = answered {
            // The stream has ended meanwhile.
            self.keep(session);
        }
    }

    // Out

    /// Takes what is to be written next, if all that was taken before is written.
    fn gather(&mut self) {
        let mut ending = None;
        if let Some(handle) = &self.handle {
            ending = handle.outbox.end().filter(|_| !self.stream.is_closed());
        }
        if let Some(condition) = ending {
            self.end(condition);
        }
        self.give_up_claimed();
        if !self.pending.is_empty() {
            return;
        }
        self.send_managed();
        let mut own = Vec::new();
        self.stream.poll_transmit(&mut own);
        let own = (!own.is_empty()).then_some(Chunk::Own(own));
        let queued = self
            .handle
            .as_ref()
            .filter(|_| !self.is_managed)
            .map(|handle| handle.outbox.take())
            .unwrap_or_default();
        // What the stream has to say itself comes first while it is negotiated, and last when it ends.
        self.pending = if self.stream.is_closed() {
            Pending::new(None, queued, own)
        } else {
            Pending::new(own, queued, None)
        };
    }

    /// Sends what is queued through the stream, which keeps it until it is acknowledged.
    fn send_managed(&mut self) {
        let Some(handle) = self.handle.as_ref().filter(|_| self.is_managed) else {
            return;
        };
        if !self.stream.is_established() {
            return;
        }
        let chunks = handle.outbox.take();
        let joined;
        let stanzas = match chunks.as_slice() {
            [] => return,
            [chunk] => chunk.bytes(),
            chunks => {
                // A stanza may begin in one and end in the next.
                joined = chunks.iter().fold(Vec::new(), |mut joined, chunk| {
                    joined.extend_from_slice(chunk.bytes());
                    joined
                });
                &joined
            }
        };
        // An established stream whose queue is as large as may be takes all stanzas.
        if let Err(error) = self.stream.send_bytes(stanzas) {
            tracing::error!(%error, "stanzas could not be sent");
        }
        if let Some(session) = self.stream.session() {
            self.unacknowledged.sent(session.sent(), stanzas.len());
        }
    }

    /// When the client has come back by another connection, this one goes (XEP-0198 §5).
    fn give_up_claimed(&mut self) {
        // What the client has sent is carried out first, as it counts as handled.
        let is_free = self.is_managed && self.errand.is_none();
        let Some(handle) = self.handle.as_ref().filter(|_| is_free) else {
            return;
        };
        let Some(claim) = handle.outbox.take_claim() else {
            return;
        };
        if !self.stream.is_closed() {
            self.end(StreamCondition::Conflict);
        }
        self.surrender(claim);
    }

    /// Ready when nothing is left to write.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(());
            };
            let connection = Pin::new(connection);
            let result = if self.pending.is_written() {
                if self.pending.is_empty() {
                    return Poll::Ready(());
                }
                match connection.poll_flush(context) {
                    Poll::Ready(Ok(())) => {
                        if let Some(handle) = &self.handle {
                            handle.outbox.done_with(self.pending.queued_bytes());
                        }
                        self.pending = Pending::default();
                        self.stalled = None;
                        return Poll::Ready(());
                    }
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                }
            } else {
                self.pending.poll_write(connection, context)
            };
            match result {
                Poll::Ready(Ok(count)) => {
                    self.pending.written += count;
                    let count = u64::try_from(count).unwrap_or(u64::MAX);
                    self.shared.counters.sent_bytes.add(count);
                    self.stalled = None;
                }
                Poll::Ready(Err(_)) => {
                    self.stream.handle_disconnected(self.shared.now());
                    self.connection = None;
                    self.events();
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    let limit = self.shared.write_timeout;
                    self.stalled
                        .get_or_insert_with(|| TokioInstant::now() + limit);
                    return Poll::Pending;
                }
            }
        }
    }

    // Time

    fn poll_timers(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let stream = self.stream.poll_timeout().map(|at| self.shared.at(at));
        let times = [stream, self.stalled, self.cut, self.idle, self.paused];
        let Some(next) = times.into_iter().flatten().min() else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
        if timer.deadline() != next {
            timer.as_mut().reset(next);
        }
        ready!(timer.as_mut().poll(context));
        self.timer = None;
        let now = TokioInstant::now();
        if [self.stalled, self.cut]
            .into_iter()
            .flatten()
            .any(|at| at <= now)
        {
            // There is no use in telling it anything: it does not read.
            self.stream.handle_disconnected(self.shared.now());
            self.connection = None;
        } else {
            self.paused.take_if(|until| *until <= now);
            if self.idle.is_some_and(|due| due <= now) {
                self.check_idle(now);
            }
            self.stream.handle_timeout(self.shared.now());
        }
        self.events();
        Poll::Ready(())
    }

    /// A client that was silent for long is asked for a sign of life, and given up if none comes (RFC 6120 §4.6).
    fn check_idle(&mut self, now: TokioInstant) {
        let (Some(limit), Some(handle)) = (self.shared.idle_timeout, &self.handle) else {
            self.idle = None;
            return;
        };
        let due = self.heard.checked_add(limit);
        if due.is_none_or(|due| due > now) {
            self.idle = due;
        } else if !self.is_pinged {
            let patience = limit.min(self.shared.ping_timeout);
            (self.idle, self.is_pinged) = (now.checked_add(patience), true);
            self.shared.router.ping(handle, &mut Turn::new());
        } else {
            tracing::debug!(jid = %handle.jid, "the client gives no sign of life");
            self.stream.handle_disconnected(self.shared.now());
            self.connection = None;
        }
    }

    // Errands

    async fn run(&mut self, errand: Errand) {
        match errand {
            Errand::Tls => self.start_tls().await,
            Errand::Lookup {
                ticket,
                account,
                hash,
            } => {
                let answer = match self.look_up(account).await {
                    Ok(None) => CredentialsAnswer::Refused(Condition::TemporaryAuthFailure),
                    Ok(Some(Some(account))) => accounts::credentials(&account, hash)
                        .map_or(CredentialsAnswer::Unknown, CredentialsAnswer::Found),
                    Ok(Some(None)) => CredentialsAnswer::Unknown,
                    Err(error) => {
                        tracing::error!(%error, "an account could not be looked up");
                        CredentialsAnswer::Refused(Condition::TemporaryAuthFailure)
                    }
                };
                // A stream that has ended meanwhile does not know the ticket.
                let _ = self
                    .stream
                    .handle_credentials(ticket, answer, self.shared.now());
            }
            Errand::Bind {
                ticket,
                jid,
                requested,
            } => self.bind(ticket, jid, requested).await,
            Errand::Tokens {
                ticket,
                account,
                client,
            } => self.check_tokens(ticket, &account, &client).await,
            Errand::Resume {
                ticket,
                account,
                id,
            } => self.resume_session(ticket, &account, &id).await,
            Errand::Change(change) => {
                if let Some(handle) = &self.handle {
                    self.shared.router.apply(handle, change).await;
                }
            }
        }
        self.events();
    }

    /// The account, if there is one; `None` if too many logins have failed.
    async fn look_up(&mut self, account: Jid) -> Result<Option<Option<Account>>, StoreError> {
        if !self.may_log_in(&account) {
            return Ok(None);
        }
        self.shared.router.account(account).await.map(Some)
    }

    fn may_log_in(&self, account: &Jid) -> bool {
        let admission = self.admission.as_ref();
        let Some(admission) = admission.filter(|admission| !admission.is_authenticated()) else {
            return true;
        };
        self.shared.counters.login_attempts.add(1);
        admission.attempt(account.as_str(), TokioInstant::now())
    }

    async fn start_tls(&mut self) {
        let (Some(connection), Some(tls)) = (self.connection.take(), &self.shared.tls) else {
            return;
        };
        match connection.start_tls_server(tls).await {
            Ok(connection) => {
                let mut info = TlsInfo::new().exporter(connection.tls_exporter());
                let certificate = connection.server_certificate();
                // For some certificates this type of binding is not defined.
                if let Some(Ok(end_point)) = certificate.map(ChannelBinding::tls_server_end_point) {
                    info = info.binding(end_point);
                }
                self.connection = Some(connection);
                // What came in clear text behind STARTTLS is worth nothing (RFC 6120 §5.3.1).
                self.carry.clear();
                let _ = self.stream.handle_tls(info, self.shared.now());
            }
            Err(error) => {
                tracing::debug!(%error, "the TLS handshake has failed");
                self.stream.handle_disconnected(self.shared.now());
            }
        }
    }

    /// The client logs in with a token, or wants one for the next time (XEP-0484).
    async fn check_tokens(&mut self, ticket: Ticket, account: &Jid, client: &str) {
        let (router, now) = (&self.shared.router, self.shared.now());
        let may_log_in = self.may_log_in(account);
        let stream = &mut self.stream;
        let mut is_asked = false;
        let outcome = tokens::with_tokens(router, account.as_str(), client, |tokens, time| {
            is_asked = true;
            // A stream that has ended meanwhile does not know the ticket.
            let answer = if may_log_in {
                Ok(tokens)
            } else {
                Err(Condition::TemporaryAuthFailure)
            };
            let answered = stream.handle_tokens(ticket, answer, time, now);
            answered.unwrap_or(false)
        });
        let Err(error) = outcome.await else {
            return;
        };
        tracing::error!(%error, "tokens could not be kept");
        if is_asked {
            // The client must not be told of what is not on the disk.
            self.end(StreamCondition::InternalServerError);
        } else if let Ok(time) = "1970-01-01T00:00:00Z".parse() {
            let answer = Err(Condition::TemporaryAuthFailure);
            let _ = self.stream.handle_tokens(ticket, answer, time, now);
        }
    }

    async fn bind(&mut self, ticket: Ticket, jid: Jid, requested: bool) {
        let router = &self.shared.router;
        let resource = jid.resource().unwrap_or_default();
        let made_up;
        let (wanted, spare) = if requested {
            made_up = self.shared.entropy().token();
            (Some(resource), made_up.as_str())
        } else {
            (None, resource)
        };
        let answer = match router.bind(&jid, wanted, spare).await {
            Ok(handle) => {
                let jid = handle.jid.clone();
                self.handle = Some(handle);
                Ok(jid)
            }
            Err(error) => Err(error),
        };
        let bound = answer.is_ok();
        let answered = self.stream.handle_bind(ticket, answer, self.shared.now());
        if bound && answered.is_err() {
            self.leave();
        }
    }

    // The end

    fn end(&mut self, condition: StreamCondition) {
        self.send_managed();
        let mut error = StreamError::new(condition);
        if condition == StreamCondition::PolicyViolation {
            error = error.with_text("too much waits to be read");
        }
        self.stream.fail(error);
        self.events();
    }

    /// The session ends with the connection: others are told, and what the client did not get is answered.
    fn leave(&mut self) {
        let Some(handle) = self.handle.take() else {
            return;
        };
        let mut turn = Turn::new();
        self.stream.handle_disconnected(self.shared.now());
        let dormant = self.dormant.take().map(|dormant| dormant.session);
        let session = dormant.or_else(|| self.stream.take_session());
        let (mut queued, written) = match session {
            // Whatever was written, what is not acknowledged may not have arrived.
            Some(session) => {
                let stanzas = session.unacknowledged();
                let stanzas = stanzas.flat_map(|stanza| stanza.into_owned());
                (stanzas.collect(), 0)
            }
            None => std::mem::take(&mut self.pending).into_queued(),
        };
        queued.extend(handle.outbox.shut().iter().flat_map(|chunk| chunk.bytes()));
        self.shared
            .router
            .leave(&handle, &queued, written, &mut turn);
    }

    /// Closes the connection so that the client gets to read the last words: what it still sends is read too, as
    /// closing a socket with unread bytes makes the system throw away what was sent.
    async fn close(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let linger = async {
            connection.shutdown().await?;
            let mut rest = (&mut connection).take(LINGER_BYTES);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        let limit = self.shared.close_timeout.min(Duration::from_secs(2));
        // Whatever comes of it, the connection is dropped.
        let _ = tokio::time::timeout(limit, linger).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // When the runtime ends while the task waits.
        self.leave();
    }
}
