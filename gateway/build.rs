//! Builds the reference plugins from source, for `vestibule::reference_plugins`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A nested cargo call: what the plugins are made of decides when it runs again.
    match vestibule_guest_build::build_script::build("../plugins/menu", "plugin-menu", &[]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
