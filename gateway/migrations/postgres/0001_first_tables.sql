-- First tables. PostgreSQL's text; its twin in ../sqlite says the same (a test compares the two).
-- Tables that grow with traffic are partitioned by range of id or time: retention drops a partition.

-- Setup: what an operator or tenant configures. Small, read into memory, changed rarely.

CREATE TABLE app (
    id BIGINT PRIMARY KEY,
    meta_app_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    verify_token BYTEA NOT NULL, -- envelope
    is_default BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE app_secret (
    id BIGINT PRIMARY KEY,
    app BIGINT NOT NULL,
    secret BYTEA NOT NULL, -- envelope
    created_at BIGINT NOT NULL,
    retired_at BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE tenant (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL, -- JSON object: fallback text, extra words, served queues
    created_at BIGINT NOT NULL
);
CREATE TABLE credential (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    name TEXT NOT NULL,
    token BYTEA NOT NULL, -- envelope
    created_at BIGINT NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE number (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    app BIGINT NOT NULL,
    credential BIGINT NOT NULL,
    portfolio TEXT NOT NULL,
    waba_id TEXT NOT NULL,
    phone_number_id TEXT NOT NULL UNIQUE,
    display_number TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    throughput BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    connected_at BIGINT NOT NULL
);
CREATE TABLE hold (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL, -- 0: every tenant
    scope BIGINT NOT NULL, -- 0 all, 1 tenant, 2 number, 3 plugin, 4 template, 5 credential, 6 all templates of the tenant
    target BIGINT NOT NULL, -- number or credential id, else 0
    name TEXT NOT NULL, -- plugin or template name, else ''
    language TEXT NOT NULL DEFAULT '', -- of the template
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL DEFAULT 0, -- 0: until somebody lifts it
    lifted_at BIGINT NOT NULL DEFAULT 0
);
-- Nodes re-read their cached setup when a counter moved; bumped in the transaction of the change.
CREATE TABLE change_counter (
    name TEXT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO change_counter (name, version) VALUES ('setup', 0);

-- Plugins.

CREATE TABLE component (
    tenant BIGINT NOT NULL,
    digest TEXT NOT NULL, -- SHA-256 of the upload, hex
    wasm BYTEA NOT NULL,
    manifest TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, digest)
);
CREATE TABLE artifact (
    tenant BIGINT NOT NULL,
    digest TEXT NOT NULL,
    engine TEXT NOT NULL, -- wasmtime version and compatibility hash
    sealed BYTEA NOT NULL, -- authenticated before it is loaded
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, digest, engine)
);
CREATE TABLE installation (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    number BIGINT NOT NULL DEFAULT 0, -- 0: every number of the tenant
    plugin TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    digest TEXT NOT NULL,
    position BIGINT NOT NULL,
    config TEXT NOT NULL,
    grants TEXT NOT NULL,
    state TEXT NOT NULL, -- active, retired
    generation BIGINT NOT NULL, -- moves with every change: a commit checks it
    created_at BIGINT NOT NULL
);
CREATE TABLE plugin_kv (
    tenant BIGINT NOT NULL,
    plugin TEXT NOT NULL, -- by name: versions share it
    item TEXT NOT NULL,
    value BYTEA NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant, plugin, item)
);
-- What a plugin remembers at a tenant in all, for its quota. Its row is locked before any of the memory is written, so
-- that two nodes neither exceed the quota nor both find the same key absent.
CREATE TABLE plugin_kv_usage (
    tenant BIGINT NOT NULL,
    plugin TEXT NOT NULL,
    bytes BIGINT NOT NULL, -- keys and values
    PRIMARY KEY (tenant, plugin)
);

-- Who does what.

-- A node number is ten bits of every id: no two live nodes may share one.
CREATE TABLE node_slot (
    slot BIGINT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    id_floor BIGINT NOT NULL -- no id of this slot was made for a later time than this
);
CREATE TABLE bucket_lease (
    bucket BIGINT PRIMARY KEY,
    slot BIGINT NOT NULL, -- -1: nobody. It lasts as long as the slot's lease
    epoch BIGINT NOT NULL -- moves with every change of owner: the fence
);
INSERT INTO bucket_lease (bucket, slot, epoch)
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 255)
SELECT n, -1, 0 FROM numbers;

