//! The history is bounded, in order, and holds one sample a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xmpp_examples::history::History;
use xmpp_examples::machine::{Category, Reading, Value};

fn second(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn reading(count: u64) -> Vec<Reading> {
    vec![Reading::new(
        "Count",
        Value::Count(count),
        "",
        Category::Momentary,
    )]
}

fn filled(capacity: usize, seconds: impl IntoIterator<Item = u64>) -> History {
    let mut history = History::new(capacity);
    for at in seconds {
        history.record(second(at), reading(at));
    }
    history
}

fn seconds(history: &History, from: Option<u64>, to: Option<u64>) -> Vec<u64> {
    let since = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    history
        .between(from.map(second), to.map(second))
        .map(|sample| since(sample.at))
        .collect()
}

#[test]
fn the_oldest_makes_room_for_the_newest() {
    let history = filled(3, 100..105);
    assert_eq!(history.len(), 3);
    assert_eq!(seconds(&history, None, None), [102, 103, 104]);
}

#[test]
fn a_span_includes_both_ends() {
    let history = filled(10, 100..110);
    assert_eq!(seconds(&history, Some(103), Some(105)), [103, 104, 105]);
    assert_eq!(seconds(&history, Some(108), None), [108, 109]);
    assert_eq!(seconds(&history, None, Some(101)), [100, 101]);
    assert_eq!(seconds(&history, Some(105), Some(103)), [0_u64; 0]);
}

#[test]
fn a_second_has_one_sample_the_latest() {
    let mut history = History::new(10);
    history.record(second(100) + Duration::from_millis(10), reading(1));
    history.record(second(100) + Duration::from_millis(990), reading(2));
    let samples: Vec<_> = history.between(None, None).collect();
    assert_eq!(samples.len(), 1);
    assert_eq!(
        samples.first().map(|sample| (&sample.readings, sample.at)),
        Some((&reading(2), second(100)))
    );
}

#[test]
fn time_that_runs_backwards_forgets_the_future() {
    let mut history = filled(10, 100..110);
    history.record(second(104), reading(0));
    assert_eq!(seconds(&history, None, None), [100, 101, 102, 103, 104]);
}

#[test]
fn a_history_of_no_seconds_remembers_nothing() {
    assert!(filled(0, 100..110).is_empty());
}
