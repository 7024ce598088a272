//! Import directions of the gateway (ARCHITECTURE.md): who may know whom, written once, as a table.

use super::assert_none;
use super::source::{Source, sources};

/// The rooms of `gateway/src` from the inside out. A room may import rooms further inside, and nothing beside itself
/// unless [`BESIDE`] says so.
const LAYERS: &[&[&str]] = &[
    // Locks, for everybody.
    &["sync"],
    &["domain"],
    &[
        "clock",
        "config",
        "telemetry",
        "lifecycle",
        "reference_plugins",
    ],
    &[
        "policy",
        "graph",
        "storage",
        "plugin_host",
        "secrets",
        "egress",
    ],
    &[
        "tenants",
        "templates",
        "consent",
        "metering",
        "analytics",
        "hooks",
        "events",
        "desk",
        "contacts",
        "occasions",
        "outbox",
        "outcalls",
        "ownership",
        "directory",
        "access",
        "audit",
        "jobs",
        "replay",
        "explain",
        "checklist",
    ],
    &[
        "admin",
        "api",
        "console",
        "ingest",
        "pipeline",
        "delivery",
        "simulator",
    ],
    &["app"],
    &["cli"],
];

/// Imports inside one layer, each with its reason.
const BESIDE: &[(&str, &str)] = &[
    // Only a cleared draft can enter the outbox: the table's own insert asks for `policy::Cleared`.
    ("storage", "policy"),
    // Logs are set up from the section `log`.
    ("telemetry", "config"),
];

/// Rooms that see less than their layer would let them.
const ONLY: &[(&str, &[&str])] = &[
    // A second, independent reading of Meta's rules: what it shared with the gateway it could not check.
    ("simulator", &["domain", "sync"]),
    ("policy", &["domain"]),
];

/// Which rooms may name a crate. `(root)` is `lib.rs` and `main.rs`.
const CRATES: &[(&str, &[&str])] = &[
    ("sqlx", &["storage"]),
    ("sqlx_core", &["storage"]),
    ("rusqlite", &["storage"]),
    ("wasmtime", &["plugin_host"]),
    // What a stranger's schema asks of it is bounded by the limited child only.
    ("boon", &["plugin_host"]),
    // The filter that a replay puts on itself.
    ("seccompiler", &["replay"]),
    // Signatures of uploads; TLS has it by itself.
    ("ring", &["tenants"]),
    // `app` and `cli` build the one client that everybody is handed; the simulator posts webhooks with it, telemetry spans.
    (
        "reqwest",
        &["graph", "egress", "simulator", "telemetry", "app", "cli"],
    ),
];

/// Crates that the pure rooms do without.
const IMPURE: &[&str] = &["tokio", "sqlx", "axum", "reqwest", "wasmtime", "hyper"];
const PURE: &[&str] = &["domain", "policy"];

#[test]
fn imports_point_inwards() {
    let mut offences = Vec::new();
    for source in sources("gateway/src") {
        let room = room_of(&source);
        for import in imports(&source.code) {
            offences.extend(offence(&room, &import.room).map(|why| source.at(import.line, &why)));
        }
    }
    assert_none(
        "a room imports what it may not know (tests/it/tidy/layers.rs):",
        &offences,
    );
}

#[test]
fn every_room_has_its_layer() {
    let strangers: Vec<String> = sources("gateway/src")
        .iter()
        .map(room_of)
        .filter(|room| room != ROOT && layer(room).is_none())
        .collect();
    assert_none(
        "rooms of gateway/src that no layer names (tests/it/tidy/layers.rs):",
        &strangers,
    );
}

#[test]
fn heavy_crates_stay_in_their_rooms() {
    let mut offences = Vec::new();
    for source in sources("gateway/src") {
        let room = room_of(&source);
        for name in forbidden_crates(&room) {
            let lines = uses_of_crate(&source.code, name);
            offences.extend(lines.map(|line| source.at(line, &format!("{room} uses {name}"))));
        }
    }
    assert_none("a crate is used outside its room:", &offences);
}

