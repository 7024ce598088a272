-- Quiet hours, caps and limits: sends that wait for their hour, and what is counted. SQLite's text; its twin is in
-- ../postgres.

-- Sends of state 7 (deferred) wait for an hour, thousands of them, and are nobody's to look at until it comes: they are in
-- no other index of open work. The number is in it so that one with no room is passed by without reading its rows.
CREATE INDEX outbox_deferred ON outbox (bucket, due_at, id, number) WHERE state = 7;
-- "What of this conversation waits?", asked by who takes it over, and before something younger goes.
CREATE INDEX outbox_deferred_of ON outbox (conversation, id) WHERE state = 7;

-- What the business began with a person in the last week, for caps. Claimed, not answered: that is what is counted.
CREATE TABLE begun (
    contact INTEGER NOT NULL,
    outbox INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    class INTEGER NOT NULL, -- what Meta called it then
    at INTEGER NOT NULL,
    held_off_at INTEGER NOT NULL DEFAULT 0, -- when Meta said that the person has had enough (131049)
    PRIMARY KEY (contact, outbox)
) WITHOUT ROWID;
-- What is older than a week goes.
CREATE INDEX begun_at ON begun (at);

-- Whom a portfolio last messaged outside a window, and when: Meta's messaging limit counts them for 24 hours.
CREATE TABLE reached (
    portfolio TEXT NOT NULL,
    contact INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (portfolio, contact)
) WITHOUT ROWID;
-- "How many in the last 24 hours, and when does the first of them leave?"
CREATE INDEX reached_lately ON reached (portfolio, at);
-- What is older than a day goes.
CREATE INDEX reached_at ON reached (at);

-- How many people Meta lets a portfolio message so. No row: not known.
CREATE TABLE portfolio_limit (
    portfolio TEXT PRIMARY KEY,
    tenant INTEGER NOT NULL, -- whose webhook told it
    people INTEGER NOT NULL, -- -1: as many as there are
    at INTEGER NOT NULL -- Meta's time
) WITHOUT ROWID;

-- Messages of a calendar month, by number and class: monthly caps, Meta's allowance of service messages.
CREATE TABLE month_count (
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL,
    month INTEGER NOT NULL, -- 202611
    class INTEGER NOT NULL, -- of drafts; 0 counts what Meta took, the others what was claimed
    messages INTEGER NOT NULL,
    PRIMARY KEY (tenant, month, number, class)
) WITHOUT ROWID;
