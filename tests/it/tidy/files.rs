//! What every source file has and has not: a head that says what it owns, no left-overs, a size one can read.

use super::assert_none;
use super::source::{Source, sources};

/// A file longer than this is split, or stands in [`LONG`] with the reason why splitting would make it worse.
const LINES_MOST: usize = 600;
/// From here on a file is named in the test's output as the next to split.
const LINES_MANY: usize = 500;

/// A folder stands for all of it.
const LONG: &[(&str, &str)] = &[(
    "plugin-sdk/src/bindings/",
    "generated from the WIT contract",
)];

/// A head shorter than this says nothing.
const HEAD_LEAST: usize = 10;

/// Left-overs that compile. The compiler's lints hold the same in `cargo clippy`; this holds in `cargo test`.
const LEFTOVERS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

#[test]
fn every_file_says_what_it_owns() {
    let silent: Vec<String> = ours()
        .filter(|source| head(&source.text).len() < HEAD_LEAST)
        .map(|source| source.path)
        .collect();
    assert_none("files without a `//!` at their top:", &silent);
}

/// The `//!` lines at the top of a file.
fn head(text: &str) -> String {
    text.lines()
        .map_while(|line| line.strip_prefix("//!"))
        .collect()
}

#[test]
fn no_leftovers_are_merged() {
    let mut offences = Vec::new();
    for source in ours() {
        for (index, line) in source.code.lines().enumerate() {
            let found = LEFTOVERS
                .iter()
                .find(|leftover| names_macro(line, leftover));
            offences
                .extend(found.map(|leftover| format!("{}:{}: {leftover}", source.path, index + 1)));
        }
    }
    assert_none("left-overs:", &offences);
}

#[test]
fn files_can_be_read_in_one_sitting() {
    let sized: Vec<(String, usize)> = ours().map(|s| (s.path, s.text.lines().count())).collect();
    for (path, lines) in sized.iter().filter(|(_, lines)| *lines > LINES_MANY) {
        eprintln!("{path}: {lines} lines: split it by reason to change");
    }
    let listed = |path: &str| LONG.iter().any(|(long, _)| path.starts_with(long));
    let offences: Vec<String> = sized
        .iter()
        .filter(|(path, lines)| *lines > LINES_MOST && !listed(path))
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert_none(
        "files too long to read (tests/it/tidy/files.rs):",
        &offences,
    );
}

#[test]
fn no_prose_uses_em_dashes() {
    let dash = '\u{2014}';
    let offences: Vec<String> = ours()
        .filter(|s| s.text.contains(dash))
        .map(|s| s.path)
        .collect();
    assert_none(
        "files with em-dashes; write a comma, a colon or two sentences:",
        &offences,
    );
}

fn ours() -> impl Iterator<Item = Source> {
    sources("").into_iter()
}

fn names_macro(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}
