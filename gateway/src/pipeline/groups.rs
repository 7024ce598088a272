//! Which finished turns share a commit: as many at once as there are, up to a number and to so many bytes. While what one
//! wrote is flushed to disk the next is written.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Report;
use super::commit::Committer;
use super::turn::Finished;
use crate::storage::Gather;
use crate::storage::outbox::OutboxRow;
use crate::sync;

/// A commit is closed at about this weight, so that turns that write much do not hold SQLite's one writer, or memory,
/// for all the others of their group. A group of 128 ordinary turns weighs half of it.
const BYTES: usize = 1 << 20;

/// How far apart commits begin, and how many turns do not wait. Guesses, as for webhooks (`ingest/raw_writer.rs`).
const APART: Duration = Duration::from_millis(3);
const ENOUGH: usize = 16;

/// Commits what is finished until the pipeline ends. With each turn comes whether it needs a commit of its own.
pub(super) async fn commit(
    committer: Committer,
    most: usize,
    sends: Arc<dyn Fn(Vec<OutboxRow>) + Send + Sync>,
    mut finished: mpsc::UnboundedReceiver<(Finished, bool)>,
    ran: mpsc::UnboundedSender<Report>,
) {
    let mut gather = Gather::new(APART, ENOUGH.min(most));
    let mut group = Vec::new();
    // Of turns that are written and wait for the disk there are no more than turns under way.
    let mut lasting = JoinSet::new();
    loop {
        tokio::select! {
            came = finished.recv_many(&mut group, most) => if came == 0 { break },
            Some(ended) = lasting.join_next() => {
                sync::joined(ended);
                continue;
            }
        }
        gather.fill(&mut group, &mut finished).await;
        gather.begin();
        for turns in portions(group.drain(..), BYTES, Finished::weight) {
            let lasts = committer.commit(turns).await;
            let (sends, ran) = (sends.clone(), ran.clone());
            lasting.spawn(async move {
                let (fates, rows) = lasts.await;
                sends(rows);
                // The loop waits for this report before it ends.
                let _ = ran.send(Report::Committed { fates });
            });
        }
    }
    lasting.join_all().await;
}

/// Cuts a group where it grows too heavy; what is to be single comes last, each by itself.
fn portions<T>(
    group: impl IntoIterator<Item = (T, bool)>,
    most: usize,
    weight: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let (singles, together): (Vec<_>, Vec<_>) = group.into_iter().partition(|(_, single)| *single);
    let mut portions: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for (turn, _) in together {
        let weight = weight(&turn);
        match portions.last_mut() {
            Some(portion) if weight <= room => {
                room -= weight;
                portion.push(turn);
            }
            _ => {
                room = most.saturating_sub(weight);
                portions.push(vec![turn]);
            }
        }
    }
    portions.extend(singles.into_iter().map(|(turn, _)| vec![turn]));
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(group: &[(usize, bool)]) -> Vec<Vec<usize>> {
        portions(group.iter().copied(), 10, |weight| *weight)
    }

    #[test]
    fn light_turns_share_a_commit_up_to_its_bytes() {
        let group = [(4, false), (6, false), (1, false), (8, false), (2, false)];
        assert_eq!(cut(&group), [vec![4, 6], vec![1, 8], vec![2]]);
        assert_eq!(cut(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn what_is_too_heavy_for_any_commit_has_one_of_its_own() {
        let group = [(11, false), (1, false), (99, false)];
        assert_eq!(cut(&group), [vec![11], vec![1], vec![99]]);
    }

    #[test]
    fn what_must_be_single_is() {
        let group = [(1, false), (2, true), (3, false), (4, true)];
        assert_eq!(cut(&group), [vec![1, 3], vec![2], vec![4]]);
    }
}
