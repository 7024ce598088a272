//! What a package is made from elsewhere, by what its manifests say: of a build that fails cargo leaves no listing.

use std::fs;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use crate::manifest;

/// Folders of packages that the one in `manifest_dir` has by a path, theirs too, and the file of its settings' schema, whether
/// they are there or not. For whoever waits until a build that failed can succeed: what does not read is left out.
pub fn needed_by(manifest_dir: &Path) -> Vec<PathBuf> {
    let here = plain_path(manifest_dir);
    let schema = manifest::schema_of(&here.join("plugin.toml"));
    let mut needed = vec![here];
    let mut looked_at = 0;
    while let Some(folder) = needed.get(looked_at).cloned() {
        for path in packages_of(&folder) {
            if !needed.contains(&path) {
                needed.push(path);
            }
        }
        looked_at += 1;
    }
    needed.extend(schema.map(|file| plain_path(&file)));
    needed.split_off(1)
}

/// The same place without links, `.` and `..`. Of what is not there yet, as the text says.
pub fn plain_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    plain.pop();
                }
                part => plain.push(part),
            }
        }
        plain
    })
}

/// Folders that the package in a folder names.
fn packages_of(folder: &Path) -> Vec<PathBuf> {
    let manifest = manifest_in(folder).unwrap_or_default();
    let at = |(name, dependency): (&String, &Value)| match dependency.get("path") {
        Some(path) => Some(folder.join(path.as_str()?)),
        None if dependency.get("workspace").is_some() => of_workspace(folder, name),
        None => None,
    };
    let folders = dependencies(&manifest).filter_map(at);
    folders.map(|folder| plain_path(&folder)).collect()
}

/// For every target and for some. Those of tests are not built.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let of_targets = targets.into_iter().flat_map(Table::values);
    let all = [manifest]
        .into_iter()
        .chain(of_targets.filter_map(Value::as_table));
    let lists = all.flat_map(|table| {
        let kinds = ["dependencies", "build-dependencies"];
        kinds.map(|kind| table.get(kind))
    });
    lists.flatten().filter_map(Value::as_table).flatten()
}

/// Where the workspace of a package says that a dependency is.
fn of_workspace(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().find_map(|root| {
        let manifest = manifest_in(root)?;
        let shared = manifest.get("workspace")?.get("dependencies")?;
        Some(root.join(shared.get(name)?.get("path")?.as_str()?))
    })
}

fn manifest_in(folder: &Path) -> Option<Table> {
    toml::from_str(&fs::read_to_string(folder.join("Cargo.toml")).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_needs_the_packages_that_it_and_its_workspace_name_by_a_path() {
        let root = plain_path(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        let needed = needed_by(&root.join("plugins/menu"));
        assert!(needed.contains(&root.join("plugin-sdk")), "{needed:?}");
        assert!(!needed.contains(&root.join("gateway")), "{needed:?}");
    }

    #[test]
    fn what_is_not_there_has_a_plain_path_too() {
        let path = plain_path(Path::new("/nowhere/parrot/../helper/./src"));
        assert_eq!(path, Path::new("/nowhere/helper/src"));
    }
}
