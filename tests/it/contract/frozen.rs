//! A released folder never changes: whoever built against it was promised what stood there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::shape::{next, releases};

/// Every release with the digest of its folder. A new one is added here, with its folder, and no line ever changes.
const RELEASED: &[(&str, &str)] = &[
    (
        "0.1.0",
        "8861bfa01c39223b43c0f720babfcbd7e0b11c814aa6dfd4d92a2c909c2e44a4",
    ),
    (
        "0.2.0",
        "40c1a745a6e01ba643a6576e83976e22133ace1a2d247da5bcd74d56f72e6ad3",
    ),
    (
        "0.2.1",
        "0c989dc506b6db479aa694cca86e7e5b30221006b8012ce0c38d57a186775648",
    ),
    (
        "0.2.2",
        "cd2632b04c6d5701b237e705a648917254c1c4fb4f385d22182c8edbff568267",
    ),
    (
        "0.3.0",
        "b1804825b5fbd071a3e2ebde2034f7bf68828fc941b0e6488360f0c195d4626e",
    ),
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
