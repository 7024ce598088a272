//! Waiting for a state instead of for time to pass: the condition is asked again until it holds.

use std::time::Duration;

/// How long a state may take to come before the test fails. Generous: the machine of a CI run is busy, and a test that
/// passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(5);

/// Asks until the answer is there; fails with `what` after [`PATIENCE`].
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask).await
}

/// As [`until`], with a time limit that is part of what is tested.
pub async fn until_within<T>(
    limit: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("still not so after {limit:?}: {what}"),
    }
}
