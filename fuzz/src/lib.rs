//! Fuzz targets of the XMPP IoT crates.
//!
//! A target is a plain function over bytes that must come back for every input: it checks what has to hold and panics
//! when it does not. The functions stand here, in a library, so that two things can drive them:
//!
//! - the libFuzzer programs in `fuzz_targets/`, one line each, built with the feature `libfuzzer`;
//! - `cargo test`, which replays every seed in `seeds/NAME/` through the same function, without any fuzzer.

pub mod core;
pub mod differential;
pub mod forms;
pub mod management;
pub mod sasl;
pub mod sensordata;
pub mod xml;
pub mod xml_derive;

/// A function under attack and the name that its seeds and its libFuzzer program go by.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the folder in `seeds/` and of the program in `fuzz_targets/`.
    pub name: &'static str,
    /// Takes any bytes; panics when the code under test breaks its word.
    pub run: fn(&[u8]),
}

/// All targets, in the order in which they were added.
pub const TARGETS: &[Target] = &[
    Target {
        name: "parse",
        run: xml::parse,
    },
    Target {
        name: "roundtrip",
        run: xml::roundtrip,
    },
    Target {
        name: "scram",
        run: sasl::scram,
    },
    Target {
        name: "derive",
        run: xml_derive::derive,
    },
    Target {
        name: "sensordata",
        run: sensordata::sensordata,
    },
    Target {
        name: "jid",
        run: core::jid,
    },
    Target {
        name: "stream",
        run: core::stream,
    },
    Target {
        name: "differential",
        run: differential::differential,
    },
    Target {
        name: "sasl",
        run: sasl::sasl,
    },
    Target {
        name: "forms",
        run: forms::forms,
    },
    Target {
        name: "management",
        run: management::management,
    },
];
