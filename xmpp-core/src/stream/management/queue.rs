//! The stanzas that were sent and not acknowledged yet.

use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What a queue that has run empty may keep of its memory, in bytes.
const KEPT: usize = 4_096;

/// One ring of bytes and one of lengths: a warm queue allocates nothing.
#[derive(Clone, Default)]
pub(super) struct Queue {
    bytes: VecDeque<u8>,
    lengths: VecDeque<u32>,
    /// How many stanzas were acknowledged before those that wait here.
    acknowledged: u64,
}

/// The peer says that it has handled more stanzas than it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooHigh {
    pub(super) handled: u32,
    pub(super) sent: u32,
}

impl Queue {
    pub(super) fn after(acknowledged: u64) -> Self {
        Self {
            acknowledged,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How many stanzas were sent since the session began.
    pub(super) fn sent(&self) -> u64 {
        self.acknowledged.saturating_add(self.lengths.len() as u64)
    }

    pub(super) fn push(&mut self, stanza: &[u8]) {
        let Ok(length) = u32::try_from(stanza.len()) else {
            return;
        };
        self.bytes.extend(stanza);
        self.lengths.push_back(length);
    }

    /// The peer has handled `handled` stanzas, counted modulo 2³²; gives how many of them are new. A count
    /// that lies before the last one is old news.
    pub(super) fn acknowledge(&mut self, handled: u32) -> Result<u64, TooHigh> {
        let news = handled.wrapping_sub(low(self.acknowledged));
        let count = usize::try_from(news).unwrap_or(usize::MAX);
        if count > self.lengths.len() {
            if news > u32::MAX / 2 {
                return Ok(0);
            }
            let sent = low(self.sent());
            return Err(TooHigh { handled, sent });
        }
        let bytes = self.lengths.drain(..count).map(|length| length as usize);
        let bytes = bytes.fold(0, usize::saturating_add);
        self.bytes.drain(..bytes.min(self.bytes.len()));
        self.acknowledged = self.acknowledged.saturating_add(u64::from(news));
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            (self.bytes, self.lengths) = (VecDeque::new(), VecDeque::new());
        }
        Ok(u64::from(news))
    }

    /// Writes all that wait, as they were sent.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (front, back) = self.bytes.as_slices();
        out.extend_from_slice(front);
        out.extend_from_slice(back);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let (front, back) = self.bytes.as_slices();
        let mut at = 0_usize;
        self.lengths.iter().map(move |length| {
            let end = at.saturating_add(*length as usize);
            let stanza = piece(front, back, at, end);
            at = end;
            stanza
        })
    }

    pub(super) fn lengths(&self) -> impl Iterator<Item = u32> {
        self.lengths.iter().copied()
    }
}

/// A part of the two slices, as if they were one.
fn piece<'q>(front: &'q [u8], back: &'q [u8], start: usize, end: usize) -> Cow<'q, [u8]> {
    if let Some(whole) = front.get(start..end) {
        return Cow::Borrowed(whole);
    }
    let behind = |at: usize| at.saturating_sub(front.len());
    let tail = back.get(behind(start)..behind(end)).unwrap_or_default();
    match front.get(start..) {
        Some(head) if !head.is_empty() => Cow::Owned([head, tail].concat()),
        _ => Cow::Borrowed(tail),
    }
}

/// A count as it goes over the wire.
pub(super) fn low(count: u64) -> u32 {
    (count & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanzas(queue: &Queue) -> Vec<Vec<u8>> {
        queue.iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn exactly_the_handled_stanzas_are_dropped() {
        let mut queue = Queue::default();
        for stanza in [&b"<a/>"[..], b"<bb/>", b"<ccc/>"] {
            queue.push(stanza);
        }
        assert_eq!((queue.sent(), queue.len(), queue.bytes()), (3, 3, 15));
        assert_eq!(queue.acknowledge(0), Ok(0));
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.acknowledge(2), Ok(2));
        assert_eq!(stanzas(&queue), [b"<ccc/>"]);
        // The same again, and an older one, change nothing.
        assert_eq!(queue.acknowledge(2), Ok(0));
        assert_eq!(queue.acknowledge(1), Ok(0));
        assert_eq!((queue.acknowledged(), queue.sent()), (2, 3));
        assert_eq!(queue.acknowledge(3), Ok(1));
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn more_than_was_sent_is_too_much() {
        let mut queue = Queue::default();
        queue.push(b"<a/>");
        let error = TooHigh {
            handled: 2,
            sent: 1,
        };
        assert_eq!(queue.acknowledge(2), Err(error));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn counts_go_round_at_two_to_the_thirty_second() {
        let mut queue = Queue::after(u64::from(u32::MAX) - 1);
        for _ in 0..4 {
            queue.push(b"<a/>");
        }
        assert_eq!(queue.acknowledge(u32::MAX), Ok(1));
        assert_eq!(queue.acknowledge(0), Ok(1));
        assert_eq!(queue.acknowledge(u32::MAX), Ok(0));
        assert_eq!(
            queue.acknowledge(3),
            Err(TooHigh {
                handled: 3,
                sent: 2
            })
        );
        assert_eq!(queue.acknowledge(2), Ok(2));
        assert_eq!(queue.sent(), u64::from(u32::MAX) + 3);
    }

    #[test]
    fn a_ring_that_wraps_gives_whole_stanzas() {
        let mut queue = Queue::default();
        let mut handled = 0_u32;
        for round in 0..200_u32 {
            let stanza = [b'x'; 37];
            queue.push(stanza.get(..(round % 37) as usize + 1).unwrap_or_default());
            if round % 3 == 2 {
                handled += 2;
                assert_eq!(queue.acknowledge(handled), Ok(2));
            }
            let mut written = Vec::new();
            queue.write(&mut written);
            assert_eq!(written, stanzas(&queue).concat());
            assert!(
                queue
                    .iter()
                    .map(|stanza| stanza.len() as u32)
                    .eq(queue.lengths())
            );
        }
    }

    #[test]
    fn an_empty_queue_holds_little_memory() {
        let mut queue = Queue::default();
        queue.push(&[b'x'; 100_000]);
        assert_eq!(queue.acknowledge(1), Ok(1));
        assert!(queue.bytes.capacity() <= KEPT);
    }
}
