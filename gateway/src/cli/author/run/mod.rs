//! `vestibule plugin run`: an author's hot loop. A gateway with a simulated WhatsApp, the phone in a browser, the author's
//! plugin in service; whatever is saved is built and goes live, and the plugin's log stands in the terminal.
//!
//! The stage is the demo's (`cli/demo`), the plugin's way into service that of the API. [`rounds`] builds and waits for the
//! next save, [`watch`] sees it, [`live`] brings it into service, [`log`] prints what the plugin says.

mod live;
mod log;
mod rounds;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use secrecy::SecretString;

use self::live::Live;
use self::rounds::Rounds;
use super::sources::Sources;
use crate::cli::demo::cast::Cast;
use crate::cli::demo::stage::Stage;
use crate::cli::ended::ended;
use crate::cli::plugin::Settings;
use crate::cli::secret_input;

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// The folder of a Rust package with its `plugin.toml`.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the phone is. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7700", value_name = "ADDRESS")]
    listen: SocketAddr,
    #[command(flatten)]
    settings: Settings,
    /// What it may use where its manifest asks for any, like `http *`; what that asks for by name it gets. May be given several
    /// times.
    #[arg(long = "grant", value_name = "NAME")]
    grants: Vec<String>,
    /// A secret that the plugin's requests may carry, and the file with its value; `-` is standard input. May be given
    /// several times.
    #[arg(long = "secret-file", value_name = "NAME=FILE")]
    secret_files: Vec<Named>,
    /// The same from an environment variable.
    #[arg(long = "secret-env", value_name = "NAME=VARIABLE")]
    secret_variables: Vec<Named>,
    /// Let the plugin's requests reach this machine and its network, by plain http too.
    #[arg(long)]
    private_addresses: bool,
}

/// A secret's name, and where its value is.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    at: String,
}

impl FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, at) = text
            .split_once('=')
            .ok_or("expected the secret's name, `=`, and where its value is")?;
        Ok(Self {
            name: name.to_owned(),
            at: at.to_owned(),
        })
    }
}

impl Run {
    /// Until somebody ends it. What cannot be waited for is an error before anything is started.
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let sources = Sources::in_folder(&self.folder).await?;
        let secrets = self.secrets()?;
        self.settings.read()?;
        sources.ensure_target().await?;
        // Before there is anything to be left behind, and not earlier: who is asked for a secret, or waits for a toolchain,
        // ends that by Ctrl-C as everywhere.
        let ended = ended()?;
        tokio::pin!(ended);
        let mut stage = Stage::set(self.cast()).await?;
        let played = self.play(&mut stage, sources, secrets, ended).await;
        stage.strike().await?;
        played.map(|()| ExitCode::SUCCESS)
    }

    async fn play(
        &self,
        stage: &mut Stage,
        sources: Sources,
        secrets: Vec<(String, SecretString)>,
        ended: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<()> {
        let grants = self.grants.iter().cloned().collect();
        let live = Live::begin(stage.context(), stage.directory(), grants, secrets).await?;
        let log = log::follow(stage.context().clone(), live.followed());
        let welcome = stage.welcome("Ctrl-C ends this.");
        let rounds = Rounds::new(sources, &self.settings, live).run(welcome);
        let stopped = stage.stopped();
        tokio::select! {
            // Ctrl-C in a terminal ends cargo too: that is no build that failed.
            biased;
            () = ended => Ok(()),
            () = stopped.cancelled() => Ok(()),
            error = log => Err(error),
            never = rounds => match never {},
            () = stage.unheard() => Ok(()),
        }
    }

    fn cast(&self) -> Cast {
        let mut cast = Cast::author(self.listen);
        let private = self.private_addresses.to_string();
        cast.config
            .push(("HOOKS__ALLOW_PRIVATE_ADDRESSES", private));
        cast
    }

    fn secrets(&self) -> anyhow::Result<Vec<(String, SecretString)>> {
        let read = |named: &Named, is_file: bool| {
            let what = format!("the secret {}", named.name);
            let file = is_file.then_some(named.at.as_ref());
            let variable = (!is_file).then_some(named.at.as_str());
            let value = secret_input::one(&what, file, variable)?;
            Ok((named.name.clone(), value))
        };
        let files = self.secret_files.iter().map(|named| read(named, true));
        let variables = self.secret_variables.iter();
        files
            .chain(variables.map(|named| read(named, false)))
            .collect()
    }
}
