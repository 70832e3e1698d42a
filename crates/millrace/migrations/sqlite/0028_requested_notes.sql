-- Which goods-out notes of some orders are requests is asked whenever orders are read: not a search through every request.
CREATE INDEX request_requested ON request (tenant, merchant, connection, order_id) WHERE live = 1 AND note_id IS NOT NULL;
