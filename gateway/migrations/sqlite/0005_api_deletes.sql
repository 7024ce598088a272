-- What was left open in the management API. SQLite's text; its twin in ../postgres says the same.

-- An answer is written in the transaction of its change now: there is no request whose outcome nobody knows.
DELETE FROM idempotency WHERE status = 0;

-- Numbers that were taken away: their history refers to them, and one that comes back to its tenant is the same number.
-- As few as numbers are: read into memory with them.
CREATE TABLE former_number (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    app INTEGER NOT NULL,
    credential INTEGER NOT NULL,
    portfolio TEXT NOT NULL,
    waba_id TEXT NOT NULL,
    phone_number_id TEXT NOT NULL,
    display_number TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    throughput INTEGER NOT NULL,
    connected_at INTEGER NOT NULL,
    removed_at INTEGER NOT NULL,
    UNIQUE (tenant, phone_number_id)
);

-- A hook's secret that is on its way out: it signs beside the new one until then.
ALTER TABLE hook ADD COLUMN old_secret BLOB NOT NULL DEFAULT x''; -- envelope; empty: none
ALTER TABLE hook ADD COLUMN old_secret_until INTEGER NOT NULL DEFAULT 0;

-- Changes of owner are entries of the conversation's history too. Those from before are not in its chain.
ALTER TABLE owner_log ADD COLUMN prev INTEGER NOT NULL DEFAULT 0; -- the entry of the conversation before this one
