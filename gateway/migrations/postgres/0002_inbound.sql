-- What webhooks say beside messages: people who are known by something else now, where a conversation came from, and
-- facts about accounts, numbers and templates. PostgreSQL's text; its twin in ../sqlite says the same.
-- `inbound_event.kind` has two more values: 3 notice (an edit, a revoke, an echo, a copy, a call, a handover, what Meta
-- says of the person: in a conversation, and never a turn), 4 account (JSON of what was said; of no conversation).

ALTER TABLE contact ADD COLUMN username TEXT NOT NULL DEFAULT ''; -- shown, never a key: it may become somebody else's
ALTER TABLE contact ADD COLUMN parent_bsuid TEXT NOT NULL DEFAULT '';
-- When Meta last said that the person has another number or user id; 0 never. No opt-in from before it counts.
ALTER TABLE contact ADD COLUMN moved_at BIGINT NOT NULL DEFAULT 0;

-- `kind` 3: a BSUID that linked portfolios share, in the empty scope.
-- Since when the person is known by something else; 0: they are known by this. A phone may then be anybody's.
ALTER TABLE identity ADD COLUMN superseded_at BIGINT NOT NULL DEFAULT 0;

ALTER TABLE conversation ADD COLUMN referral TEXT NOT NULL DEFAULT ''; -- JSON of the last ad or post it came from
ALTER TABLE conversation ADD COLUMN referral_at BIGINT NOT NULL DEFAULT 0; -- Meta's time of that message
ALTER TABLE conversation ADD COLUMN free_until BIGINT NOT NULL DEFAULT 0; -- end of the free entry point: a price, never a permission
ALTER TABLE conversation ADD COLUMN handover_at BIGINT NOT NULL DEFAULT 0; -- Meta's time of the last echo or handover that was obeyed

-- One row for everything that Meta said: the latest of a fact holds, the others are its history. It grows with Meta's
-- decisions, not with traffic, so it needs neither partitions nor retention.
CREATE TABLE account_fact (
    tenant BIGINT NOT NULL,
    account TEXT NOT NULL, -- WABA; a portfolio where Meta names that
    kind BIGINT NOT NULL, -- 1 the account, 2 a number, 3 a template, 4 a flow
    name TEXT NOT NULL, -- Meta's phone-number id, the template's name, the flow's id; '' for the account
    language TEXT NOT NULL, -- of the template, else ''
    fact TEXT NOT NULL,
    at BIGINT NOT NULL, -- Meta's time
    value TEXT NOT NULL, -- Meta's word, or JSON
    event BIGINT NOT NULL, -- inbound_event that said it
    PRIMARY KEY (tenant, account, kind, name, language, fact, at)
);
