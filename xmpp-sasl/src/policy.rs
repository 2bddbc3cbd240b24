//! What a client agrees to.

use alloc::vec::Vec;

use crate::error::Error;
use crate::limits::Limits;
use crate::mechanism::Mechanism;

/// Which mechanisms a client uses, in which order, and how much work a server may ask for.
///
/// ```
/// use xmpp_sasl::{Mechanism, Policy};
///
/// // Never weaker than last time, and at most a second of hashing on this device.
/// let policy = Policy::default().weakest(Mechanism::ScramSha256Plus).max_iterations(200_000);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) mechanisms: Vec<Mechanism>,
    pub(crate) allow_plain: bool,
    #[cfg(feature = "digest-md5")]
    pub(crate) allow_digest_md5: bool,
    pub(crate) min_iterations: u32,
    pub(crate) max_iterations: u32,
    pub(crate) limits: Limits,
}

impl Policy {
    /// The mechanisms to use, the preferred one first. Default: [`Mechanism::ALL`], the strongest first.
    ///
    /// A mechanism that is not listed is never used, nor is one that the credentials are not for. When no -PLUS
    /// mechanism is listed the client does not support channel binding and says so to the server.
    #[must_use]
    pub fn mechanisms(mut self, mechanisms: impl IntoIterator<Item = Mechanism>) -> Policy {
        self.mechanisms = mechanisms.into_iter().collect();
        self
    }

    /// Drops every mechanism that stands after this one in the order of preference; nothing is left when it is not
    /// in it. Pinning the mechanism of the last login makes a downgrade fail (RFC 6120 §13.9.4).
    #[must_use]
    pub fn weakest(mut self, mechanism: Mechanism) -> Policy {
        let keep = self.mechanisms.iter().position(|known| *known == mechanism);
        self.mechanisms
            .truncate(keep.map_or(0, |position| position.saturating_add(1)));
        self
    }

    /// Whether PLAIN may be used, on an encrypted channel only. Default: no, since the server then sees the password.
    #[must_use]
    pub fn allow_plain(mut self, allow: bool) -> Policy {
        self.allow_plain = allow;
        self
    }

    /// Whether DIGEST-MD5 may be used, on an encrypted channel with a [host](crate::Channel::host) only. Default: no,
    /// since it hashes the password with MD5 and next to no work (RFC 6331).
    #[cfg(feature = "digest-md5")]
    #[must_use]
    pub fn allow_digest_md5(mut self, allow: bool) -> Policy {
        self.allow_digest_md5 = allow;
        self
    }

    /// The least number of iterations to accept. Default 4096 (RFC 5802 §5.1, RFC 7677 §4): with fewer a captured
    /// exchange is easier to attack.
    #[must_use]
    pub fn min_iterations(mut self, iterations: u32) -> Policy {
        self.min_iterations = iterations;
        self
    }

    /// The greatest number of iterations to accept. Default 600 000, about a tenth to half a second of a processor
    /// core; a hostile server cannot ask for more work than this.
    #[must_use]
    pub fn max_iterations(mut self, iterations: u32) -> Policy {
        self.max_iterations = iterations;
        self
    }

    /// Bounds on the server's messages.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Policy {
        self.limits = limits;
        self
    }

    pub(crate) fn check_iterations(&self, requested: u64) -> Result<u32, Error> {
        u32::try_from(requested)
            .ok()
            .filter(|count| (self.min_iterations..=self.max_iterations).contains(count))
            .ok_or(Error::Iterations {
                requested,
                min: self.min_iterations,
                max: self.max_iterations,
            })
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            mechanisms: Mechanism::ALL.to_vec(),
            allow_plain: false,
            #[cfg(feature = "digest-md5")]
            allow_digest_md5: false,
            min_iterations: 4096,
            max_iterations: 600_000,
            limits: Limits::default(),
        }
    }
}
