//! Gets a command carried out: by the server that runs on this data folder, or by this process.

use anyhow::{Context, bail};

use crate::admin::{self, Answer, Command, Local, Unreachable};
use crate::config::Config;

pub(super) async fn ask(config: &Config, command: Command) -> anyhow::Result<Answer> {
    if config.sqlite_file().is_some() {
        match admin::ask(&config.admin_socket(), &command).await {
            Ok(answer) => return Ok(answer?),
            Err(Unreachable::NoServer) => {}
            Err(error) => bail!(error),
        }
    }
    let local = Local::open(config).await.context("not done")?;
    let answer = admin::execute(&local.context, command).await;
    local.close().await?;
    Ok(answer?)
}
