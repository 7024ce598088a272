//! The plugins that come with the gateway, built from `plugins/` by the build script.
//!
//! Bytes like any upload: whoever installs one goes the same way as a tenant, through inspection and compilation.

/// `plugins/menu`, a component with its manifest inside.
pub const MENU: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/plugin-menu.wasm"));
