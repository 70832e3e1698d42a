-- 1: the window that was lost is named, and what the lost journal may have sent is not marked in every tenant yet.
ALTER TABLE safety ADD COLUMN unmarked BIGINT NOT NULL DEFAULT 0;
