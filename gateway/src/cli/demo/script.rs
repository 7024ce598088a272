//! The scripted conversation: what is said, and what must come back.

use std::process::ExitCode;
use std::time::Duration;

use super::show;
use super::stage::Stage;
use super::story::Story;
use crate::cli::output;

/// Which number, what the customer says, and words that the answer must hold.
const LINES: &[(usize, &str, &str)] = &[
    (0, "hello", "Opening hours"),
    (0, "1", "We are open"),
    (2, "hello", "*1* Opening hours"),
    (0, "/tap Cakes", "Plum crumble"),
    (0, "agent", "Nobody is here"),
    (1, "hello", "Opening hours"),
    // Last: after a STOP the same person may be answered again only from the next second on (Meta's times are whole
    // seconds), and the script does not wait.
    (0, "STOP", "no more messages"),
];

/// A reply that has not come by then does not come. Long: a busy machine is no missing reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays it; fails when an expected reply is missing.
pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<ExitCode> {
    let mut came = 0;
    for (number, say, expected) in LINES {
        let wamid = stage.say(*number, say)?;
        let story = tokio::time::timeout(PATIENCE, told(stage, &wamid)).await;
        let replied = match story {
            Ok(Some(story)) => {
                output::line(&stage.said(&story));
                output::line(&stage.answered(&story));
                holds(&show::replies(&story), expected)
            }
            _ => false,
        };
        came += usize::from(replied);
        if !replied {
            output::line(&format!(
                "  MISSING: a reply to \"{say}\" with \"{expected}\"\n"
            ));
        }
    }
    output::line(&format!("{came} of {} replies as expected", LINES.len()));
    Ok(match came == LINES.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The story of this message.
async fn told(stage: &mut Stage, wamid: &str) -> Option<Story> {
    loop {
        let story = stage.stories.recv().await?;
        if story.told.wamid == wamid {
            return Some(story);
        }
    }
}

fn holds(replies: &[String], expected: &str) -> bool {
    replies.iter().any(|reply| reply.contains(expected))
}
