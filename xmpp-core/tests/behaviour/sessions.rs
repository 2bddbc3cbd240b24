//! Sessions of peers in virtual time.

use std::time::Duration;

use xmpp_core::session::{Sessions, TooManySessions};

use crate::support::{jid, seconds};

fn sessions() -> Sessions<u32> {
    Sessions::new(Duration::from_secs(60))
}

#[test]
fn a_session_is_found_by_its_peer_and_nobody_else() {
    let mut sessions = sessions();
    let (juliet, other) = (jid("juliet@example.com/a"), jid("juliet@example.com/b"));
    let id = sessions
        .open(juliet.as_ref(), "s1".into(), 1, seconds(0))
        .unwrap();
    assert_eq!(
        sessions.find(juliet.as_ref(), &id, seconds(1)),
        Some(&mut 1)
    );
    assert_eq!(sessions.find(other.as_ref(), &id, seconds(1)), None);
    assert_eq!(sessions.find(juliet.as_ref(), "s2", seconds(1)), None);
    assert_eq!(sessions.close(other.as_ref(), &id), None);
    assert_eq!(sessions.close(juliet.as_ref(), &id), Some(1));
    assert_eq!(sessions.find(juliet.as_ref(), &id, seconds(1)), None);
    assert_eq!(sessions.poll_timeout(), None);
    assert!(sessions.is_empty());
}

#[test]
fn activity_keeps_a_session_open_and_silence_ends_it() {
    let mut sessions = sessions();
    let juliet = jid("juliet@example.com/a");
    for id in ["s1", "s2"] {
        sessions
            .open(juliet.as_ref(), id.into(), 1, seconds(0))
            .unwrap();
    }
    assert!(sessions.find(juliet.as_ref(), "s1", seconds(59)).is_some());
    assert_eq!(sessions.poll_timeout(), Some(seconds(60)));
    // Over, even before anybody says that time has passed.
    assert!(sessions.find(juliet.as_ref(), "s2", seconds(60)).is_none());
    assert!(sessions.handle_timeout(seconds(59)).is_empty());
    assert_eq!(sessions.handle_timeout(seconds(60)), [1]);
    assert_eq!(
        (sessions.len(), sessions.poll_timeout()),
        (1, Some(seconds(119)))
    );
    assert_eq!(sessions.handle_timeout(seconds(119)), [1]);
    assert_eq!(sessions.poll_timeout(), None);
}

#[test]
fn sessions_are_limited_in_all_and_for_each_peer() {
    let mut sessions = sessions().limit(3).peer_limit(2);
    let (juliet, romeo) = (jid("juliet@example.com/a"), jid("romeo@example.net/b"));
    let mut open = |peer: &xmpp_core::jid::Jid, id: &str| {
        sessions
            .open(peer.as_ref(), id.into(), 0, seconds(0))
            .map(|_| ())
    };
    assert_eq!(open(&juliet, "1"), Ok(()));
    assert_eq!(open(&juliet, "2"), Ok(()));
    assert_eq!(open(&juliet, "3"), Err(TooManySessions));
    assert_eq!(open(&romeo, "1"), Ok(()));
    assert_eq!(open(&romeo, "2"), Err(TooManySessions));
    assert_eq!(
        (
            sessions.count(juliet.as_ref()),
            sessions.count(romeo.as_ref())
        ),
        (2, 1)
    );
    assert_eq!(sessions.handle_gone(juliet.as_ref()).len(), 2);
    assert_eq!(
        (
            sessions.count(juliet.as_ref()),
            sessions.count(romeo.as_ref())
        ),
        (0, 1)
    );
}
