//! `vestibule plugin logs`: page by page to the end, and on with what comes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::{ask, output};
use crate::admin::{Answer, Command, PluginCommand};
use crate::config::Config;
use crate::domain::{InstallationId, TurnId};
use crate::tenants::installations::LogCursor;

#[derive(Debug, Args)]
pub(super) struct Logs {
    installation: InstallationId,
    /// Only what came after this turn.
    #[arg(long)]
    after: Option<TurnId>,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long)]
    follow: bool,
}

impl Logs {
    pub(super) fn command(&self) -> PluginCommand {
        PluginCommand::Logs {
            installation: self.installation,
            after: self.after.map(LogCursor::after),
        }
    }
}

/// Between two looks at a log that somebody follows.
const LOOK: Duration = Duration::from_secs(2);

type Line = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct Page {
    lines: Vec<Line>,
    next: LogCursor,
    more: bool,
}

/// Prints a plugin's log; one that is followed as it comes, until the process is told to end.
pub(super) async fn run(config: &Config, json: bool, asked: Logs) -> anyhow::Result<()> {
    let (mut command, mut all, mut shown) = (asked.command(), Vec::new(), Shown::default());
    loop {
        let answer = ask::ask(config, Command::Plugin(command)).await?;
        let page: Page = serde_json::from_value(serde_json::to_value(answer)?)?;
        // What does not read as a turn is rather shown twice than never.
        let turn = |line: &Line| line["turn"].as_str().and_then(|turn| turn.parse().ok());
        let new = shown.new_lines(page.lines, turn);
        match asked.follow {
            true if new.is_empty() => {}
            true => output::answer(&Answer::List(new), json),
            false => all.extend(new),
        }
        if !page.more && !asked.follow {
            output::answer(&Answer::List(all), json);
            return Ok(());
        }
        if !page.more {
            shown.settle(page.next.settled());
            tokio::time::sleep(LOOK).await;
        }
        command = PluginCommand::Logs {
            installation: asked.installation,
            after: Some(page.next),
        };
    }
}

/// Turns whose lines were shown and are told again, because others may still appear between them.
#[derive(Debug, Default)]
pub(super) struct Shown(BTreeSet<TurnId>);

impl Shown {
    /// Lines of turns that no page before this one had.
    pub(super) fn new_lines<T>(
        &mut self,
        lines: Vec<T>,
        turn: impl Fn(&T) -> Option<TurnId>,
    ) -> Vec<T> {
        let mut turns = BTreeSet::new();
        let new = |line: &T| {
            let Some(turn) = turn(line) else {
                return true;
            };
            turns.insert(turn);
            !self.0.contains(&turn)
        };
        let new = lines.into_iter().filter(new).collect();
        self.0.append(&mut turns);
        new
    }

    /// Nothing up to this turn is told again.
    pub(super) fn settle(&mut self, turn: TurnId) {
        self.0.retain(|shown| *shown > turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Line = (i64, &'static str);

    fn turn(line: &Line) -> Option<TurnId> {
        Some(TurnId::from_raw(line.0))
    }

    #[test]
    fn what_is_told_again_is_shown_once_and_what_appears_between_is_shown() {
        let mut shown = Shown::default();
        let first = vec![(1, "a"), (3, "b"), (3, "c")];
        assert_eq!(shown.new_lines(first.clone(), turn), first);
        let second = vec![(1, "a"), (2, "late"), (3, "b"), (3, "c")];
        assert_eq!(shown.new_lines(second, turn), [(2, "late")]);
        shown.settle(TurnId::from_raw(2));
        assert_eq!(shown.0, BTreeSet::from([TurnId::from_raw(3)]));
    }
}
