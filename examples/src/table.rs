//! A table on a terminal that is written row by row, as the rows arrive.

use std::io::{self, Write};

use xmpp_iot_sensordata::model::{Reading, Value};

use crate::reader::Arrival;

/// Writes fields as an aligned table. What is not known beforehand is how wide the cells will be: columns start at
/// a sensible width and grow when a wider cell comes.
#[derive(Debug)]
pub struct Table<W> {
    out: W,
    widths: [usize; COLUMNS.len()],
    rows: usize,
}

/// One field, ready to be shown. All texts may come from a stranger: what would move the cursor or turn the direction
/// of writing is shown as `\u{..}`, and what is too long is cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'a> {
    /// When the value held.
    pub timestamp: &'a str,
    /// Which node of the device it belongs to.
    pub node: &'a str,
    /// What was measured.
    pub name: &'a str,
    /// The value as text.
    pub value: &'a str,
    /// Its unit; may be empty.
    pub unit: &'a str,
    /// Its categories, as in `momentary` or `peak, computed`.
    pub categories: &'a str,
}

/// Heading, width at the start, and whether the column stands at its right edge.
const COLUMNS: [(&str, usize, bool); 6] = [
    ("time", 20, false),
    ("node", 8, false),
    ("field", 24, false),
    ("value", 14, true),
    ("unit", 4, false),
    ("categories", 10, false),
];

/// The widest cell, in characters.
const WIDEST: usize = 64;

impl<W: Write> Table<W> {
    /// A table that writes to `out`. The heading is written with the first row.
    pub fn new(out: W) -> Self {
        Self {
            out,
            widths: COLUMNS.map(|(_, width, _)| width),
            rows: 0,
        }
    }

    /// How many rows were written, without the heading.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes a row.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let Row {
            timestamp,
            node,
            name,
            value,
            unit,
            categories,
        } = *row;
        let cells = [timestamp, node, name, value, unit, categories].map(shown);
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        if self.rows == 0 {
            self.line(&COLUMNS.map(|(heading, _, _)| heading.to_owned()))?;
            let rule = self.widths.map(|width| "-".repeat(width));
            self.line(&rule)?;
        }
        self.rows += 1;
        self.line(&cells)
    }

    /// Writes what has arrived of a readout as a row.
    ///
    /// # Errors
    /// What the output fails with.
    pub fn arrival(&mut self, arrival: &Arrival<'_>) -> io::Result<()> {
        match arrival {
            Arrival::Reading(reading) => self.reading(reading),
            Arrival::Failure(failure) => self.row(&Row {
                timestamp: &failure
                    .time
                    .map(|time| time.to_string())
                    .unwrap_or_default(),
                node: &failure.node.id,
                name: "FAILURE",
                value: &failure.text,
                ..Row::default()
            }),
        }
    }

    fn reading(&mut self, reading: &Reading<'_>) -> io::Result<()> {
        let field = &reading.field;
        let value = match &field.value {
            Value::Numeric { number, .. } => number.to_string(),
            value => value.to_string(),
        };
        self.row(&Row {
            timestamp: &reading.time.to_string(),
            node: &reading.node.id,
            name: &field.name,
            value: &value,
            unit: field.value.unit().unwrap_or_default(),
            categories: &field.categories.to_string(),
        })
    }

    /// Gives back where it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn line(&mut self, cells: &[String; COLUMNS.len()]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), (_, _, right)) in cells.iter().zip(self.widths).zip(COLUMNS) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            line.push_str(&if right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            });
        }
        writeln!(self.out, "{}", line.trim_end())
    }
}

/// A text made safe for one line of a terminal.
fn shown(text: &str) -> String {
    let mut cell = String::new();
    let mut width = 0;
    for character in text.chars() {
        if width >= WIDEST - 1 && text.chars().count() > WIDEST {
            cell.push('…');
            break;
        }
        if character.is_control() || turns_direction(character) {
            let escaped = character.escape_unicode();
            width += escaped.clone().count();
            cell.extend(escaped);
        } else {
            width += 1;
            cell.push(character);
        }
    }
    cell
}

fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
