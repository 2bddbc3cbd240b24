//! What waits to be written to one client: bounded, shared where it is large, woken once per turn.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;
use xmpp_core::error::StreamCondition;

use crate::hibernation::Surrendered;
use crate::idle::{self, Held};

/// Stanzas above this many bytes are not copied for each receiver but shared. Below it a copy into the
/// receiver's buffer costs less than a piece of its own in the write.
const SHARED_FROM: usize = 1024;

/// The queue of complete stanzas between the router and the task of one connection.
///
/// Anyone may push; only the connection takes. What was taken counts against the limit until it is written, or, on a
/// managed stream, until the client has acknowledged it. The queue outlives the connection of a session that can be
/// resumed.
pub(crate) struct Outbox {
    limit: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    chunks: Vec<Chunk>,
    /// What comes after the chunks and is still added to.
    tail: Vec<u8>,
    /// What waits while the client is inactive (XEP-0352); `None` while it is active.
    held: Option<Box<Held>>,
    /// Bytes in all of them, and of what was taken and is not yet done with.
    bytes: usize,
    end: Option<StreamCondition>,
    /// Where the session is to go: to another connection, by which the client has come back.
    claim: Option<oneshot::Sender<Surrendered>>,
    /// Nothing is taken from here any more.
    gone: bool,
    waker: Option<Waker>,
}

/// A piece of output. Stanzas never end inside of one and go on in the chunk after the next.
#[derive(Clone)]
pub(crate) enum Chunk {
    /// Stanzas of this connection alone, one after the other.
    Own(Vec<u8>),
    /// The rest of a stanza that others get too, from this byte on.
    Shared(Arc<[u8]>, usize),
}

impl Chunk {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Own(bytes) => bytes,
            Chunk::Shared(bytes, from) => bytes.get(*from..).unwrap_or_default(),
        }
    }
}

/// A stanza that goes to many, without `to`: the start tag begins with `<`, the name and a space or bracket.
#[derive(Clone)]
pub(crate) struct Shared {
    bytes: Arc<[u8]>,
    /// Where an attribute can be put in: behind the name.
    name_end: usize,
}

impl Shared {
    /// Takes a whole stanza that has no `to`.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let name_end = bytes
            .iter()
            .position(|byte| matches!(byte, b' ' | b'/' | b'>'))
            .unwrap_or(bytes.len());
        Self {
            bytes: bytes.into(),
            name_end,
        }
    }
}

/// Why a stanza was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The client does not read fast enough; its connection is being closed for it.
    Full,
    /// The connection has ended.
    Gone,
}

