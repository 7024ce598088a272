-- How far a tenant that keeps its journals shorter than the operator does has had them deleted: every round goes on from
-- there, because turns have no index by tenant. SQLite's text; its twin is in ../postgres.
CREATE TABLE journal_bound (
    tenant INTEGER PRIMARY KEY,
    gone_before INTEGER NOT NULL -- an id of a turn
);
