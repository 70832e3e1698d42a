-- How long things are kept.

-- What is old goes, oldest first, without a walk over what stays.
CREATE INDEX letter_by_time ON letter (tenant, merchant, connection, at);
CREATE INDEX desk_post_by_time ON desk_post (tenant, merchant, warehouse, kind, at);
-- By day for what explains a difference as well; by SKU nobody looks.
CREATE INDEX stock_adjustment_by_day ON stock_adjustment (tenant, merchant, connection, made_on);
DROP INDEX stock_adjustment_by_sku;
