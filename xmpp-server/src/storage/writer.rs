//! Group commit: one thread writes for everyone.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::{Batch, Store, StoreError};

/// How many batches go into one commit at most; more wait for the next.
const GROUP: usize = 1024;

/// Commits batches for many connections on a thread of its own.
///
/// While one commit is on its way to the disk, what comes in is gathered, and goes out with the next one. So
/// the cost of a flush is shared by all who wait for it. Batches are written in the order of submission.
///
/// The queue is as long as there are callers that wait: each connection has at most one batch in it. Dropping
/// the writer writes what is queued and ends the thread.
pub struct Writer {
    queue: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Job {
    batch: Batch,
    done: Done,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn spawn(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("xmpp-store".into())
            .spawn(move || run(store.as_ref(), &jobs))
            .map_err(|error| StoreError::Failed(Arc::new(error)))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues a batch; `done` is called on the writer's thread once the batch is durable or has failed. It
    /// must not block: everyone behind waits for it.
    pub fn submit(&self, batch: Batch, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        let job = Job {
            batch,
            done: Box::new(done),
        };
        let refused = match &self.queue {
            Some(queue) => queue.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            (job.done)(Err(StoreError::Closed));
        }
    }

    /// Commits a batch and waits for it. Not for async code, which uses [`Writer::submit`].
    ///
    /// # Errors
    /// The outcome of the batch.
    pub fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.submit(batch, move |outcome| {
            // The receiver waits below, it cannot be gone.
            let _ = sender.send(outcome);
        });
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the store has been reported by the panic hook; there is nobody to tell here.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn run(store: &dyn Store, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
        let (batches, waiters): (Vec<Batch>, Vec<Done>) =
            group.map(|job| (job.batch, job.done)).unzip();
        let mut outcomes = store.commit(&batches).into_iter();
        for done in waiters {
            done(outcomes.next().unwrap_or(Err(StoreError::Closed)));
        }
    }
}
