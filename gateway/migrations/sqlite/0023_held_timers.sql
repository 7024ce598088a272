-- When a timer was due whose plugin is paused or behind an open breaker: it waits, and due_at says when it is looked at
-- again. 0: it is not held.
ALTER TABLE timer ADD COLUMN held_from BIGINT NOT NULL DEFAULT 0;
-- Those to be let go when their plugin runs again: few rows.
CREATE INDEX timer_held ON timer (tenant, plugin, conversation, name) WHERE held_from > 0;
