-- When a message was written, as its sender says in it: a number that comes again with a newer date may have begun again
-- (docs/x12.md). NULL for what was taken in before this was kept; when it was taken in stands for it.
ALTER TABLE letter ADD COLUMN written BIGINT;
