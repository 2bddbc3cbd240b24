//! Percentiles are those of the nearest rank.

use std::time::Duration;

use xmpp_examples::latency::Latencies;

fn milliseconds(taken: impl IntoIterator<Item = u64>) -> Latencies {
    let mut latencies = Latencies::new();
    taken
        .into_iter()
        .map(Duration::from_millis)
        .for_each(|taken| latencies.record(taken));
    latencies
}

#[test]
fn percentiles_of_a_hundred_are_the_hundred() {
    let mut latencies = milliseconds((1..=100).rev());
    for (percent, expected) in [
        (0.0, 1),
        (1.0, 1),
        (50.0, 50),
        (99.0, 99),
        (99.5, 100),
        (100.0, 100),
        (500.0, 100),
    ] {
        assert_eq!(
            latencies.percentile(percent),
            Some(Duration::from_millis(expected)),
            "p{percent}"
        );
    }
}

#[test]
fn one_duration_is_every_percentile() {
    let mut latencies = milliseconds([7]);
    assert_eq!(latencies.percentile(50.0), latencies.percentile(99.0));
}

#[test]
fn nothing_recorded_has_no_summary() {
    assert_eq!(Latencies::new().percentile(50.0), None);
    assert_eq!(Latencies::new().summary(), None);
}

#[test]
fn what_is_recorded_after_a_question_counts_in_the_next() {
    let mut latencies = milliseconds([5]);
    assert_eq!(latencies.percentile(100.0), Some(Duration::from_millis(5)));
    latencies.record(Duration::from_millis(9));
    latencies.record(Duration::from_millis(1));
    assert_eq!(latencies.percentile(100.0), Some(Duration::from_millis(9)));
    assert_eq!(latencies.percentile(50.0), Some(Duration::from_millis(5)));
}

#[test]
fn a_summary_reads_as_a_line() {
    let summary = milliseconds(1..=200)
        .summary()
        .map(|summary| summary.to_string());
    assert_eq!(
        summary.as_deref(),
        Some("200 times: p50 100.0ms, p99 198.0ms, longest 200.0ms")
    );
}
