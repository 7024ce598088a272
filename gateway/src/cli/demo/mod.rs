//! `vestibule demo`: a whole deployment on this machine, with the simulator as Meta and you as the customer, on the phone
//! page in a browser or on the keyboard.
//!
//! A gateway on SQLite in a fresh data folder, two tenants with two numbers each, the reference plugin `menu`. What you
//! type goes the real way: signed webhook, turn, policy, Graph call, receipts. Nothing leaves 127.0.0.1. On the same stage
//! `vestibule plugin run` has an author's plugin (`cli/author/run`).

mod beside;
pub(super) mod cast;
mod keyboard;
mod script;
mod show;
pub(super) mod stage;
mod story;

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::Sleep;

use super::ended::ended;
use super::output;
use cast::Cast;
use stage::Stage;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Play a scripted conversation, print it, and fail if an expected reply is missing.
    #[arg(long)]
    script: bool,
}

const HELP: &str = "\
Open the phone, or type here as the customer. /tap ID taps a button or row, /number 1..4 writes to another number, /stop or Ctrl-C ends the demo.
STOP, START and \"agent\" are words that the gateway itself obeys.";

/// After this time the prompt comes back although the turn is not over; its story is told when it is.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Before there is anything to be left behind.
    let ended = ended()?;
    tokio::pin!(ended);
    let mut stage = Stage::set(Cast::demo()).await?;
    let played = match arguments.script {
        true => tokio::select! {
            played = script::play(&mut stage) => played,
            () = ended => Ok(ExitCode::FAILURE),
        },
        false => Talk::new(&mut stage).run(ended).await,
    };
    stage.strike().await?;
    played
}

/// The interactive demo: one who types, and stories that come when they come.
struct Talk<'a> {
    stage: &'a mut Stage,
    /// Which number the customer writes to.
    number: usize,
    awaited: Option<Awaited>,
}

/// A message whose story is awaited, for a while.
struct Awaited {
    wamid: String,
    patience: Pin<Box<Sleep>>,
}

impl<'a> Talk<'a> {
    fn new(stage: &'a mut Stage) -> Self {
        Self {
            stage,
            number: 0,
            awaited: None,
        }
    }

    async fn run(
        mut self,
        mut ended: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<ExitCode> {
        output::line(&self.stage.welcome("Vestibule demo."));
        output::line(HELP);
        output::line("");
        let mut lines = keyboard::lines();
        let stopped = self.stage.stopped();
        self.prompt();
        loop {
            tokio::select! {
                // One message at a time, so that answers stand under what they answer.
                line = lines.recv(), if self.awaited.is_none() => match line {
                    Some(line) if self.typed(line.trim()) => {}
                    _ => break,
                },
                Some(story) = self.stage.stories.recv() => self.told(&story),
                () = out_of_patience(&mut self.awaited) => self.give_up(),
                () = &mut ended => break,
                () = stopped.cancelled() => break,
            }
        }
        output::line("");
        Ok(ExitCode::SUCCESS)
    }

    /// `false`: that was the end.
    fn typed(&mut self, text: &str) -> bool {
        match (text, text.strip_prefix("/number ")) {
            ("/stop" | "/quit" | "/exit", _) => return false,
            ("", _) => {}
            ("/help", _) => output::line(HELP),
            (_, Some(other)) => match other.trim().parse::<usize>() {
                Ok(n @ 1..=4) => self.number = n - 1,
                _ => output::line("numbers are 1 to 4"),
            },
            _ => match self.stage.say(self.number, text) {
                Ok(wamid) => {
                    let patience = Box::pin(tokio::time::sleep(PATIENCE));
                    self.awaited = Some(Awaited { wamid, patience });
                }
                Err(error) => output::line(&format!("  {error:#}")),
            },
        }
        if self.awaited.is_none() {
            self.prompt();
        }
        true
    }

    fn told(&mut self, story: &story::Story) {
        let ours = self
            .awaited
            .take_if(|awaited| awaited.wamid == story.told.wamid);
        if ours.is_none() {
            // From another terminal, or later than we waited: the prompt makes room.
            output::line(&format!("\r{}", self.stage.said(story)));
        }
        output::line(&self.stage.answered(story));
        if self.awaited.is_none() {
            self.prompt();
        }
    }

    fn give_up(&mut self) {
        self.awaited = None;
        output::line("  (its turn is not over yet; it is told when it is)");
        self.prompt();
    }

    fn prompt(&self) {
        output::prompt(&format!("{}> ", self.stage.name(self.number)));
    }
}

async fn out_of_patience(awaited: &mut Option<Awaited>) {
    match awaited {
        Some(awaited) => awaited.patience.as_mut().await,
        None => std::future::pending().await,
    }
}
