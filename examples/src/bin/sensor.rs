//! A device that measures the machine it runs on, for its contacts to read.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use xmpp_core::jid::Jid;
use xmpp_examples::account::AccountArguments;
use xmpp_examples::failure::{EXIT_CODES, Failure, exit};
use xmpp_examples::program;
use xmpp_examples::sensor::Sensor;

/// Measures this machine (load, memory, disks, network, uptime, temperatures) and lets contacts read it (XEP-0323).
///
/// Runs until SIGINT or SIGTERM. When the sensor is online it prints its full address on a line of its own.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    account: AccountArguments,
    /// Accept this address as a contact, who may then read; can be given more than once
    #[arg(long = "contact", value_name = "JID")]
    contacts: Vec<Jid>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit("sensor", program::run(sense(arguments)))
}

async fn sense(arguments: Arguments) -> Result<(), Failure> {
    let sensor = Sensor::log_in(arguments.account.config()?, arguments.contacts).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", sensor.jid())
        .and_then(|()| out.flush())
        .map_err(Failure::local)?;
    let stop = async {
        if let Err(reason) = program::stopped(|| {}).await {
            tracing::error!(%reason, "signals cannot be caught");
        }
    };
    sensor.run(stop).await
}
