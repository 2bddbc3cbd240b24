//! How long to wait before connecting again.

use std::time::Duration;

/// How long a client waits before it connects again: a random time between nothing and a window, which doubles with
/// every attempt up to a cap (RFC 6120 §3.3), so that not everybody comes back at once.
///
/// The window is back at its beginning when a stream has lasted longer than the window that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            first: Duration::from_secs(60),
            cap: Duration::from_secs(600),
        }
    }

    /// Sets the window of the first attempt. Default: 60 seconds, as RFC 6120 §3.3 asks for; where few clients share a
    /// server, a second serves better.
    #[must_use]
    pub fn first(mut self, window: Duration) -> Self {
        self.first = window;
        self
    }

    /// Sets the largest window. Default: 10 minutes.
    #[must_use]
    pub fn cap(mut self, window: Duration) -> Self {
        self.cap = window;
        self
    }

    /// The window before the attempt of that number, counted from 0.
    pub fn window(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.cap)
    }

    /// The time to wait before the attempt of that number, counted from 0. `random` is anywhere in its range.
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        let window = self.window(attempt);
        // As thousandths of a millionth: 64 bits hold five hundred years of them.
        let nanoseconds = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let share = u128::from(nanoseconds).saturating_mul(u128::from(random)) >> 64;
        Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}
