-- Connections that are put away.

-- When it was put away; its orders, effects and shipments stay. NULL: it is in use.
ALTER TABLE connection ADD COLUMN archived_at BIGINT;
