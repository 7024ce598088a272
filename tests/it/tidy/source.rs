//! Reads our own sources: which files there are, and their code without comments and strings.
//!
//! A reader, not a parser: it knows just enough Rust for the checks beside it.

use std::fs;
use std::path::{Path, PathBuf};

/// One `.rs` file of the workspace.
pub(super) struct Source {
    /// Relative to the workspace, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments, strings and character literals blanked; line numbers are kept.
    pub(super) code: String,
}

pub(super) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests package lies in the workspace")
        .to_owned()
}

/// Every `.rs` file below the folder `under`, sorted; none when there is no such folder.
pub(super) fn sources(under: &str) -> Vec<Source> {
    files(under, "rs").into_iter().map(read).collect()
}

/// Paths (relative to the workspace) of all files with this extension below `under`, sorted. Build output is left out.
pub(super) fn files(under: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root().join(under), &mut found);
    found.retain(|path| path.extension().is_some_and(|e| e == extension));
    found.sort();
    found.iter().map(|path| relative(path)).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path
            .file_name()
            .expect("an entry has a name")
            .to_string_lossy()
            .into_owned();
        match path.is_dir() {
            true if name == "target" || name.starts_with('.') => {}
            true => walk(&path, found),
            false => found.push(path),
        }
    }
}

fn relative(path: &Path) -> String {
    let path = path
        .strip_prefix(root())
        .expect("a path below the workspace");
    path.to_string_lossy().into_owned()
}

fn read(path: String) -> Source {
    let text = fs::read_to_string(root().join(&path)).expect("a readable source file");
    let code = code_of(&text);
    Source { path, text, code }
}

/// `text` with everything that is not code replaced by blanks.
pub(super) fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = not_code(rest, code.chars().last());
        let taken = if skipped == 0 {
            first.len_utf8()
        } else {
            skipped
        };
        let (piece, after) = rest.split_at(taken);
        if skipped == 0 {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// How many bytes at the start of `rest` are a comment, a string or a character literal.
fn not_code(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match rest.as_bytes() {
        [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => 1 + escaped_until(&rest[1..], b'"'),
        [b'r', b'"' | b'#', ..] if !in_word => raw_string(rest),
        [b'b', b'"', ..] if !in_word => 2 + escaped_until(&rest[2..], b'"'),
        [b'b', b'r', b'"' | b'#', ..] if !in_word => 1 + raw_string(&rest[1..]),
        [b'\'', ..] => character(rest),
        _ => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Length of a string's remainder, its closing `end` included.
fn escaped_until(rest: &str, end: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == end => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"` or `r#"…"#`; a raw identifier such as `r#type` is code.
fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].bytes().take_while(|&b| b == b'#').count();
    if rest.as_bytes().get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    rest[body..]
        .find(&close)
        .map_or(rest.len(), |at| body + at + close.len())
}

/// `'x'` or `'\n'`; a lifetime is code.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => 1 + escaped_until(&rest[1..], b'\''),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let check = |text: &str, code: &str| {
        let squeezed = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&code_of(text)), code, "{text}");
    };
    check("a // b\nc", "a c");
    check("a /* b /* c */ d */ e", "a e");
    check(r#"f("a \" b", g)"#, "f( , g)");
    check(r##"f(r#"a " b"#, br"c", r#type)"##, "f( , , r#type)");
    check(r"f('\'', 'x', 'é') as &'a str", "f( , , ) as &'a str");
    check("/// `todo!`\nfn a() {}", "fn a() {}");
}

#[test]
fn line_numbers_survive_blanking() {
    assert_eq!(code_of("a\n/*\n*/ \"\n\" b").lines().count(), 4);
}
