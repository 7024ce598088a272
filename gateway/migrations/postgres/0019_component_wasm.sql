-- An upload's bytes lie in a table of their own: on SQLite whoever read a manifest walked over all pages of the half megabyte
-- that lay in front of it in the same row.
-- Nodes of the version before may still run: nothing is uploaded between the copy and the end of the column.
LOCK TABLE component IN ACCESS EXCLUSIVE MODE;
CREATE TABLE component_wasm (
    tenant BIGINT NOT NULL,
    digest TEXT NOT NULL,
    wasm BYTEA NOT NULL,
    PRIMARY KEY (tenant, digest)
);
INSERT INTO component_wasm (tenant, digest, wasm) SELECT tenant, digest, wasm FROM component;
ALTER TABLE component DROP COLUMN wasm;
