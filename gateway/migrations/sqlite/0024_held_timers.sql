-- When a timer was due whose plugin is paused or behind an open breaker: it waits, and due_at says when it is looked at
-- again. 0: it is not held. No index: whoever finds held ones again has the tenant's (timer_of_tenant).
ALTER TABLE timer ADD COLUMN held_from BIGINT NOT NULL DEFAULT 0;
