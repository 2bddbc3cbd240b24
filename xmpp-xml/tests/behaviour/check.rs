//! The example program `check`, as it is called from a shell.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const HEADER: &str = "<?xml version='1.0'?>\n<stream:stream xmlns='jabber:client'\n  xmlns:stream='http://etherx.jabber.org/streams'>\n";

/// The program, which `cargo test` builds beside the tests; it is built here if only this program was asked for.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.push("examples");
        path.push(format!("check{}", std::env::consts::EXE_SUFFIX));
        if !path.exists() {
            let built = Command::new(env!("CARGO"))
                .args(["build", "--example", "check"])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status();
            assert!(built.unwrap().success());
        }
        path
    })
}

fn start(arguments: &[&str]) -> Child {
    Command::new(program())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The exit code, and what was written to the standard output and to the standard error.
fn check(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = start(arguments);
    // A program that does not read its input ends before all of it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_good_stream_is_printed_indented() {
    let stream =
        format!("{HEADER}<message to='a'><body>hi</body></message> <iq/></stream:stream>\n");
    let (code, out, err) = check(&[], &stream);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "<message xmlns='jabber:client' to='a'>\n  <body>hi</body>\n</message>\n<iq xmlns='jabber:client'/>\n"
    );
    assert_eq!(
        check(&["--quiet"], &stream),
        (0, String::new(), String::new())
    );
}

#[test]
fn a_fault_is_shown_with_its_place() {
    let (code, out, err) = check(&[], &format!("{HEADER}<a/>\n  <b>é\t</c>"));
    assert_eq!(code, 1);
    assert_eq!(out, "<a xmlns='jabber:client'/>\n");
    let lines: Vec<_> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    // Under the first character of the name, where the fault is seen.
    assert!(lines[0].starts_with("line 5, column "), "{err}");
    assert!(
        lines[0].contains("end tag does not match the start tag"),
        "{err}"
    );
    assert!(
        lines[0].contains("MismatchedEndTag, not-well-formed"),
        "{err}"
    );
    assert_eq!(lines[1], "  <b>é </c>");
    let caret = lines[2].find('^').unwrap();
    assert!(lines[2].trim_start() == "^" && (7..=10).contains(&caret));
    assert!(
        lines[0].starts_with(&format!("line 5, column {}:", caret + 1)),
        "{err}"
    );
}

#[test]
fn a_fault_far_into_a_long_line_is_shown_with_what_is_around_it() {
    let stream = format!("{HEADER}{}<b c='1' c='2'/>", "<a x='y'/>".repeat(20_000));
    let (code, _, err) = check(&["--quiet"], &stream);
    assert_eq!(code, 1);
    let lines: Vec<_> = err.lines().collect();
    let column: usize = lines[0]
        .strip_prefix("line 4, column ")
        .and_then(|rest| rest.split(':').next())
        .unwrap()
        .parse()
        .unwrap();
    assert!((200_001..=200_017).contains(&column), "{err}");
    assert!(lines[1].contains("<b c='1' c='2'"), "{err}");
    let place: String = lines[1].chars().skip(lines[2].len() - 1).collect();
    let end = stream
        .get(stream.len() - (200_016 - (column - 1))..)
        .unwrap();
    assert!(end.starts_with(&place), "{place} and {end}: {err}");
}

#[test]
fn what_ends_early_is_a_fault() {
    for (input, line) in [
        ("", "line 1, column 1: input ends before the stream header"),
        (HEADER, "line 4, column 1: input ends before the stream is"),
        (
            &format!("{HEADER}<a><b"),
            "line 4, column 6: input ends before the stream is",
        ),
    ] {
        let (code, _, err) = check(&[], input);
        assert_eq!(code, 1, "{input}");
        assert!(err.starts_with(line), "{input}: {err}");
        assert!(err.contains("Truncated"), "{input}: {err}");
    }
    let (code, _, err) = check(&["--document"], "<a>\n<b>");
    assert_eq!(code, 1);
    assert!(err.starts_with("line 2, column 4: input ends"), "{err}");
}

#[test]
fn a_document_is_checked_by_itself() {
    let (code, out, _) = check(
        &["--document"],
        "<?xml version='1.0'?>\n<a xmlns='x'><b/></a>\n",
    );
    assert_eq!((code, out.as_str()), (0, "<a xmlns='x'>\n  <b/>\n</a>\n"));
    assert_eq!(check(&["--document"], HEADER).0, 1);
    assert_eq!(check(&["--document"], "<a/><b/>").0, 1);
    let long = format!("<a>{}</a>", "x".repeat(400));
    assert_eq!(check(&["--document", "--max-bytes", "407"], &long).0, 0);
    assert_eq!(check(&["--document", "--max-bytes", "406"], &long).0, 1);
    let endless = " ".repeat(400_000);
    assert_eq!(check(&["--document"], &endless).0, 1);
}

#[test]
fn stanzas_are_printed_as_they_arrive() {
    let mut child = start(&[]);
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    input.write_all(HEADER.as_bytes()).unwrap();
    for number in 0..3 {
        write!(input, "<a n='{number}'/>").unwrap();
        input.flush().unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, format!("<a xmlns='jabber:client' n='{number}'/>\n"));
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn errors_of_usage_are_told_from_faults() {
    for arguments in [
        ["--nonsense", ""].as_slice(),
        &["file.xml"],
        &["--max-bytes"],
        &["--max-bytes", "many"],
    ] {
        let (code, out, err) = check(arguments, "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains("--help"), "{err}");
    }
    let (code, out, err) = check(&["--help"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("--document") && out.contains("--quiet"));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_stream() {
    let mut child = start(&["--quiet"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(HEADER.as_bytes()).unwrap();
    let stanza = format!("<a>{}</a>", "x".repeat(100_000));
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap()
    };
    // What a pipe takes has been read when the next write returns, but for its last 64 KiB.
    let mut write = |count| (0..count).for_each(|_| input.write_all(stanza.as_bytes()).unwrap());
    write(5);
    let before = peak();
    write(100);
    let after = peak();
    assert!(after < before + 4_000, "{before} KiB, then {after} KiB");
    drop(input);
    child.wait().unwrap();
}