/// The connections that got something in this turn. They are woken when the turn ends, so that each finds all of
/// it at once and writes once.
#[derive(Default)]
pub(crate) struct Turn {
    wakers: Vec<Waker>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self::default()
    }
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            queue: Mutex::default(),
        }
    }

    /// Appends one stanza that `write` writes; it may not touch what stands in the buffer before.
    pub(crate) fn push(
        &self,
        turn: &mut Turn,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Refused> {
        let mut queue = self.queue();
        queue.admit()?;
        let buffer = &mut queue.tail;
        let before = buffer.len();
        write(buffer);
        let added = buffer.len().saturating_sub(before);
        if added > self.limit.saturating_sub(queue.bytes) {
            queue.tail.truncate(before);
            queue.overflow(turn);
            return Err(Refused::Full);
        }
        queue.added(added, before, turn);
        Ok(())
    }

    /// Appends a stanza that others get too, addressed to this receiver.
    pub(crate) fn push_shared(
        &self,
        turn: &mut Turn,
        stanza: &Shared,
        to: &str,
    ) -> Result<(), Refused> {
        let (head, tail) = stanza
            .bytes
            .split_at_checked(stanza.name_end)
            .unwrap_or_default();
        self.push_parts(turn, stanza, |buffer| {
            buffer.extend_from_slice(head);
            buffer.extend_from_slice(b" to='");
            escape(buffer, to);
            buffer.push(b'\'');
            tail
        })
    }

    fn push_parts<'s>(
        &self,
        turn: &mut Turn,
        stanza: &'s Shared,
        write_head: impl FnOnce(&mut Vec<u8>) -> &'s [u8],
    ) -> Result<(), Refused> {
        let mut queue = self.queue();
        queue.admit()?;
        let buffer = &mut queue.tail;
        let before = buffer.len();
        let tail = write_head(buffer);
        let added = buffer
            .len()
            .saturating_sub(before)
            .saturating_add(tail.len());
        if added > self.limit.saturating_sub(queue.bytes) {
            queue.tail.truncate(before);
            queue.overflow(turn);
            return Err(Refused::Full);
        }
        if tail.len() < SHARED_FROM || queue.held.is_some() {
            queue.tail.extend_from_slice(tail);
        } else {
            let from = stanza.bytes.len().saturating_sub(tail.len());
            queue.finish_tail();
            queue
                .chunks
                .push(Chunk::Shared(Arc::clone(&stanza.bytes), from));
        }
        queue.added(added, before, turn);
        Ok(())
    }

    /// The client has become active or inactive. What waited for that is queued.
    pub(crate) fn set_active(&self, active: bool, turn: &mut Turn) {
        let mut queue = self.queue();
        if active {
            queue.release();
            turn.wakers.extend(queue.waker.take());
            queue.held = None;
        } else if queue.held.is_none() {
            queue.held = Some(Box::default());
        }
    }

    /// Tells the connection to end its stream with this condition, after what is queued. The first call counts.
    pub(crate) fn close(&self, turn: &mut Turn, condition: StreamCondition) {
        let mut queue = self.queue();
        if queue.end.is_none() {
            queue.end = Some(condition);
            turn.wakers.extend(queue.waker.take());
        }
    }

    /// Takes all that is queued; nothing if there is nothing.
    pub(crate) fn take(&self) -> Vec<Chunk> {
        self.queue().take()
    }

    /// What was taken has been written, or acknowledged where that is what counts.
    pub(crate) fn done_with(&self, bytes: usize) {
        let mut queue = self.queue();
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }

    /// Asks whoever has the session to give it up. Nothing comes when it has ended.
    pub(crate) fn claim(&self, turn: &mut Turn) -> oneshot::Receiver<Surrendered> {
        let (sender, receiver) = oneshot::channel();
        let mut queue = self.queue();
        if !queue.gone && queue.end.is_none() {
            queue.claim = Some(sender);
            turn.wakers.extend(queue.waker.take());
        }
        receiver
    }

    /// To whom the session is to be given up, if to anyone.
    pub(crate) fn take_claim(&self) -> Option<oneshot::Sender<Surrendered>> {
        self.queue().claim.take()
    }

    /// The condition with which the stream is to end, once there is one.
    pub(crate) fn end(&self) -> Option<StreamCondition> {
        self.queue().end
    }

    /// Nothing is taken in any more; gives what was queued last.
    pub(crate) fn shut(&self) -> Vec<Chunk> {
        let mut queue = self.queue();
        queue.gone = true;
        queue.waker = None;
        queue.claim = None;
        queue.release();
        queue.take()
    }

    /// Ready when there is something to take or the stream is to end.
    pub(crate) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.queue();
        if !queue.chunks.is_empty() || !queue.tail.is_empty() || queue.is_over() {
            return Poll::Ready(());
        }
        queue.wake_later(context);
        Poll::Pending
    }

    /// Ready when the stream is to end, or the session to go elsewhere.
    pub(crate) fn poll_end(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.queue();
        if queue.is_over() {
            return Poll::Ready(());
        }
        queue.wake_later(context);
        Poll::Pending
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whatever panicked, the queue holds whole stanzas or the connection fails on them.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn admit(&self) -> Result<(), Refused> {
        if self.gone {
            return Err(Refused::Gone);
        }
        match self.end {
            // Already told to go: for lack of space, or it is replaced or shut down.
            Some(StreamCondition::PolicyViolation) => Err(Refused::Full),
            Some(_) => Err(Refused::Gone),
            None => Ok(()),
        }
    }

    /// Whether the connection has to let go.
    fn is_over(&self) -> bool {
        self.end.is_some() || self.claim.is_some()
    }

    fn wake_later(&mut self, context: &mut Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.waker = Some(context.waker().clone()),
        }
    }

    fn take(&mut self) -> Vec<Chunk> {
        self.finish_tail();
        std::mem::take(&mut self.chunks)
    }

    fn finish_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push(Chunk::Own(std::mem::take(&mut self.tail)));
        }
    }

    /// So many bytes were added to the tail, at that place unless they are shared.
    fn added(&mut self, bytes: usize, place: usize, turn: &mut Turn) {
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(held) = &mut self.held {
            let stanza = self.tail.split_off(place.min(self.tail.len()));
            if let Some(key) = idle::key(&stanza) {
                let before = held.hold(key, stanza);
                self.bytes = self.bytes.saturating_sub(before);
                return;
            }
            self.release();
            self.tail.extend_from_slice(&stanza);
        }
        turn.wakers.extend(self.waker.take());
    }

    /// Queues what waits for the client to become active.
    fn release(&mut self) {
        if let Some(held) = &mut self.held {
            self.tail.append(&mut held.release());
        }
    }

    fn overflow(&mut self, turn: &mut Turn) {
        self.end = Some(StreamCondition::PolicyViolation);
        turn.wakers.extend(self.waker.take());
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("bytes", &self.queue().bytes)
            .finish_non_exhaustive()
    }
}

