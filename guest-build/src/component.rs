//! From cargo's core module to a component, and the manifest's place in it.

use anyhow::{Context, Result};
use wasm_encoder::{CustomSection, Encode, Section};
use wit_component::ComponentEncoder;

use crate::Manifest;

/// The custom section of a component that holds its manifest as JSON. The host knows the same name.
pub const MANIFEST_SECTION: &str = "vestibule:manifest";

/// A component that imports what the module imports. The module carries its WIT types in custom sections.
pub fn component_of(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .context("the module is no plugin: does it call `vestibule_plugin::export!`?")
}

/// The component with its manifest at the end.
pub fn with_manifest(mut component: Vec<u8>, manifest: &Manifest) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(manifest)?;
    let section = CustomSection {
        name: MANIFEST_SECTION.into(),
        data: json.into(),
    };
    component.push(section.id());
    section.encode(&mut component);
    Ok(component)
}
