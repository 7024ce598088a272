//! Groups that grow while nobody waits for long: commits of one kind begin some milliseconds apart, unless enough waits.
//!
//! What comes alone is committed at once. Of much, each waits a little for its share of a transaction and of a flush to
//! disk: without it commits are as small as they are fast.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

/// When the next group is due.
#[derive(Debug)]
pub struct Gather {
    apart: Duration,
    /// A group of so many does not wait.
    enough: usize,
    due: Pin<Box<Sleep>>,
}

/// Where a group comes from.
pub trait Source<T> {
    /// Adds up to `most` to the group as soon as there is one; 0: no more will come.
    fn take(&mut self, group: &mut Vec<T>, most: usize) -> impl Future<Output = usize> + Send;
}

impl<T: Send> Source<T> for mpsc::Receiver<T> {
    fn take(&mut self, group: &mut Vec<T>, most: usize) -> impl Future<Output = usize> + Send {
        self.recv_many(group, most)
    }
}

impl<T: Send> Source<T> for mpsc::UnboundedReceiver<T> {
    fn take(&mut self, group: &mut Vec<T>, most: usize) -> impl Future<Output = usize> + Send {
        self.recv_many(group, most)
    }
}

impl Gather {
    pub fn new(apart: Duration, enough: usize) -> Self {
        Self {
            apart,
            enough,
            due: Box::pin(sleep(Duration::ZERO)),
        }
    }

    pub fn is_enough<T>(&self, group: &[T]) -> bool {
        group.len() >= self.enough
    }

    /// Takes in what comes until the group is due.
    pub async fn fill<T>(&mut self, group: &mut Vec<T>, from: &mut impl Source<T>) {
        while !self.is_enough(group) {
            let room = self.enough - group.len();
            tokio::select! {
                biased;
                () = &mut self.due => return,
                came = from.take(group, room) => if came == 0 { return },
            }
        }
    }

    /// The group's commit begins.
    pub fn begin(&mut self) {
        self.due = Box::pin(sleep(self.apart));
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// Longer than any test.
    const APART: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn what_comes_alone_does_not_wait_and_what_comes_soon_after_does() {
        let (to, mut from) = mpsc::channel(8);
        let mut gather = Gather::new(APART, 3);
        let mut group = vec![1];
        gather.fill(&mut group, &mut from).await;
        assert_eq!(group, [1]);

        gather.begin();
        let mut group = vec![2];
        to.send(3).await.expect("room");
        let filled = gather.fill(&mut group, &mut from).now_or_never();
        assert_eq!((filled, group), (None, vec![2, 3]));
    }

    #[tokio::test]
    async fn enough_does_not_wait_and_leaves_the_rest() {
        let (to, mut from) = mpsc::unbounded_channel();
        let mut gather = Gather::new(APART, 3);
        gather.begin();
        let mut group = vec![1];
        for n in 2..5 {
            to.send(n).expect("somebody listens");
        }
        gather.fill(&mut group, &mut from).await;
        assert_eq!((group, from.try_recv()), (vec![1, 2, 3], Ok(4)));
    }

    #[tokio::test]
    async fn who_has_nothing_more_to_give_is_not_waited_for() {
        let (to, mut from) = mpsc::unbounded_channel::<u8>();
        let mut gather = Gather::new(APART, 3);
        gather.begin();
        drop(to);
        let mut group = vec![1];
        gather.fill(&mut group, &mut from).await;
        assert_eq!(group, [1]);
    }
}
