-- The parts of the API that a key is limited to, with spaces between; empty: to none.
ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
