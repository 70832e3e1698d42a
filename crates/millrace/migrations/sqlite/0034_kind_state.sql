-- Kind and state of an effect as one: an index gives the effects of one kind and state in their order, and looks at no others
-- where there are none. PostgreSQL compares a pair of columns with the pairs of the index one by one.
DROP INDEX effect_of_kind;
ALTER TABLE effect ADD COLUMN kind_state TEXT NOT NULL GENERATED ALWAYS AS (kind || ' ' || state) VIRTUAL;
CREATE INDEX effect_of_kind ON effect (tenant, kind_state, id, connection, merchant);
