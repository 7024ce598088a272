//! The fuzzer's crate compiles the parser's source files without the gateway, and no ordinary build compiles the fuzzer:
//! what those files name must be in it.

use std::collections::BTreeSet;
use std::fs;

use super::assert_none;
use super::layers::{imports, uses_of_crate};
use super::source::{Source, root, sources};

/// Whose files it compiles, by `#[path]` in `fuzz/src`.
const COMPILED: &[&str] = &[
    "gateway/src/domain/",
    "gateway/src/graph/json.rs",
    "gateway/src/graph/signature.rs",
    "gateway/src/graph/webhook/",
    "gateway/src/sync.rs",
];

/// The names under a manifest's `[dependencies]`, as code spells them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
    let (_, after) = text.split_once("[dependencies]").expect("a table");
    let table = after.lines().take_while(|line| !line.starts_with('['));
    let names = table.filter_map(|line| line.split(['.', '=', ' ']).next());
    names
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(|name| name.replace('-', "_"))
        .collect()
}

fn compiled() -> impl Iterator<Item = Source> {
    sources("gateway/src").into_iter().filter(|source| {
        let is_part = COMPILED.iter().any(|part| source.path.starts_with(part));
        is_part && !source.path.contains("/tests")
    })
}

#[test]
fn the_fuzzers_crate_has_what_the_parser_names() {
    let rooms = fs::read_to_string(root().join("fuzz/src/lib.rs")).expect("its root");
    let own = dependencies("fuzz/Cargo.toml");
    let missing: BTreeSet<String> = dependencies("gateway/Cargo.toml")
        .difference(&own)
        .cloned()
        .collect();
    let mut offences = Vec::new();
    for source in compiled() {
        let rooms = imports(&source.code)
            .into_iter()
            .filter(|import| !rooms.contains(&format!("mod {};", import.room)))
            .map(|import| source.at(import.line, &format!("no `mod {}`", import.room)));
        offences.extend(rooms);
        for name in &missing {
            let lines = uses_of_crate(&source.code, name);
            offences.extend(lines.map(|line| source.at(line, &format!("no `{name}`"))));
        }
    }
    assert_none("fuzz/ lacks what it compiles:", &offences);
}
