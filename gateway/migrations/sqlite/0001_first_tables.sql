-- First tables. SQLite's text; its twin in ../postgres says the same (a test compares the two).
-- INTEGER, not BIGINT: only `INTEGER PRIMARY KEY` is the rowid itself.

-- Setup: what an operator or tenant configures. Small, read into memory, changed rarely.

CREATE TABLE app (
    id INTEGER PRIMARY KEY,
    meta_app_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    verify_token BLOB NOT NULL, -- envelope
    is_default INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE TABLE app_secret (
    id INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    secret BLOB NOT NULL, -- envelope
    created_at INTEGER NOT NULL,
    retired_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL, -- JSON object: fallback text, extra words, served queues
    created_at INTEGER NOT NULL
);
CREATE TABLE credential (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    token BLOB NOT NULL, -- envelope
    created_at INTEGER NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE number (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    app INTEGER NOT NULL,
    credential INTEGER NOT NULL,
    portfolio TEXT NOT NULL,
    waba_id TEXT NOT NULL,
    phone_number_id TEXT NOT NULL UNIQUE,
    display_number TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    throughput INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    connected_at INTEGER NOT NULL
);
CREATE TABLE hold (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL, -- 0: every tenant
    scope INTEGER NOT NULL, -- 0 all, 1 tenant, 2 number, 3 plugin, 4 template, 5 credential, 6 all templates of the tenant
    target INTEGER NOT NULL, -- number or credential id, else 0
    name TEXT NOT NULL, -- plugin or template name, else ''
    language TEXT NOT NULL DEFAULT '', -- of the template
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL DEFAULT 0, -- 0: until somebody lifts it
    lifted_at INTEGER NOT NULL DEFAULT 0
);
-- Nodes re-read their cached setup when a counter moved; bumped in the transaction of the change.
CREATE TABLE change_counter (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL
);
INSERT INTO change_counter (name, version) VALUES ('setup', 0);

-- Plugins.

CREATE TABLE component (
    tenant INTEGER NOT NULL,
    digest TEXT NOT NULL, -- SHA-256 of the upload, hex
    wasm BLOB NOT NULL,
    manifest TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, digest)
);
CREATE TABLE artifact (
    tenant INTEGER NOT NULL,
    digest TEXT NOT NULL,
    engine TEXT NOT NULL, -- wasmtime version and compatibility hash
    sealed BLOB NOT NULL, -- authenticated before it is loaded
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, digest, engine)
);
CREATE TABLE installation (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL DEFAULT 0, -- 0: every number of the tenant
    plugin TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    digest TEXT NOT NULL,
    position INTEGER NOT NULL,
    config TEXT NOT NULL,
    grants TEXT NOT NULL,
    state TEXT NOT NULL, -- active, retired
    generation INTEGER NOT NULL, -- moves with every change: a commit checks it
    created_at INTEGER NOT NULL
);
CREATE TABLE plugin_kv (
    tenant INTEGER NOT NULL,
    plugin TEXT NOT NULL, -- by name: versions share it
    item TEXT NOT NULL,
    value BLOB NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, plugin, item)
) WITHOUT ROWID;
-- What a plugin remembers at a tenant in all, for its quota. Its row is locked before any of the memory is written, so
-- that two nodes neither exceed the quota nor both find the same key absent.
CREATE TABLE plugin_kv_usage (
    tenant INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    bytes INTEGER NOT NULL, -- keys and values
    PRIMARY KEY (tenant, plugin)
) WITHOUT ROWID;

-- Who does what.

-- A node number is ten bits of every id: no two live nodes may share one.
CREATE TABLE node_slot (
    slot INTEGER PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    id_floor INTEGER NOT NULL -- no id of this slot was made for a later time than this
);
CREATE TABLE bucket_lease (
    bucket INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL, -- -1: nobody. It lasts as long as the slot's lease
    epoch INTEGER NOT NULL -- moves with every change of owner: the fence
);
INSERT INTO bucket_lease (bucket, slot, epoch)
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 255)
SELECT n, -1, 0 FROM numbers;

-- One row: when some node could last keep webhooks, and the end of the last long time in which none could.
CREATE TABLE ingest_life (
    id INTEGER PRIMARY KEY,
    alive_at INTEGER NOT NULL, -- 0: never yet
    gap_until INTEGER NOT NULL -- 0: there was no gap
);
INSERT INTO ingest_life (id, alive_at, gap_until) VALUES (1, 0, 0);

-- The way in. Ids grow with time, so these tables are appended to.

CREATE TABLE inbound_raw (
    id INTEGER NOT NULL,
    app INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    part_of INTEGER NOT NULL, -- the row that holds the body, when a POST touches several buckets; 0: this one
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    attached_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id)
);
-- What is still to be attached: a handful of rows, however large the table is.
CREATE INDEX inbound_raw_todo ON inbound_raw (bucket, id) WHERE attached_at = 0;

-- One event, one effect: known by Meta's time and the keyed hash of number and wamid. Kept 30 days.
CREATE TABLE event_seen (
    at INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    PRIMARY KEY (at, hash)
) WITHOUT ROWID;

