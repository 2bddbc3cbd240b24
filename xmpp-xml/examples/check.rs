//! Checks an XMPP stream, or a single element, and prints what is in it. See `--help`.

use std::env;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use xmpp_xml::{ElementRef, Event, Fault, FaultKind, Limits, Parser, Scratch};

const HELP: &str = "\
Reads one XMPP stream on standard input, checks it as RFC 6120 §11 demands, and prints each stanza, indented.

Usage: check [--document] [--quiet] [--max-bytes N]

  --document      the input is a single element, not a stream
  --quiet         print no stanza
  --max-bytes N   accept stanzas of up to N bytes (default 262144)
  --help          print this

Exits with 0 if the input is good. If it is not, prints the fault with its line and column on standard error, and
exits with 1. A stream that ends before its root is closed is not good. Errors of usage exit with 2.
";

/// Bytes taken from the input at once.
const CHUNK: usize = 16 * 1024;
/// Bytes of a line that are kept before the place that may be shown.
const LINE: usize = 1024;
/// Characters that are shown before and behind a fault.
const BEFORE: usize = 60;
const BEHIND: usize = 20;

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("check: {message}\ntry: check --help");
            return ExitCode::from(2);
        }
    };
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let checked = match options.document {
        true => check_document(&options, &mut input, &mut output),
        false => check_stream(&options, &mut input, &mut output),
    };
    match checked {
        Ok(()) => ExitCode::SUCCESS,
        // Who read the output has seen enough.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{}", failure.message());
            ExitCode::FAILURE
        }
    }
}

struct Options {
    document: bool,
    quiet: bool,
    limits: Limits,
}

impl Options {
    /// `None` if help is asked for.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            document: false,
            quiet: false,
            limits: Limits::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--document" => options.document = true,
                "--quiet" => options.quiet = true,
                "--max-bytes" => {
                    let bytes = arguments.next().and_then(|number| number.parse().ok());
                    let bytes = bytes.ok_or("--max-bytes needs a number of bytes")?;
                    options.limits = options.limits.stanza_bytes(bytes);
                }
                "--help" => return Ok(None),
                _ => return Err(format!("unknown argument {argument:?}")),
            }
        }
        Ok(Some(options))
    }

    fn print(&self, element: ElementRef<'_>, output: &mut impl Write) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        writeln!(output, "{}", element.indented())
    }
}

fn check_stream(
    options: &Options,
    input: &mut impl Read,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let mut parser = Parser::new(options.limits);
    let mut scratch = Scratch::new();
    let mut seen = Seen::new();
    let mut chunk = vec![0; CHUNK];
    let mut ended = false;
    loop {
        let count = read(input, &mut chunk)?;
        if count == 0 {
            return match ended {
                true => Ok(()),
                false => Err(seen.ends_early(match parser.offset() {
                    0 => "input ends before the stream header",
                    _ => "input ends before the stream is closed",
                })),
            };
        }
        let mut bytes = chunk.get(..count).unwrap_or_default();
        seen.add(bytes);
        loop {
            match parser.next(&mut scratch, &mut bytes) {
                Ok(None) => break,
                Ok(Some(Event::Element(element))) => options.print(element, output)?,
                Ok(Some(Event::End)) => ended = true,
                Ok(Some(_)) => {}
                Err(fault) => {
                    output.flush()?;
                    return Err(seen.fault(fault));
                }
            }
        }
        output.flush()?;
        // No fault is reported before what was told already.
        seen.forget_before(parser.offset());
    }
}

fn check_document(
    options: &Options,
    input: &mut impl Read,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let limits = &options.limits;
    let most = u64::from(limits.stanza_bytes) + 2 * u64::from(limits.header_bytes);
    let mut bytes = Vec::new();
    input.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Failure::Other(format!("input is longer than {most} bytes")));
    }
    let mut scratch = Scratch::new();
    match scratch.document(&bytes, limits) {
        Ok(element) => Ok(options.print(element, output)?),
        Err(fault) => {
            let mut seen = Seen::new();
            seen.add(&bytes);
            Err(seen.fault(fault))
        }
    }
}

fn read(input: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Why the check did not pass.
enum Failure {
    /// What is wrong, and where: the message is complete.
    Other(String),
    Io(io::Error),
}

impl Failure {
    fn message(&self) -> String {
        match self {
            Self::Other(message) => message.clone(),
            Self::Io(error) => format!("check: {error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What has been read, from the line on in which the next fault can stand at the earliest.
struct Seen {
    bytes: Vec<u8>,
    /// Where in the input the first of these bytes stands, and in which line and behind how many characters of it.
    offset: u64,
    line: u64,
    column: u64,
}

impl Seen {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            offset: 0,
            line: 1,
            column: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn forget_before(&mut self, offset: u64) {
        let before = self.before(offset);
        let line = before.iter().rposition(|&byte| byte == b'\n');
        let line = line.map_or(0, |at| at.saturating_add(1));
        let keep = line.max(before.len().saturating_sub(LINE));
        (self.line, self.column) = self.place(keep);
        self.offset = self.offset.saturating_add(keep as u64);
        self.bytes.drain(..keep);
    }

    fn fault(&self, fault: Fault) -> Failure {
        let what = format!("{} ({:?}, {})", fault, fault.kind(), fault.condition());
        self.failure(&what, fault.offset())
    }

    fn ends_early(&self, what: &str) -> Failure {
        let end = self.offset.saturating_add(self.bytes.len() as u64);
        let kind = FaultKind::Truncated;
        let what = format!("{what} at byte {end} ({kind:?}, {})", kind.condition());
        self.failure(&what, end)
    }

    /// The message, the line of the fault, and a caret below it.
    fn failure(&self, what: &str, offset: u64) -> Failure {
        let before = self.before(offset);
        let (line, column) = self.place(before.len());
        let start = before.iter().rposition(|&byte| byte == b'\n');
        let start = start.map_or(0, |at| at.saturating_add(1));
        let before = visible(before.get(start..).unwrap_or_default());
        let skipped = before.chars().count().saturating_sub(BEFORE);
        let before: String = before.chars().skip(skipped).collect();
        let behind = self.bytes.get(self.before(offset).len()..);
        let behind = behind.unwrap_or_default().split(|&byte| byte == b'\n');
        let behind = visible(behind.take(1).next().unwrap_or_default());
        let behind: String = behind.chars().take(BEHIND).collect();
        let caret = " ".repeat(before.chars().count());
        Failure::Other(format!(
            "line {line}, column {}: {what}\n{before}{behind}\n{caret}^",
            column.saturating_add(1),
        ))
    }

    /// What is kept of the bytes before `offset`.
    fn before(&self, offset: u64) -> &[u8] {
        let length = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.bytes.get(..length).unwrap_or(&self.bytes)
    }

    /// The line, and the characters of it before the byte at `at`.
    fn place(&self, at: usize) -> (u64, u64) {
        let (mut line, mut column) = (self.line, self.column);
        for byte in self.bytes.iter().take(at) {
            match byte {
                b'\n' => {
                    line = line.saturating_add(1);
                    column = 0;
                }
                // All but the first byte of a character.
                0x80..=0xBF => {}
                _ => column = column.saturating_add(1),
            }
        }
        (line, column)
    }
}

/// One character for each, and none that a terminal obeys.
fn visible(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\r').chars();
    text.map(|character| match character {
        '\t' => ' ',
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{FFFD}',
        _ if character.is_control() => '\u{FFFD}',
        _ => character,
    })
    .collect()
}
