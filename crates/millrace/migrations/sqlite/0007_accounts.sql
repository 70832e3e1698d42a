-- People who sign in: how they come in, what they prove themselves with, and for how long.

-- 1: an administrator of the whole installation.
ALTER TABLE person ADD COLUMN installation BIGINT NOT NULL DEFAULT 0;
-- The second factor's secret, sealed under the person's id; `factor_version` counts its changes and is part of what binds it.
ALTER TABLE person ADD COLUMN factor_sealed BLOB;
ALTER TABLE person ADD COLUMN factor_key_version BIGINT;
ALTER TABLE person ADD COLUMN factor_version BIGINT NOT NULL DEFAULT 0;
-- When its first code was given; until then it is not asked for.
ALTER TABLE person ADD COLUMN factor_since BIGINT;
-- The last step of 30 seconds whose code was used: no code is taken twice.
ALTER TABLE person ADD COLUMN factor_step BIGINT;
CREATE INDEX person_by_email ON person (email, created_at);

-- Links that let somebody in once: the first administrator, invited people, and people who lost their password.
CREATE TABLE person_link (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- setup, invitation, reset.
    kind TEXT NOT NULL,
    -- SHA-256 of its token, hex: the token itself is not kept.
    hash TEXT NOT NULL UNIQUE,
    -- Whose password it sets; NULL where it makes a person.
    person TEXT,
    -- Of the person to be made; empty for set-up, where the person says.
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    -- Ids, JSON; NULL: all of the tenant's.
    merchants TEXT,
    installation BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    withdrawn_at BIGINT,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant) REFERENCES tenant (tenant),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);

-- Who is signed in.
CREATE TABLE session (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    -- SHA-256 of its token, hex.
    hash TEXT NOT NULL UNIQUE,
    -- Where it was begun, and what the browser calls itself.
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    -- When the person last gave the password.
    proved_at BIGINT NOT NULL,
    -- When it was last used, to the minute.
    seen_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);
CREATE INDEX session_by_person ON session (tenant, person);

-- What lets a person in who has lost the second factor: each once.
CREATE TABLE recovery_code (
    tenant TEXT NOT NULL,
    person TEXT NOT NULL,
    -- SHA-256 of the code, hex.
    hash TEXT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant, person, hash),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);

-- How often signing in failed, by account and by address; known to all nodes. It belongs to the installation: at this point
-- nobody knows yet who it is.
CREATE TABLE sign_in_try (
    tenant TEXT NOT NULL,
    -- SHA-256 of what is counted, hex.
    subject TEXT NOT NULL,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    -- The next try is looked at from then on.
    free_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject)
);
