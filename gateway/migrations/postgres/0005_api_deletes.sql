-- What was left open in the management API. PostgreSQL's text; its twin is in ../sqlite.

-- An answer is written in the transaction of its change now: there is no request whose outcome nobody knows.
DELETE FROM idempotency WHERE status = 0;
