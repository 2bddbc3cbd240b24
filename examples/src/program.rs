//! What every program does around its work: a runtime, a log, signals.

use std::env;
use std::future::Future;
use std::io;
use std::path::Path;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::failure::Failure;

/// Runs a program on a runtime, with a log on standard error that the environment variable `RUST_LOG` can turn up.
///
/// # Errors
/// What the program ends with, or when the system gives no threads.
pub fn run(program: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let levels = env::var("RUST_LOG")
        .ok()
        .and_then(|levels| levels.parse().ok());
    let filter = levels.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // Tests may have set one already.
    let _ = tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.map_err(Failure::local)?.block_on(program)
}

/// Waits for SIGINT or SIGTERM. Calls `reload` at each SIGHUP.
///
/// # Errors
/// When the system does not let signals be caught.
#[cfg(unix)]
pub async fn stopped(reload: impl Fn()) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};

    let catch = |kind| signal(kind).map_err(Failure::local);
    let (mut interrupt, mut terminate, mut hang_up) = (
        catch(SignalKind::interrupt())?,
        catch(SignalKind::terminate())?,
        catch(SignalKind::hangup())?,
    );
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => reload(),
        }
    }
}

/// Waits for an interrupt from the keyboard.
///
/// # Errors
/// When the system does not let it be caught.
#[cfg(not(unix))]
pub async fn stopped(_reload: impl Fn()) -> Result<(), Failure> {
    tokio::signal::ctrl_c().await.map_err(Failure::local)
}

/// Makes a folder, and those above it, that only its owner can enter. One that is there already stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
