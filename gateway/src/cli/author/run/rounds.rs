//! Build, bring into service, say what happened, wait for the next save; and again, for ever.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vestibule_guest_build::{Guest, Profile, needed_by};

use super::live::{Brought, Given, Live};
use super::watch::Watch;
use crate::cli::author::sources::{Cargo, Sources};
use crate::cli::output::{self, Paint, painted};
use crate::cli::plugin::Settings;
use crate::clock::SystemClock;
use crate::domain::Clock;
use crate::sync::blocking;

pub(super) struct Rounds<'a> {
    folder: PathBuf,
    settings: &'a Settings,
    live: Live,
    watch: Watch,
    clock: Arc<dyn Clock>,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(sources: Sources, settings: &'a Settings, live: Live) -> Self {
        let Sources { folder, package } = sources;
        let workspace = ["Cargo.toml", "Cargo.lock"].map(|file| package.workspace.join(file));
        let always = workspace
            .into_iter()
            .chain(settings.file().map(PathBuf::from));
        Self {
            watch: Watch::new(folder.clone(), package.target_dir, always),
            folder,
            settings,
            live,
            clock: Arc::new(SystemClock),
        }
    }

    /// `welcome` is said after the first round, below what cargo has to say.
    pub(super) async fn run(mut self, welcome: String) -> Infallible {
        self.round(Cargo::Talks).await;
        output::line(&format!("\n{welcome}\n"));
        loop {
            self.watch.saved().await;
            self.round(Cargo::Complains).await;
        }
    }

    async fn round(&mut self, cargo: Cargo) {
        let begun = self.clock.now();
        self.watch.build_begins(begun).await;
        let built = self.build(cargo).await;
        let took = self.clock.now().since(begun);
        self.watch.build_ended().await;
        let ended = match built {
            Ok(guest) => {
                self.watch.has_read(guest.sources).await;
                self.bring(guest.component, took).await
            }
            Err(error) => {
                let folder = self.folder.clone();
                let needed = blocking(move || needed_by(&folder)).await;
                self.watch.has_failed(needed).await;
                Err(error)
            }
        };
        if let Err(error) = ended {
            output::line(&painted(&format!("{error:#}"), Paint::Red));
            let goes_on = self.goes_on();
            output::line(&format!("{goes_on}; what is saved next is tried again"));
        }
    }

    /// Read anew each time: a manifest of cargo may have another name in it.
    async fn build(&self, cargo: Cargo) -> anyhow::Result<Guest> {
        let sources = Sources::in_folder(&self.folder).await?;
        // With lines, so that a fault can say where it was.
        Ok(sources.build(Profile::WithLines, cargo).await?)
    }

    async fn bring(&mut self, component: Vec<u8>, built: Duration) -> anyhow::Result<()> {
        // As a plugin has them that is installed without.
        let settings = self.settings.read()?.unwrap_or_else(|| "{}".to_owned());
        let brought = self.live.bring(component, settings).await?;
        let (built, goes_on) = (said(built), self.goes_on());
        match brought {
            Brought::Unchanged => {
                let text = format!("built in {built}, nothing is other than before: {goes_on}");
                output::line(&output::dim(&text));
            }
            Brought::Live {
                plugin,
                took,
                given,
            } => {
                let version = self.live.version().unwrap_or_default();
                let took = said(took);
                let text =
                    format!("{plugin}: built in {built}, live as version {version} after {took}");
                output::line(&painted(&text, Paint::Green));
                given.iter().for_each(say_given);
            }
        }
        Ok(())
    }

    fn goes_on(&self) -> String {
        match self.live.version() {
            Some(version) => format!("version {version} goes on"),
            None => "nothing answers yet".to_owned(),
        }
    }
}

fn say_given(given: &Given) {
    let grants: Vec<&str> = given.grants.iter().map(String::as_str).collect();
    match grants.is_empty() {
        true => output::line("granted: nothing"),
        false => output::line(&format!("granted: {}", grants.join(", "))),
    }
    for missing in &given.missing {
        output::line(&painted(missing, Paint::Yellow));
    }
}

fn said(took: Duration) -> String {
    match took.as_secs() {
        0 => format!("{} ms", took.as_millis()),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}
