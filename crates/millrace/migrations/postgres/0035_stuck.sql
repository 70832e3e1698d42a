-- Orders that need a person are counted by their reasons in an index alone, which holds no other orders: see db/troubles.rs.
-- A reason may be longer than an entry of an index here, so that a hash of it stands there.
DROP INDEX orders_needing;
ALTER TABLE orders ADD COLUMN stuck_by TEXT COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN state = 'error' OR (state = 'held' AND disposition = 'held' AND held_reason IS NULL)
        THEN hashtextextended(state_reason, 0)::TEXT || ' ' || hashtextextended(state_reason, 1)::TEXT END
) STORED;
CREATE INDEX orders_stuck ON orders (tenant, state, merchant, connection, stuck_by, changed_at, id)
    WHERE stuck_by IS NOT NULL;
-- What is the same for exceptions that differ by figures only.
ALTER TABLE exception ADD COLUMN alike TEXT COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (translate(kind || ': ' || reason, '0123456789', '##########')) STORED;
