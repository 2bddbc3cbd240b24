//! An XMPP server for one domain, and the administration of its accounts.

use std::io::{BufReader, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use xmpp_core::jid::Jid;
use xmpp_examples::account::{Password, first_line, password};
use xmpp_examples::failure::{EXIT_CODES, Failure, FailureKind, exit};
use xmpp_examples::program;
use xmpp_net::TlsServer;
use xmpp_server::storage::Redb;
use xmpp_server::{Server, ServerConfig};

/// Serves an XMPP domain and administers its accounts.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a domain until SIGINT or SIGTERM; SIGHUP reads the certificate again.
    ///
    /// When the server is ready it prints one line of JSON: its process id, its domain and the addresses that it listens at.
    Run(Run),
    /// Add, change, remove and list accounts. The server must not be running: its store belongs to one process.
    #[command(subcommand)]
    User(User),
}

#[derive(Args)]
struct Run {
    /// The domain to serve
    #[arg(long)]
    domain: String,
    /// The folder of the store; it is made if it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen for clients that begin in clear text and turn to TLS (STARTTLS); port 0 for any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5222")]
    listen: SocketAddr,
    /// Where to listen for clients that begin with TLS
    #[arg(long, value_name = "ADDRESS:PORT")]
    direct_tls: Option<SocketAddr>,
    /// The certificate chain, PEM, the server's own first
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// The private key, PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Subcommand)]
enum User {
    /// Add an account. The password comes from --password-file, the variable XMPP_PASSWORD, or standard input
    Add(Account),
    /// Remove an account with its roster
    Remove(Store),
    /// Give an account another password, which comes as for `add`
    Passwd(Account),
    /// List the accounts of a domain
    List {
        /// The folder of the store
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The domain
        #[arg(long)]
        domain: String,
    },
}

#[derive(Args)]
struct Account {
    #[command(flatten)]
    store: Store,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Args)]
struct Store {
    /// The folder of the store
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The address of the account, as in user@domain
    #[arg(value_name = "USER@DOMAIN")]
    user: Jid,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit(
        "server",
        program::run(async move {
            match arguments.command {
                Command::Run(run) => serve(run).await,
                Command::User(user) => administer(user).await,
            }
        }),
    )
}

async fn serve(run: Run) -> Result<(), Failure> {
    let tls = TlsServer::from_pem_files(&run.cert, &run.key).map_err(Failure::local)?;
    let config = config(&run.domain)?.tls(tls.clone());
    let server = Server::start(config, open(&run.data)?)
        .await
        .map_err(Failure::local)?;
    let listen = server.listen(run.listen).await.map_err(Failure::local)?;
    let direct_tls = match run.direct_tls {
        Some(address) => {
            let address = server
                .listen_direct_tls(address)
                .await
                .map_err(Failure::local)?;
            format!("\"{address}\"")
        }
        None => "null".to_owned(),
    };
    let pid = std::process::id();
    // A domain has no character that JSON would escape.
    let domain = &run.domain;
    let mut out = std::io::stdout();
    writeln!(
        out,
        r#"{{"pid":{pid},"domain":"{domain}","listen":"{listen}","direct_tls":{direct_tls}}}"#
    )
    .and_then(|()| out.flush())
    .map_err(Failure::local)?;
    let reload = || match tls.reload() {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(reason) => tracing::error!(%reason, "the certificate stays as it was"),
    };
    program::stopped(reload).await?;
    server.shutdown().await;
    Ok(())
}

async fn administer(user: User) -> Result<(), Failure> {
    match user {
        User::Add(account) => {
            let (name, password) = (account.store.name()?, account.password()?);
            let server = account.store.server().await?;
            server
                .accounts()
                .create(name, &password.0)
                .await
                .map_err(Failure::local)
        }
        User::Passwd(account) => {
            let (name, password) = (account.store.name()?, account.password()?);
            let server = account.store.server().await?;
            server
                .accounts()
                .set_password(name, &password.0)
                .await
                .map_err(Failure::local)
        }
        User::Remove(store) => {
            let (name, server) = (store.name()?, store.server().await?);
            if !server
                .accounts()
                .exists(name)
                .await
                .map_err(Failure::local)?
            {
                return Err(Failure::local(format!(
                    "there is no account {}",
                    store.user
                )));
            }
            server.accounts().remove(name).await.map_err(Failure::local)
        }
        User::List { data, domain } => {
            let server = idle_server(&data, &domain).await?;
            let mut last = None;
            let mut out = std::io::stdout();
            loop {
                let page = server
                    .accounts()
                    .list(last.as_deref(), 1_000)
                    .await
                    .map_err(Failure::local)?;
                for address in &page {
                    writeln!(out, "{address}").map_err(Failure::local)?;
                }
                match page.into_iter().next_back() {
                    Some(address) => last = Some(address),
                    None => return Ok(()),
                }
            }
        }
    }
}

impl Store {
    /// The name of the account, once it is clear that the address is that of an account.
    fn name(&self) -> Result<&str, Failure> {
        self.user
            .local()
            .filter(|_| self.user.is_bare())
            .ok_or_else(|| {
                Failure::new(
                    FailureKind::Usage,
                    format!("{} is no address as in user@domain", self.user),
                )
            })
    }

    async fn server(&self) -> Result<Server, Failure> {
        idle_server(&self.data, self.user.domain()).await
    }
}

impl Account {
    fn password(&self) -> Result<Password, Failure> {
        if let Some(password) = password(self.password_file.as_deref())? {
            return Ok(password);
        }
        let input = std::io::stdin();
        if input.is_terminal() {
            eprint!("Password for {} (it will be shown): ", self.store.user);
        }
        first_line(BufReader::new(input)).map_err(Failure::local)
    }
}

fn config(domain: &str) -> Result<ServerConfig, Failure> {
    ServerConfig::new(domain)
        .map_err(|reason| Failure::new(FailureKind::Usage, format!("{domain}: {reason}")))
}

/// A server that listens nowhere, for its accounts.
async fn idle_server(data: &Path, domain: &str) -> Result<Server, Failure> {
    // Nobody can connect, so there is nothing that TLS could protect.
    let config = config(domain)?.plain_text_without_tls();
    Server::start(config, open(data)?)
        .await
        .map_err(Failure::local)
}

fn open(data: &Path) -> Result<Arc<Redb>, Failure> {
    let failed =
        |reason: &dyn std::fmt::Display| Failure::local(format!("{}: {reason}", data.display()));
    program::private_folder(data).map_err(|reason| failed(&reason))?;
    Redb::open(data.join("store.redb"))
        .map(Arc::new)
        .map_err(|reason| failed(&reason))
}
