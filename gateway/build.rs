//! Builds the reference plugins from source, for `vestibule::reference_plugins`.

use std::process::ExitCode;

/// Folder and package. All are built by one cargo call, which compiles them side by side.
const PLUGINS: [(&str, &str); 5] = [
    ("../plugins/menu", "plugin-menu"),
    ("../plugins/faq", "plugin-faq"),
    ("../plugins/department-router", "plugin-department-router"),
    ("../plugins/contact-enricher", "plugin-contact-enricher"),
    ("../plugins/order-lookup", "plugin-order-lookup"),
];

fn main() -> ExitCode {
    // A nested cargo call: what the plugins are made of decides when it runs again.
    match vestibule_guest_build::build_script::build_together(&PLUGINS) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
