//! A contract's functions as a core module imports them, made from its WIT. Shared with `tests/build.rs` and
//! `tests/it/guests`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{Function, PackageId, Resolve, TypeDefKind, World, WorldItem};

/// A contract, read from its folder.
pub struct Contract {
    pub resolve: Resolve,
    pub package: PackageId,
    /// `0.3.0`.
    pub version: String,
}

/// A function that components import.
#[derive(Debug, Clone)]
pub struct Import {
    /// `inbound`.
    pub interface: String,
    /// `[method]message.text`.
    pub name: String,
    pub function: Function,
    pub signature: WasmSignature,
}

impl Import {
    /// What its calls name it in WAT: `inbound/message.text`.
    pub fn id(&self) -> String {
        let name = self.name.strip_prefix("[method]").unwrap_or(&self.name);
        format!("{}/{name}", self.interface)
    }
}

impl Contract {
    pub fn read(folder: &Path) -> Self {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder).expect("a contract that parses");
        let version = resolve.packages[package].name.version.as_ref();
        let version = version.expect("a version").to_string();
        Self {
            resolve,
            package,
            version,
        }
    }

    /// Everything that its world `host` imports, in the order of the world.
    pub fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        for interface in self.interfaces() {
            let interface = &self.resolve.interfaces[interface];
            for (name, function) in &interface.functions {
                imports.push(Import {
                    interface: interface.name.clone().expect("a name"),
                    name: name.clone(),
                    function: function.clone(),
                    signature: self
                        .resolve
                        .wasm_signature(AbiVariant::GuestImport, function),
                });
            }
        }
        imports
    }

    /// Fields of a core module: all imports, and what gives handles back, `$drop/message`.
    pub fn imports_in_wat(&self) -> String {
        let mut fields = String::new();
        for import in self.imports() {
            let Import {
                interface,
                name,
                signature,
                ..
            } = &import;
            let of = |kind: &str, types: &[WasmType]| match types.is_empty() {
                true => String::new(),
                false => {
                    let words: Vec<&str> = types.iter().copied().map(word).collect();
                    format!(" ({kind} {})", words.join(" "))
                }
            };
            let (params, results) = (
                of("param", &signature.params),
                of("result", &signature.results),
            );
            let (id, version) = (import.id(), &self.version);
            let _ = writeln!(
                fields,
                r#"(import "vestibule:plugin/{interface}@{version}" "{name}" (func ${id}{params}{results}))"#
            );
        }
        for interface in self.interfaces() {
            let interface = &self.resolve.interfaces[interface];
            let name = interface.name.as_deref().expect("a name");
            for (resource, id) in &interface.types {
                if matches!(self.resolve.types[*id].kind, TypeDefKind::Resource) {
                    let version = &self.version;
                    let _ = writeln!(
                        fields,
                        r#"(import "vestibule:plugin/{name}@{version}" "[resource-drop]{resource}" (func $drop/{resource} (param i32)))"#
                    );
                }
            }
        }
        fields
    }

    fn interfaces(&self) -> Vec<wit_parser::InterfaceId> {
        let items = self.host().imports.values();
        let interfaces = items.filter_map(|item| match item {
            WorldItem::Interface { id, .. } => Some(*id),
            _ => None,
        });
        interfaces.collect()
    }

    fn host(&self) -> &World {
        let host = self.resolve.packages[self.package].worlds["host"];
        &self.resolve.worlds[host]
    }
}

/// The newest release in `wit/`.
pub fn newest_release(wit: &Path) -> PathBuf {
    let numbers = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        let version = name.strip_prefix("vestibule-plugin-")?;
        let numbers = version.split('.').map(|part| part.parse().ok());
        numbers.collect::<Option<Vec<u32>>>()
    };
    let folders = wit.read_dir().expect("wit/");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    let released = folders.filter(|path| numbers(path).is_some());
    released.max_by_key(numbers).expect("a release")
}

pub fn word(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}
