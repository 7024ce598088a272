-- The management API: who may use it, what it has done, and long work. PostgreSQL's text.

-- API keys. Only a keyed hash of a key is here; the id is part of the key's text, so that it is found by primary key.
CREATE TABLE api_key (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL, -- 0: the operator's
    name TEXT NOT NULL,
    role TEXT NOT NULL, -- '' for a narrow token, which has scopes
    scopes TEXT NOT NULL, -- JSON array of texts
    user_id BIGINT NOT NULL, -- 0: nobody's in particular
    hash BYTEA NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, -- 0: never
    revoked_at BIGINT NOT NULL DEFAULT 0,
    replaced_by BIGINT NOT NULL DEFAULT 0, -- the key that a rotation made in its place
    last_used_at BIGINT NOT NULL DEFAULT 0 -- coarse
);
-- "The keys of this tenant", page by page.
CREATE INDEX api_key_of_tenant ON api_key (tenant, id);

-- People. They have no password: a key belongs to one, or an agent is one.
CREATE TABLE api_user (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL, -- 0: the operator's
    name TEXT NOT NULL,
    email TEXT NOT NULL, -- '' unknown
    role TEXT NOT NULL,
    active BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX api_user_of_tenant ON api_user (tenant, id);

-- What a POST with an Idempotency-Key was answered, for a day.
CREATE TABLE idempotency (
    principal BIGINT NOT NULL, -- the API key
    item TEXT NOT NULL, -- what the client called it
    tenant BIGINT NOT NULL,
    request BYTEA NOT NULL, -- SHA-256 of what was asked
    status BIGINT NOT NULL, -- 0: under way, or its process ended in the middle
    response BYTEA NOT NULL, -- envelope of headers and body
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal, item)
);
-- What is a day old.
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Audit log: appended to in the transaction of the change that it tells of, chained soon after by the sealer.
-- It grows with what people do, not with traffic, and is kept for ever.
CREATE TABLE audit_entry (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL, -- 0: the operator's
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL, -- key, command_line, gateway
    actor TEXT NOT NULL, -- id of the key, user of the machine
    actor_name TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    was TEXT NOT NULL, -- JSON, '' when there was nothing
    became TEXT NOT NULL,
    salt BYTEA NOT NULL,
    commitment BYTEA NOT NULL, -- hash of salt and content
    seq BIGINT NOT NULL DEFAULT 0, -- place in its tenant's chain; 0: not sealed yet
    mac BYTEA NOT NULL -- keyed hash over the chain up to here
);
-- What the sealer has to do: a handful of rows.
CREATE INDEX audit_entry_todo ON audit_entry (id) WHERE seq = 0;
-- A tenant's pages, and its chain in order.
CREATE INDEX audit_entry_of_tenant ON audit_entry (tenant, id);
CREATE INDEX audit_entry_chain ON audit_entry (tenant, seq);
-- The end of each sealed chain: one row a ledger and tenant. Sealers wait for each other on it.
CREATE TABLE seal_head (
    ledger TEXT NOT NULL, -- audit
    tenant BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    PRIMARY KEY (ledger, tenant)
);

-- Long work: imports, verifications. A step commits what it did together with how far it got.
CREATE TABLE job (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL, -- 0: the operator's
    bucket BIGINT NOT NULL, -- who owns the bucket runs the job
    kind TEXT NOT NULL,
    state TEXT NOT NULL, -- queued, running, done, failed, cancelled
    params TEXT NOT NULL, -- JSON
    progress TEXT NOT NULL, -- JSON: where the next step goes on
    done BIGINT NOT NULL,
    total BIGINT NOT NULL, -- -1: not known
    rejected BIGINT NOT NULL,
    result TEXT NOT NULL, -- JSON, '' until it is done
    problem TEXT NOT NULL, -- why it failed
    cancel BIGINT NOT NULL, -- 1: somebody wants it to stop
    attempts BIGINT NOT NULL, -- steps that failed one after the other
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL -- 0: not yet
);
-- What there is to do.
CREATE INDEX job_todo ON job (bucket, id) WHERE state IN ('queued', 'running');
CREATE INDEX job_of_tenant ON job (tenant, id);
-- What a job could not take, with the reason, to be downloaded and put right.
CREATE TABLE job_reject (
    job BIGINT NOT NULL,
    ordinal BIGINT NOT NULL, -- which item of the input
    tenant BIGINT NOT NULL,
    reason TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (job, ordinal)
);
