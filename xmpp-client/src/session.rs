//! The task of a client: one connection after the other, for as long as the application wants.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info};
use xmpp_core::entropy::Entropy;
use xmpp_core::stream::{InitiatorConfig, UserAgent};

use crate::config::Config;
use crate::error::{ConnectError, End};
use crate::incoming::Event;
use crate::link::{Link, Over};
use crate::negotiate::{Kept, Negotiated, negotiate};
use crate::shared::{Clock, Shared};
use crate::store::{Record, outbox_from_bytes, outbox_to_bytes, token_from_bytes};

pub(crate) struct Session {
    config: Arc<Config>,
    initiator: Arc<InitiatorConfig>,
    shared: Arc<Shared>,
    kept: Kept,
    /// How many attempts there were since a stream has lasted.
    attempt: u32,
}

impl Session {
    /// Connects for the first time.
    pub(crate) async fn connect(config: Config) -> Result<(Self, Link), ConnectError> {
        let mut seed = [0; 32];
        match config.seed {
            Some(given) => seed = given,
            None => getrandom::fill(&mut seed).map_err(ConnectError::Random)?,
        }
        let mut entropy = Entropy::from_seed(seed);
        let mut prefix = entropy.token();
        prefix.truncate(8);
        prefix.push('-');
        let initiator = Arc::new(config.initiator(installation(&config, &mut entropy).await));
        let token = config.store.load(Record::Token).await;
        let token = token.as_deref().and_then(token_from_bytes);
        let management = config.management.clone().unwrap_or_default();
        let outbox = config.store.load(Record::Outbox).await;
        let outbox = outbox.and_then(|bytes| outbox_from_bytes(&bytes, &management));
        let (mut session, mut outbox) = outbox.unwrap_or_default();
        let account = config.stream.jid().to_bare_ref();
        if let Some(other) = session.take_if(|session| session.jid().to_bare_ref() != account) {
            outbox.handle_session_lost(&other);
        }
        let mut kept = Kept {
            session,
            token,
            entropy,
        };
        let clock = Clock::start();
        let negotiated = negotiate(&config, &initiator, &mut kept, clock).await?;
        let jid = negotiated.jid.clone();
        let shared = Arc::new(Shared::new(&config, clock, jid, outbox, prefix));
        let mut session = Self {
            config: Arc::new(config),
            initiator,
            shared,
            kept,
            attempt: 0,
        };
        let link = session.begin(negotiated);
        Ok((session, link))
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Runs until the client has ended.
    pub(crate) async fn run(mut self, mut link: Link) {
        let end = loop {
            let began = self.shared.clock.now();
            let over = link.run().await;
            let lasted = self.shared.clock.now() - began;
            match self.reconnect(over, lasted).await {
                Ok(next) => link = next,
                Err(end) => break end,
            }
        };
        debug!(%end, "the client has ended");
        let mut state = self.shared.state();
        state.end = Some(end);
        // Dropping what waits for replies tells everybody.
        state.mux.handle_disconnected();
        while state.mux.poll_event().is_some() {}
        drop(state);
        self.shared.progress.notify_waiters();
        self.shared.arrived.notify_one();
    }

    /// A stream is established.
    fn begin(&mut self, negotiated: Negotiated) -> Link {
        let Negotiated {
            stream,
            jid,
            resumed,
            lost,
            transport,
        } = negotiated;
        info!(%jid, resumed, "connected");
        if let Some(session) = lost {
            self.shared.state().outbox.handle_session_lost(&session);
        }
        if !resumed {
            self.shared.begin_session(jid.clone());
        }
        let mut state = self.shared.state();
        if let Some(session) = stream.session().filter(|_| resumed) {
            state.outbox.handle_acknowledged(session.acknowledged());
            state.outbox.handle_resumed(stream.buffered() as u64);
        }
        state.is_unmanaged = stream.session().is_none();
        state.inbox.push(Event::Connected { jid, resumed });
        drop(state);
        self.shared.progress.notify_waiters();
        self.shared.arrived.notify_one();
        let (config, shared) = (Arc::clone(&self.config), Arc::clone(&self.shared));
        Link::new(config, shared, stream, transport)
    }

    /// A stream is over: connects again, however often that takes.
    async fn reconnect(&mut self, over: Over, lasted: Duration) -> Result<Link, End> {
        let Over {
            end,
            session,
            mut hinted,
        } = over;
        self.put_aside(session);
        self.save().await;
        let Some(backoff) = self.config.reconnect.filter(|_| !end.is_final()) else {
            return Err(end);
        };
        if self.shared.state().closing {
            return Err(End::Closed);
        }
        if lasted >= backoff.window(self.attempt) {
            self.attempt = 0;
        }
        let mut reason = Ok(end);
        loop {
            let mut wait = backoff.delay(self.attempt, self.kept.entropy.number());
            if std::mem::take(&mut hinted) {
                wait = Duration::ZERO;
            }
            self.attempt = self.attempt.saturating_add(1);
            debug!(?reason, ?wait, "disconnected");
            let retry = wait;
            self.tell(match reason {
                Ok(reason) => Event::Disconnected { reason, retry },
                Err(error) => Event::Retrying { error, retry },
            });
            let deadline = self.shared.clock.now() + wait;
            tokio::select! {
                () = self.shared.clock.sleep_until(Some(deadline)) => {}
                () = self.tend(true) => self.attempt = 0,
            }
            if self.shared.state().closing {
                return Err(End::Closed);
            }
            let (shared, config) = (Arc::clone(&self.shared), Arc::clone(&self.config));
            let initiator = Arc::clone(&self.initiator);
            let session = self.kept.session.as_ref();
            let session = session.map(|session| session.to_bytes());
            let attempt = negotiate(&config, &initiator, &mut self.kept, shared.clock);
            let negotiated = tokio::select! {
                result = attempt => result,
                () = tend(&shared, &config, session.as_deref(), false) => return Err(End::Closed),
            };
            match negotiated {
                Ok(negotiated) => return Ok(self.begin(negotiated)),
                Err(error) => match error.end() {
                    Some(end) => return Err(end),
                    None => reason = Err(error),
                },
            }
        }
    }

    /// Keeps the session for the next stream, or queues again what it has.
    fn put_aside(&mut self, session: Option<xmpp_core::stream::ManagedSession>) {
        let mut state = self.shared.state();
        match session {
            Some(session) if session.is_resumable() => {
                state.outbox.handle_acknowledged(session.acknowledged());
                self.kept.session = Some(session);
            }
            Some(session) => state.outbox.handle_session_lost(&session),
            None => state.outbox.handle_lost(),
        }
        drop(state);
        self.shared.progress.notify_waiters();
    }

    fn tell(&self, event: Event) {
        self.shared.state().inbox.push(event);
        self.shared.arrived.notify_one();
    }

    /// See [`tend`].
    async fn tend(&self, until_hint: bool) {
        let session = self.kept.session.as_ref();
        let session = session.map(|session| session.to_bytes());
        tend(&self.shared, &self.config, session.as_deref(), until_hint).await;
    }

    async fn save(&self) {
        if self.config.store.is_there() {
            let session = self.kept.session.as_ref();
            let session = session.map(|session| session.to_bytes());
            let bytes = outbox_to_bytes(session.as_deref(), &self.shared.state().outbox);
            self.config.store.save(Record::Outbox, bytes).await;
        }
    }
}

/// Does what is due while there is no stream, until the application closes the client or, if that is wanted, says that
/// the network has changed.
async fn tend(shared: &Shared, config: &Config, session: Option<&[u8]>, until_hint: bool) {
    let mut saved = shared.state().outbox.version();
    loop {
        let (deadline, changed) = {
            let mut state = shared.state();
            state.expire(shared.clock.now());
            if state.closing || (until_hint && std::mem::take(&mut state.hint)) {
                return;
            }
            let version = state.outbox.version();
            let is_news = version != std::mem::replace(&mut saved, version);
            let changed = is_news && config.store.is_there();
            let bytes = changed.then(|| outbox_to_bytes(session, &state.outbox));
            (state.mux.poll_timeout(), bytes)
        };
        if let Some(bytes) = changed {
            config.store.save(Record::Outbox, bytes).await;
            continue;
        }
        tokio::select! {
            () = shared.work.notified() => {}
            () = shared.clock.sleep_until(deadline) => {}
        }
    }
}

/// Which installation this is: the one that was kept, or a new one.
async fn installation(config: &Config, entropy: &mut Entropy) -> UserAgent {
    let kept = config.store.load(Record::Installation).await;
    let kept = kept.as_deref().map(std::str::from_utf8);
    if let Some(Ok(id)) = kept
        && let Some(known) = UserAgent::with_id(id)
    {
        return known;
    }
    let new = UserAgent::generate(entropy);
    let id = new.id().map(|id| id.as_bytes().to_vec());
    config.store.save(Record::Installation, id).await;
    new
}
