//! How long things took.

use std::fmt;
use std::time::Duration;

/// Collects durations and tells their distribution.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    sorted: bool,
    taken: Vec<Duration>,
}

impl Latencies {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many durations were recorded.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Adds one duration.
    pub fn record(&mut self, taken: Duration) {
        self.taken.push(taken);
        self.sorted = false;
    }

    /// The shortest duration that at least `percent` of a hundred stayed within (nearest rank); none when nothing was
    /// recorded. `percent` above 100 counts as 100, and 0 gives the shortest.
    pub fn percentile(&mut self, percent: f64) -> Option<Duration> {
        if !self.sorted {
            self.taken.sort_unstable();
            self.sorted = true;
        }
        let rank = (percent / 100.0 * self.taken.len() as f64).ceil() as usize;
        self.taken
            .get(rank.clamp(1, self.taken.len().max(1)) - 1)
            .copied()
    }

    /// The median, the 99th of a hundred and the longest.
    pub fn summary(&mut self) -> Option<Summary> {
        Some(Summary {
            count: self.len(),
            p50: self.percentile(50.0)?,
            p99: self.percentile(99.0)?,
            longest: self.percentile(100.0)?,
        })
    }
}

/// The distribution of durations in four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many durations.
    pub count: usize,
    /// Half of them stayed within this.
    pub p50: Duration,
    /// 99 of 100 stayed within this.
    pub p99: Duration,
    /// All of them stayed within this.
    pub longest: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            p50,
            p99,
            longest,
        } = self;
        write!(
            f,
            "{count} times: p50 {p50:.1?}, p99 {p99:.1?}, longest {longest:.1?}"
        )
    }
}
