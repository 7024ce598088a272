//! The scripted conversation: what is said, and what must come back.

use std::process::ExitCode;

use super::stage::Stage;
use crate::cli::output;

/// Which number, what the customer says, and words that the answer must hold (`None`: silence).
const LINES: &[(usize, &str, Option<&str>)] = &[
    (0, "hello", Some("1")),
    (0, "1", Some("open")),
    (2, "hello", Some("1")),
    (0, "menu", Some("1")),
    (0, "agent", Some("Nobody is here")),
    (1, "hello", Some("1")),
    // Last: after a STOP the same person may be answered again only from the next second on (Meta's times are whole
    // seconds), and the script does not wait.
    (0, "STOP", Some("no more messages")),
];

/// Plays it; fails when an expected reply is missing.
pub(super) async fn play(stage: &Stage) -> anyhow::Result<ExitCode> {
    let names = stage.names();
    let mut missing = 0;
    for (number, say, expected) in LINES {
        output::line(&format!("customer → {}: {say}", names[*number]));
        let heard = stage.say(*number, say).await?;
        output::line(&heard);
        let came = match expected {
            Some(words) => heard.contains(words),
            None => heard.contains("(no reply)"),
        };
        if !came {
            missing += 1;
            output::line(&format!(
                "  MISSING: a reply with \"{}\"",
                expected.unwrap_or("nothing")
            ));
        }
    }
    output::line(&format!(
        "{} of {} replies as expected",
        LINES.len() - missing,
        LINES.len()
    ));
    Ok(if missing == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
