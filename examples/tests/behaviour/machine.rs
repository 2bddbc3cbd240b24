//! What is measured is what the machine really has.

use std::collections::BTreeSet;
use std::time::Duration;

use xmpp_examples::machine::{Category, Machine, Reading, Value};

fn count(readings: &[Reading], name: &str) -> u64 {
    let reading = readings.iter().find(|reading| reading.name == name);
    match reading
        .unwrap_or_else(|| panic!("{name} was not read"))
        .value
    {
        Value::Count(count) => count,
        ref other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn names_are_unique_and_come_in_the_same_order_each_time() {
    let mut machine = Machine::new().unwrap();
    let names = |readings: Vec<Reading>| {
        readings
            .into_iter()
            .map(|reading| reading.name)
            .collect::<Vec<_>>()
    };
    let first = names(machine.read());
    assert_eq!(
        first.iter().collect::<BTreeSet<_>>().len(),
        first.len(),
        "{first:?}"
    );
    assert_eq!(first, names(machine.read()));
}

#[test]
fn momentary_readings_are_those_of_a_full_read() {
    let mut machine = Machine::new().unwrap();
    let all = machine.read();
    let momentary = machine.read_momentary();
    assert!(
        momentary
            .iter()
            .all(|reading| reading.category == Category::Momentary)
    );
    let expected: Vec<_> = all
        .iter()
        .filter(|reading| reading.category == Category::Momentary)
        .map(|reading| &reading.name)
        .collect();
    assert_eq!(
        momentary
            .iter()
            .map(|reading| &reading.name)
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn memory_in_use_is_part_of_what_there_is() {
    let readings = Machine::new().unwrap().read();
    let (total, used) = (
        count(&readings, "Memory total"),
        count(&readings, "Memory used"),
    );
    assert!(0 < used && used < total, "{used} of {total}");
    let share = readings
        .iter()
        .find(|reading| reading.name == "Memory in use")
        .unwrap();
    assert_eq!((share.unit, share.category), ("%", Category::Computed));
    let Value::Decimal { value, .. } = share.value else {
        panic!("{share:?}")
    };
    assert!((value - used as f64 * 100.0 / total as f64).abs() < 1e-9);
}

#[cfg(target_os = "linux")]
#[test]
fn values_agree_with_the_kernel() {
    let kernel = |path: &str| std::fs::read_to_string(path).expect("the kernel's own figures");
    let readings = Machine::new().unwrap().read();

    let total = kernel("/proc/meminfo");
    let total: u64 = total
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(count(&readings, "Memory total"), total * 1024);

    let uptime: f64 = kernel("/proc/uptime")
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let reading = readings
        .iter()
        .find(|reading| reading.name == "Uptime")
        .unwrap();
    let Value::Span(span) = reading.value else {
        panic!("{reading:?}")
    };
    assert!(
        (span.as_secs_f64() - uptime).abs() < 10.0,
        "{span:?} against {uptime}"
    );

    let interfaces = kernel("/proc/net/dev")
        .lines()
        .filter(|line| line.contains(':'))
        .count();
    let read = readings
        .iter()
        .filter(|reading| reading.name.starts_with("Network "))
        .count();
    assert_eq!(read, interfaces * 2, "received and sent for each interface");
}

#[test]
fn each_read_measures_anew() {
    let mut machine = Machine::new().unwrap();
    let first = machine.read_momentary();
    // Memory that this program takes in between must show in the next reading at the latest after a few tries: other
    // programs give memory back at the same time.
    for _ in 0..50 {
        let ballast = vec![1_u8; 4 << 20];
        std::thread::sleep(Duration::from_millis(20));
        let next = machine.read_momentary();
        if next != first {
            return;
        }
        drop(ballast);
    }
    panic!("nothing has changed in a second: {first:?}");
}

#[test]
fn values_show_their_decimals() {
    let value = Value::Decimal {
        value: 0.456,
        decimals: 2,
    };
    assert_eq!(value.to_string(), "0.46");
    assert_eq!(Value::Count(1024).to_string(), "1024");
    assert_eq!(Value::Span(Duration::from_millis(61_900)).to_string(), "61");
    assert_eq!(Value::Text("amd64".to_owned()).to_string(), "amd64");
}
