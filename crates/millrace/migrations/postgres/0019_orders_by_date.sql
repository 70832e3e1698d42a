-- A range of dates that hardly any order has is looked up, not walked for.
CREATE INDEX orders_by_date ON orders (tenant, placed_at, id, merchant);
