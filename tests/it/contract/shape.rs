//! A contract's shape: every item with what its binary interface depends on, and how two shapes may differ.
//!
//! The rules (design.md §4, plugin-hosts.md §4.2): a component is linked against what it was built against, item by item
//! and by exact type. So records, variants, enums, flags and signatures never change, nothing is taken away, and an
//! exported interface takes no function more, because components of before lack it. Imported interfaces may have more
//! functions, types and methods, and there may be more interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::{FunctionKind, Handle, Resolve, Type, TypeDefKind, WorldItem};

/// Items by their names, `effects.set-timer`, each with its type spelled out.
pub(super) type Items = BTreeMap<String, String>;

/// What components see of a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub version: String,
    pub interfaces: BTreeSet<String>,
    /// Interfaces that components export: hooks.
    pub exported: BTreeSet<String>,
    pub items: Items,
}

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// The contract that the tree builds on, with its version.
pub(super) fn next() -> (String, PathBuf) {
    let folder = wit().join("next");
    (Shape::read(&folder).version, folder)
}

/// Every released folder with its version, oldest first.
pub(super) fn releases() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(wit()).expect("wit/") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if let Some(version) = name.strip_prefix("vestibule-plugin-") {
            found.push((version.to_owned(), path));
        }
    }
    found.sort_by_key(|(version, _)| numbers(version));
    found
}

pub(super) fn numbers(version: &str) -> Vec<u64> {
    let number = |part: &str| part.parse().expect("a number of a version");
    version.split('.').map(number).collect()
}

impl Shape {
    pub(super) fn read(folder: &Path) -> Self {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder).expect("a contract that parses");
        Self::of(&resolve, package)
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("test.wit", text).expect("WIT that parses");
        Self::of(&resolve, package)
    }

    fn of(resolve: &Resolve, package: wit_parser::PackageId) -> Self {
        let package = &resolve.packages[package];
        let version = package.name.version.as_ref();
        let mut shape = Self {
            version: version.expect("a version").to_string(),
            ..Self::default()
        };
        for (name, id) in &package.interfaces {
            shape.interfaces.insert(name.clone());
            let interface = &resolve.interfaces[*id];
            for (own, id) in &interface.types {
                let text = Speller(resolve).definition(&resolve.types[*id].kind);
                shape.items.insert(format!("{name}.{own}"), text);
            }
            for (own, function) in &interface.functions {
                let text = Speller(resolve).function(function);
                shape.items.insert(format!("{name}.{own}()"), text);
            }
        }
        for world in package.worlds.values() {
            for item in resolve.worlds[*world].exports.values() {
                if let WorldItem::Interface { id, .. } = item {
                    let name = resolve.interfaces[*id].name.clone();
                    shape.exported.extend(name);
                }
            }
        }
        shape
    }
}

/// Spells types out, so that two are equal when they read the same.
struct Speller<'a>(&'a Resolve);

impl Speller<'_> {
    fn function(&self, function: &wit_parser::Function) -> String {
        let kind = match &function.kind {
            FunctionKind::Freestanding => "func",
            FunctionKind::Method(_) => "method",
            FunctionKind::Static(_) => "static",
            FunctionKind::Constructor(_) => "constructor",
            _ => "async",
        };
        let params: Vec<String> = function
            .params
            .iter()
            .map(|param| format!("{}: {}", param.name, self.name(&param.ty)))
            .collect();
        let result = function.result.as_ref().map(|ty| self.name(ty));
        format!(
            "{kind}({}) -> {}",
            params.join(", "),
            result.unwrap_or_default()
        )
    }

    fn definition(&self, kind: &TypeDefKind) -> String {
        match kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let fields = fields.map(|f| format!("{}: {}", f.name, self.name(&f.ty)));
                format!("record {{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            TypeDefKind::Variant(variant) => {
                let case = |case: &wit_parser::Case| match &case.ty {
                    Some(ty) => format!("{}({})", case.name, self.name(ty)),
                    None => case.name.clone(),
                };
                let cases: Vec<String> = variant.cases.iter().map(case).collect();
                format!("variant {{{}}}", cases.join(", "))
            }
            TypeDefKind::Enum(cases) => {
                let names: Vec<&str> = cases.cases.iter().map(|c| c.name.as_str()).collect();
                format!("enum {{{}}}", names.join(", "))
            }
            TypeDefKind::Flags(flags) => {
                let names: Vec<&str> = flags.flags.iter().map(|f| f.name.as_str()).collect();
                format!("flags {{{}}}", names.join(", "))
            }
            TypeDefKind::Resource => "resource".to_owned(),
            TypeDefKind::Option(ty) => format!("option<{}>", self.name(ty)),
            TypeDefKind::List(ty) => format!("list<{}>", self.name(ty)),
            TypeDefKind::Tuple(tuple) => {
                let types: Vec<String> = tuple.types.iter().map(|ty| self.name(ty)).collect();
                format!("tuple<{}>", types.join(", "))
            }
            TypeDefKind::Result(result) => {
                let part = |ty: &Option<Type>| {
                    ty.as_ref()
                        .map_or_else(|| "_".to_owned(), |ty| self.name(ty))
                };
                format!("result<{}, {}>", part(&result.ok), part(&result.err))
            }
            TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", self.named(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", self.named(*id)),
            TypeDefKind::Type(ty) => format!("= {}", self.name(ty)),
            other => format!("{other:?}"),
        }
    }

    fn name(&self, ty: &Type) -> String {
        match ty {
            Type::Id(id) => self.named(*id),
            simple => format!("{simple:?}").to_lowercase(),
        }
    }

    /// A named type is its name: what it is stands with its own item.
    fn named(&self, id: wit_parser::TypeId) -> String {
        let ty = &self.0.types[id];
        match &ty.name {
            Some(name) => name.clone(),
            None => self.definition(&ty.kind),
        }
    }
}

/// What of the rules `new` breaks, seen from `old`; empty: components of `old` run with `new`.
pub(super) fn broken_by(old: &Shape, new: &Shape) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, was) in &old.items {
        match new.items.get(name) {
            None => broken.push(format!("{name} is gone")),
            Some(is) if is != was => broken.push(format!("{name} was {was} and is {is}")),
            Some(_) => {}
        }
    }
    for interface in &old.interfaces {
        if !new.interfaces.contains(interface) {
            broken.push(format!("{interface} is gone"));
        }
    }
    for hook in &old.exported {
        if !new.exported.contains(hook) {
            broken.push(format!("{hook} is no hook any more"));
        }
        let of_hook = |name: &&String| name.starts_with(&format!("{hook}."));
        let added = new.items.keys().filter(of_hook);
        let added = added.filter(|name| !old.items.contains_key(*name));
        broken.extend(added.map(|name| format!("{name} is new in a hook that is released")));
    }
    broken
}
