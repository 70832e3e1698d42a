-- The shipments that a person is needed for are few, and listed by themselves.
CREATE INDEX shipment_problem ON shipment (tenant, id) WHERE problem IS NOT NULL;
-- What has left of a request is asked whenever more of it leaves.
CREATE INDEX shipment_of_request ON shipment (tenant, merchant, request) WHERE request IS NOT NULL;