/// Writes an address as the value of an attribute in single quotes.
fn escape(buffer: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'&' => buffer.extend_from_slice(b"&amp;"),
            b'<' => buffer.extend_from_slice(b"&lt;"),
            b'\'' => buffer.extend_from_slice(b"&apos;"),
            byte => buffer.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(chunks: &[Chunk]) -> String {
        let bytes: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| chunk.bytes().to_vec())
            .collect();
        String::from_utf8(bytes).unwrap()
    }

    fn push(outbox: &Outbox, stanza: &str) -> Result<(), Refused> {
        outbox.push(&mut Turn::new(), |buffer| {
            buffer.extend_from_slice(stanza.as_bytes())
        })
    }

    #[test]
    fn stanzas_come_out_in_order_and_in_one_piece() {
        let outbox = Outbox::new(10_000);
        push(&outbox, "<a/>").unwrap();
        push(&outbox, "<b/>").unwrap();
        let chunks = outbox.take();
        assert_eq!(chunks.len(), 1);
        assert_eq!(text(&chunks), "<a/><b/>");
        assert!(outbox.take().is_empty());
    }

    #[test]
    fn a_shared_stanza_gets_the_address_of_each_receiver() {
        let small = Shared::new(b"<presence from='x'/>".to_vec());
        let large = format!("<presence><status>{}</status></presence>", "s".repeat(5000));
        let shared = Shared::new(large.clone().into_bytes());
        let (one, two) = (Outbox::new(100_000), Outbox::new(100_000));
        for (outbox, to) in [(&one, "a@x"), (&two, "it's@x")] {
            outbox.push_shared(&mut Turn::new(), &small, to).unwrap();
            outbox.push_shared(&mut Turn::new(), &shared, to).unwrap();
        }
        let (one, two) = (one.take(), two.take());
        let large = large.replacen("<presence", "<presence to='a@x'", 1);
        assert_eq!(text(&one), format!("<presence to='a@x' from='x'/>{large}"));
        assert!(text(&two).starts_with("<presence to='it&apos;s@x' from='x'/>"));
        let (Chunk::Shared(first, _), Chunk::Shared(second, _)) = (&one[1], &two[1]) else {
            panic!("a large stanza is shared");
        };
        assert!(Arc::ptr_eq(first, second));
    }

    #[test]
    fn a_full_outbox_refuses_and_asks_for_the_end_of_the_stream() {
        let outbox = Outbox::new(10);
        push(&outbox, "12345678").unwrap();
        assert_eq!(outbox.end(), None);
        assert_eq!(push(&outbox, "123"), Err(Refused::Full));
        assert_eq!(push(&outbox, "1"), Err(Refused::Full));
        assert_eq!(outbox.end(), Some(StreamCondition::PolicyViolation));
        assert_eq!(
            text(&outbox.take()),
            "12345678",
            "nothing is cut in the middle"
        );
    }

    #[test]
    fn what_is_being_written_still_counts() {
        let outbox = Outbox::new(10);
        push(&outbox, "12345678").unwrap();
        outbox.take();
        outbox.done_with(8);
        push(&outbox, "12345678").unwrap();
        outbox.take();
        assert_eq!(push(&outbox, "123"), Err(Refused::Full));
    }

    #[test]
    fn a_shut_outbox_gives_back_what_was_not_written() {
        let outbox = Outbox::new(100);
        push(&outbox, "<a/>").unwrap();
        assert_eq!(text(&outbox.shut()), "<a/>");
        assert_eq!(push(&outbox, "<b/>"), Err(Refused::Gone));
    }
}
