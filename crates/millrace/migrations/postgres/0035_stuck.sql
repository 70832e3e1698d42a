-- Orders that need a person are counted by their reasons in an index alone, which holds no other orders: see db/troubles.rs.
-- A reason may be longer than an entry of an index here, so that its hash stands for it; nobody has anything from reasons alike.
DROP INDEX orders_needing;
ALTER TABLE orders ADD COLUMN stuck_by TEXT COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN state = 'error' OR (state = 'held' AND disposition = 'held' AND held_reason IS NULL)
        THEN md5(state_reason) END
) STORED;
CREATE INDEX orders_stuck ON orders (tenant, state, merchant, connection, stuck_by, changed_at, id)
    WHERE stuck_by IS NOT NULL;
