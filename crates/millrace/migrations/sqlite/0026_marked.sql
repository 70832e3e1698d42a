-- What a person had shown on the order until somebody has it looked at again; whatever is read meanwhile leaves it.
ALTER TABLE orders ADD COLUMN marked TEXT;
-- The windows that were lost before the last one, as JSON: [[since, until], …].
ALTER TABLE safety ADD COLUMN lost_before TEXT NOT NULL DEFAULT '[]';
