-- The exchange monitor and the enrolment of keys (T/CECS 6.0.8). Run as plumb_owner.

-- One row = one request that asked the gateway to store something. Operational: swept by age and number, never part of the log.
CREATE TABLE ops.exchange_request (
    id       uuid PRIMARY KEY,          -- UUIDv7 of its arrival: the order of the list, and the bound of the sweep
    at       timestamptz NOT NULL,
    holder   text NOT NULL,             -- whose key it is; of an unknown key the operator, so that its officers alone see the row
    is_known boolean NOT NULL,          -- whether the key is on record
    is_proved boolean NOT NULL,         -- whether the request was signed with that key
    key_id   text NOT NULL,
    kind     text NOT NULL,
    uid      text NOT NULL,
    bytes    bigint NOT NULL,
    outcome  text NOT NULL CHECK (outcome IN ('accepted', 'duplicate', 'refused', 'sandbox')),
    status   int NOT NULL,
    slug     text NOT NULL,
    number   text NOT NULL,
    pointer  text NOT NULL,
    reason   text NOT NULL,
    remedy   text NOT NULL,
    detail   text NOT NULL,
    entry    text NOT NULL,
    lines    jsonb NOT NULL,
    ms       real NOT NULL
);
CREATE INDEX exchange_request_of_holder ON ops.exchange_request (holder, id DESC);
CREATE INDEX exchange_request_of_kind ON ops.exchange_request (holder, kind, id DESC);
CREATE INDEX exchange_request_of_key ON ops.exchange_request (key_id, id DESC);
CREATE INDEX exchange_request_refused ON ops.exchange_request (holder, id DESC) WHERE outcome = 'refused';

-- The message part of a refused request, for a while: numbers of people masked, personal parts never. `masked`: something was.
CREATE TABLE ops.exchange_body (
    request uuid PRIMARY KEY,
    holder  text NOT NULL,
    body    bytea NOT NULL CHECK (octet_length(body) <= 131072),
    masked  boolean NOT NULL
);
-- The last message of a kind that a sender got through: what a refused one is compared with.
CREATE TABLE ops.exchange_last (
    holder  text NOT NULL,
    kind    text NOT NULL,
    request uuid NOT NULL,
    at      timestamptz NOT NULL,
    body    bytea NOT NULL CHECK (octet_length(body) <= 131072),
    PRIMARY KEY (holder, kind)
);

-- Applications for keys. The link is known by its hash only; the contact is sealed in the vault under the application's id. PII: encrypted.
CREATE TABLE ops.key_application (
    id           text PRIMARY KEY CHECK (length(id) = 32),
    link_sha256  bytea NOT NULL UNIQUE,
    challenge    text NOT NULL UNIQUE,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    organisation text NOT NULL,
    uscc         text NOT NULL,
    party        text NOT NULL,
    party_role   text NOT NULL,
    division     text NOT NULL,
    purpose      text NOT NULL,
    state        text NOT NULL CHECK (state IN ('applied', 'sandbox', 'production', 'refused')),
    decided_by   text,
    decided_at   timestamptz,
    because      text,
    sandbox_until timestamptz,
    contact_digest     bytea,
    contact_nonce      bytea,
    contact_ciphertext bytea
);
CREATE INDEX key_application_of_division ON ops.key_application (division, at DESC);
CREATE INDEX key_application_of_party ON ops.key_application (party);
CREATE TABLE ops.applied_key (
    key_id      text PRIMARY KEY,
    application text NOT NULL,
    division    text NOT NULL,
    use         text NOT NULL CHECK (use IN ('transport', 'origin', 'device', 'person')),
    algorithm   text NOT NULL CHECK (algorithm IN ('ed25519', 'p256')),
    public_key  bytea NOT NULL,
    holder_code text            -- which device a device's key is of
);
CREATE INDEX applied_key_of_application ON ops.applied_key (application);
-- Conforming messages of sandbox keys: counted, never entered.
CREATE TABLE ops.sandbox_passed (
    application text NOT NULL,
    uid         uuid NOT NULL,
    kind        text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (application, uid)
);
-- A key that ends because another has taken its place: the worker enters the end when it is due.
CREATE TABLE ops.key_rotation (
    old_key text PRIMARY KEY,
    new_key text NOT NULL,
    party   text NOT NULL,
    asked_by text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at timestamptz NOT NULL,
    done    boolean NOT NULL DEFAULT false
);

GRANT SELECT, INSERT, DELETE ON ops.exchange_request, ops.exchange_body TO plumb_gateway;
GRANT SELECT, INSERT, UPDATE ON ops.exchange_last TO plumb_gateway;
GRANT SELECT ON ops.key_application, ops.applied_key TO plumb_gateway;
GRANT SELECT, INSERT ON ops.sandbox_passed TO plumb_gateway;
GRANT SELECT, INSERT, UPDATE ON ops.key_application TO plumb_web;
GRANT SELECT, INSERT ON ops.applied_key, ops.key_rotation TO plumb_web;
GRANT DELETE ON ops.applied_key TO plumb_web;
GRANT SELECT ON ops.sandbox_passed TO plumb_web;
GRANT SELECT, UPDATE ON ops.key_rotation TO plumb_worker;
-- what the worker forgets when its time is over
GRANT SELECT (id, at, state, decided_at, contact_digest), UPDATE (contact_digest, contact_nonce, contact_ciphertext)
    ON ops.key_application TO plumb_worker;
