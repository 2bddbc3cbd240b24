//! Sessions that outlive their connections (XEP-0198): what is kept of one, and how it gets to the next connection.
//!
//! A managed session whose connection is lost stays in the registry, and its task waits: for a connection that
//! [claims](crate::outbox::Outbox::claim) it, for the end of its time, or for an outbox that is full. A connection that
//! still runs when its client comes back by another one gives its session up in the same way.

use std::collections::VecDeque;

use tokio::time::Instant as TokioInstant;
use xmpp_core::stream::ManagedSession;

/// A session on its way from one connection to another.
pub(crate) struct Surrendered {
    pub(crate) session: ManagedSession,
    pub(crate) unacknowledged: Unacknowledged,
}

/// A session without a connection.
pub(crate) struct Dormant {
    pub(crate) session: ManagedSession,
    /// When it is given up; `None` if it cannot be resumed at all.
    pub(crate) until: Option<TokioInstant>,
}

/// How many bytes of the outbox a client has not acknowledged, in the pieces in which they were sent.
#[derive(Default)]
pub(crate) struct Unacknowledged {
    /// The number of the last stanza of each piece, and the bytes of it.
    pieces: VecDeque<(u64, usize)>,
}

impl Unacknowledged {
    /// A piece was sent, up to the stanza of that number.
    pub(crate) fn sent(&mut self, number: u64, bytes: usize) {
        self.pieces.push_back((number, bytes));
    }

    /// All stanzas up to that number are acknowledged; gives how many bytes are done with.
    pub(crate) fn acknowledged(&mut self, number: u64) -> usize {
        let count = self.pieces.partition_point(|(last, _)| *last <= number);
        let done = self.pieces.drain(..count).map(|(_, bytes)| bytes).sum();
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_done_with_when_the_last_stanza_of_their_piece_is_acknowledged() {
        let mut unacknowledged = Unacknowledged::default();
        unacknowledged.sent(3, 300);
        unacknowledged.sent(4, 50);
        assert_eq!(unacknowledged.acknowledged(2), 0);
        assert_eq!(unacknowledged.acknowledged(3), 300);
        assert_eq!(unacknowledged.acknowledged(3), 0);
        assert_eq!(unacknowledged.acknowledged(9), 50);
    }
}
