-- Pre-flight: what would have become of the orders of the past.

-- One run. Kept when it has ended, so that a later one can be compared with it.
CREATE TABLE preflight (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    id TEXT NOT NULL,
    -- How far it looks back, and from when.
    days BIGINT NOT NULL,
    since BIGINT NOT NULL,
    wanted_at BIGINT NOT NULL,
    wanted_by TEXT NOT NULL,
    -- The configuration it plans with; another one begins it anew.
    revision BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    -- `finished`, `failed`, `cancelled`; NULL until it has ended.
    outcome TEXT,
    -- What it failed of, or what it waits for.
    problem TEXT,
    -- Orders to look at, once known, and the last that was looked at.
    total BIGINT,
    place BIGINT NOT NULL,
    -- What was counted so far, compressed JSON.
    tally BLOB,
    -- The node that works on it, and until when; another may go on with it afterwards.
    owner TEXT,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);
-- One at a time per connection.
CREATE UNIQUE INDEX preflight_open ON preflight (tenant, merchant, connection) WHERE ended_at IS NULL;
CREATE INDEX preflight_by_connection ON preflight (tenant, merchant, connection, id);

-- Lists: each state is read by its own index, newest first. See db/lists.rs.
CREATE INDEX effect_of_tenant ON effect (tenant, state, id);
CREATE INDEX shipment_of_connection ON shipment (tenant, merchant, connection, id);
CREATE INDEX shipment_unconfirmed ON shipment (tenant, id) WHERE confirmed_at IS NULL;