GRANT SELECT ON ops.exchange_request, ops.exchange_body, ops.exchange_last TO plumb_officer, plumb_institution;
GRANT SELECT (id, at, organisation, uscc, party, party_role, division, purpose, state, decided_by, decided_at, because, sandbox_until)
    ON ops.key_application TO plumb_officer;
GRANT SELECT ON ops.applied_key TO plumb_officer;

-- The tables of schema fact change their names when they are rebuilt: a policy reads them through a function, which finds them by name.
GRANT USAGE, CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;

-- Parties that work in the region of the officer who asks.
CREATE FUNCTION ops.region_parties() RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT p.party FROM fact.presence p
                  WHERE p.division >= current_setting('plumb.division_low', true)
                    AND p.division < current_setting('plumb.division_high', true));
END $$;

-- Keys of the party that asks.
CREATE FUNCTION ops.own_keys()
RETURNS TABLE (id text, party text, algorithm text, use text, valid_from timestamptz, valid_until timestamptz, revoked_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.party, k.algorithm, k.use, k.valid_from, k.valid_until, k.revoked_at FROM fact.key k
     WHERE k.party = current_setting('plumb.party', true) ORDER BY k.idx;
END $$;

-- Keys of the parties that work in the region of the officer who asks.
CREATE FUNCTION ops.region_keys()
RETURNS TABLE (id text, party text, algorithm text, use text, valid_from timestamptz, valid_until timestamptz, revoked_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.party, k.algorithm, k.use, k.valid_from, k.valid_until, k.revoked_at FROM fact.key k
     WHERE k.party = ANY (ops.region_parties()) ORDER BY k.idx;
END $$;

-- For the forms of enrolment, in web's own role: who holds a key of these bytes or of this name.
CREATE FUNCTION ops.key_of(wanted text, public_keys bytea[])
RETURNS TABLE (id text, party text, algorithm text, use text, public_key bytea, valid_until timestamptz, revoked_at timestamptz,
               person text, device text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.party, k.algorithm, k.use, k.public_key, k.valid_until, k.revoked_at, k.person, k.device
      FROM fact.key k WHERE k.id = wanted
    UNION ALL SELECT k.id, k.party, k.algorithm, k.use, k.public_key, k.valid_until, k.revoked_at, k.person, k.device FROM fact.key k
     WHERE k.public_key = ANY (public_keys) AND k.id <> wanted;
END $$;

REVOKE ALL ON FUNCTION ops.region_parties(), ops.own_keys(), ops.region_keys(), ops.key_of(text, bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.region_parties(), ops.region_keys() TO plumb_officer;
GRANT EXECUTE ON FUNCTION ops.own_keys() TO plumb_institution;
GRANT EXECUTE ON FUNCTION ops.key_of(text, bytea[]) TO plumb_web;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;

ALTER TABLE ops.exchange_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.exchange_body ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.exchange_last ENABLE ROW LEVEL SECURITY;
CREATE POLICY whole ON ops.exchange_request TO plumb_gateway USING (true) WITH CHECK (true);
CREATE POLICY whole ON ops.exchange_body TO plumb_gateway USING (true) WITH CHECK (true);
CREATE POLICY whole ON ops.exchange_last TO plumb_gateway USING (true) WITH CHECK (true);
CREATE POLICY officer ON ops.exchange_request FOR SELECT TO plumb_officer USING (holder = ANY ((SELECT ops.region_parties())::text[]));
CREATE POLICY officer ON ops.exchange_body FOR SELECT TO plumb_officer USING (holder = ANY ((SELECT ops.region_parties())::text[]));
CREATE POLICY officer ON ops.exchange_last FOR SELECT TO plumb_officer USING (holder = ANY ((SELECT ops.region_parties())::text[]));
CREATE POLICY institution ON ops.exchange_request FOR SELECT TO plumb_institution
    USING (holder = (SELECT current_setting('plumb.party', true)));
CREATE POLICY institution ON ops.exchange_body FOR SELECT TO plumb_institution
    USING (holder = (SELECT current_setting('plumb.party', true)));
CREATE POLICY institution ON ops.exchange_last FOR SELECT TO plumb_institution
    USING (holder = (SELECT current_setting('plumb.party', true)));

ALTER TABLE ops.key_application ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.applied_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY whole ON ops.key_application TO plumb_gateway, plumb_web, plumb_worker USING (true) WITH CHECK (true);
CREATE POLICY whole ON ops.applied_key TO plumb_gateway, plumb_web USING (true) WITH CHECK (true);
CREATE POLICY officer ON ops.key_application FOR SELECT TO plumb_officer
    USING (division >= (SELECT current_setting('plumb.division_low', true)) AND division < (SELECT current_setting('plumb.division_high', true)));
CREATE POLICY officer ON ops.applied_key FOR SELECT TO plumb_officer
    USING (division >= (SELECT current_setting('plumb.division_low', true)) AND division < (SELECT current_setting('plumb.division_high', true)));
