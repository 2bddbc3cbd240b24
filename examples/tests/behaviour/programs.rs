//! The programs, run as a person would run them: against each other, and against what goes wrong.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xmpp_examples::certificates::{Authority, write_files};

const DOMAIN: &str = "programs.example";
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a port of its own with two accounts, both with their name as password.
struct Fixture {
    folder: TempDir,
    server: Running,
    address: String,
}

impl Fixture {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), &[DOMAIN]).unwrap();
        for user in ["sensor", "reader", "stranger"] {
            let added = administer(folder.path(), &["add", &format!("{user}@{DOMAIN}")], user);
            assert!(added.status.success(), "{}", text(&added.stderr));
        }
        let (server, address) = serve(folder.path());
        Self {
            folder,
            server,
            address,
        }
    }

    fn command(&self, program: &str, user: &str) -> Command {
        let mut command = command(program);
        command.args([
            "--jid",
            &format!("{user}@{DOMAIN}"),
            "--server",
            &self.address,
            "--ca",
        ]);
        command
            .arg(self.folder.path().join("ca.pem"))
            .env("XMPP_PASSWORD", user);
        command
    }

    fn sensor(&self) -> Running {
        let mut command = self.command("sensor", "sensor");
        let sensor = Running::start(command.args(["--contact", &format!("reader@{DOMAIN}")]));
        let address = sensor.line();
        assert!(
            address.starts_with(&format!("sensor@{DOMAIN}/")),
            "{address}"
        );
        sensor
    }

    fn reader(&self, user: &str, arguments: &[&str]) -> Output {
        let mut command = self.command("reader", user);
        run(command.arg(format!("sensor@{DOMAIN}")).args(arguments), "")
    }
}

fn serve(folder: &Path) -> (Running, String) {
    let mut server = command("server");
    server.args(["run", "--domain", DOMAIN, "--listen", "127.0.0.1:0"]);
    server.arg("--data").arg(folder.join("data"));
    server
        .arg("--cert")
        .arg(folder.join("server.pem"))
        .arg("--key")
        .arg(folder.join("server.key"));
    let server = Running::start(&mut server);
    let ready = server.line();
    let (_, listen) = ready
        .split_once(r#""listen":""#)
        .unwrap_or_else(|| panic!("{ready}"));
    let (address, _) = listen.split_once('"').unwrap();
    (server, address.to_owned())
}

fn administer(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = command("server");
    let (verb, rest) = arguments.split_first().unwrap();
    run(
        command
            .args(["user", verb, "--data"])
            .arg(folder.join("data"))
            .args(rest),
        input,
    )
}

fn command(program: &str) -> Command {
    let path: PathBuf = match program {
        "server" => env!("CARGO_BIN_EXE_server"),
        "sensor" => env!("CARGO_BIN_EXE_sensor"),
        "reader" => env!("CARGO_BIN_EXE_reader"),
        _ => panic!("no program {program}"),
    }
    .into();
    let mut command = Command::new(path);
    command
        .env_remove("XMPP_PASSWORD")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// Runs a program to its end, which must come in time.
fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not want it may have closed it.
    let _ = child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{input}\n").as_bytes());
    let begin = Instant::now();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (stdout, stderr) = std::thread::scope(|scope| {
        let errors = scope.spawn(move || read(&mut err));
        let output = scope.spawn(move || read(&mut out));
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > PATIENCE {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        (output.join().unwrap(), errors.join().unwrap())
    });
    Output {
        status: child.wait().unwrap(),
        stdout,
        stderr,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, reason: &str) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    assert!(stderr.contains(reason), "{stderr}");
}

/// A program that goes on until it is told to stop.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let out: ChildStdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .expect("a line of output in time")
    }

    /// Asks the program to end, as the system does, and gives its exit code.
    fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }

    /// Ends the program without asking.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_reader_becomes_a_contact_finds_the_sensor_and_prints_what_it_says() {
    let fixture = Fixture::start();
    let sensor = fixture.sensor();
    let output = fixture.reader("reader", &[]);
    assert_ends(&output, 0, "");
    let table = text(&output.stdout);
    for expected in ["time ", "machine ", "Uptime ", "Memory used ", " momentary"] {
        assert!(table.contains(expected), "{expected} in\n{table}");
    }
    assert!(
        !table.contains("Memory total"),
        "state was not asked for:\n{table}"
    );

    // It is a contact now: with state, identity and history, two of the fields, thrice.
    let arguments = [
        "--all",
        "--fields",
        "Memory total,Host name",
        "--count",
        "3",
    ];
    let output = fixture.reader("reader", &arguments);
    assert_ends(&output, 0, "");
    let table = text(&output.stdout);
    assert_eq!(table.matches("Memory total").count(), 3, "{table}");
    assert_eq!(table.matches(" identity").count(), 3, "{table}");
    assert!(table.contains("\n3 times: p50 "), "{table}");

    assert_eq!(sensor.stop(), Some(0));
    assert_eq!(fixture.server.stop(), Some(0));
}

#[test]
fn history_is_read_by_the_second_and_within_a_span() {
    let fixture = Fixture::start();
    let _sensor = fixture.sensor();
    std::thread::sleep(Duration::from_millis(2_500));
    let history = ["--history", "--fields", "Uptime"];
    let output = fixture.reader("reader", &history);
    assert_ends(&output, 0, "");
    let table = text(&output.stdout);
    assert!(table.matches("historicalSecond").count() >= 2, "{table}");
    assert!(!table.contains(" momentary"), "{table}");

    let future = ["--history", "--from", "2999-01-01T00:00:00Z"];
    assert_ends(
        &fixture.reader("reader", &future),
        6,
        "nothing of what was asked for",
    );
}

