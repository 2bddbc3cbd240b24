//! Every row of the eight tables of RFC 6121 Appendix A, and the pre-approval of §3.4.

use Direction::{Inbound, Outbound};
use xmpp_server::subscription::{Direction, Relation, Request, Sharing, decide};

const NONE: Relation = Relation {
    to: false,
    from: false,
    pending_out: false,
    pending_in: false,
    approved: false,
};
const NONE_OUT: Relation = Relation {
    pending_out: true,
    ..NONE
};
const NONE_IN: Relation = Relation {
    pending_in: true,
    ..NONE
};
const NONE_OUT_IN: Relation = Relation {
    pending_out: true,
    pending_in: true,
    ..NONE
};
const TO: Relation = Relation { to: true, ..NONE };
const TO_IN: Relation = Relation {
    to: true,
    pending_in: true,
    ..NONE
};
const FROM: Relation = Relation { from: true, ..NONE };
const FROM_OUT: Relation = Relation {
    from: true,
    pending_out: true,
    ..NONE
};
const BOTH: Relation = Relation {
    to: true,
    from: true,
    ..NONE
};

const ALL: [Relation; 9] = [
    NONE,
    NONE_OUT,
    NONE_IN,
    NONE_OUT_IN,
    TO,
    TO_IN,
    FROM,
    FROM_OUT,
    BOTH,
];

/// State before, whether the stanza is routed or delivered, state after.
type Row = (Relation, bool, Relation);

fn assert_table(
    direction: Direction,
    request: Request,
    rows: [Row; 9],
    reply: impl Fn(Relation) -> bool,
) {
    assert_eq!(rows.map(|row| row.0), ALL, "a table has one row per state");
    for (before, passes, after) in rows {
        let decision = decide(before, direction, request);
        let what = format!("{direction:?} {request:?} in {before:?}");
        assert_eq!(decision.relation, after, "{what}");
        assert_eq!(decision.passes, passes, "{what}");
        assert_eq!(decision.reply.is_some(), reply(before), "{what}");
        assert_eq!(
            decision.push,
            (before.to, before.from, before.pending_out, before.approved)
                != (after.to, after.from, after.pending_out, after.approved),
            "a push tells of what a roster item shows: {what}"
        );
    }
}

fn approved(relation: Relation) -> Relation {
    Relation {
        approved: true,
        ..relation
    }
}

fn never(_: Relation) -> bool {
    false
}

#[test]
fn outbound_subscribe_follows_table_2() {
    assert_table(
        Outbound,
        Request::Subscribe,
        [
            (NONE, true, NONE_OUT),
            (NONE_OUT, true, NONE_OUT),
            (NONE_IN, true, NONE_OUT_IN),
            (NONE_OUT_IN, true, NONE_OUT_IN),
            (TO, true, TO),
            (TO_IN, true, TO_IN),
            (FROM, true, FROM_OUT),
            (FROM_OUT, true, FROM_OUT),
            (BOTH, true, BOTH),
        ],
        never,
    );
}

#[test]
fn outbound_unsubscribe_follows_table_3() {
    assert_table(
        Outbound,
        Request::Unsubscribe,
        [
            (NONE, true, NONE),
            (NONE_OUT, true, NONE),
            (NONE_IN, true, NONE_IN),
            (NONE_OUT_IN, true, NONE_IN),
            (TO, true, NONE),
            (TO_IN, true, NONE_IN),
            (FROM, true, FROM),
            (FROM_OUT, true, FROM),
            (BOTH, true, FROM),
        ],
        never,
    );
}

#[test]
fn outbound_subscribed_follows_table_4() {
    assert_table(
        Outbound,
        Request::Subscribed,
        [
            (NONE, false, approved(NONE)),
            (NONE_OUT, false, approved(NONE_OUT)),
            (NONE_IN, true, FROM),
            (NONE_OUT_IN, true, FROM_OUT),
            (TO, false, approved(TO)),
            (TO_IN, true, BOTH),
            (FROM, false, FROM),
            (FROM_OUT, false, FROM_OUT),
            (BOTH, false, BOTH),
        ],
        never,
    );
}

#[test]
fn outbound_unsubscribed_follows_table_5() {
    assert_table(
        Outbound,
        Request::Unsubscribed,
        [
            (NONE, false, NONE),
            (NONE_OUT, false, NONE_OUT),
            (NONE_IN, true, NONE),
            (NONE_OUT_IN, true, NONE_OUT),
            (TO, false, TO),
            (TO_IN, true, TO),
            (FROM, true, NONE),
            (FROM_OUT, true, NONE_OUT),
            (BOTH, true, TO),
        ],
        never,
    );
}

