-- Why something was not sent, where no other row says it, and what a go-live checklist rests on.

-- Messages of people and clients that policy refused: they never enter the outbox, and were answered only. No text and
-- no address is kept. At most a hundred of a conversation (`storage/refusals.rs`), and no longer than journals are.
CREATE TABLE refusal (
    id BIGINT NOT NULL, -- the send's that it did not become
    tenant BIGINT NOT NULL,
    number BIGINT NOT NULL,
    conversation BIGINT NOT NULL,
    contact BIGINT NOT NULL,
    ruling TEXT NOT NULL, -- JSON: reason, what would be allowed and from when, class, sender, evidence
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE refusal_rest PARTITION OF refusal DEFAULT;
-- The latest of a conversation: looked at by people, and counted as one is added.
CREATE INDEX refusal_of_conversation ON refusal (conversation, id);

-- When Meta last verified the callback URL, and when an endpoint last answered well. 0: never since this is kept.
ALTER TABLE app ADD COLUMN verified_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE hook ADD COLUMN answered_at BIGINT NOT NULL DEFAULT 0;

-- What somebody vouches for on the go-live checklist. Withdrawn ones are gone; the audit log has them.
CREATE TABLE attestation (
    tenant BIGINT NOT NULL,
    item TEXT NOT NULL, -- line of the checklist
    by_name TEXT NOT NULL,
    note TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, item)
);
