//! A guest that no test uses is dead weight in every build: each one is named by a test.

use super::assert_none;
use super::source::{files, root, sources};

#[test]
fn every_test_guest_is_used_by_a_test() {
    let tests: Vec<String> = sources("tests/it")
        .into_iter()
        .chain(sources("gateway/src"))
        .map(|s| s.text)
        .collect();
    let unused: Vec<String> = files("tests/guests/examples", "rs")
        .into_iter()
        .filter(|path| !is_named(&stem(path), &tests))
        .collect();
    assert_none("guests that no test names:", &unused);
}

fn stem(path: &str) -> String {
    let path = root().join(path);
    path.file_stem()
        .expect("a source file has a name")
        .to_string_lossy()
        .into_owned()
}

/// Guests are named in strings, as `"loop"` or `"loop_forever"`, or by the constant that the build makes of them.
fn is_named(guest: &str, tests: &[String]) -> bool {
    let names = [
        format!("\"{guest}\""),
        format!("\"{}\"", guest.replace('_', "-")),
        guest.to_uppercase(),
    ];
    tests
        .iter()
        .any(|text| names.iter().any(|name| text.contains(name)))
}

/// Kinds of hostile guests that there are at the least (issue 4).
const KINDS: usize = 40;

#[test]
fn every_kind_of_hostile_guest_has_its_test() {
    let list = std::fs::read_to_string(root().join("tests/it/guests/README.md")).expect("the list");
    let kinds: Vec<&str> = list.lines().filter(|line| line.ends_with("` |")).collect();
    assert!(kinds.len() >= KINDS, "{} kinds", kinds.len());
    let missing: Vec<&&str> = kinds.iter().filter(|line| !has_its_test(line)).collect();
    assert_none("kinds whose test does not exist:", &missing);
}

/// ``| kind | `file` `test` |``.
fn has_its_test(line: &str) -> bool {
    let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
    let [file, test] = quoted[..] else {
        return false;
    };
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    text.contains(&format!("fn {test}("))
}
