//! Rows align, and what strangers send cannot play with the terminal.

use xmpp_examples::table::{Row, Table};

const ROW: Row<'_> = Row {
    timestamp: "2026-11-22T10:00:00Z",
    node: "machine",
    name: "Memory used",
    value: "1024",
    unit: "B",
    categories: "momentary",
};

fn printed(rows: &[Row<'_>]) -> Vec<String> {
    let mut table = Table::new(Vec::new());
    for row in rows {
        table.row(row).unwrap();
    }
    assert_eq!(table.rows(), rows.len());
    String::from_utf8(table.into_inner())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_heading_stands_above_aligned_rows() {
    let lines = printed(&[
        ROW,
        Row {
            name: "Uptime",
            value: "7",
            unit: "s",
            ..ROW
        },
    ]);
    assert_eq!(
        lines,
        [
            "time                  node      field                              value  unit  categories",
            "--------------------  --------  ------------------------  --------------  ----  ----------",
            "2026-11-22T10:00:00Z  machine   Memory used                         1024  B     momentary",
            "2026-11-22T10:00:00Z  machine   Uptime                                 7  s     momentary",
        ]
    );
}

#[test]
fn no_rows_print_nothing() {
    assert_eq!(printed(&[]), [""; 0]);
}

#[test]
fn a_wider_cell_widens_its_column_from_there_on() {
    let wide = "A field with a name that is wider than most";
    let lines = printed(&[ROW, Row { name: wide, ..ROW }, ROW]);
    assert_eq!(lines.len(), 5);
    let value_ends = |line: &str| line.find("1024").unwrap() + 4;
    assert_eq!(value_ends(&lines[3]), value_ends(&lines[4]), "{lines:#?}");
    assert!(value_ends(&lines[2]) < value_ends(&lines[3]), "{lines:#?}");
}

#[test]
fn control_characters_are_shown_and_not_sent() {
    let lines = printed(&[Row {
        name: "a\u{1b}[2Jb",
        value: "1\n2\u{202e}3",
        ..ROW
    }]);
    assert_eq!(
        lines.len(),
        3,
        "a line break of a stranger makes no line: {lines:?}"
    );
    assert!(
        lines[2].contains(r"a\u{1b}[2Jb") && lines[2].contains(r"1\u{a}2\u{202e}3"),
        "{lines:?}"
    );
}

#[test]
fn a_text_without_end_is_cut() {
    let long = "x".repeat(1_000_000);
    let lines = printed(&[Row {
        value: &long,
        ..ROW
    }]);
    assert!(
        lines[2].contains(&format!("{}…", "x".repeat(63))),
        "{}",
        lines[2].len()
    );
    assert!(lines[2].chars().count() < 200);
    let exact = "y".repeat(64);
    assert!(
        printed(&[Row {
            value: &exact,
            ..ROW
        }])[2]
            .contains(&exact),
        "what just fits is whole"
    );
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let mut full = [0_u8; 10];
    assert!(Table::new(&mut full[..]).row(&ROW).is_err());
}
