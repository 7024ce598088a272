-- When Meta was last asked for the quality of a number, so that a start asks only for what is due. 0: never.
ALTER TABLE number ADD COLUMN quality_read_at BIGINT NOT NULL DEFAULT 0;
