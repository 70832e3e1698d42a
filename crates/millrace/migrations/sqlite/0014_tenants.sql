-- Organisations come and go: one that is disabled keeps its data, and nothing of it works.
ALTER TABLE tenant ADD COLUMN disabled_at BIGINT;
