-- When Meta was last asked for the block list of a number. 0: never.
ALTER TABLE number ADD COLUMN blocks_read_at BIGINT NOT NULL DEFAULT 0;

-- Whom a number has blocked: few, among all to whom it ever wrote.
CREATE INDEX conversation_blocked ON conversation (number, contact) WHERE blocked_at <> 0;
