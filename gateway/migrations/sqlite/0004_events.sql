-- The event stream, hooks out, contacts as people edit them. SQLite's text; its twin is in ../postgres.

-- What a transaction tells, in one row of its own, until the sealer has given it numbers: a handful of rows. The id is
-- the database's, taken as the transaction commits, so that what was caused by something stands behind it.
CREATE TABLE stream_batch (
    id INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);
-- The last number of each tenant's stream. Only the sealer writes it.
CREATE TABLE stream_head (
    tenant INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL
);
-- Numbered events, many to a row: event n of a block has the number first_seq + n.
CREATE TABLE stream_block (
    id INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    events INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
);
-- "What comes after number n?", the one question that readers ask.
CREATE INDEX stream_block_of_tenant ON stream_block (tenant, first_seq);

-- A conversation's history is a chain through events and sends, walked backwards by primary key: an index on
-- either hot table would cost every message a write at a random place.
ALTER TABLE inbound_event ADD COLUMN prev INTEGER NOT NULL DEFAULT 0; -- the entry of the conversation before this one
ALTER TABLE outbox ADD COLUMN prev INTEGER NOT NULL DEFAULT 0; -- the same
ALTER TABLE conversation ADD COLUMN last_entry INTEGER NOT NULL DEFAULT 0; -- where its history begins to be read
ALTER TABLE conversation ADD COLUMN human_replied_at INTEGER NOT NULL DEFAULT 0; -- first human message since the bot had it
ALTER TABLE conversation ADD COLUMN snoozed_until INTEGER NOT NULL DEFAULT 0; -- 0: not snoozed
ALTER TABLE conversation ADD COLUMN hand_back_at INTEGER NOT NULL DEFAULT 0; -- when it goes back to the bot by itself; 0: never
-- "What is due?", asked every second: few rows, or none.
CREATE INDEX conversation_snoozed ON conversation (snoozed_until) WHERE snoozed_until > 0;
CREATE INDEX conversation_hand_back ON conversation (hand_back_at) WHERE hand_back_at > 0;
-- Lists of a tenant's conversations by cursor; and an inbox's, which asks for the few that people have.
CREATE INDEX conversation_of_tenant ON conversation (tenant, id);
CREATE INDEX conversation_with_people ON conversation (tenant, id) WHERE owner <> 0;

ALTER TABLE contact ADD COLUMN external_id TEXT NOT NULL DEFAULT ''; -- the tenant's own key; '' none
ALTER TABLE contact ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}'; -- JSON object of defined attributes
ALTER TABLE contact ADD COLUMN version INTEGER NOT NULL DEFAULT 0; -- moves with every change by people
CREATE UNIQUE INDEX contact_external ON contact (tenant, external_id) WHERE external_id <> '';
-- Lists by cursor.
CREATE INDEX contact_of_tenant ON contact (tenant, id);
CREATE TABLE contact_attribute (
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL, -- text, number, date, boolean, list
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
);
-- What an import was given, until its job has read it.
CREATE TABLE contact_import (
    id INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    item TEXT NOT NULL, -- JSON
    PRIMARY KEY (id, ordinal)
);

-- Endpoints that follow a tenant's stream.
CREATE TABLE hook (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    url TEXT NOT NULL,
    secret BLOB NOT NULL, -- envelope
    kinds TEXT NOT NULL, -- JSON array of event types; empty: all
    enabled INTEGER NOT NULL,
    version INTEGER NOT NULL, -- moves with every change by people
    position INTEGER NOT NULL, -- every event up to this number is delivered, or stands in hook_delivery
    failures INTEGER NOT NULL, -- in a row, of any event
    next_try_at INTEGER NOT NULL, -- the circuit is open until then; 0: it is closed
    last_error TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
-- Deliveries that failed: to be tried again, or given up.
CREATE TABLE hook_delivery (
    id INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    hook INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state INTEGER NOT NULL, -- 0 to be tried again, 1 dead, 2 delivered at last
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (id)
);
-- What an endpoint still has to get, the next first; its dead letters, by id.
CREATE INDEX hook_delivery_due ON hook_delivery (hook, next_at) WHERE state = 0;
CREATE INDEX hook_delivery_dead ON hook_delivery (hook, id) WHERE state = 1;