#[test]
fn a_stranger_is_no_contact_and_reads_nothing() {
    let fixture = Fixture::start();
    let _sensor = fixture.sensor();
    assert_ends(&fixture.reader("stranger", &[]), 6, "does not accept");
}

#[test]
fn a_node_that_does_not_exist_is_a_failed_readout() {
    let fixture = Fixture::start();
    let _sensor = fixture.sensor();
    assert_ends(
        &fixture.reader("reader", &["--node", "attic"]),
        6,
        "item-not-found",
    );
}

#[test]
fn a_device_that_is_not_there_is_unavailable() {
    let fixture = Fixture::start();
    assert_ends(
        &fixture.reader("reader", &["--timeout", "1"]),
        5,
        "has not answered",
    );
    // A contact by now, and then it goes.
    let sensor = fixture.sensor();
    assert_ends(&fixture.reader("reader", &[]), 0, "");
    assert_eq!(sensor.stop(), Some(0));
    assert_ends(
        &fixture.reader("reader", &["--timeout", "1"]),
        5,
        "is not there",
    );
}

#[test]
fn a_wrong_password_is_told_apart_from_a_wrong_host() {
    let fixture = Fixture::start();
    let device = format!("sensor@{DOMAIN}");
    let mut wrong = fixture.command("reader", "reader");
    assert_ends(
        &run(wrong.env("XMPP_PASSWORD", "wrong").arg(&device), ""),
        4,
        "not-authorized",
    );

    let mut wrong = fixture.command("reader", "nobody");
    assert_ends(&run(wrong.arg(&device), ""), 4, "not-authorized");

    let mut wrong = command("reader");
    wrong
        .args(["--jid", "reader@host.invalid", "--timeout", "5"])
        .env("XMPP_PASSWORD", "x")
        .arg(&device);
    assert_ends(&run(&mut wrong, ""), 3, "host.invalid");
}

#[test]
fn a_certificate_of_another_authority_ends_the_attempt() {
    let fixture = Fixture::start();
    let other = fixture.folder.path().join("other.pem");
    let authority = Authority::new("Another").unwrap();
    File::create(&other)
        .unwrap()
        .write_all(authority.certificate().as_bytes())
        .unwrap();
    let mut command = command("reader");
    command
        .args([
            "--jid",
            &format!("reader@{DOMAIN}"),
            "--server",
            &fixture.address,
            "--ca",
        ])
        .arg(other);
    let output = run(
        command
            .env("XMPP_PASSWORD", "reader")
            .arg(format!("sensor@{DOMAIN}")),
        "",
    );
    assert_ends(&output, 3, "certificate");
}

#[test]
fn a_server_that_is_killed_keeps_accounts_and_contacts() {
    let fixture = Fixture::start();
    let sensor = fixture.sensor();
    assert_ends(&fixture.reader("reader", &[]), 0, "");
    let Fixture { folder, server, .. } = fixture;
    server.kill();
    drop(sensor);

    let (server, address) = serve(folder.path());
    let fixture = Fixture {
        folder,
        server,
        address,
    };
    // This time the sensor accepts nobody: who reads was its contact before.
    let sensor = Running::start(&mut fixture.command("sensor", "sensor"));
    sensor.line();
    assert_ends(&fixture.reader("reader", &[]), 0, "");
}

#[test]
fn a_sensor_ends_with_a_reason_when_its_server_is_gone() {
    let fixture = Fixture::start();
    let mut sensor = fixture.sensor();
    fixture.server.kill();
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(status) = sensor.child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(3));
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the sensor goes on without its server");
}

#[test]
fn accounts_are_added_changed_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let user = |arguments: &[&str], input: &str| administer(folder.path(), arguments, input);
    let list = || text(&user(&["list", "--domain", DOMAIN], "").stdout);
    let (ann, ben) = (format!("ann@{DOMAIN}"), format!("ben@{DOMAIN}"));
    assert_ends(&user(&["add", &ben], "first"), 0, "");
    assert_ends(&user(&["add", &ann], "first"), 0, "");
    assert_eq!(list(), format!("{ann}\n{ben}\n"));
    assert_ends(&user(&["add", &ann], "second"), 1, "exists already");
    assert_ends(&user(&["passwd", &ann], "second"), 0, "");
    assert_ends(&user(&["remove", &ben], ""), 0, "");
    assert_ends(&user(&["remove", &ben], ""), 1, "there is no account");
    assert_ends(&user(&["passwd", &ben], "x"), 1, "there is no account");
    assert_ends(&user(&["add", &ben], ""), 1, "password");
    assert_ends(&user(&["add", DOMAIN], "x"), 2, "user@domain");
    assert_eq!(list(), format!("{ann}\n"));
}

#[test]
fn a_command_line_that_makes_no_sense_is_usage() {
    assert_eq!(run(&mut command("reader"), "").status.code(), Some(2));
    let mut without_password = command("reader");
    without_password.args(["--jid", "reader@example.org", "sensor@example.org"]);
    assert_ends(&run(&mut without_password, ""), 2, "XMPP_PASSWORD");
    for program in ["server", "sensor", "reader"] {
        let output = run(command(program).arg("--help"), "");
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("Exit codes:"), "{program}");
    }
}
