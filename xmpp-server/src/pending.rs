//! What one connection is writing: pieces of many origins, in as few writes as they go into.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use xmpp_net::Connection;

use crate::outbox::Chunk;

/// How many pieces go into one write.
const SLICES: usize = 32;

/// What is being written: the stream's own bytes before or after what was queued for the client.
#[derive(Default)]
pub(crate) struct Pending {
    chunks: Vec<Chunk>,
    total: usize,
    pub(crate) written: usize,
    /// Bytes at the start and at the end that are the stream's own.
    own_before: usize,
    own_after: usize,
}

impl Pending {
    pub(crate) fn new(before: Option<Chunk>, queued: Vec<Chunk>, after: Option<Chunk>) -> Self {
        let length = |chunk: &Option<Chunk>| chunk.as_ref().map_or(0, |chunk| chunk.bytes().len());
        let (own_before, own_after) = (length(&before), length(&after));
        let mut chunks = queued;
        if let Some(before) = before {
            chunks.insert(0, before);
        }
        chunks.extend(after);
        let total = chunks.iter().map(|chunk| chunk.bytes().len()).sum();
        Self {
            chunks,
            total,
            written: 0,
            own_before,
            own_after,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn is_written(&self) -> bool {
        self.written >= self.total
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.total
            .saturating_sub(self.own_before)
            .saturating_sub(self.own_after)
    }

    pub(crate) fn poll_write(
        &self,
        connection: Pin<&mut Connection>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        let mut skip = self.written;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for chunk in &self.chunks {
            let bytes = chunk.bytes();
            if skip >= bytes.len() {
                skip -= bytes.len();
                continue;
            }
            let Some(slice) = slices.get_mut(used) else {
                break;
            };
            *slice = IoSlice::new(bytes.get(skip..).unwrap_or_default());
            skip = 0;
            used += 1;
        }
        let slices = slices.get(..used).unwrap_or_default();
        match ready!(connection.poll_write_vectored(context, slices)) {
            Ok(0) => Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
            result => Poll::Ready(result),
        }
    }

    /// What was queued for the client, and how much of it was written.
    pub(crate) fn into_queued(self) -> (Vec<u8>, usize) {
        let queued = self.queued_bytes();
        let bytes = self
            .chunks
            .iter()
            .flat_map(|chunk| chunk.bytes().iter().copied());
        let bytes: Vec<u8> = bytes.skip(self.own_before).take(queued).collect();
        (
            bytes,
            self.written.saturating_sub(self.own_before).min(queued),
        )
    }
}
