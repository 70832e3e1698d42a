-- 1: the identity provider said that it asked for several factors.
ALTER TABLE session ADD COLUMN several_factors BIGINT NOT NULL DEFAULT 0;
