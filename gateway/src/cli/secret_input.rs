//! Where a secret of the command line comes from.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::config;

/// Longer than any secret that Meta gives.
const MOST_BYTES: u64 = 16 << 10;

/// Exactly one of a file (`-` is standard input) and an environment variable.
pub(super) fn one(
    what: &str,
    file: Option<&Path>,
    variable: Option<&str>,
) -> anyhow::Result<SecretString> {
    match (file, variable) {
        (Some(file), None) => from_file(what, file),
        (None, Some(name)) => from_variable(what, name),
        _ => bail!("give {what} by file (`-` is standard input) or by environment variable"),
    }
}

/// Several, of either kind.
pub(super) fn several(
    what: &str,
    files: &[impl AsRef<Path>],
    variables: &[String],
) -> anyhow::Result<Vec<SecretString>> {
    let files = files.iter().map(|file| from_file(what, file.as_ref()));
    let variables = variables.iter().map(|name| from_variable(what, name));
    files.chain(variables).collect()
}

fn from_file(what: &str, file: &Path) -> anyhow::Result<SecretString> {
    let mut text = Zeroizing::new(String::new());
    if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MOST_BYTES)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
    }
    .with_context(|| format!("cannot read {what} from {}", file.display()))?;
    // An editor or `echo` ends a line that nobody meant.
    Ok(SecretString::from(text.trim_end_matches(['\n', '\r'])))
}

fn from_variable(what: &str, name: &str) -> anyhow::Result<SecretString> {
    let value = config::secret_from_environment(name)
        .with_context(|| format!("cannot read {what}: there is no environment variable {name}"))?;
    Ok(SecretString::from(value.expose()))
}
