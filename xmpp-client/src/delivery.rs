//! What became of a stanza.

use std::fmt;
use std::sync::Arc;

use crate::error::End;
use crate::shared::{Shared, State};

/// What became of a stanza that was given to [`Client::send`](crate::Client::send). It costs the program nothing to
/// keep or to drop.
#[derive(Clone, Debug)]
#[must_use = "dropping it is fine where nobody cares whether the stanza was sent"]
pub struct Delivery {
    shared: Arc<Shared>,
    number: u64,
}

/// How far a stanza has come.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeliveryState {
    /// It waits to be written: for room, or for the next connection.
    Queued,
    /// The transport has taken all of it. That it arrived is not known; on a managed stream (XEP-0198) it is sent again
    /// until it has.
    Sent,
    /// The server has taken responsibility for it (XEP-0198).
    Acknowledged,
    /// It will not be sent.
    Failed(DeliveryError),
}

/// Why a stanza will not be delivered, or nobody will say that it was.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The client has ended before.
    Ended(End),
    /// It is larger than what the server takes, or than what may wait for acknowledgement.
    TooLong,
    /// The connection was lost while it was written, on a stream whose management the server had refused: it may have
    /// arrived.
    Lost,
    /// It was sent on a stream that the server does not manage: no acknowledgement comes.
    Unmanaged,
}

impl Delivery {
    pub(crate) fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self { shared, number }
    }

    /// How far the stanza has come by now.
    pub fn state(&self) -> DeliveryState {
        self.look(&self.shared.state())
    }

    /// Waits until the transport has taken the stanza.
    ///
    /// # Errors
    /// [`DeliveryError`]: it will not be sent.
    pub async fn sent(&self) -> Result<(), DeliveryError> {
        let done = |state: &State| match self.look(state) {
            DeliveryState::Queued => None,
            DeliveryState::Failed(error) => Some(Err(error)),
            DeliveryState::Sent | DeliveryState::Acknowledged => Some(Ok(())),
        };
        self.shared.wait_for(done).await
    }

    /// Waits until the server has taken responsibility for the stanza, on however many connections that takes.
    ///
    /// # Errors
    /// [`DeliveryError`]: it will not be sent, or nobody will say whether it arrived.
    pub async fn acknowledged(&self) -> Result<(), DeliveryError> {
        let done = |state: &State| match self.look(state) {
            DeliveryState::Acknowledged => Some(Ok(())),
            DeliveryState::Failed(error) => Some(Err(error)),
            DeliveryState::Sent if state.end.is_some() => {
                state.end.clone().map(|end| Err(DeliveryError::Ended(end)))
            }
            DeliveryState::Sent if state.is_unmanaged => Some(Err(DeliveryError::Unmanaged)),
            DeliveryState::Sent | DeliveryState::Queued => None,
        };
        self.shared.wait_for(done).await
    }

    fn look(&self, state: &State) -> DeliveryState {
        let outbox = &state.outbox;
        if let Some(error) = outbox.failure(self.number) {
            DeliveryState::Failed(error.clone())
        } else if self.number <= outbox.acknowledged() {
            DeliveryState::Acknowledged
        } else if self.number <= outbox.sent() {
            DeliveryState::Sent
        } else if let Some(end) = &state.end {
            DeliveryState::Failed(DeliveryError::Ended(end.clone()))
        } else {
            DeliveryState::Queued
        }
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => end.fmt(f),
            Self::TooLong => f.write_str("the stanza is larger than what can be sent"),
            Self::Lost => f.write_str("the connection was lost while the stanza was sent"),
            Self::Unmanaged => f.write_str("the server does not tell what has arrived"),
        }
    }
}

impl std::error::Error for DeliveryError {}
