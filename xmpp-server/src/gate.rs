//! Who is let in, and how fast: connections by address and before authentication, failed logins, rates of stanzas and
//! bytes. A rate never refuses anything: who is too fast is read from later.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// How many names and addresses with failed logins are remembered. Beyond it those who failed least lately are forgotten.
const FAILURES: usize = 10_000;

/// So much in so much time: a rate that may be exceeded for a moment, by its burst.
///
/// ```
/// use std::time::Duration;
/// use xmpp_server::Rate;
///
/// // 50 stanzas a second in the long run, and 500 at once.
/// let rate = Rate::new(50, Duration::from_secs(1)).burst(500);
/// # let _ = rate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: u32,
    period: Duration,
    burst: u32,
}

impl Rate {
    /// As much as `amount`, at least 1, in each `period`, all of it at once if need be.
    #[must_use]
    pub fn new(amount: u32, period: Duration) -> Self {
        let amount = amount.max(1);
        Self {
            amount,
            period,
            burst: amount,
        }
    }

    /// How much may come at once after a pause, at least 1. Default: the amount.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = burst.max(1);
        self
    }

    /// How long so much takes at this rate.
    fn time_of(&self, amount: u64) -> Duration {
        let nanoseconds = self.period.as_nanos().saturating_mul(u128::from(amount));
        let nanoseconds = nanoseconds
            .checked_div(u128::from(self.amount))
            .unwrap_or(0);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// What was spent of a rate: the time until when it would have taken to spend it evenly.
#[derive(Clone, Copy, Debug, Default)]
struct Spent(Option<Instant>);

impl Spent {
    /// Spends that much; gives when there is room again, if there is none now.
    fn spend(&mut self, rate: &Rate, amount: u64, now: Instant) -> Option<Instant> {
        let from = self.0.map_or(now, |until| until.max(now));
        let until = from.checked_add(rate.time_of(amount)).unwrap_or(from);
        self.0 = Some(until);
        let room = until.checked_sub(rate.time_of(u64::from(rate.burst)))?;
        (room > now).then_some(room)
    }

    fn is_exhausted(&self, rate: &Rate, now: Instant) -> bool {
        self.clone().spend(rate, 1, now).is_some()
    }

    fn give_back(&mut self, rate: &Rate) {
        self.0 = self.0.and_then(|until| until.checked_sub(rate.time_of(1)));
    }

    fn is_over(&self, now: Instant) -> bool {
        self.0.is_none_or(|until| until <= now)
    }
}

/// What is let in.
#[derive(Clone, Debug)]
pub(crate) struct GateRules {
    pub(crate) per_address: Option<usize>,
    pub(crate) unauthenticated: Option<usize>,
    pub(crate) failures_per_address: Option<Rate>,
    pub(crate) failures_per_account: Option<Rate>,
    pub(crate) per_connection: Traffic,
    pub(crate) per_account: Traffic,
}

/// How fast stanzas and bytes may come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) stanzas: Option<Rate>,
    pub(crate) bytes: Option<Rate>,
}

/// What all connections of a server share about who comes in.
pub(crate) struct Gate {
    rules: GateRules,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    by_address: HashMap<IpAddr, usize>,
    unauthenticated: usize,
    failures: HashMap<Who, Spent>,
    accounts: HashMap<String, Weak<Mutex<Meter>>>,
    /// When there are so many accounts those that have gone are removed.
    sweep_at: usize,
}

/// Whose logins fail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    Account(String),
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Address,
    Unauthenticated,
}

impl Gate {
    pub(crate) fn new(rules: GateRules) -> Self {
        Self {
            rules,
            inside: Mutex::default(),
        }
    }

