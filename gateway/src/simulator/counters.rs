//! What the simulator counts: one atomic per thing, no locks.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn one(&self) {
        self.add(1);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Live counters of one simulator.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The counters at one moment.
        #[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
        pub struct CountersNow {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            pub fn now(&self) -> CountersNow {
                CountersNow { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// Requests to `/messages`, whatever became of them.
    requests,
    /// Sends that got a wamid.
    accepted,
    /// Mark-as-read requests that were granted.
    marked_read,
    /// Requests answered with an error that the simulator found itself.
    refused,
    /// Scripted faults that were played, on sends and on webhooks.
    faults_played,
    /// Messages that customers sent.
    customer_messages,
    /// Statuses that were made.
    statuses,
    /// Statuses that a scripted fault swallowed.
    statuses_dropped,
    /// POSTs to the webhook URL, redeliveries included.
    webhook_posts,
    /// POSTs answered with 200.
    webhook_accepted,
    /// POSTs answered otherwise or not at all.
    webhook_failed,
    /// POSTs that were redeliveries.
    webhook_redelivered,
    /// Bodies given up after the last attempt.
    webhook_given_up,
    /// Updates not sent because too many were waiting.
    webhook_overflow,
    /// Request records that made room for newer ones.
    requests_dropped,
    /// Chat items that made room for newer ones or never found any.
    chat_items_dropped,
    /// Breaches of Meta's rules.
    violations,
    /// Violations that made room for newer ones.
    violations_dropped,
}
