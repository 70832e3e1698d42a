-- Cancels and changes that come after an order was sent, and how they end.

-- 1: there is a row in race for it.
ALTER TABLE request ADD COLUMN racing BIGINT NOT NULL DEFAULT 0;
-- 1: cancelled at the warehouse, and asked for again under another key. It is not live any more.
ALTER TABLE request ADD COLUMN retired BIGINT NOT NULL DEFAULT 0;
-- Where it was planned to go, JSON; NULL for requests older than this column.
ALTER TABLE request ADD COLUMN ship_to TEXT;

-- Orders that import takes up whatever the scan says of them.
CREATE INDEX orders_unseen ON orders (tenant, merchant, connection, order_id) WHERE seen = '';

-- One row per request that somebody wanted stopped or changed after it was sent.
CREATE TABLE race (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    request TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    -- cancel or change.
    what TEXT NOT NULL,
    -- Where the wish came from: status (the order's, in the source), note (deleted in the source), rows (the order's content),
    -- person (here).
    origin TEXT NOT NULL,
    why TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    -- Who asks the warehouse when it is silent.
    owner TEXT NOT NULL,
    -- The warehouse takes no cancel from the hub: why not, and what to do.
    by_hand TEXT,
    -- A change about which a person has not decided.
    undecided BIGINT NOT NULL,
    -- It goes again under a new key once it is cancelled.
    resend BIGINT NOT NULL,
    withdrawn BIGINT NOT NULL,
    -- What a person was told by the warehouse.
    answer TEXT,
    -- Derived from facts in one place.
    outcome TEXT NOT NULL,
    outcome_at BIGINT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, request),
    FOREIGN KEY (tenant, merchant, request) REFERENCES request (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, order_ref) REFERENCES orders (tenant, merchant, id)
);
CREATE INDEX race_by_order ON race (tenant, merchant, order_ref);

-- What became of a race, step by step.
CREATE TABLE race_step (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    request TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    -- asked, by_hand, withdrawn, answered, decided, again, or an outcome.
    step TEXT NOT NULL,
    -- Who; empty for the program.
    actor TEXT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, request, number),
    FOREIGN KEY (tenant, merchant, request) REFERENCES request (tenant, merchant, id)
);
