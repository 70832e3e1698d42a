-- Calls that came long ago are removed every hour; without this each time all of them are looked at.
CREATE INDEX inbox_received ON inbox (tenant, received_at);
