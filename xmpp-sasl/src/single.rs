//! What the mechanisms have in common whose client sends one message: that it is sent once, with the mechanism's name
//! or as the answer to an empty challenge (RFC 4422 §3).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::Error;

/// A message that is given away once and not kept.
pub(crate) struct Opening(Option<Zeroizing<Vec<u8>>>);

impl Opening {
    /// The parts in one piece, so that no copy of a secret stays behind when a buffer grows.
    pub(crate) fn new(parts: &[&[u8]]) -> Opening {
        let bytes = parts
            .iter()
            .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        let mut message = Zeroizing::new(Vec::with_capacity(bytes));
        for part in parts {
            message.extend_from_slice(part);
        }
        Opening(Some(message))
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        self.0
            .take()
            .map(|mut message| core::mem::take(&mut *message))
    }

    /// The server asks for the message, which did not go with the mechanism's name.
    pub(crate) fn answer(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        if challenge.is_empty() {
            self.take().ok_or(Error::OutOfOrder)
        } else {
            Err(Error::OutOfOrder)
        }
    }
}

/// The client's side where the one message is all there is: PLAIN, EXTERNAL and ANONYMOUS.
pub(crate) struct SingleMessage {
    opening: Opening,
    done: bool,
}

impl SingleMessage {
    pub(crate) fn new(opening: Opening) -> SingleMessage {
        SingleMessage {
            opening,
            done: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.opening.take()
    }

    pub(crate) fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        self.opening.answer(challenge)
    }

    pub(crate) fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        if !self.opening.is_sent() || self.done || data.is_some_and(|data| !data.is_empty()) {
            return Err(Error::OutOfOrder);
        }
        self.done = true;
        Ok(())
    }
}
