-- An upload's bytes lie in a table of their own: on SQLite whoever read a manifest walked over all pages of the half megabyte
-- that lay in front of it in the same row.
CREATE TABLE component_wasm (
    tenant INTEGER NOT NULL,
    digest TEXT NOT NULL,
    wasm BLOB NOT NULL,
    PRIMARY KEY (tenant, digest)
);
INSERT INTO component_wasm (tenant, digest, wasm) SELECT tenant, digest, wasm FROM component;
ALTER TABLE component DROP COLUMN wasm;
