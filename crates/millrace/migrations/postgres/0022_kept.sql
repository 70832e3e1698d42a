-- How long things are kept, and looking for what somebody did.

-- What is old goes, oldest first, without a walk over what stays.
CREATE INDEX letter_by_time ON letter (tenant, merchant, connection, at);
CREATE INDEX desk_post_by_time ON desk_post (tenant, merchant, warehouse, kind, at);
-- By day for what explains a difference as well; by SKU nobody looks.
CREATE INDEX stock_adjustment_by_day ON stock_adjustment (tenant, merchant, connection, made_on);
DROP INDEX stock_adjustment_by_sku;

-- The audit trail by who, what, on what and when: whatever begins with a text, newest first.
ALTER TABLE audit ALTER COLUMN actor TYPE TEXT COLLATE "C";
ALTER TABLE audit ALTER COLUMN action TYPE TEXT COLLATE "C";
ALTER TABLE audit ALTER COLUMN target TYPE TEXT COLLATE "C";
CREATE INDEX audit_by_actor ON audit (tenant, actor);
CREATE INDEX audit_by_action ON audit (tenant, action);
CREATE INDEX audit_by_target ON audit (tenant, target);
CREATE INDEX audit_by_time ON audit (tenant, at);
