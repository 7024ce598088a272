//! Every migration exists for both databases, under the same name and number.

use std::collections::BTreeSet;

use super::assert_none;
use super::source::files;

#[test]
fn migrations_come_in_pairs() {
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    let single: Vec<&String> = sqlite.symmetric_difference(&postgres).collect();
    assert_none("migrations that only one database has:", &single);
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let names = names("sqlite");
    let wrong: Vec<String> = names
        .iter()
        .enumerate()
        .filter(|(index, name)| !name.starts_with(&format!("{:04}_", index + 1)))
        .map(|(index, name)| format!("{name} stands where {:04}_… belongs", index + 1))
        .collect();
    assert_none("migrations out of order:", &wrong);
}

fn names(database: &str) -> BTreeSet<String> {
    let folder = format!("gateway/migrations/{database}");
    files(&folder, "sql")
        .iter()
        .map(|path| path[folder.len() + 1..].to_owned())
        .collect()
}
