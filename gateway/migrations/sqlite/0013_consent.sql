-- Consent with evidence: the sealed ledger, opt-ins in the projection, topics, opt-in pages, imports, and who was erased.
-- SQLite's text; its twin is in ../postgres.

-- The projection that every send is checked against. What it says is what the ledger's records come to.
ALTER TABLE consent ADD COLUMN marketing_given_at INTEGER NOT NULL DEFAULT 0; -- the opt-in on record; 0: none
ALTER TABLE consent ADD COLUMN utility_given_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN utility_stopped_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN topics INTEGER NOT NULL DEFAULT 0; -- a bit for each topic with an opt-in
ALTER TABLE consent ADD COLUMN topics_stopped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN pending INTEGER NOT NULL DEFAULT 0; -- 1: something waits for the person's word (consent_pending)

-- The ledger: appended to in the transaction of the change that it tells of, chained soon after by the sealer. It grows
-- with what people decide, not with traffic, and is kept for ever; what it says of a person can be erased.
CREATE TABLE consent_record (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    scope TEXT NOT NULL, -- all, marketing, utility, topic:NAME ...
    status TEXT NOT NULL, -- given, withdrawn, pending, erased
    channel TEXT NOT NULL,
    said_at INTEGER NOT NULL, -- when the person said so
    recorded_at INTEGER NOT NULL,
    recorded_by TEXT NOT NULL,
    wording BLOB NOT NULL, -- digest of the wording that was shown; empty: none
    value TEXT NOT NULL, -- JSON: by what they are known, from where, proof; '' once erased
    salt BLOB NOT NULL, -- empty once erased
    value_hash BLOB NOT NULL, -- hash of salt and value: stays
    commitment BLOB NOT NULL, -- hash of all the rest and of value_hash
    seq INTEGER NOT NULL DEFAULT 0, -- place in its tenant's chain; 0: not sealed yet
    mac BLOB NOT NULL
);
-- What the sealer has to do.
CREATE INDEX consent_record_todo ON consent_record (id) WHERE seq = 0;
-- A person's file.
CREATE INDEX consent_record_of_contact ON consent_record (tenant, contact, id);
-- The chain in order.
CREATE INDEX consent_record_chain ON consent_record (tenant, seq);

-- Wordings that people were shown, each once; never changed.
CREATE TABLE consent_wording (
    tenant INTEGER NOT NULL,
    digest BLOB NOT NULL, -- of version, language and text
    version TEXT NOT NULL,
    language TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, digest)
) WITHOUT ROWID;

-- Parts of marketing that a tenant has names for.
CREATE TABLE consent_topic (
    tenant INTEGER NOT NULL,
    bit INTEGER NOT NULL, -- in consent.topics; never given to another
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, bit)
) WITHOUT ROWID;
CREATE UNIQUE INDEX consent_topic_name ON consent_topic (tenant, name);

-- What waits for the person's own word in the chat. Short-lived: let go of when it is confirmed or over.
CREATE TABLE consent_pending (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    contact INTEGER NOT NULL, -- 0: whoever sends the code
    code TEXT NOT NULL,
    scope TEXT NOT NULL,
    wording BLOB NOT NULL,
    value TEXT NOT NULL, -- JSON: from where, proof
    expires_at INTEGER NOT NULL
);
-- "Does this message confirm something?", and no code twice.
CREATE UNIQUE INDEX consent_pending_code ON consent_pending (tenant, contact, code);
-- What is over.
CREATE INDEX consent_pending_over ON consent_pending (expires_at);

-- Opt-in pages, each version as it was shown.
CREATE TABLE consent_page (
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL, -- stands in its address
    seq INTEGER NOT NULL, -- from 1 on; the highest is shown
    scope TEXT NOT NULL,
    number INTEGER NOT NULL, -- whom the person writes to
    title TEXT NOT NULL,
    wording BLOB NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, seq)
) WITHOUT ROWID;

-- What an import was given, in pieces of whole lines, until its job has read them.
CREATE TABLE consent_import (
    id INTEGER NOT NULL,
    piece INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (id, piece)
) WITHOUT ROWID;

-- People whose data was erased: what they had stopped holds if the same number or user id comes back.
CREATE TABLE consent_erased (
    tenant INTEGER NOT NULL,
    pseudonym BLOB NOT NULL, -- keyed hash of the identity
    opt_out INTEGER NOT NULL,
    since INTEGER NOT NULL,
    meta_stopped_at INTEGER NOT NULL,
    utility_stopped_at INTEGER NOT NULL,
    topics_stopped INTEGER NOT NULL,
    erased_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, pseudonym)
) WITHOUT ROWID;

-- "Who became one with this person?", asked when a person's file is read or erased: few rows.
CREATE INDEX consent_merged ON consent (merged_into) WHERE merged_into <> 0;
