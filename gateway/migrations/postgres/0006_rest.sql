-- Templates are held for one WhatsApp account, and what Meta says beside conversations can be listed. The text is the
-- same for both databases.

-- The WABA of a held template: another account of the tenant may have one of the same name. '': every account, as
-- holds of before were.
ALTER TABLE hold ADD COLUMN account TEXT NOT NULL DEFAULT '';

-- "What was said beside conversations?", page by page: accounts, groups, what is kept raw. Few events are in it, so
-- that a message costs no more than before.
CREATE INDEX inbound_event_beside ON inbound_event (tenant, id) WHERE conversation = 0;
