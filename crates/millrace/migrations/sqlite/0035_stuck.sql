-- Orders that need a person are counted by their reasons in an index alone, which holds no other orders: see db/troubles.rs.
-- What they are stuck by is the reason itself; PostgreSQL keeps a hash there.
DROP INDEX orders_needing;
ALTER TABLE orders ADD COLUMN stuck_by TEXT GENERATED ALWAYS AS (
    CASE WHEN state = 'error' OR (state = 'held' AND disposition = 'held' AND held_reason IS NULL) THEN state_reason END
) VIRTUAL;
CREATE INDEX orders_stuck ON orders (tenant, state, merchant, connection, stuck_by, changed_at, id)
    WHERE stuck_by IS NOT NULL;
-- What is the same for exceptions that differ by figures only.
ALTER TABLE exception ADD COLUMN alike TEXT NOT NULL GENERATED ALWAYS AS (
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(kind || ': ' || reason,
        '0', '#'), '1', '#'), '2', '#'), '3', '#'), '4', '#'), '5', '#'), '6', '#'), '7', '#'), '8', '#'), '9', '#')
) VIRTUAL;
CREATE INDEX exception_alike ON exception (tenant, merchant, connection, alike, at, id) WHERE resolved_at IS NULL;
