//! Remembers what was measured, second by second, in bounded memory.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::machine::Reading;

/// A ring of samples, the oldest first. When it is full the oldest makes room for the newest.
#[derive(Clone, Debug)]
pub struct History {
    samples: VecDeque<Sample>,
    capacity: usize,
}

/// What was measured in one second.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When, in whole seconds.
    pub at: SystemTime,
    /// What.
    pub readings: Vec<Reading>,
}

impl History {
    /// Ten minutes.
    pub const DEFAULT_CAPACITY: usize = 600;

    /// An empty history for `capacity` seconds. It costs what the readings cost: some 100 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self {
            samples: VecDeque::new(),
            capacity,
        }
    }

    /// How many seconds are remembered.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The samples from `from` to `to`, both included and both optional, the oldest first.
    pub fn between(
        &self,
        from: Option<SystemTime>,
        to: Option<SystemTime>,
    ) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| {
            from.is_none_or(|from| sample.at >= from) && to.is_none_or(|to| sample.at <= to)
        })
    }

    /// Remembers `readings` for the second in which `at` lies.
    ///
    /// A second has one sample: a later one of the same second takes its place. So has time that runs backwards (the
    /// clock was set): samples from after `at` are forgotten, because a history in which time is out of order
    /// cannot be asked for a span.
    pub fn record(&mut self, at: SystemTime, readings: Vec<Reading>) {
        let at = whole_seconds(at);
        while self.samples.back().is_some_and(|last| last.at >= at) {
            self.samples.pop_back();
        }
        if self.capacity == 0 {
            return;
        }
        while self.samples.len() >= self.capacity {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at, readings });
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

fn whole_seconds(at: SystemTime) -> SystemTime {
    at.duration_since(UNIX_EPOCH).map_or(UNIX_EPOCH, |since| {
        UNIX_EPOCH + Duration::from_secs(since.as_secs())
    })
}
