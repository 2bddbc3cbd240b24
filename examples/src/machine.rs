//! Measures the machine that the program runs on.
//!
//! Everything is read from the operating system at the moment of the call. What a machine does not have (swap, a
//! temperature sensor) gives no reading; no value is ever made up or kept from before.

use std::fmt;
use std::time::Duration;

use sysinfo::{Components, Disks, MemoryRefreshKind, Networks, System};

/// Reads the machine. Holds the handles that reading needs; each reading refreshes what it reports.
#[derive(Debug)]
pub struct Machine {
    system: System,
    disks: Option<Disks>,
    networks: Option<Networks>,
    components: Option<Components>,
}

impl Machine {
    /// Prepares reading.
    ///
    /// # Errors
    /// When this operating system is not one that can be measured.
    pub fn new() -> Result<Self, MachineError> {
        let system = System::new().map_err(|cause| MachineError {
            reason: cause.to_string(),
        })?;
        Ok(Self {
            system,
            disks: Disks::new().ok(),
            networks: Networks::new().ok(),
            components: Components::new().ok(),
        })
    }

    /// Measures everything now, in a stable order: what the machine is, load, memory, disks, network, temperatures.
    pub fn read(&mut self) -> Vec<Reading> {
        let mut readings = Vec::new();
        identity(&mut readings);
        load(&mut readings);
        self.memory(&mut readings);
        if let Some(disks) = &mut self.disks {
            disks.refresh(true);
            disks_of(disks, &mut readings);
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
            networks_of(networks, &mut readings);
        }
        if let Some(components) = &mut self.components {
            components.refresh(true);
            temperatures_of(components, &mut readings);
        }
        readings
    }

    /// Measures what changes from one moment to the next: the readings of [`read`](Self::read) that are
    /// [`Category::Momentary`]. This is what a history keeps.
    pub fn read_momentary(&mut self) -> Vec<Reading> {
        let mut readings = self.read();
        readings.retain(|reading| reading.category == Category::Momentary);
        readings
    }

    fn memory(&mut self, readings: &mut Vec<Reading>) {
        self.system
            .refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram().with_swap());
        let (total, used) = (self.system.total_memory(), self.system.used_memory());
        if total > 0 {
            readings.push(Reading::new(
                "Memory total",
                Value::Count(total),
                "B",
                Category::Status,
            ));
            readings.push(Reading::new(
                "Memory used",
                Value::Count(used),
                "B",
                Category::Momentary,
            ));
            readings.push(share("Memory in use", used, total));
        }
        let (total, used) = (self.system.total_swap(), self.system.used_swap());
        if total > 0 {
            readings.push(Reading::new(
                "Swap total",
                Value::Count(total),
                "B",
                Category::Status,
            ));
            readings.push(Reading::new(
                "Swap used",
                Value::Count(used),
                "B",
                Category::Momentary,
            ));
        }
    }
}

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What was measured, unique among the readings of one machine.
    pub name: String,
    /// The value at that moment.
    pub value: Value,
    /// The unit of the value; empty when it has none.
    pub unit: &'static str,
    /// What kind of value it is.
    pub category: Category,
}

impl Reading {
    /// A reading from its parts.
    pub fn new(
        name: impl Into<String>,
        value: Value,
        unit: &'static str,
        category: Category,
    ) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            category,
        }
    }
}

/// A measured value by its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number: bytes, processors.
    Count(u64),
    /// A number with a fixed number of decimals.
    Decimal {
        /// The number. Always finite.
        value: f64,
        /// How many decimals were measured.
        decimals: u8,
    },
    /// A span of time, in whole seconds.
    Span(Duration),
    /// A text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Decimal { value, decimals } => write!(f, "{value:.*}", usize::from(*decimals)),
            Self::Span(span) => span.as_secs().fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// The kind of a reading, as sensor data tells kinds apart (XEP-0323 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// The value at the moment of reading.
    Momentary,
    /// The highest value so far.
    Peak,
    /// A state that holds until something changes it.
    Status,
    /// Worked out from other readings.
    Computed,
    /// Says which machine this is.
    Identity,
}

/// Why the machine cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineError {
    reason: String,
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this machine cannot be measured: {}", self.reason)
    }
}

impl std::error::Error for MachineError {}