    /// A connection wants in; it counts until its admission is dropped.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Admission, Full> {
        let address = network(address);
        let mut inside = self.inside();
        let is_full =
            |limit: Option<usize>, count: usize| limit.is_some_and(|limit| count >= limit);
        let count = inside.by_address.get(&address).copied().unwrap_or(0);
        if is_full(self.rules.per_address, count) {
            return Err(Full::Address);
        }
        if is_full(self.rules.unauthenticated, inside.unauthenticated) {
            return Err(Full::Unauthenticated);
        }
        inside.by_address.insert(address, count.saturating_add(1));
        inside.unauthenticated = inside.unauthenticated.saturating_add(1);
        Ok(Admission {
            gate: Arc::clone(self),
            address,
            is_authenticated: false,
            meter: Meter::default(),
            account: None,
        })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // All that is counted is counted in one step.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rate_of(&self, who: &Who) -> Option<&Rate> {
        match who {
            Who::Address(_) => self.rules.failures_per_address.as_ref(),
            Who::Account(_) => self.rules.failures_per_account.as_ref(),
        }
    }

    /// The meter that the connections of one account share.
    fn account(&self, account: &str) -> Option<Arc<Mutex<Meter>>> {
        let Traffic { stanzas, bytes } = self.rules.per_account;
        if stanzas.is_none() && bytes.is_none() {
            return None;
        }
        let mut inside = self.inside();
        if let Some(meter) = inside.accounts.get(account).and_then(Weak::upgrade) {
            return Some(meter);
        }
        if inside.accounts.len() >= inside.sweep_at {
            inside.accounts.retain(|_, meter| meter.strong_count() > 0);
            inside.sweep_at = inside.accounts.len().saturating_mul(2).max(64);
        }
        let meter = Arc::new(Mutex::new(Meter::default()));
        inside
            .accounts
            .insert(account.to_owned(), Arc::downgrade(&meter));
        Some(meter)
    }
}

/// A connection that was let in.
pub(crate) struct Admission {
    gate: Arc<Gate>,
    address: IpAddr,
    is_authenticated: bool,
    meter: Meter,
    account: Option<Arc<Mutex<Meter>>>,
}

impl Admission {
    pub(crate) fn is_authenticated(&self) -> bool {
        self.is_authenticated
    }

    /// Someone tries to log in; says whether that may be. It counts as failed until it has succeeded.
    pub(crate) fn attempt(&self, account: &str, now: Instant) -> bool {
        let mut inside = self.gate.inside();
        let who = self.who(account);
        let is_exhausted = who.iter().any(|who| {
            let rate = self.gate.rate_of(who);
            let spent = inside.failures.get(who);
            spent
                .zip(rate)
                .is_some_and(|(spent, rate)| spent.is_exhausted(rate, now))
        });
        if is_exhausted {
            return false;
        }
        for who in who {
            let Some(rate) = self.gate.rate_of(&who) else {
                continue;
            };
            if inside.failures.len() >= FAILURES && !inside.failures.contains_key(&who) {
                inside.forget_failures(now);
            }
            inside.failures.entry(who).or_default().spend(rate, 1, now);
        }
        true
    }

    /// The connection is authenticated.
    pub(crate) fn authenticated(&mut self, account: &str) {
        if std::mem::replace(&mut self.is_authenticated, true) {
            return;
        }
        self.account = self.gate.account(account);
        let mut inside = self.gate.inside();
        inside.unauthenticated = inside.unauthenticated.saturating_sub(1);
        for who in self.who(account) {
            if let Some(rate) = self.gate.rate_of(&who)
                && let Some(spent) = inside.failures.get_mut(&who)
            {
                spent.give_back(rate);
            }
        }
    }

    /// So much was read; gives until when nothing more is to be read.
    pub(crate) fn read(&mut self, stanzas: u64, bytes: u64, now: Instant) -> Option<Instant> {
        let rules = &self.gate.rules;
        let own = self.meter.read(&rules.per_connection, stanzas, bytes, now);
        let account = self.account.as_ref().and_then(|meter| {
            let mut meter = meter.lock().unwrap_or_else(PoisonError::into_inner);
            meter.read(&rules.per_account, stanzas, bytes, now)
        });
        own.max(account)
    }

    fn who(&self, account: &str) -> [Who; 2] {
        [Who::Address(self.address), Who::Account(account.to_owned())]
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut inside = self.gate.inside();
        if !self.is_authenticated {
            inside.unauthenticated = inside.unauthenticated.saturating_sub(1);
        }
        if let Some(count) = inside.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.by_address.remove(&self.address);
            }
        }
    }
}

