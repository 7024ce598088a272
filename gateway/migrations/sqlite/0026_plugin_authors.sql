-- Which tenant wrote an upload that the operator gave to all: it sees how all of its installations do. 0: nobody is named.
ALTER TABLE component ADD COLUMN author BIGINT NOT NULL DEFAULT 0;
