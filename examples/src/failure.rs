//! How the programs end: a sentence for people, an exit code for scripts.

use std::fmt;
use std::process::ExitCode;

use xmpp_client::{ConnectError, DeliveryError, End, RequestError, SendError};
use xmpp_core::stream;

/// The exit codes of the programs, as their `--help` lists them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  something on this machine is wrong: a file, the store, a measurement
  2  the command line is wrong
  3  no connection, or it was lost: unknown host, nobody listens, certificate not trusted, no TLS, stream error
  4  the server refused the user name or the password
  5  the device is not there, does not answer or is no sensor
  6  the device or its server refused the readout, or it failed";

/// Why a program ends before it has done its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which kind of failure it is.
    pub kind: FailureKind,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
}

/// The kinds of failure that scripts can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Something on this machine: files, store, measurement.
    Local = 1,
    /// The command line.
    Usage = 2,
    /// No connection, or it was lost.
    Connection = 3,
    /// User name or password.
    Authentication = 4,
    /// The device is not there.
    Unavailable = 5,
    /// The readout was refused or failed.
    Readout = 6,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(kind: FailureKind, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self { kind, message }
    }

    /// Something on this machine is wrong.
    pub fn local(message: impl fmt::Display) -> Self {
        Self::new(FailureKind::Local, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            error if error.is_authentication() => FailureKind::Authentication,
            ConnectError::Stream(stream::Error::NoCommonMechanism { .. }) => {
                FailureKind::Authentication
            }
            ConnectError::Roots(_) | ConnectError::Random(_) => FailureKind::Local,
            _ => FailureKind::Connection,
        };
        Self::new(kind, format!("no connection: {error}"))
    }
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        Self::new(
            FailureKind::Connection,
            format!("the connection has ended: {end}"),
        )
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Ended(end) => end.into(),
            error => Self::new(FailureKind::Usage, error),
        }
    }
}

impl From<DeliveryError> for Failure {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Ended(end) => end.into(),
            error => Self::new(FailureKind::Connection, error),
        }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Ended(end) => end.into(),
            RequestError::Send(error) => error.into(),
            error => Self::new(
                FailureKind::Connection,
                format!("the server did not answer as it should: {error}"),
            ),
        }
    }
}

/// Ends a program: says on standard error what went wrong, if anything, and gives the exit code.
pub fn exit(program: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{program}: {failure}");
            ExitCode::from(failure.kind as u8)
        }
    }
}
