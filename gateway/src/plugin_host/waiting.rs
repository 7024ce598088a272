//! A question to the outside: asked on the host's own runtime, and waited for no longer than a host call may.
//!
//! A guest thread neither drives sockets nor can a panic of the store reach it.

use std::time::Duration;

use tokio::runtime::Handle;

use super::limits::HOST_CALL_WAIT;

/// Why there is no answer, in words for the guest.
pub(super) async fn ask<T: Send + 'static>(
    io: &Handle,
    question: impl Future<Output = T> + Send + 'static,
) -> Result<T, &'static str> {
    ask_within(HOST_CALL_WAIT, io, question).await
}

async fn ask_within<T: Send + 'static>(
    most: Duration,
    io: &Handle,
    question: impl Future<Output = T> + Send + 'static,
) -> Result<T, &'static str> {
    match tokio::time::timeout(most, io.spawn(question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err("the store failed"),
        Err(_) => Err("the store took too long"),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};

    use super::*;

    #[tokio::test]
    async fn an_answer_is_waited_for_so_long_and_no_failure_of_the_store_comes_nearer_than_a_word()
    {
        let io = Handle::current();
        assert_eq!(ask(&io, ready(7)).await, Ok(7));
        let never = ask_within(Duration::from_millis(1), &io, pending::<u8>());
        assert_eq!(never.await, Err("the store took too long"));
        let fails = ask(&io, poll_fn::<u8, _>(|_| panic!("of the store")));
        assert_eq!(fails.await, Err("the store failed"));
    }
}
