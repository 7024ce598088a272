//! `vestibule plugin sign`: a signature into a component, for whoever uploads it. Needs no deployment.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use zeroize::Zeroizing;

use super::{output, plugin};
use crate::tenants::plugin_keys;

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The component file. A signature that it carries is replaced.
    component: PathBuf,
    /// The name under which the operator knows the key.
    #[arg(long)]
    key: String,
    /// File with the private key: Ed25519, PKCS#8, PEM or DER (`openssl genpkey -algorithm ed25519`).
    #[arg(long, value_name = "FILE")]
    private_key: PathBuf,
    /// Where the signed component goes. Default: in the place of the file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(asked: Sign) -> anyhow::Result<()> {
    let component = plugin::bytes_of(&asked.component)?;
    let file = &asked.private_key;
    let key = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let signed = plugin_keys::sign(&asked.key, &Zeroizing::new(key), &component)?;
    let out = asked.out.unwrap_or(asked.component);
    std::fs::write(&out, signed).with_context(|| format!("cannot write {}", out.display()))?;
    output::line(&format!("{} is signed by {}", out.display(), asked.key));
    Ok(())
}
