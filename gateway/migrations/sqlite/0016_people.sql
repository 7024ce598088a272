-- Since when the business has the person on the number's block list; 0: it has not. Read with the conversation by every turn
-- and claim, so no index.
ALTER TABLE conversation ADD COLUMN blocked_at INTEGER NOT NULL DEFAULT 0;

-- What an audit entry says can go with a person: it hangs on a hash of its own then, which the commitment binds. Entries from
-- before bind it by the commitment itself, and have none. 0: nothing of it was erased.
ALTER TABLE audit_entry ADD COLUMN value_hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE audit_entry ADD COLUMN erased_by INTEGER NOT NULL DEFAULT 0;

-- Which rows may carry a wamid: one row for 16,384 sends or events, made behind the way of messages, so that none of them pays
-- for an index. It goes with the last of its rows (`explain/wamids.rs`), so it needs no partitions.
CREATE TABLE wamid_digest (
    source INTEGER NOT NULL, -- 1 outbox, 2 inbound_event
    last INTEGER NOT NULL, -- the last id that it knows of
    first INTEGER NOT NULL,
    filter BLOB NOT NULL, -- Bloom filter over their wamids
    late BLOB NOT NULL, -- ids, eight bytes each, of rows that had none yet
    PRIMARY KEY (source, last)
) WITHOUT ROWID;
