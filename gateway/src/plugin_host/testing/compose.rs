//! Components put together by hand: a core module over the contract's lowered imports becomes one, and what no toolchain
//! would add is appended to it. Shared with `tests/it/guests`.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The custom section's name.
pub const MANIFEST: &str = "vestibule:manifest";

/// Lowered imports, all that 0.1.0 has, by the name bodies call them. Those of any version: `imports.rs`.
pub const IMPORTS: &str = include_str!("imports.wat");

/// Makes a core module (binary) a component of 0.1.0: see [`componentise_for`].
pub fn componentise<'a>(
    module: Vec<u8>,
    hooks: impl Iterator<Item = &'a str>,
    more: &str,
    packages: Option<&str>,
) -> Result<Vec<u8>, String> {
    componentise_for("0.1.0", module, hooks, more, packages)
}

/// Makes a core module (binary) a component of this version of the contract that exports these hooks and whatever else
/// `more` of its world says, which may name what stands in `packages` (WIT).
pub fn componentise_for<'a>(
    version: &str,
    mut module: Vec<u8>,
    hooks: impl Iterator<Item = &'a str>,
    more: &str,
    packages: Option<&str>,
) -> Result<Vec<u8>, String> {
    let exports: String = hooks
        .map(|hook| format!("export vestibule:plugin/{hook}@{version}; "))
        .collect();
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let contract = format!("{wit}/vestibule-plugin-{version}");
    resolve.push_dir(contract).expect("the contract parses");
    if let Some(packages) = packages {
        resolve
            .push_str("packages.wit", packages)
            .expect("packages");
    }
    let world = format!(
        "package test:guest; world guest {{ include vestibule:plugin/host@{version}; {exports} {more} }}"
    );
    let package = resolve.push_str("guest.wit", &world).expect("a world");
    let world = resolve
        .select_world(&[package], Some("guest"))
        .expect("the world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| format!("{error:#}"))
}

pub fn append_custom_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = Vec::new();
    leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    append_section(component, 0, &body);
}

/// Appends a core module and instantiates it so many times, without any imports.
pub fn append_instances(component: &mut Vec<u8>, module: &[u8], instances: usize) {
    let mut depth = 0_usize;
    let mut modules = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload.expect("a component") {
            wasmparser::Payload::ModuleSection { .. } => {
                modules += usize::from(depth == 0);
                depth += 1;
            }
            wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    append_section(component, 1, module);
    let mut body = Vec::new();
    leb(&mut body, instances);
    for _ in 0..instances {
        body.push(0);
        leb(&mut body, modules);
        leb(&mut body, 0);
    }
    append_section(component, 2, &body);
}

pub fn append_section(component: &mut Vec<u8>, id: u8, body: &[u8]) {
    component.push(id);
    leb(component, body.len());
    component.extend_from_slice(body);
}

fn leb(out: &mut Vec<u8>, mut n: usize) {
    while n >= 128 {
        out.push((n % 128) as u8 | 128);
        n /= 128;
    }
    out.push(n as u8);
}
