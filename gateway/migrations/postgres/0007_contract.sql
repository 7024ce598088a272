-- The contract 0.2.0: what plugins remember ends by itself, timers, business events, plugins' own events and metrics.

-- Keys are listed in the order of their bytes, as SQLite has them; by another order their index could not be read along.
ALTER TABLE plugin_kv ALTER COLUMN item TYPE TEXT COLLATE "C";
ALTER TABLE plugin_kv ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0; -- 0: never
-- What has ended and is still there: swept in order, without looking at what stays.
CREATE INDEX plugin_kv_expiring ON plugin_kv (expires_at) WHERE expires_at > 0;

-- 1: its plugin exports `on-receipt`, so receipts of the number become turns. Else they cost nothing more.
ALTER TABLE installation ADD COLUMN hears_receipts BIGINT NOT NULL DEFAULT 0;

-- Timers that are set. A row ends as it becomes an event of its conversation (`inbound_event`, kind 5), in one commit:
-- so a timer is due once, whoever looks. Every row waits, so no index of those that do can be partial.
CREATE TABLE timer (
    conversation BIGINT NOT NULL,
    plugin TEXT NOT NULL, -- by name: versions share it
    name TEXT NOT NULL,
    tenant BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    set_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    fields TEXT NOT NULL, -- JSON object of typed values
    PRIMARY KEY (conversation, plugin, name)
);
-- What is due next, of the buckets that a node owns.
CREATE INDEX timer_due ON timer (bucket, due_at);
-- How many a tenant has, asked when a turn sets one.
CREATE INDEX timer_of_tenant ON timer (tenant);

-- Business events, known by their sender's id: told twice, handled once.
CREATE TABLE business_event (
    tenant BIGINT NOT NULL,
    item TEXT NOT NULL, -- the sender's id
    event BIGINT NOT NULL, -- inbound_event
    conversation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, item)
);
-- What is old enough to be forgotten.
CREATE INDEX business_event_by_age ON business_event (created_at);

-- What plugins tell the tenant's own systems: behind `plugin.event` of the event stream.
CREATE TABLE plugin_event (
    id BIGINT NOT NULL,
    tenant BIGINT NOT NULL,
    conversation BIGINT NOT NULL,
    plugin TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    name TEXT NOT NULL,
    fields TEXT NOT NULL, -- JSON object of typed values
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE plugin_event_rest PARTITION OF plugin_event DEFAULT;

-- Notes for the people who work with a conversation; kept as long as it is.
CREATE TABLE conversation_note (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    conversation BIGINT NOT NULL,
    author TEXT NOT NULL, -- a plugin with its version
    body TEXT NOT NULL
);
-- The notes of one conversation, in their order.
CREATE INDEX conversation_note_of_conversation ON conversation_note (conversation, id);

-- What plugins count, by the hour.
CREATE TABLE plugin_metric (
    tenant BIGINT NOT NULL,
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    hour BIGINT NOT NULL, -- its beginning
    samples BIGINT NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    least DOUBLE PRECISION NOT NULL,
    most DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (tenant, plugin, name, hour)
);
-- What is old enough to be forgotten.
CREATE INDEX plugin_metric_by_age ON plugin_metric (hour);