-- One row: when some node could last keep webhooks, and the end of the last long time in which none could.
CREATE TABLE ingest_life (
    id BIGINT PRIMARY KEY,
    alive_at BIGINT NOT NULL, -- 0: never yet
    gap_until BIGINT NOT NULL -- 0: there was no gap
);
INSERT INTO ingest_life (id, alive_at, gap_until) VALUES (1, 0, 0);

-- The way in. Ids grow with time, so these tables are appended to.

CREATE TABLE inbound_raw (
    id BIGINT NOT NULL,
    app BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    part_of BIGINT NOT NULL, -- the row that holds the body, when a POST touches several buckets; 0: this one
    received_at BIGINT NOT NULL,
    body BYTEA NOT NULL,
    attached_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE inbound_raw_rest PARTITION OF inbound_raw DEFAULT;
-- What is still to be attached: a handful of rows, however large the table is.
CREATE INDEX inbound_raw_todo ON inbound_raw (bucket, id) WHERE attached_at = 0;

-- One event, one effect: known by Meta's time and the keyed hash of number and wamid. Kept 30 days.
CREATE TABLE event_seen (
    at BIGINT NOT NULL,
    hash BIGINT NOT NULL,
    PRIMARY KEY (at, hash)
) PARTITION BY RANGE (at);
CREATE TABLE event_seen_rest PARTITION OF event_seen DEFAULT;

CREATE TABLE inbound_event (
    id BIGINT NOT NULL,
    tenant BIGINT NOT NULL, -- 0: of no number that we know
    number BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    conversation BIGINT NOT NULL, -- 0: of no conversation
    contact BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    raw BIGINT NOT NULL, -- inbound_raw that holds it
    ordinal BIGINT NOT NULL, -- which item of that body
    kind BIGINT NOT NULL, -- 1 message, 2 stale message, 9 kept raw
    at BIGINT NOT NULL, -- Meta's time
    wamid TEXT NOT NULL,
    content TEXT NOT NULL, -- typed content, JSON; for kept raw: what it is
    word BIGINT NOT NULL DEFAULT 0, -- consent or hand-over word found, 0 none
    state BIGINT NOT NULL, -- 0 waits for its turn, 1 done, 2 never has one
    turn BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE inbound_event_rest PARTITION OF inbound_event DEFAULT;
-- What waits for a turn.
CREATE INDEX inbound_event_todo ON inbound_event (bucket, id) WHERE state = 0;

CREATE TABLE identity (
    tenant BIGINT NOT NULL,
    scope TEXT NOT NULL, -- portfolio for BSUIDs, '' for phones
    kind BIGINT NOT NULL,
    value TEXT NOT NULL,
    contact BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, scope, kind, value)
);
-- "Does this contact have a BSUID already?", asked before two contacts become one.
CREATE INDEX identity_of_contact ON identity (contact);
CREATE TABLE contact (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    display_name TEXT NOT NULL,
    phone TEXT NOT NULL, -- '' when unknown
    bsuid TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- One row per contact from its first day: what a claim and an opt-out both lock.
CREATE TABLE consent (
    contact BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    opt_out BIGINT NOT NULL,
    since BIGINT NOT NULL,
    reopened_at BIGINT NOT NULL, -- 0: not reopened
    meta_stopped_at BIGINT NOT NULL, -- Meta's own marketing stop, 0 none
    merged_into BIGINT NOT NULL DEFAULT 0, -- the contact whose row speaks for this one since the two became one; 0: itself
    version BIGINT NOT NULL
);
CREATE TABLE conversation (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    number BIGINT NOT NULL,
    contact BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    owner BIGINT NOT NULL, -- 0 bot, 1 queue, 2 agent, 3 external
    owner_name TEXT NOT NULL,
    owner_version BIGINT NOT NULL,
    version BIGINT NOT NULL, -- moves with every turn and change of owner
    next_seq BIGINT NOT NULL, -- the number that the next event gets
    done_seq BIGINT NOT NULL, -- the last event that had its turn
    last_inbound_at BIGINT NOT NULL, -- opens the 24-hour window, Meta's time
    closed_by_meta_at BIGINT NOT NULL, -- Meta said 131047
    pair_debt_at BIGINT NOT NULL, -- pair pacing, GCRA's theoretical arrival time
    bot_hour_at BIGINT NOT NULL, -- loop brake: hour that is counted
    bot_hour_count BIGINT NOT NULL,
    language TEXT NOT NULL,
    attributes TEXT NOT NULL, -- JSON object
    tags TEXT NOT NULL, -- JSON array
    closed_at BIGINT NOT NULL, -- a plugin or person said that it is done; the next message opens it again
    created_at BIGINT NOT NULL,
    UNIQUE (number, contact)
);
CREATE TABLE owner_log (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    conversation BIGINT NOT NULL,
    owner_version BIGINT NOT NULL,
    change TEXT NOT NULL, -- JSON: from, to, reason, by, note
    at BIGINT NOT NULL
);
CREATE INDEX owner_log_of_conversation ON owner_log (conversation, id);

-- What a turn did, enough to replay it.
CREATE TABLE turn (
    id BIGINT NOT NULL,
    tenant BIGINT NOT NULL,
    number BIGINT NOT NULL,
    conversation BIGINT NOT NULL,
    event BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    journal TEXT NOT NULL, -- JSON
    at BIGINT NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE turn_rest PARTITION OF turn DEFAULT;

-- The way out.

CREATE TABLE outbox (
    id BIGINT NOT NULL,
    tenant BIGINT NOT NULL,
    number BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    conversation BIGINT NOT NULL,
    contact BIGINT NOT NULL,
    turn BIGINT NOT NULL, -- 0: not of a turn
    state BIGINT NOT NULL, -- 0 queued, 1 claimed, 2 accepted, 3 unknown, 4 refused, 5 failed, 6 cancelled
    class BIGINT NOT NULL,
    draft TEXT NOT NULL, -- JSON: recipient, content, reply_to, sender, owner_version
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    doubts BIGINT NOT NULL, -- attempts that may have been sent
    changed_at BIGINT NOT NULL,
    wamid TEXT NOT NULL,
    receipt BIGINT NOT NULL, -- how far it got at Meta; -1 nothing yet
    error BIGINT NOT NULL, -- Meta's last error code, 0 none
    reason TEXT NOT NULL, -- why it was refused, given up or put off
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT;
-- What is still to be done: queued, claimed, unknown. The number is in it so that a rescan can pass by a number whose
-- queue is full without reading its rows.
CREATE INDEX outbox_todo ON outbox (bucket, id, number) WHERE state IN (0, 1, 3);
-- What may have been sent twice or not at all, for people to look at: few rows of a table that grows without end.
CREATE INDEX outbox_doubted ON outbox (id) WHERE doubts > 0;

-- Every receipt as it came; (outbox, status) is its identity, so a doubled webhook changes nothing.
CREATE TABLE receipt (
    outbox BIGINT NOT NULL,
    status BIGINT NOT NULL,
    tenant BIGINT NOT NULL,
    at BIGINT NOT NULL,
    error BIGINT NOT NULL,
    pricing TEXT NOT NULL, -- Meta's object as it came, '' none
    time_zone TEXT NOT NULL, -- the WABA's
    template_category TEXT NOT NULL, -- of the time; '' for no template
    PRIMARY KEY (outbox, status)
) PARTITION BY RANGE (outbox);
CREATE TABLE receipt_rest PARTITION OF receipt DEFAULT;
