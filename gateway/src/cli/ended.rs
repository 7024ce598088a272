//! Somebody ends a verb from outside: Ctrl-C, a closed terminal, `kill`. For verbs that leave nothing behind.

use std::mem::MaybeUninit;

use futures::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Heard from this call on, so that what the verb has made by then can be taken away. Under `nohup` a closed terminal is no end.
pub(super) fn ended() -> std::io::Result<impl Future<Output = ()>> {
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !is_ignored(SignalKind::hangup()) {
        kinds.push(SignalKind::hangup());
    }
    let signals: std::io::Result<Vec<Signal>> = kinds.into_iter().map(signal).collect();
    let mut signals = signals?;
    Ok(async move {
        select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    })
}

/// Was this process begun with the signal ignored? To listen for one ends that.
fn is_ignored(signal: SignalKind) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let signal = signal.as_raw_value();
    // SAFETY: nothing is changed, as no new action is given; the kernel writes at most one action. Zeroes are one too.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}
