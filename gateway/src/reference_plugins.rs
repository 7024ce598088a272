//! The plugins that come with the gateway, built from `plugins/` by the build script.
//!
//! Bytes like any upload: whoever installs one goes the same way as a tenant, through inspection and compilation.

macro_rules! component {
    ($package:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $package, ".wasm"))
    };
}

/// `plugins/menu`, a component with its manifest inside.
pub const MENU: &[u8] = component!("plugin-menu");
/// `plugins/faq`.
pub const FAQ: &[u8] = component!("plugin-faq");
/// `plugins/department-router`.
pub const DEPARTMENT_ROUTER: &[u8] = component!("plugin-department-router");
/// `plugins/contact-enricher`.
pub const CONTACT_ENRICHER: &[u8] = component!("plugin-contact-enricher");
/// `plugins/order-lookup`.
pub const ORDER_LOOKUP: &[u8] = component!("plugin-order-lookup");

/// All of them, by the name that their manifests have.
pub const ALL: &[(&str, &[u8])] = &[
    ("menu", MENU),
    ("faq", FAQ),
    ("department-router", DEPARTMENT_ROUTER),
    ("contact-enricher", CONTACT_ENRICHER),
    ("order-lookup", ORDER_LOOKUP),
];

/// The plugin of this name.
pub fn named(name: &str) -> Option<&'static [u8]> {
    let found = ALL.iter().find(|(own, _)| *own == name);
    found.map(|(_, component)| *component)
}
