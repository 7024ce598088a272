//! Tenants never meet: every storage function takes the tenant first or says `_all_tenants` in its name.

use super::assert_none;
use super::source::sources;

/// Files (or `file: function`) that touch no tenant's rows, each with the reason.
const WITHOUT_TENANT: &[(&str, &str)] = &[
    ("mod.rs", "connections and transactions"),
    ("open.rs", "connections and transactions"),
    ("ending.rs", "transactions"),
    ("races.rs", "transactions, one after the other"),
    ("checkpoint.rs", "the log of SQLite, whoever wrote in it"),
    ("embedded/pool.rs", "connections"),
    ("embedded/connection.rs: flush_file", "the whole file"),
    ("gather.rs", "groups of anything, before they are written"),
    ("migrate.rs", "the schema"),
    ("partitions.rs", "the schema"),
    ("notify.rs", "a word between nodes; it carries no row"),
    ("nodes.rs", "gateway processes belong to the operator"),
    (
        "buckets.rs",
        "a bucket holds numbers of many tenants; its lease belongs to a node",
    ),
];

/// Parameters that may stand before the tenant: the way into the database, not a key of the query.
const HANDLES: &[&str] = &[
    "self",
    "Db",
    "Tx",
    "Connection",
    "Pool",
    "Writer",
    "Storage",
];

const FOLDER: &str = "gateway/src/storage";

#[test]
fn every_storage_function_takes_the_tenant_first() {
    let mut offences = Vec::new();
    for source in sources(FOLDER) {
        let file = file_name(&source.path);
        for function in async_functions(&source.code) {
            if !function.is_scoped() && !is_excepted(file, &function.name) {
                offences.push(format!(
                    "{file}: {}({})",
                    function.name,
                    function.parameters.join(", ")
                ));
            }
        }
    }
    assert_none(
        "storage functions without a tenant (tests/it/tidy/storage.rs):",
        &offences,
    );
}

#[test]
fn exceptions_name_what_exists() {
    let mut known = Vec::new();
    for source in sources(FOLDER) {
        let file = file_name(&source.path);
        known.extend(
            async_functions(&source.code)
                .iter()
                .map(|f| format!("{file}: {}", f.name)),
        );
        known.push(file.to_owned());
    }
    let gone: Vec<&str> = WITHOUT_TENANT
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !known.iter().any(|k| k == name))
        .collect();
    assert_none(
        "exceptions for what is gone (tests/it/tidy/storage.rs):",
        &gone,
    );
}

fn file_name(path: &str) -> &str {
    path.trim_start_matches(FOLDER).trim_start_matches('/')
}

fn is_excepted(file: &str, function: &str) -> bool {
    let full = format!("{file}: {function}");
    WITHOUT_TENANT
        .iter()
        .any(|(name, _)| *name == file || *name == full)
}

struct Function {
    name: String,
    parameters: Vec<String>,
}

impl Function {
    fn is_scoped(&self) -> bool {
        self.name.ends_with("all_tenants")
            || self
                .parameters
                .iter()
                .find(|p| !is_handle(p))
                .is_some_and(|p| p.contains("TenantId"))
    }
}

/// `&self`, `tx: &mut Tx<'_>`, `db: &Db`: a word of the parameter is one of [`HANDLES`].
fn is_handle(parameter: &str) -> bool {
    parameter
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| HANDLES.contains(&word))
}

/// The `pub async fn`s of a file: what other rooms can reach the database through.
fn async_functions(code: &str) -> Vec<Function> {
    let visible = ["pub async fn ", "pub(crate) async fn "];
    let starts = visible.iter().flat_map(|start| {
        code.match_indices(start)
            .map(|(at, start)| at + start.len())
    });
    starts.filter_map(|at| function(&code[at..])).collect()
}

fn function(rest: &str) -> Option<Function> {
    let open = rest.find('(')?;
    let name = rest[..open].split('<').next()?.trim().to_owned();
    Some(Function {
        name,
        parameters: split_parameters(&rest[open + 1..]),
    })
}

/// The parameters up to the closing parenthesis, split at the commas that are not inside brackets.
fn split_parameters(rest: &str) -> Vec<String> {
    let (mut depth, mut parameters, mut current) = (0, Vec::new(), String::new());
    for c in rest.chars() {
        match c {
            ')' if depth == 0 => break,
            '(' | '[' | '<' | '{' => depth += 1,
            ')' | ']' | '>' | '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            parameters.push(std::mem::take(&mut current));
        } else {
            current.push(c);
        }
    }
    parameters.push(current);
    let squeezed = parameters
        .iter()
        .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    squeezed.filter(|p| !p.is_empty()).collect()
}

#[test]
fn functions_are_told_apart_by_their_first_key() {
    let code = "pub async fn a(tx: &mut Tx<'_>, tenant: TenantId) {}
        pub async fn b(&self, id: OutboxId, tenant: TenantId) {}
        pub async fn due_all_tenants(db: &Db) {}
        pub async fn c<'a>(\n db: &Db,\n row: &HashMap<TenantId, Vec<(i64, i64)>>,\n) {}";
    let scoped: Vec<(String, bool)> = async_functions(code)
        .iter()
        .map(|f| (f.name.clone(), f.is_scoped()))
        .collect();
    let expected = [
        ("a", true),
        ("b", false),
        ("due_all_tenants", true),
        ("c", true),
    ];
    assert_eq!(scoped, expected.map(|(name, fine)| (name.to_owned(), fine)));
}