#[test]
fn inbound_subscribe_follows_table_6() {
    assert_table(
        Inbound,
        Request::Subscribe,
        [
            (NONE, true, NONE_IN),
            (NONE_OUT, true, NONE_OUT_IN),
            (NONE_IN, false, NONE_IN),
            (NONE_OUT_IN, false, NONE_OUT_IN),
            (TO, true, TO_IN),
            (TO_IN, false, TO_IN),
            (FROM, false, FROM),
            (FROM_OUT, false, FROM_OUT),
            (BOTH, false, BOTH),
        ],
        |before| before.from,
    );
}

#[test]
fn inbound_unsubscribe_follows_table_7() {
    assert_table(
        Inbound,
        Request::Unsubscribe,
        [
            (NONE, false, NONE),
            (NONE_OUT, false, NONE_OUT),
            (NONE_IN, true, NONE),
            (NONE_OUT_IN, true, NONE_OUT),
            (TO, false, TO),
            (TO_IN, true, TO),
            (FROM, true, NONE),
            (FROM_OUT, true, NONE_OUT),
            (BOTH, true, TO),
        ],
        |before| before.from || before.pending_in,
    );
}

#[test]
fn inbound_subscribed_follows_table_8() {
    assert_table(
        Inbound,
        Request::Subscribed,
        [
            (NONE, false, NONE),
            (NONE_OUT, true, TO),
            (NONE_IN, false, NONE_IN),
            (NONE_OUT_IN, true, TO_IN),
            (TO, false, TO),
            (TO_IN, false, TO_IN),
            (FROM, false, FROM),
            (FROM_OUT, true, BOTH),
            (BOTH, false, BOTH),
        ],
        never,
    );
}

#[test]
fn inbound_unsubscribed_follows_table_9() {
    assert_table(
        Inbound,
        Request::Unsubscribed,
        [
            (NONE, false, NONE),
            (NONE_OUT, true, NONE),
            (NONE_IN, false, NONE_IN),
            (NONE_OUT_IN, true, NONE_IN),
            (TO, true, NONE),
            (TO_IN, true, NONE_IN),
            (FROM, false, FROM),
            (FROM_OUT, true, FROM),
            (BOTH, true, FROM),
        ],
        never,
    );
}

#[test]
fn a_pre_approved_request_is_answered_and_not_delivered() {
    for (before, after) in [(NONE, FROM), (NONE_OUT, FROM_OUT), (TO, BOTH)] {
        let decision = decide(approved(before), Inbound, Request::Subscribe);
        assert_eq!(decision.relation, approved(after));
        assert!(!decision.passes);
        assert_eq!(decision.reply, Some(Request::Subscribed));
        assert!(decision.push);
        assert_eq!(decision.sharing, Sharing::Begins);
    }
}

#[test]
fn unsubscribed_cancels_a_pre_approval_without_being_routed() {
    for before in [NONE, NONE_OUT, TO] {
        let decision = decide(approved(before), Outbound, Request::Unsubscribed);
        assert_eq!(decision.relation, before);
        assert!(!decision.passes);
        assert!(decision.push);
    }
}

#[test]
fn replies_are_the_answers_that_fit() {
    assert_eq!(
        decide(BOTH, Inbound, Request::Subscribe).reply,
        Some(Request::Subscribed)
    );
    assert_eq!(
        decide(BOTH, Inbound, Request::Unsubscribe).reply,
        Some(Request::Unsubscribed)
    );
}

#[test]
fn presence_sharing_begins_and_ends_with_the_contacts_subscription() {
    assert_eq!(
        decide(NONE_IN, Outbound, Request::Subscribed).sharing,
        Sharing::Begins
    );
    assert_eq!(
        decide(BOTH, Outbound, Request::Unsubscribed).sharing,
        Sharing::Ends
    );
    assert_eq!(
        decide(FROM, Inbound, Request::Unsubscribe).sharing,
        Sharing::Ends
    );
    assert_eq!(
        decide(TO, Inbound, Request::Unsubscribed).sharing,
        Sharing::Unchanged
    );
    assert_eq!(
        decide(NONE_IN, Inbound, Request::Unsubscribe).sharing,
        Sharing::Unchanged
    );
}

#[test]
fn a_hidden_request_changes_no_roster_item() {
    let decision = decide(NONE, Inbound, Request::Subscribe);
    assert!(decision.passes && !decision.push);
}

#[test]
fn no_sequence_of_stanzas_leaves_the_nine_states() {
    let mut reached = vec![NONE];
    let mut next = 0;
    while next < reached.len() {
        for direction in [Inbound, Outbound] {
            for request in [
                Request::Subscribe,
                Request::Unsubscribe,
                Request::Subscribed,
                Request::Unsubscribed,
            ] {
                let after = decide(reached[next], direction, request).relation;
                let plain = Relation {
                    approved: false,
                    ..after
                };
                assert!(ALL.contains(&plain), "{after:?}");
                if !reached.contains(&after) {
                    reached.push(after);
                }
            }
        }
        next += 1;
    }
    assert!(ALL.iter().all(|state| reached.contains(state)));
}
