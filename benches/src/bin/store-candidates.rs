//! Measures the two candidates for the server's embedded store beside each other.
//!
//! `cargo run --release -p xmpp-benches --bin store-candidates [-- SECONDS [FOLDER]]` prints three tables:
//! durable small writes per second behind one committing thread (group commit), the size on disk after
//! them, and what is left after `kill -9` in the middle of writes. The program starts itself again as the
//! process to be killed (`store-candidates writer ENGINE PATH`).

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Failure = Box<dyn Error + Send + Sync>;

/// Records that are there before the clock starts, as a server has them.
const PRELOADED: u64 = 20_000;
/// Rounds of `kill -9` per engine.
const ROUNDS: u64 = 10;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["writer", engine, path] => write_until_killed(open(engine, Path::new(path))?),
        [] => measure(Duration::from_secs(3), &std::env::temp_dir()),
        [seconds] => measure(Duration::from_secs(seconds.parse()?), &std::env::temp_dir()),
        [seconds, folder] => measure(Duration::from_secs(seconds.parse()?), Path::new(folder)),
        _ => Err("usage: store-candidates [SECONDS [FOLDER]]".into()),
    }
}

fn measure(span: Duration, folder: &Path) -> Result<(), Failure> {
    let engines = ["redb", "redb-quick-repair", "fjall"];

    println!(
        "Durable writes of about 150 bytes for {} s each",
        span.as_secs()
    );
    println!("| engine | writers | writes/s | commits/s | writes per commit | p50 µs | p99 µs |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut sizes = Vec::new();
    for engine in engines {
        for writers in [1, 8, 64] {
            let place = tempfile::tempdir_in(folder)?;
            let path = place.path().join("store");
            let figures = write_for(open(engine, &path)?, writers, span)?;
            println!(
                "| {engine} | {writers} | {:.0} | {:.0} | {:.1} | {} | {} |",
                figures.writes as f64 / span.as_secs_f64(),
                figures.commits as f64 / span.as_secs_f64(),
                figures.writes as f64 / figures.commits.max(1) as f64,
                figures.percentile(50).as_micros(),
                figures.percentile(99).as_micros(),
            );
            let records = PRELOADED + figures.writes;
            sizes.push((engine, writers, records, allocated(&path)?));
        }
    }

    println!("\nSize on disk after those writes, closed");
    println!("| engine | writers | records | KiB | bytes per record |");
    println!("| --- | --- | --- | --- | --- |");
    for (engine, writers, records, bytes) in sizes {
        println!(
            "| {engine} | {writers} | {records} | {} | {} |",
            bytes / 1024,
            bytes / records.max(1)
        );
    }

    println!("\n`kill -9` while 8 writers write, {ROUNDS} rounds on one store");
    println!(
        "| engine | records before | acknowledged | missing | opens again | open, median | worst |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (records, engine) in [0, 500_000]
        .into_iter()
        .flat_map(|records| engines.map(|engine| (records, engine)))
    {
        let place = tempfile::tempdir_in(folder)?;
        let path = place.path().join("store");
        preload(open(engine, &path)?.as_ref(), records)?;
        let outcome = kill_rounds(engine, &path)?;
        println!(
            "| {engine} | {records} | {} | {} | {}/{ROUNDS} | {:.1} ms | {:.1} ms |",
            outcome.acknowledged,
            outcome.missing,
            outcome.opened,
            outcome.median().as_secs_f64() * 1e3,
            outcome.worst().as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

// The engines

/// What the server needs of a store, cut down to one table.
trait Engine: Send + Sync {
    /// Writes all records and returns when they survive the loss of the process and of power.
    fn write(&self, records: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Failure>;
    fn holds(&self, key: &[u8]) -> Result<bool, Failure>;
}

fn open(engine: &str, path: &Path) -> Result<Arc<dyn Engine>, Failure> {
    match engine {
        "redb" => Ok(Arc::new(Redb::open(path, false)?)),
        "redb-quick-repair" => Ok(Arc::new(Redb::open(path, true)?)),
        "fjall" => Ok(Arc::new(Fjall::open(path)?)),
        other => Err(format!("no engine is called {other}").into()),
    }
}

struct Redb {
    database: redb::Database,
    /// Each commit also saves what a repair would have to find out.
    quick_repair: bool,
}

impl Redb {
    const TABLE: redb::TableDefinition<'static, &'static [u8], &'static [u8]> =
        redb::TableDefinition::new("records");

    fn open(path: &Path, quick_repair: bool) -> Result<Self, Failure> {
        let database = redb::Database::create(path)?;
        let transaction = database.begin_write()?;
        transaction.open_table(Self::TABLE)?;
        transaction.commit()?;
        Ok(Self {
            database,
            quick_repair,
        })
    }
}

impl Engine for Redb {
    fn write(&self, records: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Failure> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(self.quick_repair);
        {
            let mut table = transaction.open_table(Self::TABLE)?;
            for (key, value) in records {
                table.insert(key.as_slice(), value.as_slice())?;
            }
        }
        // Durability::Immediate is the default.
        transaction.commit()?;
        Ok(())
    }

    fn holds(&self, key: &[u8]) -> Result<bool, Failure> {
        use redb::ReadableDatabase;
        let table = self.database.begin_read()?.open_table(Self::TABLE)?;
        Ok(table.get(key)?.is_some())
    }
}

struct Fjall {
    database: fjall::Database,
    records: fjall::Keyspace,
}

impl Fjall {
    fn open(path: &Path) -> Result<Self, Failure> {
        let database = fjall::Database::builder(path).open()?;
        let records = database.keyspace("records", fjall::KeyspaceCreateOptions::default)?;
        Ok(Self { database, records })
    }
}

impl Engine for Fjall {
    fn write(&self, records: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Failure> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(fjall::PersistMode::SyncAll));
        for (key, value) in records {
            batch.insert(&self.records, key.as_slice(), value.as_slice());
        }
        batch.commit()?;
        Ok(())
    }

    fn holds(&self, key: &[u8]) -> Result<bool, Failure> {
        Ok(self.records.get(key)?.is_some())
    }
}

// Group commit: one thread commits all that has queued up while it committed before

struct Request {
    key: Vec<u8>,
    value: Vec<u8>,
    done: Sender<bool>,
}

fn commit_all(engine: &dyn Engine, requests: &Receiver<Request>) -> Result<u64, Failure> {
    let mut commits = 0;
    while let Ok(first) = requests.recv() {
        let mut waiters = vec![first.done];
        let mut records = vec![(first.key, first.value)];
        while let Ok(next) = requests.try_recv() {
            waiters.push(next.done);
            records.push((next.key, next.value));
        }
        engine.write(&records)?;
        commits += 1;
        for waiter in waiters {
            // A writer that went away does not need the answer.
            let _ = waiter.send(true);
        }
    }
    Ok(commits)
}

/// A roster item's worth of bytes under the key of an account and a contact.
fn record(writer: u64, number: u64) -> (Vec<u8>, Vec<u8>) {
    let scrambled = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let key = format!("user{scrambled:08}@example.org/contact{writer:04}-{number:010}@example.org");
    let value = format!(
        "name=Contact {number};groups=Sensors,Building {writer};subscription=both;ask=;approved=false;"
    );
    (key.into_bytes(), value.into_bytes())
}

// Throughput

struct Figures {
    writes: u64,
    commits: u64,
    latencies: Vec<Duration>,
}

impl Figures {
    fn percentile(&self, percent: usize) -> Duration {
        let rank =
            (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(rank).copied().unwrap_or_default()
    }
}

fn write_for(engine: Arc<dyn Engine>, writers: u64, span: Duration) -> Result<Figures, Failure> {
    preload(engine.as_ref(), PRELOADED)?;

    let (sender, receiver) = mpsc::channel();
    let committer = thread::spawn({
        let engine = Arc::clone(&engine);
        move || commit_all(engine.as_ref(), &receiver)
    });
    let end = Instant::now() + span;
    let threads: Vec<_> = (0..writers)
        .map(|writer| {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut latencies = Vec::new();
                for number in 0.. {
                    let begin = Instant::now();
                    if begin >= end || !write_one(&sender, writer, number) {
                        break;
                    }
                    latencies.push(begin.elapsed());
                }
                latencies
            })
        })
        .collect();
    drop(sender);

    let mut latencies = Vec::new();
    for thread in threads {
        latencies.extend(thread.join().map_err(|_| "a writer panicked")?);
    }
    let commits = committer.join().map_err(|_| "the committer panicked")??;
    latencies.sort_unstable();
    Ok(Figures {
        writes: latencies.len() as u64,
        commits,
        latencies,
    })
}

fn preload(engine: &dyn Engine, count: u64) -> Result<(), Failure> {
    let numbers: Vec<u64> = (0..count).collect();
    numbers.chunks(10_000).try_for_each(|chunk| {
        let records: Vec<_> = chunk.iter().map(|number| record(9_999, *number)).collect();
        engine.write(&records)
    })
}

fn write_one(sender: &Sender<Request>, writer: u64, number: u64) -> bool {
    let (key, value) = record(writer, number);
    let (done, answer) = mpsc::channel();
    sender.send(Request { key, value, done }).is_ok() && answer.recv().unwrap_or(false)
}

/// Bytes that the file system has allocated for the store, so that sparse files do not look large.
fn allocated(path: &Path) -> Result<u64, Failure> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(blocks(&metadata));
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        sum += allocated(&entry?.path())?;
    }
    Ok(sum)
}

#[cfg(unix)]
fn blocks(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn blocks(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

// kill -9

struct Outcome {
    acknowledged: u64,
    missing: u64,
    opened: u64,
    times: Vec<Duration>,
}

impl Outcome {
    fn median(&self) -> Duration {
        self.times
            .get(self.times.len() / 2)
            .copied()
            .unwrap_or_default()
    }

    fn worst(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }
}

fn kill_rounds(engine: &str, path: &Path) -> Result<Outcome, Failure> {
    let mut acknowledged = BTreeSet::new();
    let mut outcome = Outcome {
        acknowledged: 0,
        missing: 0,
        opened: 0,
        times: Vec::new(),
    };
    for round in 0..ROUNDS {
        acknowledged.extend(killed_writer(
            engine,
            path,
            Duration::from_millis(400 + 37 * round),
        )?);
        let begin = Instant::now();
        let Ok(store) = open(engine, path) else {
            continue;
        };
        outcome.times.push(begin.elapsed());
        outcome.opened += 1;
        outcome.missing = 0;
        for key in &acknowledged {
            if !store.holds(key.as_bytes())? {
                outcome.missing += 1;
            }
        }
    }
    outcome.acknowledged = acknowledged.len() as u64;
    outcome.times.sort_unstable();
    Ok(outcome)
}

/// Runs a writing process, kills it `span` after its first answer, and gives the keys that it reported as written.
fn killed_writer(engine: &str, path: &Path, span: Duration) -> Result<Vec<String>, Failure> {
    let program: PathBuf = std::env::current_exe()?;
    let mut child = Command::new(program)
        .args(["writer".as_ref(), engine.as_ref(), path.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("the writer has no output")?;
    let (first_answer, answered) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut keys = Vec::new();
        let mut lines = BufReader::new(output);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
            // A line without its end was cut off by the kill.
            if let Some(key) = line.strip_suffix('\n') {
                keys.push(key.to_owned());
                // Only the first one is waited for.
                let _ = first_answer.send(());
            }
            line.clear();
        }
        keys
    });
    answered.recv_timeout(Duration::from_secs(120))?;
    thread::sleep(span);
    // SIGKILL on Unix.
    child.kill()?;
    child.wait()?;
    reader.join().map_err(|_| "the reader panicked".into())
}

fn write_until_killed(engine: Arc<dyn Engine>) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel();
    let process = u64::from(std::process::id());
    let output = Arc::new(Mutex::new(std::io::stdout()));
    for writer in 0..8 {
        let sender = sender.clone();
        let output = Arc::clone(&output);
        thread::spawn(move || {
            for number in 0.. {
                let writer = process * 10 + writer;
                if !write_one(&sender, writer, number) {
                    return;
                }
                let mut line = record(writer, number).0;
                line.push(b'\n');
                let Ok(mut output) = output.lock() else {
                    return;
                };
                if output
                    .write_all(&line)
                    .and_then(|()| output.flush())
                    .is_err()
                {
                    return;
                }
            }
        });
    }
    commit_all(engine.as_ref(), &receiver).map(|_| ())
}
