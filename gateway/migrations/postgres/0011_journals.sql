-- How far a tenant that keeps its journals shorter than the operator does has had them deleted: every round goes on from
-- there, because turns have no index by tenant. PostgreSQL's text; its twin is in ../sqlite.
CREATE TABLE journal_bound (
    tenant BIGINT PRIMARY KEY,
    gone_before BIGINT NOT NULL -- an id of a turn
);
