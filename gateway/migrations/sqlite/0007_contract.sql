-- The contract 0.2.0: what plugins remember ends by itself, timers, business events, plugins' own events and metrics.

ALTER TABLE plugin_kv ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0; -- 0: never
-- What has ended and is still there: swept in order, without looking at what stays.
CREATE INDEX plugin_kv_expiring ON plugin_kv (expires_at) WHERE expires_at > 0;

-- 1: its plugin exports `on-receipt`, so receipts of the number become turns. Else they cost nothing more.
ALTER TABLE installation ADD COLUMN hears_receipts INTEGER NOT NULL DEFAULT 0;

-- Timers that are set. A row ends as it becomes an event of its conversation (`inbound_event`, kind 5), in one commit:
-- so a timer is due once, whoever looks. Every row waits, so no index of those that do can be partial.
CREATE TABLE timer (
    conversation INTEGER NOT NULL,
    plugin TEXT NOT NULL, -- by name: versions share it
    name TEXT NOT NULL,
    tenant INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    fields TEXT NOT NULL, -- JSON object of typed values
    PRIMARY KEY (conversation, plugin, name)
) WITHOUT ROWID;
-- What is due next, of the buckets that a node owns.
CREATE INDEX timer_due ON timer (bucket, due_at);
-- How many a tenant has, asked when a turn sets one.
CREATE INDEX timer_of_tenant ON timer (tenant);

-- Business events, known by their sender's id: told twice, handled once.
CREATE TABLE business_event (
    tenant INTEGER NOT NULL,
    item TEXT NOT NULL, -- the sender's id
    event INTEGER NOT NULL, -- inbound_event
    conversation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, item)
) WITHOUT ROWID;
-- What is old enough to be forgotten.
CREATE INDEX business_event_by_age ON business_event (created_at);

-- What plugins tell the tenant's own systems: behind `plugin.event` of the event stream.
CREATE TABLE plugin_event (
    id INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    name TEXT NOT NULL,
    fields TEXT NOT NULL, -- JSON object of typed values
    PRIMARY KEY (id)
);

-- Notes for the people who work with a conversation; kept as long as it is.
CREATE TABLE conversation_note (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    author TEXT NOT NULL, -- a plugin with its version
    body TEXT NOT NULL
);
-- The notes of one conversation, in their order.
CREATE INDEX conversation_note_of_conversation ON conversation_note (conversation, id);

-- What plugins count, by the hour.
CREATE TABLE plugin_metric (
    tenant INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    hour INTEGER NOT NULL, -- its beginning
    samples INTEGER NOT NULL,
    total REAL NOT NULL,
    least REAL NOT NULL,
    most REAL NOT NULL,
    PRIMARY KEY (tenant, plugin, name, hour)
) WITHOUT ROWID;
-- What is old enough to be forgotten.
CREATE INDEX plugin_metric_by_age ON plugin_metric (hour);
