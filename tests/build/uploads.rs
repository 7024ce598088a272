//! Uploads that nobody wrote, by wasm-smith: core modules that import the contract and export a hook, modules that go beside
//! a plugin, whole components. `tests/it/guests/generated.rs` makes plugins of them and has them judged.
//!
//! Here and not in the test, because wasm-smith asks for more of `arbitrary`, which the compiler in wasmtime has too: as a
//! dependency of a build script it has its own, and wasmtime is not built a second time.

use std::error::Error;
use std::fs;
use std::path::Path;

use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

use super::chance::Chance;

/// What wasm-smith calls all that may be in a module, once with what the engine offers and once with what wasm has.
fn config(fitting: bool) -> Config {
    Config {
        exceptions_enabled: !fitting,
        gc_enabled: !fitting,
        memory64_enabled: !fitting,
        // `externref` is garbage collection's, which this engine does not have.
        reference_types_enabled: !fitting,
        relaxed_simd_enabled: !fitting,
        tail_call_enabled: !fitting,
        threads_enabled: !fitting,
        max_memory32_bytes: 8 << 20,
        max_table_elements: 10_000,
        max_instructions: 1_000,
        ..Config::default()
    }
}

/// Writes `folder/NUMBER.KIND` for every number below `count`, as far as chance sufficed for one.
pub(super) fn write(
    folder: &Path,
    count: u64,
    contracts: &[Contract<'_>; 2],
) -> Result<(), Box<dyn Error>> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let shapes = [shape(&contracts[0])?, shape(&contracts[1])?];
    for number in 0..count {
        if let Some((kind, bytes)) = upload(number, &shapes) {
            fs::write(folder.join(format!("{number}.{kind}")), bytes)?;
        }
    }
    Ok(())
}

/// What plugins of a version of the contract are called here, the version, and all its imports as fields of a core module.
pub(super) type Contract<'a> = (&'static str, &'a str, String);

/// The same name, and what a plugin of one hook imports and exports.
type Shape = (&'static str, Vec<u8>);

fn shape((kind, version, imports): &Contract<'_>) -> Result<Shape, Box<dyn Error>> {
    let module = format!(
        r#"(module {imports} (memory (export "memory") 2)
             (func (export "vestibule:plugin/auto-reply@{version}#reply") (param i32 i32) (result i32) (i32.const 2048))
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))"#
    );
    Ok((kind, wat::parse_str(module)?))
}

fn upload(number: u64, shapes: &[Shape; 2]) -> Option<(&'static str, Vec<u8>)> {
    let noise = Chance::of(number).bytes(4 << 10);
    let mut noise = Unstructured::new(&noise);
    let made = match number % 4 {
        half @ (0 | 1) => {
            let (kind, shape) = &shapes[usize::from(half == 1)];
            let config = Config {
                module_shape: Some(shape.clone()),
                ..config(number % 8 < 4)
            };
            (*kind, Module::new(config, &mut noise).ok()?.to_bytes())
        }
        2 => {
            let config = Config {
                max_imports: 0,
                ..config(true)
            };
            ("beside", Module::new(config, &mut noise).ok()?.to_bytes())
        }
        _ => {
            let component = Component::new(config(true), &mut noise).ok()?;
            ("component", component.to_bytes())
        }
    };
    Some(made)
}
