//! All of WASI for a test's guest: lowered imports of every function that `wasi.wit` has, named like them.

use std::fmt::Write as _;

use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Resolve, TypeDefKind};

pub(in crate::plugin_host) struct Wasi {
    pub(super) packages: String,
    /// Imports of every interface, for a world.
    pub(super) world: String,
    /// The same for a core module.
    pub(super) imports: String,
}

impl Wasi {
    pub(super) fn at(version: &str) -> Self {
        let packages = include_str!("wasi.wit").replace("0.2.12", version);
        let mut resolve = Resolve::default();
        resolve.push_str("wasi.wit", &packages).expect("WIT");
        let (mut world, mut imports) = (String::new(), String::new());
        for (id, interface) in resolve.interfaces.iter() {
            let full = resolve.id_of(id).expect("a name");
            let short = full["wasi:".len()..].split('@').next().expect("a name");
            let _ = writeln!(world, "import {full};");
            for (name, function) in &interface.functions {
                let core = signature(&resolve, function);
                let id = name.replace("[method]", "");
                let _ = writeln!(
                    imports,
                    "(import {full:?} {name:?} (func ${short}.{id} {core}))"
                );
            }
            for (name, id) in &interface.types {
                if matches!(resolve.types[*id].kind, TypeDefKind::Resource) {
                    let _ = writeln!(
                        imports,
                        "(import {full:?} \"[resource-drop]{name}\" (func ${short}.drop-{name} (param i32)))"
                    );
                }
            }
        }
        Self {
            packages,
            world,
            imports,
        }
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
    let types = |types: &[WasmType]| -> String {
        let name = |wasm: &WasmType| match wasm {
            WasmType::I64 | WasmType::PointerOrI64 => " i64",
            WasmType::F32 => " f32",
            WasmType::F64 => " f64",
            WasmType::I32 | WasmType::Pointer | WasmType::Length => " i32",
        };
        types.iter().map(name).collect()
    };
    let (params, results) = (types(&signature.params), types(&signature.results));
    format!("(param{params}) (result{results})")
}
