-- Secrets of tenants that the gateway writes into plugins' requests. SQLite's text; its twin is in ../postgres.

CREATE TABLE secret (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL, -- envelope
    hosts TEXT NOT NULL, -- JSON array of hosts that it may go to, exact or *.suffix; []: any that the plugin may ask
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (tenant, name) -- how requests and people name it
);
