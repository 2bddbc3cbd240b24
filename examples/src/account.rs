//! What every program needs to log in.

use std::fmt;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use clap::Args;
use xmpp_client::Config;
use xmpp_core::jid::Jid;
use xmpp_net::TlsClient;

use crate::failure::{Failure, FailureKind};

/// The environment variable that holds a password.
pub const PASSWORD_VARIABLE: &str = "XMPP_PASSWORD";

/// The options for an account and its server.
#[derive(Args, Clone, Debug)]
pub struct AccountArguments {
    /// The address to log in as; with a resource, as in user@domain/resource, that one is asked for
    #[arg(long, value_name = "JID")]
    pub jid: Jid,

    /// Where the server is [default: the domain of the address, port 5222, or 5223 with --direct-tls]
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,

    /// Trust the authorities in this PEM file instead of those of the system
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Speak TLS from the first byte instead of STARTTLS
    #[arg(long)]
    pub direct_tls: bool,

    /// Read the password from the first line of this file instead of the environment variable XMPP_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl AccountArguments {
    /// The configuration of a client for this account.
    ///
    /// # Errors
    /// When the address has no user, there is no password, or the authorities cannot be read.
    pub fn config(&self) -> Result<Config, Failure> {
        if self.jid.local().is_none() {
            let message = format!("{} is no address of a user, as in user@domain", self.jid);
            return Err(Failure::new(FailureKind::Usage, message));
        }
        let password = match password(self.password_file.as_deref())? {
            Some(password) => password,
            None => {
                let message =
                    format!("no password: set {PASSWORD_VARIABLE} or give --password-file");
                return Err(Failure::new(FailureKind::Usage, message));
            }
        };
        // These programs end with their connection, and say why: what starts them may start them again.
        let mut config = Config::new(self.jid.clone(), password.0)
            .direct_tls(self.direct_tls)
            .reconnect(None);
        if let Some(server) = &self.server {
            config = config.server(server);
        }
        if let Some(ca) = &self.ca {
            let tls = TlsClient::with_ca_file(ca);
            config = config
                .tls(tls.map_err(|cause| Failure::local(format!("{}: {cause}", ca.display())))?);
        }
        Ok(config)
    }
}

/// A password, which debug output does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The password from the first line of a file, or else from [`PASSWORD_VARIABLE`], or else none.
///
/// # Errors
/// When the file cannot be read, or the variable is no text.
pub fn password(file: Option<&Path>) -> Result<Option<Password>, Failure> {
    if let Some(file) = file {
        let opened =
            std::fs::File::open(file).and_then(|file| first_line(std::io::BufReader::new(file)));
        let password =
            opened.map_err(|cause| Failure::local(format!("{}: {cause}", file.display())))?;
        return Ok(Some(password));
    }
    match std::env::var(PASSWORD_VARIABLE) {
        Ok(password) => Ok(Some(Password(password))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(cause) => Err(Failure::new(
            FailureKind::Usage,
            format!("{PASSWORD_VARIABLE}: {cause}"),
        )),
    }
}

/// The first line of an input, without its end.
///
/// # Errors
/// When the input cannot be read.
pub fn first_line(mut input: impl BufRead) -> std::io::Result<Password> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(Password(line))
}
