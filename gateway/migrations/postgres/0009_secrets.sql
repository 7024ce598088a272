-- Secrets of tenants that the gateway writes into plugins' requests. PostgreSQL's text; its twin is in ../sqlite.

CREATE TABLE secret (
    id BIGINT PRIMARY KEY,
    tenant BIGINT NOT NULL,
    name TEXT NOT NULL,
    value BYTEA NOT NULL, -- envelope
    hosts TEXT NOT NULL, -- JSON array of hosts that it may go to, exact or *.suffix; []: any that the plugin may ask
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (tenant, name) -- how requests and people name it
);
