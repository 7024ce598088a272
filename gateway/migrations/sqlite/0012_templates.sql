-- Templates of each WhatsApp Business Account, as Meta has them. A row stays when its template is rejected, paused, deleted.
CREATE TABLE template (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    account TEXT NOT NULL, -- WABA
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    meta_id TEXT NOT NULL, -- '' until Meta has told it
    status TEXT NOT NULL, -- Meta's word; '' until it was told
    status_at INTEGER NOT NULL, -- Meta's time of it: an older word changes nothing
    asked_category TEXT NOT NULL, -- what it was submitted as, if that was done here
    category TEXT NOT NULL, -- what Meta charges it as today
    category_at INTEGER NOT NULL,
    next_category TEXT NOT NULL, -- what Meta has said it will become
    next_category_at INTEGER NOT NULL,
    quality TEXT NOT NULL,
    quality_at INTEGER NOT NULL,
    rejected TEXT NOT NULL, -- Meta's reason
    components TEXT NOT NULL, -- JSON; '' until they were read
    ttl_seconds INTEGER NOT NULL, -- 0: Meta's own
    heard INTEGER NOT NULL, -- id of the pass that saw it last, or of what spoke of it since
    gone_at INTEGER NOT NULL, -- a whole pass did not see it; 0: it is there
    refetch INTEGER NOT NULL, -- 1: what is kept of it may be out of date
    revision INTEGER NOT NULL, -- of the counter `templates`, when what matters for sending changed last
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX template_of_account ON template (tenant, account, name, language);
-- What a node has not read into memory yet.
CREATE INDEX template_by_revision ON template (revision);
-- What is to be asked for again: nearly always nothing.
CREATE INDEX template_to_refetch ON template (id) WHERE refetch = 1;

-- Every change of one, with the time and where it was learnt. Of components, which are long, the earlier ones only.
CREATE TABLE template_history (
    id INTEGER PRIMARY KEY,
    template INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    at INTEGER NOT NULL, -- Meta's time, or when it was read
    what TEXT NOT NULL, -- seen, status, category, next_category, quality, components, gone, back
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    learnt TEXT NOT NULL -- sync, webhook, answer, receipt
);
CREATE INDEX template_history_of ON template_history (template, id);

-- Accounts whose templates are kept, and when they are read next.
CREATE TABLE template_account (
    tenant INTEGER NOT NULL,
    account TEXT NOT NULL,
    bucket INTEGER NOT NULL, -- who owns it begins its syncs
    synced_at INTEGER NOT NULL, -- end of the last whole pass; 0: never, so nothing is refused for what is not known
    due_at INTEGER NOT NULL,
    job INTEGER NOT NULL, -- the last one that was queued; 0: none
    revision INTEGER NOT NULL,
    PRIMARY KEY (tenant, account)
) WITHOUT ROWID;
CREATE INDEX template_account_due ON template_account (due_at);

INSERT INTO change_counter (name, version) VALUES ('templates', 0);

-- Jobs that wait: for Meta to have room again.
ALTER TABLE job ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
