-- The shipments that a person is needed for are few, and listed by themselves.
CREATE INDEX shipment_problem ON shipment (tenant, id) WHERE problem IS NOT NULL;
