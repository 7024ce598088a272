//! A question to the outside: asked on the host's own runtime, and waited for no longer than a host call may.
//!
//! A guest thread neither drives sockets nor can a panic of the store reach it.

use tokio::runtime::Handle;

use super::limits::HOST_CALL_WAIT;

/// Why there is no answer, in words for the guest.
pub(super) async fn ask<T: Send + 'static>(
    io: &Handle,
    question: impl Future<Output = T> + Send + 'static,
) -> Result<T, &'static str> {
    match tokio::time::timeout(HOST_CALL_WAIT, io.spawn(question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err("the store failed"),
        Err(_) => Err("the store took too long"),
    }
}
