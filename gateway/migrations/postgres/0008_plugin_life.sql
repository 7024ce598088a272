-- The life of a plugin's versions: uploads with who signed them, versions inside an installation, what each did,
-- digests that are stopped. PostgreSQL's text; its twin is in ../sqlite.

-- Who uploaded it, by what signature (the name of a key; '': none). Tenant 0: the operator's uploads, for every tenant.
ALTER TABLE component ADD COLUMN uploaded_by TEXT NOT NULL DEFAULT '';
ALTER TABLE component ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE component ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE component ADD COLUMN upload BIGINT NOT NULL DEFAULT 0; -- in the order of uploads: lists go by it
UPDATE component SET bytes = length(wasm),
    upload = (SELECT COUNT(*) FROM component c WHERE (c.tenant, c.digest) <= (component.tenant, component.digest));

-- An installation is the place of a plugin; what runs there are its versions.
CREATE TABLE installation_version (
    installation BIGINT NOT NULL,
    seq BIGINT NOT NULL, -- from 1 on, in the order of their coming
    tenant BIGINT NOT NULL,
    digest TEXT NOT NULL,
    plugin_version TEXT NOT NULL,
    config TEXT NOT NULL, -- JSON object
    asked TEXT NOT NULL, -- JSON array of grants: what its manifest asks for
    grants TEXT NOT NULL, -- JSON array: what it was given
    granted_by TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    stage TEXT NOT NULL, -- waiting, shadow, canary, active, retired
    percent BIGINT NOT NULL, -- of the conversations, while in canary
    good BIGINT NOT NULL, -- 1: it was active, and did not leave because of a fault: where a rollback goes to
    reason TEXT NOT NULL, -- why it is where it is
    changed_at BIGINT NOT NULL, -- when it came there
    created_at BIGINT NOT NULL,
    PRIMARY KEY (installation, seq)
);
-- "Where does this digest run?": a stop, an author's look at the health of all of them.
CREATE INDEX installation_version_of_digest ON installation_version (digest, installation);
INSERT INTO installation_version (installation, seq, tenant, digest, plugin_version, config, asked, grants, granted_by,
        granted_at, stage, percent, good, reason, changed_at, created_at)
    SELECT id, 1, tenant, digest, plugin_version, config, grants, grants, '', created_at, state, 0, 1, '', created_at,
        created_at FROM installation;
ALTER TABLE installation DROP COLUMN digest;
ALTER TABLE installation DROP COLUMN plugin_version;
ALTER TABLE installation DROP COLUMN config;
ALTER TABLE installation DROP COLUMN grants;
ALTER TABLE installation ADD COLUMN bounds TEXT NOT NULL DEFAULT '{}'; -- JSON: when a candidate goes by itself

-- What versions did, added up by each node: a row for each thing that is counted, so that nodes never share one.
CREATE TABLE plugin_health (
    installation BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    stage TEXT NOT NULL, -- in which it did so
    node BIGINT NOT NULL, -- the slot of the node
    measure TEXT NOT NULL, -- turns, fault:KIND, fuel, latency, same, different, fell_back
    item BIGINT NOT NULL, -- of fuel and latency: the class of size; else 0
    tenant BIGINT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (installation, seq, stage, node, measure, item)
);

-- Nodes that have a candidate loaded, or why they could not: a promotion waits for them. Rows live as long as the rollout.
CREATE TABLE node_plugin (
    installation BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    holder TEXT NOT NULL, -- the node's name, of one life
    tenant BIGINT NOT NULL,
    problem TEXT NOT NULL, -- '': it is loaded
    PRIMARY KEY (installation, seq, holder)
);

-- Uploads that run nowhere any more.
CREATE TABLE plugin_stop (
    digest TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    stopped_by TEXT NOT NULL,
    stopped_at BIGINT NOT NULL
);

-- Ed25519 keys whose signatures of uploads are believed.
CREATE TABLE plugin_signing_key (
    name TEXT PRIMARY KEY,
    public_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL DEFAULT 0
);