impl Inside {
    /// Makes room: first those that time has forgiven go, then, if need be, the half that failed least lately.
    fn forget_failures(&mut self, now: Instant) {
        self.failures.retain(|_, spent| !spent.is_over(now));
        if self.failures.len() >= FAILURES {
            let mut times: Vec<_> = self.failures.values().map(|spent| spent.0).collect();
            times.sort_unstable();
            let middle = times.get(FAILURES / 2).copied().flatten();
            self.failures.retain(|_, spent| spent.0 > middle);
        }
    }
}

/// What one connection, or those of one account, have sent.
#[derive(Debug, Default)]
struct Meter {
    stanzas: Spent,
    bytes: Spent,
}

impl Meter {
    fn read(&mut self, rules: &Traffic, stanzas: u64, bytes: u64, now: Instant) -> Option<Instant> {
        let spend = |spent: &mut Spent, rate: &Option<Rate>, amount| {
            rate.as_ref()
                .and_then(|rate| spent.spend(rate, amount, now))
        };
        let by_stanzas = spend(&mut self.stanzas, &rules.stanzas, stanzas);
        by_stanzas.max(spend(&mut self.bytes, &rules.bytes, bytes))
    }
}

/// Whoever has an IPv6 address has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(change: impl FnOnce(&mut GateRules)) -> Arc<Gate> {
        let mut rules = GateRules {
            per_address: None,
            unauthenticated: None,
            failures_per_address: None,
            failures_per_account: None,
            per_connection: Traffic::default(),
            per_account: Traffic::default(),
        };
        change(&mut rules);
        Arc::new(Gate::new(rules))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_and_the_rest_comes_evenly() {
        let (rate, now) = (Rate::new(10, SECOND).burst(20), Instant::now());
        let mut spent = Spent::default();
        assert_eq!(spent.spend(&rate, 20, now), None);
        assert_eq!(spent.spend(&rate, 5, now), Some(now + SECOND / 2));
        let later = now + SECOND / 2;
        assert_eq!(spent.spend(&rate, 1, later), Some(later + SECOND / 10));
        assert_eq!(spent.spend(&rate, 20, now + 10 * SECOND), None);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let gate = gate(|rules| rules.per_address = Some(1));
        let first = gate.enter("2001:db8::1".parse().unwrap()).unwrap();
        let other = gate.enter("2001:db8::2".parse().unwrap());
        assert_eq!(other.err(), Some(Full::Address));
        assert!(gate.enter("2001:db8:1::1".parse().unwrap()).is_ok());
        let _mapped = gate.enter("::ffff:192.0.2.1".parse().unwrap()).unwrap();
        assert!(gate.enter("192.0.2.1".parse().unwrap()).is_err());
        drop(first);
        assert!(gate.enter("2001:db8::2".parse().unwrap()).is_ok());
    }

    #[test]
    fn failed_logins_are_forgiven_in_time_and_only_so_many_are_remembered() {
        let rate = Rate::new(1, SECOND).burst(2);
        let gate = gate(|rules| rules.failures_per_account = Some(rate));
        let now = Instant::now();
        let admission = gate.enter("192.0.2.1".parse().unwrap()).unwrap();
        assert!(admission.attempt("a@x", now) && admission.attempt("a@x", now));
        assert!(!admission.attempt("a@x", now));
        assert!(admission.attempt("b@x", now));
        assert!(admission.attempt("a@x", now + SECOND));
        for number in 0..2 * FAILURES {
            admission.attempt(&format!("{number}@x"), now + SECOND);
        }
        assert!(gate.inside().failures.len() <= FAILURES);
    }

    #[test]
    fn the_connections_of_an_account_share_its_rate_and_those_of_others_do_not() {
        let rate = Some(Rate::new(10, SECOND));
        let gate = gate(|rules| rules.per_account.stanzas = rate);
        let now = Instant::now();
        let mut admissions = ["a@x", "a@x", "b@x"].map(|account| {
            let mut admission = gate.enter("192.0.2.1".parse().unwrap()).unwrap();
            admission.authenticated(account);
            admission
        });
        assert_eq!(admissions[0].read(10, 0, now), None);
        assert!(admissions[1].read(1, 0, now).is_some());
        assert_eq!(admissions[2].read(10, 0, now), None);
    }
}
