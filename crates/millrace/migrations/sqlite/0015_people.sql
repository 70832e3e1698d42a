-- Signing in at an identity provider (OpenID Connect), and what takes two people.

-- Who somebody is there. Linked once, the provider's own name for the person counts, and no e-mail address any more.
CREATE TABLE person_identity (
    tenant TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, issuer, subject),
    UNIQUE (tenant, person, issuer),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);
CREATE INDEX person_identity_by_subject ON person_identity (issuer, subject, linked_at);

-- Sign-ins on their way there and back. They belong to the installation: at this point nobody knows yet who it is.
CREATE TABLE provider_flow (
    tenant TEXT NOT NULL,
    -- SHA-256 of the state, hex.
    hash TEXT NOT NULL,
    -- SHA-256 of what the browser that began it holds, hex: no other may end it.
    browser TEXT NOT NULL UNIQUE,
    -- The tenant that was named; NULL: the first that knows the person.
    wanted TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When the browser came back.
    used_at BIGINT,
    -- Who came back and still has to give the code of a second factor.
    person_tenant TEXT,
    person TEXT,
    -- When the provider asked that person who they are.
    asked_at BIGINT,
    PRIMARY KEY (tenant, hash)
);

-- Credentials of warehouses are handed off as well: `store` or `warehouse`.
ALTER TABLE hand_off ADD COLUMN side TEXT NOT NULL DEFAULT 'store';
ALTER TABLE hand_off RENAME COLUMN store TO endpoint;

-- Yeses to stock of a connection that two people approve: the second person's decides.
CREATE TABLE stock_assent (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    run TEXT NOT NULL,
    -- The SKUs of the lines, one a line; empty: the run itself.
    what TEXT NOT NULL,
    person TEXT NOT NULL,
    -- The same person as the audit trail names them.
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, run, what, person),
    FOREIGN KEY (tenant, merchant, run) REFERENCES stock_run (tenant, merchant, id)
);