CREATE TABLE inbound_event (
    id INTEGER NOT NULL,
    tenant INTEGER NOT NULL, -- 0: of no number that we know
    number INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    conversation INTEGER NOT NULL, -- 0: of no conversation
    contact INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    raw INTEGER NOT NULL, -- inbound_raw that holds it
    ordinal INTEGER NOT NULL, -- which item of that body
    kind INTEGER NOT NULL, -- 1 message, 2 stale message, 9 kept raw
    at INTEGER NOT NULL, -- Meta's time
    wamid TEXT NOT NULL,
    content TEXT NOT NULL, -- typed content, JSON; for kept raw: what it is
    word INTEGER NOT NULL DEFAULT 0, -- consent or hand-over word found, 0 none
    state INTEGER NOT NULL, -- 0 waits for its turn, 1 done, 2 never has one
    turn INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id)
);
-- What waits for a turn.
CREATE INDEX inbound_event_todo ON inbound_event (bucket, id) WHERE state = 0;

CREATE TABLE identity (
    tenant INTEGER NOT NULL,
    scope TEXT NOT NULL, -- portfolio for BSUIDs, '' for phones
    kind INTEGER NOT NULL,
    value TEXT NOT NULL,
    contact INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, scope, kind, value)
) WITHOUT ROWID;
-- "Does this contact have a BSUID already?", asked before two contacts become one.
CREATE INDEX identity_of_contact ON identity (contact);
CREATE TABLE contact (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    display_name TEXT NOT NULL,
    phone TEXT NOT NULL, -- '' when unknown
    bsuid TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
-- One row per contact from its first day: what a claim and an opt-out both lock.
CREATE TABLE consent (
    contact INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    opt_out INTEGER NOT NULL,
    since INTEGER NOT NULL,
    reopened_at INTEGER NOT NULL, -- 0: not reopened
    meta_stopped_at INTEGER NOT NULL, -- Meta's own marketing stop, 0 none
    merged_into INTEGER NOT NULL DEFAULT 0, -- the contact whose row speaks for this one since the two became one; 0: itself
    version INTEGER NOT NULL
);
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    owner INTEGER NOT NULL, -- 0 bot, 1 queue, 2 agent, 3 external
    owner_name TEXT NOT NULL,
    owner_version INTEGER NOT NULL,
    version INTEGER NOT NULL, -- moves with every turn and change of owner
    next_seq INTEGER NOT NULL, -- the number that the next event gets
    done_seq INTEGER NOT NULL, -- the last event that had its turn
    last_inbound_at INTEGER NOT NULL, -- opens the 24-hour window, Meta's time
    closed_by_meta_at INTEGER NOT NULL, -- Meta said 131047
    pair_debt_at INTEGER NOT NULL, -- pair pacing, GCRA's theoretical arrival time
    bot_hour_at INTEGER NOT NULL, -- loop brake: hour that is counted
    bot_hour_count INTEGER NOT NULL,
    language TEXT NOT NULL,
    attributes TEXT NOT NULL, -- JSON object
    tags TEXT NOT NULL, -- JSON array
    closed_at INTEGER NOT NULL, -- a plugin or person said that it is done; the next message opens it again
    created_at INTEGER NOT NULL,
    UNIQUE (number, contact)
);
CREATE TABLE owner_log (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    owner_version INTEGER NOT NULL,
    change TEXT NOT NULL, -- JSON: from, to, reason, by, note
    at INTEGER NOT NULL
);
CREATE INDEX owner_log_of_conversation ON owner_log (conversation, id);

-- What a turn did, enough to replay it.
CREATE TABLE turn (
    id INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    event INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    journal TEXT NOT NULL, -- JSON
    at INTEGER NOT NULL,
    PRIMARY KEY (id)
);

-- The way out.

CREATE TABLE outbox (
    id INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    turn INTEGER NOT NULL, -- 0: not of a turn
    state INTEGER NOT NULL, -- 0 queued, 1 claimed, 2 accepted, 3 unknown, 4 refused, 5 failed, 6 cancelled
    class INTEGER NOT NULL,
    draft TEXT NOT NULL, -- JSON: recipient, content, reply_to, sender, owner_version
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    doubts INTEGER NOT NULL, -- attempts that may have been sent
    changed_at INTEGER NOT NULL,
    wamid TEXT NOT NULL,
    receipt INTEGER NOT NULL, -- how far it got at Meta; -1 nothing yet
    error INTEGER NOT NULL, -- Meta's last error code, 0 none
    reason TEXT NOT NULL, -- why it was refused, given up or put off
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
);
-- What is still to be done: queued, claimed, unknown. The number is in it so that a rescan can pass by a number whose
-- queue is full without reading its rows.
CREATE INDEX outbox_todo ON outbox (bucket, id, number) WHERE state IN (0, 1, 3);
-- What may have been sent twice or not at all, for people to look at: few rows of a table that grows without end.
CREATE INDEX outbox_doubted ON outbox (id) WHERE doubts > 0;

-- Every receipt as it came; (outbox, status) is its identity, so a doubled webhook changes nothing.
CREATE TABLE receipt (
    outbox INTEGER NOT NULL,
    status INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    at INTEGER NOT NULL,
    error INTEGER NOT NULL,
    pricing TEXT NOT NULL, -- Meta's object as it came, '' none
    time_zone TEXT NOT NULL, -- the WABA's
    template_category TEXT NOT NULL, -- of the time; '' for no template
    PRIMARY KEY (outbox, status)
) WITHOUT ROWID;
