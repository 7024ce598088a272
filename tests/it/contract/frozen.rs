//! A released folder never changes: whoever built against it was promised what stood there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::shape::{next, releases};

/// Every release with the digest of its folder. A new one is added here, with its folder, and no line ever changes.
const RELEASED: &[(&str, &str)] = &[
    ("0.1.0", "f0"),
    ("0.2.0", "f0"),
];

/// Names and contents of all files of a folder.
fn digest(folder: &PathBuf) -> String {
    let files: BTreeMap<String, Vec<u8>> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    let mut hash = Sha256::new();
    for (name, content) in files {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    hex::encode(hash.finalize())
}

#[test]
fn released_folders_are_as_they_were_released() {
    let found: Vec<(String, String)> = releases()
        .into_iter()
        .map(|(version, folder)| (version, digest(&folder)))
        .collect();
    let expected: Vec<(String, String)> = RELEASED
        .iter()
        .map(|(version, digest)| ((*version).to_owned(), (*digest).to_owned()))
        .collect();
    assert_eq!(
        found, expected,
        "a released contract changed: put it back, and change wit/next under a new version"
    );
}

#[test]
fn the_next_contract_is_a_release_or_has_a_version_of_its_own() {
    let (version, folder) = next();
    for (released, frozen) in releases() {
        if released == version {
            assert_eq!(
                digest(&folder),
                digest(&frozen),
                "wit/next has changed since it was released as {version}: give it a new version"
            );
        }
    }
}
