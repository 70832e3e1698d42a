-- Running numbers that go into what is sent (control numbers): docs/decisions/0028.

-- How far a series has come. Taken from in the transaction that plans the effect, so that no number is lost or given twice.
CREATE TABLE number_series (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    -- The connector's name for it: who sends to whom.
    name TEXT NOT NULL,
    reached BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, name),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant)
);

-- The number of an effect whose payload carries one; it never changes.
ALTER TABLE effect ADD COLUMN number BIGINT;
