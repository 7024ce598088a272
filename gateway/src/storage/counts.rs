//! How much there is, and how much waits: for `status`. Only small tables and the indexes of open work are counted.

use super::{Result, Tx, on_backend};

const COUNTS: [(&str, &str); 12] = [
    ("apps", "SELECT COUNT(*) FROM app"),
    ("tenants", "SELECT COUNT(*) FROM tenant"),
    ("credentials", "SELECT COUNT(*) FROM credential"),
    ("numbers", "SELECT COUNT(*) FROM number"),
    (
        "installations",
        "SELECT COUNT(*) FROM installation WHERE state <> 'retired'",
    ),
    ("holds", "SELECT COUNT(*) FROM hold WHERE lifted_at = 0"),
    (
        "raw bodies to split",
        "SELECT COUNT(*) FROM inbound_raw WHERE attached_at = 0",
    ),
    (
        "events awaiting a turn",
        "SELECT COUNT(*) FROM inbound_event WHERE state = 0",
    ),
    (
        "sends queued",
        "SELECT COUNT(*) FROM outbox WHERE state IN (0, 1, 3) AND state = 0",
    ),
    (
        "sends deferred",
        "SELECT COUNT(*) FROM outbox WHERE state = 7",
    ),
    (
        "sends claimed",
        "SELECT COUNT(*) FROM outbox WHERE state IN (0, 1, 3) AND state = 1",
    ),
    (
        "sends in doubt",
        "SELECT COUNT(*) FROM outbox WHERE state IN (0, 1, 3) AND state = 3",
    ),
];

/// Each count under its name.
pub async fn counts_all_tenants(tx: &mut Tx) -> Result<Vec<(&'static str, i64)>> {
    let mut counts = Vec::with_capacity(COUNTS.len());
    for (name, sql) in COUNTS {
        let count: i64 = on_backend!(tx, |conn| sqlx::query_scalar(sql).fetch_one(conn).await)?;
        counts.push((name, count));
    }
    Ok(counts)
}
