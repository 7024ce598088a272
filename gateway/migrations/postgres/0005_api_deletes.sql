-- What was left open in the management API. PostgreSQL's text; its twin is in ../sqlite.

-- An answer is written in the transaction of its change now: there is no request whose outcome nobody knows.
DELETE FROM idempotency WHERE status = 0;

-- Numbers that were taken away: their history refers to them, and one that comes back to its tenant is the same number.
-- As few as numbers are: read into memory with them.
CREATE TABLE former_number (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    app BIGINT NOT NULL,
    credential BIGINT NOT NULL,
    portfolio TEXT NOT NULL,
    waba_id TEXT NOT NULL,
    phone_number_id TEXT NOT NULL,
    display_number TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    throughput BIGINT NOT NULL,
    connected_at BIGINT NOT NULL,
    removed_at BIGINT NOT NULL,
    UNIQUE (tenant, phone_number_id)
);

-- A hook's secret that is on its way out: it signs beside the new one until then.
ALTER TABLE hook ADD COLUMN old_secret BYTEA NOT NULL DEFAULT ''; -- envelope; empty: none
ALTER TABLE hook ADD COLUMN old_secret_until BIGINT NOT NULL DEFAULT 0;

-- Changes of owner are entries of the conversation's history too. Those from before are not in its chain.
ALTER TABLE owner_log ADD COLUMN prev BIGINT NOT NULL DEFAULT 0; -- the entry of the conversation before this one
