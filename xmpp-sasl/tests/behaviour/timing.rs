//! An unknown user takes the server as long as a known one.

use std::time::{Duration, Instant};

use crate::common::{account, config, nonce};
use xmpp_sasl::{Channel, Hash, Mechanism, Server, Step, StoredCredentials};

#[test]
fn unknown_users_take_as_long_as_known_ones() {
    let known = account(Hash::Sha256, "another");
    let mut rounds = (0..20).map(|_| medians(&known));
    // A busy machine can spoil a round; leaving out the work for either user spoils them all.
    assert!(
        rounds.any(|[known, unknown]| known < unknown * 5 / 4 && unknown < known * 5 / 4),
        "no round of twenty took both about as long"
    );
}

/// What an attempt takes for the known user and for one who is unknown.
fn medians(known: &StoredCredentials) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (times, account) in times.iter_mut().zip([Some(known), None]) {
            times.push(attempt(account));
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

fn attempt(account: Option<&StoredCredentials>) -> Duration {
    let config = config().mechanisms([Mechanism::ScramSha256]);
    let mut server = Server::start(
        &config,
        "SCRAM-SHA-256",
        &Channel::cleartext(),
        nonce("server"),
    )
    .unwrap();
    let started = Instant::now();
    let _ = server.handle_initial(Some(b"n,,n=user,r=client")).unwrap();
    let Step::Challenge(_) = server.handle_lookup(account).unwrap() else {
        panic!("no challenge")
    };
    let proof = xmpp_sasl::wire::encode(&[0; 32]);
    let last = format!("c=biws,r=clientserver,p={proof}");
    assert!(server.handle_response(last.as_bytes()).is_err());
    started.elapsed()
}
