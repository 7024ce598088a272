//! Changes that somebody else's comes before: made again from their beginning, a few times.

/// Attempts at a change. The second one finds what the other did, so it is rarely lost.
const ATTEMPTS: usize = 5;

/// Makes a change, and again as long as its error [is a lost race](super::StorageError::is_lost_race). Each attempt has a
/// transaction of its own: what it had written is gone when it fails.
pub async fn again<T, E, F>(
    is_lost_race: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = 1;
    loop {
        match attempt().await {
            Err(error) if is_lost_race(&error) && attempts < ATTEMPTS => attempts += 1,
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StorageError;
    use super::*;

    /// Attempts at a change whose first `lost` ones fail so, and what became of it.
    async fn made(lost: usize, with: fn() -> StorageError) -> (usize, Result<(), StorageError>) {
        let mut attempts = 0;
        let made = again(StorageError::is_lost_race, || {
            attempts += 1;
            std::future::ready(if attempts > lost { Ok(()) } else { Err(with()) })
        });
        let made = made.await;
        (attempts, made)
    }

    #[tokio::test]
    async fn a_lost_race_is_tried_again_a_few_times_and_nothing_else_is() {
        assert!(matches!(made(0, || StorageError::Raced).await, (1, Ok(()))));
        let last = ATTEMPTS - 1;
        let (attempts, won) = made(last, || StorageError::Raced).await;
        assert!(attempts == ATTEMPTS && won.is_ok());
        let (attempts, lost) = made(ATTEMPTS, || StorageError::Raced).await;
        assert!(attempts == ATTEMPTS && matches!(lost, Err(StorageError::Raced)));
        let (attempts, failed) = made(1, || StorageError::Disk).await;
        assert!(attempts == 1 && matches!(failed, Err(StorageError::Disk)));
    }
}
