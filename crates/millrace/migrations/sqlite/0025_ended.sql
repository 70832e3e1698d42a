-- Lines of which the warehouse has said that nothing more will leave, as JSON; empty: of none.
ALTER TABLE request ADD COLUMN ended TEXT NOT NULL DEFAULT '';
