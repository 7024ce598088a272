-- The host: when versions ran last, components that another engine's artifacts are made of anew, breakers. SQLite's text; its twin is in ../postgres.

-- When a node last added to it: what ran lately is loaded, and compiled anew, before the rest.
ALTER TABLE plugin_health ADD COLUMN ran_at INTEGER NOT NULL DEFAULT 0;

-- Who compiles what anew for which engine, so that no two nodes do the same, and what cannot be compiled for it.
CREATE TABLE compile_work (
    digest TEXT NOT NULL,
    engine TEXT NOT NULL,
    holder TEXT NOT NULL, -- the node that does it
    claimed_until INTEGER NOT NULL, -- after that it is anybody's again
    tries INTEGER NOT NULL,
    problem TEXT NOT NULL, -- why this engine refuses it; '': it does not
    PRIMARY KEY (digest, engine)
);

-- JSON: the breaker of the active version, while it is open; '': it is closed.
ALTER TABLE installation ADD COLUMN breaker TEXT NOT NULL DEFAULT '';
