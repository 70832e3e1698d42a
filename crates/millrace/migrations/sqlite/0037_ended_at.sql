-- When it was last said that some of a request ends without leaving, or that nothing more of it leaves; NULL until then. A count
-- of what is available from before that may have counted these units as kept for the request.
ALTER TABLE request ADD COLUMN ended_at BIGINT;
-- When that was said first, but for what ended by leaving whole.
ALTER TABLE request ADD COLUMN freed_at BIGINT;
CREATE INDEX request_ended ON request (tenant, merchant, connection, ended_at) WHERE ended_at IS NOT NULL;
