//! Reads a sensor and prints what it says as a table.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use xmpp_core::jid::Jid;
use xmpp_examples::account::AccountArguments;
use xmpp_examples::failure::{EXIT_CODES, Failure, FailureKind, exit};
use xmpp_examples::latency::Latencies;
use xmpp_examples::program;
use xmpp_examples::reader::{Arrival, Reader};
use xmpp_examples::table::Table;
use xmpp_iot_sensordata::model::{Categories, NodeReference, ReadoutRequest};
use xmpp_xml::value::DateTime;

/// Becomes a contact of a sensor, finds it, reads it (XEP-0323) and prints the fields as they arrive.
///
/// Reads the values of the moment unless --history or --all says otherwise.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    account: AccountArguments,
    /// The address of the device; without a resource, the one that is a sensor is found
    #[arg(value_name = "DEVICE_JID")]
    device: Jid,
    /// Read what the device remembers
    #[arg(long)]
    history: bool,
    /// Read everything that the device has, identity, state and history included
    #[arg(long, conflicts_with = "history")]
    all: bool,
    /// Only history from this time on, as in 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime>,
    /// Only history up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime>,
    /// Read only this node; can be given more than once
    #[arg(long = "node", value_name = "NODE")]
    nodes: Vec<String>,
    /// Read only the fields of these names
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    fields: Vec<String>,
    /// Read this many times, and tell at the end how long it took
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// How many seconds the server or the device may take for an answer
    #[arg(long, value_name = "SECS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl Arguments {
    fn request(&self) -> ReadoutRequest {
        let categories = match (self.all, self.history) {
            (true, _) => Categories::ALL,
            (_, true) => Categories::HISTORICAL,
            _ => Categories::MOMENTARY,
        };
        let mut request = ReadoutRequest::new(categories);
        request.from = self.from;
        request.to = self.to;
        request.fields.clone_from(&self.fields);
        self.nodes.iter().fold(request, |request, node| {
            request.node(NodeReference::new(node.clone()))
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit("reader", program::run(read(arguments)))
}

async fn read(arguments: Arguments) -> Result<(), Failure> {
    let patience = Duration::from_secs(arguments.timeout);
    let mut reader = Reader::log_in(arguments.account.config()?, patience).await?;
    let result = read_device(&arguments, &mut reader).await;
    reader.close().await;
    result
}

async fn read_device(arguments: &Arguments, reader: &mut Reader) -> Result<(), Failure> {
    reader.become_contact(&arguments.device).await?;
    let device = reader.find(&arguments.device).await?;
    let mut table = Table::new(std::io::stdout());
    let mut latencies = Latencies::new();
    for _ in 0..arguments.count {
        let mut printed = Ok(());
        let mut show = |arrival: Arrival<'_>| {
            if printed.is_ok() {
                printed = table.arrival(&arrival);
            }
        };
        let readout = reader.read(&device, arguments.request(), &mut show).await?;
        printed.map_err(Failure::local)?;
        latencies.record(readout.took);
    }
    if table.rows() == 0 {
        let message = format!("{device} has nothing of what was asked for");
        return Err(Failure::new(FailureKind::Readout, message));
    }
    if arguments.count > 1
        && let Some(summary) = latencies.summary()
    {
        let mut out = std::io::stdout();
        writeln!(out, "{summary}")
            .and_then(|()| out.flush())
            .map_err(Failure::local)?;
    }
    Ok(())
}
