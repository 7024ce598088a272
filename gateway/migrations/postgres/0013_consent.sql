-- Consent with evidence: the sealed ledger, opt-ins in the projection, topics, opt-in pages, imports, and who was erased.
-- PostgreSQL's text; its twin is in ../sqlite.

-- The projection that every send is checked against. What it says is what the ledger's records come to.
ALTER TABLE consent ADD COLUMN marketing_given_at BIGINT NOT NULL DEFAULT 0; -- the opt-in on record; 0: none
ALTER TABLE consent ADD COLUMN utility_given_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN utility_stopped_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN topics BIGINT NOT NULL DEFAULT 0; -- a bit for each topic with an opt-in
ALTER TABLE consent ADD COLUMN topics_stopped BIGINT NOT NULL DEFAULT 0;
ALTER TABLE consent ADD COLUMN pending BIGINT NOT NULL DEFAULT 0; -- 1: something waits for the person's word (consent_pending)

-- The ledger: appended to in the transaction of the change that it tells of, chained soon after by the sealer. It grows
-- with what people decide, not with traffic, and is kept for ever; what it says of a person can be erased.
CREATE TABLE consent_record (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    contact BIGINT NOT NULL,
    scope TEXT NOT NULL, -- all, marketing, utility, topic:NAME ...
    status TEXT NOT NULL, -- given, withdrawn, pending, erased
    channel TEXT NOT NULL,
    said_at BIGINT NOT NULL, -- when the person said so
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    wording BYTEA NOT NULL, -- digest of the wording that was shown; empty: none
    value TEXT NOT NULL, -- JSON: by what they are known, from where, proof; '' once erased
    salt BYTEA NOT NULL, -- empty once erased
    value_hash BYTEA NOT NULL, -- hash of salt and value: stays
    commitment BYTEA NOT NULL, -- hash of all the rest and of value_hash
    seq BIGINT NOT NULL DEFAULT 0, -- place in its tenant's chain; 0: not sealed yet
    mac BYTEA NOT NULL
);
-- What the sealer has to do.
CREATE INDEX consent_record_todo ON consent_record (id) WHERE seq = 0;
-- A person's file.
CREATE INDEX consent_record_of_contact ON consent_record (tenant, contact, id);
-- The chain in order.
CREATE INDEX consent_record_chain ON consent_record (tenant, seq);

-- Wordings that people were shown, each once; never changed.
CREATE TABLE consent_wording (
    tenant BIGINT NOT NULL,
    digest BYTEA NOT NULL, -- of version, language and text
    version TEXT NOT NULL,
    language TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, digest)
);

-- Parts of marketing that a tenant has names for.
CREATE TABLE consent_topic (
    tenant BIGINT NOT NULL,
    bit BIGINT NOT NULL, -- in consent.topics; never given to another
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, bit)
);
CREATE UNIQUE INDEX consent_topic_name ON consent_topic (tenant, name);

-- What waits for the person's own word in the chat. Short-lived: let go of when it is confirmed or over.
CREATE TABLE consent_pending (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    contact BIGINT NOT NULL, -- 0: whoever sends the code
    code TEXT NOT NULL,
    scope TEXT NOT NULL,
    wording BYTEA NOT NULL,
    value TEXT NOT NULL, -- JSON: from where, proof
    expires_at BIGINT NOT NULL
);
-- "Does this message confirm something?", and no code twice.
CREATE UNIQUE INDEX consent_pending_code ON consent_pending (tenant, contact, code);
-- What is over.
CREATE INDEX consent_pending_over ON consent_pending (expires_at);

-- Opt-in pages, each version as it was shown.
CREATE TABLE consent_page (
    tenant BIGINT NOT NULL,
    name TEXT NOT NULL, -- stands in its address
    seq BIGINT NOT NULL, -- from 1 on; the highest is shown
    scope TEXT NOT NULL,
    number BIGINT NOT NULL, -- whom the person writes to
    title TEXT NOT NULL,
    wording BYTEA NOT NULL,
    enabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, name, seq)
);

-- What an import was given, in pieces of whole lines, until its job has read them.
CREATE TABLE consent_import (
    id BIGINT NOT NULL,
    piece BIGINT NOT NULL,
    tenant BIGINT NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (id, piece)
);

-- People whose data was erased: what they had stopped holds if the same number or user id comes back.
CREATE TABLE consent_erased (
    tenant BIGINT NOT NULL,
    pseudonym BYTEA NOT NULL, -- keyed hash of the identity
    opt_out BIGINT NOT NULL,
    since BIGINT NOT NULL,
    meta_stopped_at BIGINT NOT NULL,
    utility_stopped_at BIGINT NOT NULL,
    topics_stopped BIGINT NOT NULL,
    erased_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, pseudonym)
);

-- "Who became one with this person?", asked when a person's file is read or erased: few rows.
CREATE INDEX consent_merged ON consent (merged_into) WHERE merged_into <> 0;
