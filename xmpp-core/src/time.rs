//! The caller's clock, as a number.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time, told as the time since an origin of the caller's choosing, for instance the start
/// of the program on a monotonic clock. Nothing in this crate reads a clock: every method that needs
/// to know the time is told it. Time that goes backwards is taken as time that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The origin itself.
    pub const ORIGIN: Self = Self(Duration::ZERO);

    /// The point that lies this far after the origin.
    #[must_use]
    pub const fn from_origin(since: Duration) -> Self {
        Self(since)
    }

    /// How far this point lies after the origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time from an earlier point to this one; zero when that point is not earlier.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Saturates: a deadline too far to tell is one that never comes.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let second = Instant::ORIGIN + Duration::from_secs(1);
        assert_eq!(second - Instant::ORIGIN, Duration::from_secs(1));
        assert_eq!(Instant::ORIGIN - second, Duration::ZERO);
        let never = second + Duration::MAX;
        assert_eq!(never.since_origin(), Duration::MAX);
        assert!(never > second);
    }
}
