//! What verbs print: answers as aligned text or JSON on standard output, errors on standard error.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is this file's purpose"
)]

use serde_json::Value;

use crate::admin::Answer;
use crate::config;

pub(super) fn line(text: &str) {
    println!("{text}");
}

/// Something long, piece by piece.
pub(super) fn part(text: &str) {
    print!("{text}");
}

/// Asks for input on the same line.
pub(super) fn prompt(text: &str) {
    print!("{text}");
    // A terminal that is gone is noticed when reading from it.
    let _ = std::io::Write::flush(&mut std::io::stdout());
}

/// How a text looks on a terminal that has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Dim,
    Green,
    Yellow,
    Red,
}

pub(super) fn painted(text: &str, paint: Paint) -> String {
    let code = match paint {
        Paint::Dim => 2,
        Paint::Green => 32,
        Paint::Yellow => 33,
        Paint::Red => 31,
    };
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    match is_terminal && !config::no_colours() {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

/// Less bright than the rest, on a terminal.
pub(super) fn dim(text: &str) -> String {
    painted(text, Paint::Dim)
}

/// For whoever waits for the answer.
pub(super) fn note(text: &str) {
    eprintln!("{text}");
}

pub(super) fn error(text: &str) {
    eprintln!("vestibule: {text}");
}

pub(super) fn answer(answer: &Answer, json: bool) {
    if json {
        println!("{}", serde_json::json!(answer));
        return;
    }
    print!("{}", text(answer));
}

fn text(answer: &Answer) -> String {
    match answer {
        Answer::Record(record) => {
            let mut lines = Vec::new();
            for (name, value) in record {
                flatten(name.clone(), value, &mut lines);
            }
            let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            let line = |(name, cell)| format!("{name:width$}  {cell}").trim_end().to_owned() + "\n";
            lines.into_iter().map(line).collect()
        }
        Answer::List(records) if records.is_empty() => "none\n".to_owned(),
        Answer::List(records) => {
            let heads = records[0].keys().cloned().collect();
            let rows = records
                .iter()
                .map(|record| record.values().map(cell).collect());
            table(std::iter::once(heads).chain(rows).collect())
        }
    }
}

/// What stands inside of an object is a line of its own, under the names of both.
fn flatten(name: String, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (inner, value) in fields {
                flatten(format!("{name}.{inner}"), value, lines);
            }
        }
        value => lines.push((name, cell(value))),
    }
}

fn table(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: Value) -> Answer {
        serde_json::from_value(json).expect("an answer")
    }

    #[test]
    fn a_record_is_aligned_and_a_list_is_a_table() {
        let record = serde_json::json!({"id": "ten_1", "number": null, "grants": ["kv", "http"]});
        assert_eq!(
            text(&answer(record)),
            "grants  kv, http\nid      ten_1\nnumber  -\n"
        );
        let nested = serde_json::json!({"id": "ten_1", "settings": {"words": {"stop": ["halt"]}}});
        assert_eq!(
            text(&answer(nested)),
            "id                   ten_1\nsettings.words.stop  halt\n"
        );
        let list =
            serde_json::json!([{"id": "hld_1", "why": "drill"}, {"id": "hld_22", "why": "x"}]);
        assert_eq!(
            text(&answer(list)),
            "id      why\nhld_1   drill\nhld_22  x\n"
        );
        assert_eq!(text(&answer(serde_json::json!([]))), "none\n");
    }
}