const ROOT: &str = "(root)";

impl Source {
    pub(super) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// `gateway/src/ingest/verify.rs` → `ingest`; `gateway/src/app.rs` → `app`.
fn room_of(source: &Source) -> String {
    let inside = source.path.trim_start_matches("gateway/src/");
    match inside.split_once('/') {
        Some((room, _)) => room.to_owned(),
        None if inside == "lib.rs" || inside == "main.rs" => ROOT.to_owned(),
        None => inside.trim_end_matches(".rs").to_owned(),
    }
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Why `from` may not import `to`, if so.
fn offence(from: &str, to: &str) -> Option<String> {
    if from == to || from == ROOT {
        return None;
    }
    let only = ONLY
        .iter()
        .find(|(room, _)| *room == from)
        .map(|(_, seen)| *seen);
    if let Some(seen) = only.filter(|seen| !seen.contains(&to)) {
        return Some(format!(
            "{from} imports {to}; it may know only {}",
            seen.join(", ")
        ));
    }
    let (inner, outer) = (layer(to)?, layer(from)?);
    let beside = inner == outer && !BESIDE.contains(&(from, to)) && !services(inner);
    (inner > outer || beside).then(|| format!("{from} imports {to}"))
}

/// Services may use one another; every other layer keeps its rooms apart.
fn services(layer: usize) -> bool {
    LAYERS[layer].contains(&"tenants")
}

pub(super) struct Import {
    pub(super) room: String,
    pub(super) line: usize,
}

/// Top-level modules named by `crate::x`, `crate::{x, y::z}` or `vestibule::x` anywhere in the code.
pub(super) fn imports(code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code[at + "crate::".len()..].trim_start();
        let line = code[..at].matches('\n').count() + 1;
        let rooms = match rest.strip_prefix('{') {
            Some(group) => group_heads(group),
            None => vec![word(rest)],
        };
        found.extend(rooms.into_iter().map(|room| Import {
            room: room.to_owned(),
            line,
        }));
    }
    found
}

/// The first path segment of every item of `{a::b, c::{d, e}, f}`, given what follows the opening brace.
fn group_heads(group: &str) -> Vec<&str> {
    let mut heads = vec![word(group.trim_start())];
    let mut depth = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => heads.push(word(group[at + 1..].trim_start())),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn word(rest: &str) -> &str {
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    &rest[..end]
}

fn forbidden_crates(room: &str) -> Vec<&'static str> {
    let elsewhere = CRATES
        .iter()
        .filter(|(_, rooms)| !rooms.contains(&room))
        .map(|(name, _)| *name);
    let impure = IMPURE.iter().copied().filter(|_| PURE.contains(&room));
    elsewhere.chain(impure).collect()
}

/// Lines on which a path begins with the crate's name.
pub(super) fn uses_of_crate<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.lines().enumerate().filter_map(move |(index, line)| {
        let starts = line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let own_word =
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '.');
            own_word
                && (line[at + name.len()..].starts_with("::")
                    || line.trim() == format!("use {name};"))
        });
        starts.then_some(index + 1)
    })
}

#[test]
fn groups_and_inline_paths_are_imports() {
    let code =
        "use crate::{domain::{Id, time}, storage::Db,\n graph};\nfn f(a: crate::policy::Fact) {}";
    let rooms: Vec<String> = imports(code).into_iter().map(|i| i.room).collect();
    assert_eq!(rooms, ["domain", "storage", "graph", "policy"]);
}

#[test]
fn the_table_knows_wrong_directions() {
    let check = |from: &str, to: &str, fine: bool| {
        assert_eq!(offence(from, to).is_none(), fine, "{from} → {to}")
    };
    check("pipeline", "storage", true);
    check("storage", "pipeline", false);
    check("ingest", "pipeline", false);
    check("storage", "policy", true);
    check("policy", "storage", false);
    check("graph", "storage", false);
    check("simulator", "graph", false);
    check("outbox", "tenants", true);
    check("cli", "app", true);
    check("app", "cli", false);
}
