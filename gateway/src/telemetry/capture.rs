//! Logs caught in memory, so that a test can read what an operator would have read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once};

use tracing::subscriber::DefaultGuard;

use crate::config::{Log, LogFormat};
use crate::sync::lock;

use super::logs;

/// What this thread logs at the default level while it lives.
///
/// A test of asynchronous code uses it on a current-thread runtime: other threads are not caught.
pub struct Captured {
    lines: Buffer,
    _guard: DefaultGuard,
}

#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = lock(&self.0);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    pub fn start(format: LogFormat) -> Self {
        listen_everywhere();
        let lines = Buffer::default();
        let writer = lines.clone();
        let level = "info".to_owned();
        let subscriber = logs::subscriber(&Log { format, level }, move || writer.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        Self {
            lines,
            _guard: guard,
        }
    }

    pub fn text(&self) -> String {
        let lines = lock(&self.lines.0);
        String::from_utf8_lossy(&lines).into_owned()
    }

    /// The first of these private things that was logged: a text, a phone number, a token.
    pub fn leaked<'a>(&self, private: &[&'a str]) -> Option<&'a str> {
        let text = self.text();
        private.iter().copied().find(|thing| text.contains(thing))
    }
}

/// While only one thread of a process listens, a line that another thread reaches first is taken for one that nobody
/// wants, for good. A silent listener for all threads prevents that.
fn listen_everywhere() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Refused where the process has logs of its own, which serve as well.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaks_at_the_default_level_is_found_and_debug_lines_are_not_there() {
        let logs = Captured::start(LogFormat::Text);
        tracing::debug!(from = "+4915112345678", "inbound");
        tracing::info!(event = "evt_1", "attached");
        assert_eq!(logs.leaked(&["4915112345678"]), None);
        assert!(logs.text().contains("attached"));
        tracing::warn!(text = "my card is 4111", "unparsed");
        assert_eq!(logs.leaked(&["4915112345678", "my card"]), Some("my card"));
    }

    #[test]
    fn json_logs_are_one_object_a_line() {
        let logs = Captured::start(LogFormat::Json);
        tracing::info!(tenant = "ten_1", turns = 3, "committed");
        let line: serde_json::Value = serde_json::from_str(logs.text().trim()).expect("one object");
        assert_eq!(line["message"], "committed");
        assert_eq!(line["tenant"], "ten_1");
        assert_eq!(line["turns"], 3);
        assert_eq!(line["level"], "INFO");
    }
}
