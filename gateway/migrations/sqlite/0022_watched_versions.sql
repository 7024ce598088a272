-- While a version is active: the one whose place it took by a promotion, with which it is compared for a while. 0: it was the
-- first, or came back.
ALTER TABLE installation_version ADD COLUMN instead_of INTEGER NOT NULL DEFAULT 0;
