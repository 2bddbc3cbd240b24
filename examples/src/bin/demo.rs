//! A first look: a server, a sensor and a reader in one process, on loopback, with everything else in a temporary folder.

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::sync::oneshot;
use xmpp_client::Config;
use xmpp_core::jid::Jid;
use xmpp_examples::certificates::{Files, write_files};
use xmpp_examples::failure::{EXIT_CODES, Failure, FailureKind, exit};
use xmpp_examples::latency::Latencies;
use xmpp_examples::program;
use xmpp_examples::reader::{Arrival, Reader};
use xmpp_examples::sensor::{NODE, Sensor};
use xmpp_examples::table::Table;
use xmpp_iot_sensordata::model::{Categories, NodeReference, ReadoutRequest};
use xmpp_net::{TlsClient, TlsServer};
use xmpp_sasl::{Mechanism, Policy};
use xmpp_server::storage::Redb;
use xmpp_server::{Server, ServerConfig};

const DOMAIN: &str = "home.example";
/// The demo ends by itself within a minute, whatever happens.
const LIMIT: Duration = Duration::from_secs(55);
/// How long anything may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many seconds of history are shown.
const HISTORY: u64 = 3;

/// Runs a server, a sensor that measures this machine, and a reader that reads it over TLS, and shows what happens.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    /// How many readouts to make back to back at the end
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    count: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit(
        "demo",
        program::run(async move {
            match tokio::time::timeout(LIMIT, demonstrate(arguments.count)).await {
                Ok(result) => result,
                Err(_) => Err(Failure::local(format!(
                    "not done after {} seconds",
                    LIMIT.as_secs()
                ))),
            }
        }),
    )
}

async fn demonstrate(count: u32) -> Result<(), Failure> {
    let folder = tempfile::Builder::new()
        .prefix("xmpp-demo.")
        .tempdir()
        .map_err(Failure::local)?;
    say(format_args!(
        "Everything is in {} and goes away at the end.",
        folder.path().display()
    ))?;

    step("A certificate authority, and a certificate for the server")?;
    let files = write_files(folder.path(), &[DOMAIN]).map_err(Failure::local)?;
    let tls = TlsClient::with_ca_file(&files.authority).map_err(Failure::local)?;

    step("A server with a store on the disk, and two accounts")?;
    let (server, address) = start_server(folder.path(), &files).await?;
    let (sensor_account, reader_account) = (
        account(&server, "sensor").await?,
        account(&server, "reader").await?,
    );
    say(format_args!("{DOMAIN} listens at {address}."))?;

    step("A sensor that measures this machine, and lets the reader become its contact")?;
    let config = sensor_account.config(address, &tls);
    let sensor = Sensor::log_in(config, [reader_account.jid.clone()]).await?;
    say(format_args!("{} is online.", sensor.jid()))?;
    let (stop_sensor, stopped) = oneshot::channel::<()>();
    let began = Instant::now();
    let sensor = tokio::spawn(sensor.run(async {
        // Gone without a word is as good as a word.
        let _ = stopped.await;
    }));

    step("A reader that logs in over STARTTLS with SCRAM-SHA-256-PLUS and nothing less")?;
    let plus = Policy::default().mechanisms([Mechanism::ScramSha256Plus]);
    let config = reader_account.config(address, &tls).policy(plus);
    let mut reader = Reader::log_in(config, PATIENCE).await?;
    say(format_args!("{} is online.", reader.jid()))?;

    step("It becomes a contact of the sensor and finds its resource by presence and discovery")?;
    reader.become_contact(&sensor_account.jid).await?;
    let device = reader.find(&sensor_account.jid).await?;
    say(format_args!("{device} is a sensor."))?;

    step("The values of this moment")?;
    show(&mut reader, &device, ReadoutRequest::momentary()).await?;

    step("What the sensor remembers of the last seconds, for two of the fields")?;
    tokio::time::sleep(
        (Duration::from_secs(HISTORY) + Duration::from_millis(200)).saturating_sub(began.elapsed()),
    )
    .await;
    let history = ReadoutRequest::new(Categories::HISTORICAL_SECOND)
        .field("Load, 1 minute")
        .field("Memory used");
    show(&mut reader, &device, history).await?;

    step("A node that does not exist")?;
    let missing = ReadoutRequest::momentary().node(NodeReference::new("no-such-node"));
    match reader.read(&device, missing, &mut |_| {}).await {
        Err(failure) if failure.kind == FailureKind::Readout => say(&failure)?,
        Err(failure) => return Err(failure),
        Ok(_) => {
            return Err(Failure::new(
                FailureKind::Readout,
                "a node that does not exist was read",
            ));
        }
    }

    step(&format!("{count} readouts of node {NODE} back to back"))?;
    let mut latencies = Latencies::new();
    for _ in 0..count {
        let request = ReadoutRequest::momentary().node(NodeReference::new(NODE));
        latencies.record(reader.read(&device, request, &mut |_| {}).await?.took);
    }
    if let Some(summary) = latencies.summary() {
        say(summary)?;
    }

    step("Good bye")?;
    reader.close().await;
    drop(stop_sensor);
    sensor.await.map_err(Failure::local)??;
    server.shutdown().await;
    Ok(())
}

async fn start_server(folder: &Path, files: &Files) -> Result<(Server, SocketAddr), Failure> {
    let store = Redb::open(folder.join("store.redb")).map_err(Failure::local)?;
    let tls = TlsServer::from_pem_files(&files.certificate, &files.key).map_err(Failure::local)?;
    let config = ServerConfig::new(DOMAIN).map_err(Failure::local)?.tls(tls);
    let server = Server::start(config, Arc::new(store))
        .await
        .map_err(Failure::local)?;
    let address = server.listen("127.0.0.1:0").await.map_err(Failure::local)?;
    Ok((server, address))
}

/// An account with a password that nobody knows.
struct Account {
    jid: Jid,
    password: String,
}

impl Account {
    fn config(&self, server: SocketAddr, tls: &TlsClient) -> Config {
        Config::new(self.jid.clone(), self.password.clone())
            .server(server.to_string())
            .tls(tls.clone())
            .reconnect(None)
    }
}

async fn account(server: &Server, user: &str) -> Result<Account, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(Failure::local)?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    server
        .accounts()
        .create(user, &password)
        .await
        .map_err(Failure::local)?;
    let jid = format!("{user}@{DOMAIN}").parse().map_err(Failure::local)?;
    Ok(Account { jid, password })
}

/// Reads the device and prints what arrives.
async fn show(reader: &mut Reader, device: &Jid, request: ReadoutRequest) -> Result<(), Failure> {
    let mut table = Table::new(std::io::stdout());
    let mut printed = Ok(());
    let mut print = |arrival: Arrival<'_>| {
        if printed.is_ok() {
            printed = table.arrival(&arrival);
        }
    };
    let readout = reader.read(device, request, &mut print).await?;
    printed.map_err(Failure::local)?;
    if readout.fields == 0 {
        return Err(Failure::new(FailureKind::Readout, "nothing was read"));
    }
    say(readout)
}

fn step(title: &str) -> Result<(), Failure> {
    say(format_args!("\n== {title}"))
}

fn say(line: impl fmt::Display) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(Failure::local)
}
