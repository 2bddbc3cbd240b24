use core::time::Duration;

use xmpp_core::time::Instant;
use xmpp_xml::value::DateTime;

use crate::model::moment;

/// What the wall clock read at some instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) time: DateTime,
    pub(super) at: Instant,
    /// The zone of times without one, in minutes ahead of UTC.
    pub(super) offset: i16,
}

impl Clock {
    /// When a time comes; `None` when it lies behind what the clock read.
    pub(super) fn instant(&self, time: &DateTime) -> Option<Instant> {
        let (seconds, nanoseconds) = moment(time, self.offset);
        let (clock_seconds, clock_nanoseconds) = moment(&self.time, self.offset);
        let mut seconds = seconds.checked_sub(clock_seconds)?;
        let mut nanoseconds = i64::from(nanoseconds) - i64::from(clock_nanoseconds);
        if nanoseconds < 0 {
            seconds -= 1;
            nanoseconds += 1_000_000_000;
        }
        // What lies behind has no length.
        let seconds = u64::try_from(seconds).ok()?;
        Some(self.at + Duration::new(seconds, nanoseconds as u32))
    }

    /// What the clock reads at a later instant.
    pub(super) fn time(&self, now: Instant) -> Option<DateTime> {
        let passed = now - self.at;
        let (seconds, nanoseconds) = moment(&self.time, self.offset);
        let nanoseconds = u64::from(nanoseconds) + u64::from(passed.subsec_nanos());
        let seconds = seconds
            .checked_add(i64::try_from(passed.as_secs()).ok()?)?
            .checked_add((nanoseconds / 1_000_000_000) as i64)?;
        DateTime::from_unix(seconds, (nanoseconds % 1_000_000_000) as u32).ok()
    }
}