fn identity(readings: &mut Vec<Reading>) {
    let text = |name, value| Reading::new(name, Value::Text(value), "", Category::Identity);
    if let Ok(name) = System::host_name() {
        readings.push(text("Host name", name));
    }
    if let Ok(version) = System::kernel_version() {
        readings.push(text("Kernel version", version));
    }
    readings.push(text("Architecture", System::cpu_arch()));
    if let Ok(count) = std::thread::available_parallelism() {
        let count = Value::Count(count.get() as u64);
        readings.push(Reading::new("Processors", count, "", Category::Status));
    }
}

fn load(readings: &mut Vec<Reading>) {
    if let Ok(seconds) = System::uptime() {
        let uptime = Value::Span(Duration::from_secs(seconds));
        readings.push(Reading::new("Uptime", uptime, "s", Category::Momentary));
    }
    if let Ok(load) = System::load_average() {
        for (name, value) in [
            ("Load, 1 minute", load.one),
            ("Load, 5 minutes", load.five),
            ("Load, 15 minutes", load.fifteen),
        ] {
            readings.extend(decimal(name, value, 2, "", Category::Momentary));
        }
    }
}

fn disks_of(disks: &Disks, readings: &mut Vec<Reading>) {
    let mut mounts: Vec<(String, u64, u64)> = disks
        .iter()
        .filter(|disk| disk.total_space() > 0)
        .map(|disk| {
            (
                disk.mount_point().to_string_lossy().into_owned(),
                disk.total_space(),
                disk.available_space(),
            )
        })
        .collect();
    mounts.sort();
    mounts.dedup_by(|one, other| one.0 == other.0);
    for (mount, total, available) in mounts {
        let used = total.saturating_sub(available);
        readings.push(Reading::new(
            format!("Disk {mount} total"),
            Value::Count(total),
            "B",
            Category::Status,
        ));
        readings.push(Reading::new(
            format!("Disk {mount} used"),
            Value::Count(used),
            "B",
            Category::Momentary,
        ));
        readings.push(share(format!("Disk {mount} in use"), used, total));
    }
}

fn networks_of(networks: &Networks, readings: &mut Vec<Reading>) {
    let mut counters: Vec<(String, u64, u64)> = networks
        .iter()
        .map(|(name, data)| {
            (
                name.to_string_lossy().into_owned(),
                data.total_received(),
                data.total_transmitted(),
            )
        })
        .collect();
    counters.sort();
    for (interface, received, sent) in counters {
        for (direction, count) in [("received", received), ("sent", sent)] {
            let name = format!("Network {interface} {direction}");
            readings.push(Reading::new(
                name,
                Value::Count(count),
                "B",
                Category::Momentary,
            ));
        }
    }
}

fn temperatures_of(components: &Components, readings: &mut Vec<Reading>) {
    let mut sensors: Vec<(&str, Option<f32>, Option<f32>)> = components
        .iter()
        .map(|sensor| (sensor.label(), sensor.temperature(), sensor.max()))
        .collect();
    sensors.sort_by_key(|sensor| sensor.0);
    // Two sensors may carry one label; the first keeps it bare, so that names stay unique and stable.
    let mut same = 0;
    let mut last = None;
    for (label, now, highest) in sensors {
        same = if last == Some(label) { same + 1 } else { 1 };
        last = Some(label);
        let name = if same == 1 {
            format!("Temperature {label}")
        } else {
            format!("Temperature {label} {same}")
        };
        for (name, value, category) in [
            (format!("{name} highest"), highest, Category::Peak),
            (name, now, Category::Momentary),
        ] {
            readings
                .extend(value.and_then(|value| decimal(name, f64::from(value), 1, "°C", category)));
        }
    }
}

/// A reading of a number, unless the system gave none.
fn decimal(
    name: impl Into<String>,
    value: f64,
    decimals: u8,
    unit: &'static str,
    category: Category,
) -> Option<Reading> {
    value
        .is_finite()
        .then(|| Reading::new(name, Value::Decimal { value, decimals }, unit, category))
}

/// How much of a whole is taken, in per cent. `whole` is not zero.
fn share(name: impl Into<String>, part: u64, whole: u64) -> Reading {
    let value = part as f64 * 100.0 / whole as f64;
    Reading::new(
        name,
        Value::Decimal { value, decimals: 1 },
        "%",
        Category::Computed,
    )
}
