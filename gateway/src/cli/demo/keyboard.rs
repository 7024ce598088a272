//! Lines from standard input, read on a thread of its own.
//!
//! A read of standard input cannot be cancelled. On the runtime's threads it would hold the end of the process until
//! somebody pressed Enter; this thread just goes with the process.

use tokio::sync::mpsc;

/// What is typed, line by line; closed at the end of input.
pub(super) fn lines() -> mpsc::UnboundedReceiver<String> {
    let (typed, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if typed.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
