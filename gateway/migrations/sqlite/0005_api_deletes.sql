-- What was left open in the management API. SQLite's text; its twin in ../postgres says the same.

-- An answer is written in the transaction of its change now: there is no request whose outcome nobody knows.
DELETE FROM idempotency WHERE status = 0;
