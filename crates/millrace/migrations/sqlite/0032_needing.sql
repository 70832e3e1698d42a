-- Orders that need a person are counted by their reasons in the index alone: see db/troubles.rs.
CREATE INDEX orders_needing ON orders
    (tenant, merchant, connection, state, state_reason, changed_at, id, disposition, held_reason)
    WHERE state IN ('error', 'held');
