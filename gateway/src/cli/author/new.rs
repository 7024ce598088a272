//! `vestibule plugin new`: a folder with a plugin that builds, passes its test and answers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use vestibule_guest_build::is_name;

use crate::cli::output;
use crate::plugin_host::Abi;

/// The SDK that this program was built with.
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin-sdk");

/// Where each goes, and what stands in it.
const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("plugin.toml", include_str!("template/plugin.toml.in")),
    ("src/lib.rs", include_str!("template/lib.rs.in")),
    ("README.md", include_str!("template/README.md.in")),
    (".gitignore", "/target\n"),
];

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// Its name, and that of the folder: lower-case letters, digits and hyphens, a letter first.
    name: String,
    /// The SDK: its folder, or the address of a git repository that has it. Default: the one beside the sources that this
    /// program was built from.
    #[arg(long, value_name = "PATH|URL")]
    sdk: Option<String>,
}

impl New {
    pub(in crate::cli) fn run(&self) -> anyhow::Result<()> {
        check_name(&self.name)?;
        let sdk = dependency(self.sdk.as_deref())?;
        let folder = Path::new(&self.name);
        fs::create_dir(folder).with_context(|| format!("cannot make the folder {}", self.name))?;
        for (file, template) in FILES {
            let path = folder.join(file);
            let parent = path.parent().unwrap_or(folder);
            let text = template
                .replace("{{name}}", &self.name)
                .replace("{{abi}}", Abi::NEWEST.version())
                .replace("{{sdk}}", &sdk);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, text))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        output::line(&format!(
            "{0} is made. Next: cd {0} && vestibule plugin run",
            self.name
        ));
        Ok(())
    }
}

/// It is a package's name too.
fn check_name(name: &str) -> anyhow::Result<()> {
    ensure!(
        is_name(name) && name.starts_with(|first: char| first.is_ascii_lowercase()),
        "a plugin's name has 1 to 64 lower-case letters, digits and hyphens, and begins with a letter"
    );
    Ok(())
}

/// As Cargo.toml says where the SDK is.
fn dependency(sdk: Option<&str>) -> anyhow::Result<String> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    if let Some(url) = sdk.filter(|sdk| sdk.contains("://") || sdk.starts_with("git@")) {
        return Ok(format!("{{ git = {} }}", quoted(url)));
    }
    let folder = PathBuf::from(sdk.unwrap_or(SDK));
    let manifest = folder.join("Cargo.toml");
    ensure!(
        manifest.is_file(),
        "no SDK in {}: say with --sdk where the folder plugin-sdk of Vestibule's sources is",
        folder.display()
    );
    let folder = fs::canonicalize(&folder)?;
    let folder = folder.to_str().context("the SDK's path is no UTF-8")?;
    Ok(format!("{{ path = {} }}", quoted(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_a_manifest_and_a_package() {
        for name in ["hello", "menu-2", "a"] {
            check_name(name).expect(name);
        }
        let long = "a".repeat(65);
        for name in ["", "Hello", "2nd", "-a", "a_b", "a/b", "..", "ä", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_sdk_is_a_folder_or_an_address() {
        let url = dependency(Some("https://example.org/vestibule.git")).expect("an address");
        assert_eq!(url, r#"{ git = "https://example.org/vestibule.git" }"#);
        let here = dependency(None).expect("built from sources");
        assert!(here.starts_with("{ path = "), "{here}");
        let error = dependency(Some("/nowhere")).expect_err("no SDK");
        assert!(error.to_string().contains("--sdk"), "{error}");
    }
}
