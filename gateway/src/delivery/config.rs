//! What delivery can be told, with the defaults of `config.default.toml`.

use std::time::Duration;

use crate::config::{Delivery, Graph};

/// A claimed POST begins within this or is given back (promise 4). The connecting time is part of it.
const BEGINS_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct DeliveryConfig {
    /// Sends under way at once, in all and for one number.
    pub concurrency: usize,
    pub concurrency_per_number: usize,
    /// Rows in one claim and answers in one record.
    pub claim_rows: usize,
    pub record_rows: usize,
    /// How long a doubt waits for its receipt.
    pub unknown_grace: Duration,
    /// How long a doubt holds its conversation (promise 5).
    pub unknown_holds: Duration,
    /// A row older than this is not put off again.
    pub give_up_after: Duration,
    /// The whole of one call.
    pub response_timeout: Duration,
    /// From the claim's lock until the request is handed to the HTTP client, at most: what remains of promise 4's two
    /// seconds after a connection has been made.
    pub hand_over_within: Duration,
    /// Rows of one number held in memory.
    pub queue_per_number: usize,
}

impl DeliveryConfig {
    pub fn new(delivery: &Delivery, graph: &Graph) -> Self {
        Self {
            concurrency: delivery.concurrency,
            concurrency_per_number: delivery.concurrency_per_number,
            claim_rows: delivery.claim_rows,
            record_rows: delivery.record_rows,
            unknown_grace: delivery.unknown_grace,
            give_up_after: delivery.give_up_after,
            response_timeout: graph.response_timeout,
            hand_over_within: BEGINS_WITHIN.saturating_sub(graph.connect_timeout),
            ..Self::default()
        }
    }
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            concurrency: 256,
            concurrency_per_number: 64,
            claim_rows: 256,
            record_rows: 256,
            unknown_grace: Duration::from_secs(60),
            unknown_holds: Duration::from_secs(30),
            give_up_after: Duration::from_secs(24 * 3600),
            response_timeout: Duration::from_secs(30),
            hand_over_within: Duration::from_secs(1),
            queue_per_number: 1000,
        }
    }
}
