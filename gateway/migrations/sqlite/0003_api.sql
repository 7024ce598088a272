-- The management API: who may use it, what it has done, and long work. SQLite's text.

-- API keys. Only a keyed hash of a key is here; the id is part of the key's text, so that it is found by primary key.
CREATE TABLE api_key (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL, -- 0: the operator's
    name TEXT NOT NULL,
    role TEXT NOT NULL, -- '' for a narrow token, which has scopes
    scopes TEXT NOT NULL, -- JSON array of texts
    user_id INTEGER NOT NULL, -- 0: nobody's in particular
    hash BLOB NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, -- 0: never
    revoked_at INTEGER NOT NULL DEFAULT 0,
    replaced_by INTEGER NOT NULL DEFAULT 0, -- the key that a rotation made in its place
    last_used_at INTEGER NOT NULL DEFAULT 0 -- coarse
);
-- "The keys of this tenant", page by page.
CREATE INDEX api_key_of_tenant ON api_key (tenant, id);

-- People. They have no password: a key belongs to one, or an agent is one.
CREATE TABLE api_user (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL, -- 0: the operator's
    name TEXT NOT NULL,
    email TEXT NOT NULL, -- '' unknown
    role TEXT NOT NULL,
    active INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX api_user_of_tenant ON api_user (tenant, id);

-- What a POST with an Idempotency-Key was answered, for a day.
CREATE TABLE idempotency (
    principal INTEGER NOT NULL, -- the API key
    item TEXT NOT NULL, -- what the client called it
    tenant INTEGER NOT NULL,
    request BLOB NOT NULL, -- SHA-256 of what was asked
    status INTEGER NOT NULL, -- 0: under way, or its process ended in the middle
    response BLOB NOT NULL, -- envelope of headers and body
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal, item)
) WITHOUT ROWID;
-- What is a day old.
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Audit log: appended to in the transaction of the change that it tells of, chained soon after by the sealer.
-- It grows with what people do, not with traffic, and is kept for ever.
CREATE TABLE audit_entry (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL, -- 0: the operator's
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL, -- key, command_line, gateway
    actor TEXT NOT NULL, -- id of the key, user of the machine
    actor_name TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    was TEXT NOT NULL, -- JSON, '' when there was nothing
    became TEXT NOT NULL,
    salt BLOB NOT NULL,
    commitment BLOB NOT NULL, -- hash of salt and content
    seq INTEGER NOT NULL DEFAULT 0, -- place in its tenant's chain; 0: not sealed yet
    mac BLOB NOT NULL -- keyed hash over the chain up to here
);
-- What the sealer has to do: a handful of rows.
CREATE INDEX audit_entry_todo ON audit_entry (id) WHERE seq = 0;
-- A tenant's pages, and its chain in order.
CREATE INDEX audit_entry_of_tenant ON audit_entry (tenant, id);
CREATE INDEX audit_entry_chain ON audit_entry (tenant, seq);
-- The end of each sealed chain: one row a ledger and tenant. Sealers wait for each other on it.
CREATE TABLE seal_head (
    ledger TEXT NOT NULL, -- audit
    tenant INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (ledger, tenant)
) WITHOUT ROWID;

-- Long work: imports, verifications. A step commits what it did together with how far it got.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL, -- 0: the operator's
    bucket INTEGER NOT NULL, -- who owns the bucket runs the job
    kind TEXT NOT NULL,
    state TEXT NOT NULL, -- queued, running, done, failed, cancelled
    params TEXT NOT NULL, -- JSON
    progress TEXT NOT NULL, -- JSON: where the next step goes on
    done INTEGER NOT NULL,
    total INTEGER NOT NULL, -- -1: not known
    rejected INTEGER NOT NULL,
    result TEXT NOT NULL, -- JSON, '' until it is done
    problem TEXT NOT NULL, -- why it failed
    cancel INTEGER NOT NULL, -- 1: somebody wants it to stop
    attempts INTEGER NOT NULL, -- steps that failed one after the other
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL -- 0: not yet
);
-- What there is to do.
CREATE INDEX job_todo ON job (bucket, id) WHERE state IN ('queued', 'running');
CREATE INDEX job_of_tenant ON job (tenant, id);
-- What a job could not take, with the reason, to be downloaded and put right.
CREATE TABLE job_reject (
    job INTEGER NOT NULL,
    ordinal INTEGER NOT NULL, -- which item of the input
    tenant INTEGER NOT NULL,
    reason TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (job, ordinal)
) WITHOUT ROWID;
